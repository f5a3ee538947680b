"""From what is owed to what the bank has done: each fen once, whatever the bank says."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.journal import Fund, Layer
from backend.domain.ledger import SlotState
from backend.domain.two_people import SamePersonError
from backend.entrypoints.mobile.status_texts import status_of
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.read import view_claim
from backend.service_layer.journal.deposits import deposit
from backend.service_layer.payout.manual import (
    acknowledge,
    confirm_acknowledged,
    hold,
    propose_release,
    release,
)
from backend.service_layer.payout.records import (
    ACCOUNT_CLOSED,
    ACCOUNT_DELAY,
    ACCOUNT_MISSING,
    ACCOUNT_UNVERIFIED,
    AnswerStatus,
    StatusItem,
)
from tests.funding import POOL_FEN, TYPES, fund_pools
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    DAY,
    FIRST_FEN,
    SECOND_FEN,
    account_of,
    alarms,
    answers,
    attempts,
    balance,
    claim_of,
    files,
    rows,
    say,
    settled,
    state,
    verdicts,
    with_rules,
)

MONEY = POOL_FEN * len(TYPES)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


# --- paid --------------------------------------------------------------------------------------


def test_a_claim_is_paid_through_one_file_and_the_journal_says_so(world: World) -> None:
    person = world.person()
    claim = claim_of(world, person)
    world.run()
    assert state(world, claim) == ("paid", None)
    (file,) = files(world)
    (item,) = file.items
    assert item.end_to_end_id == f"{claim.number}-V1-A1" and len(item.end_to_end_id) <= 35
    assert (item.amount_fen, item.holder) == (FIRST_FEN, person.name)
    assert item.account_number == account_of(person)
    assert world.bank.paid == {item.end_to_end_id: (account_of(person), FIRST_FEN)}
    with world.services.work(write=False) as work:
        kinds = [entry.kind for entry in work.journal.entries_of(claim.id)]
    assert kinds == ["approved", "instructed", "paid"]
    assert (balance(world, "payable"), balance(world, "transit")) == (0, 0)
    assert balance(world, "bank") == MONEY - FIRST_FEN


def test_what_a_file_holds_is_stored_wrapped_and_its_bytes_are_those_that_left(
    world: World,
) -> None:
    person = world.person()
    claim_of(world, person)
    world.run()
    (stored,) = rows(world, tables.payout_file)
    (attempt,) = rows(world, tables.payment_attempt)
    box = world.services.secret_box
    assert (
        box.unwrap(stored.wrapped_content, stored.id)
        == world.bank.files[f"{stored.message_id}.xml"]
    )
    assert box.unwrap(attempt.wrapped_account, f"{attempt.id}:account").decode() == account_of(
        person
    )
    for column in (stored.wrapped_content, attempt.wrapped_account, attempt.wrapped_holder):
        assert account_of(person).encode() not in column and person.name.encode() not in column


def test_nothing_is_instructed_before_the_settlement_is_final(world: World) -> None:
    claim = claim_of(world, world.person())
    for _ in range(6):
        advance_claims(world.services)
        if world.claim(claim.id).state == "lodging":
            world.mine()
    while world.claim(claim.id).state != "settling":
        advance_claims(world.services)
    advance_claims(world.services)
    assert rows(world, tables.payout) == attempts(world) == []


# --- the bank says no, or gives it back ----------------------------------------------------------


@pytest.mark.parametrize("said", [AnswerStatus.REJECTED, AnswerStatus.RETURNED])
def test_a_payment_that_failed_is_paid_once_to_a_corrected_account(
    world: World, said: AnswerStatus
) -> None:
    person = world.person()
    claim = claim_of(world, person)
    world.bank.plan[account_of(person)] = (said, "AC04")
    world.run()
    assert state(world, claim) == ("paying", "payee")
    assert alarms(world) == {"payment-returned"}
    # The money is owed again, and at the bank if it had left.
    assert (balance(world, "payable"), balance(world, "transit")) == (FIRST_FEN, 0)
    assert balance(world, "bank") == MONEY
    for _ in range(3):
        advance_claims(world.services)
    assert len(attempts(world)) == 1, "the same account was tried again"
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    assert state(world, claim) == ("paid", None)
    number = claim.number
    assert attempts(world) == [
        (f"{number}-V1-A1", FIRST_FEN, "daily"), (f"{number}-V1-A2", FIRST_FEN, "daily"),
    ]  # fmt: skip
    assert world.bank.paid[f"{number}-V1-A2"] == ("TEST-CORRECTED", FIRST_FEN)
    assert balance(world, "bank") == MONEY - FIRST_FEN
    assert (balance(world, "payable"), alarms(world)) == (0, set())


def test_money_that_comes_back_after_the_claim_was_closed_opens_it_again(world: World) -> None:
    person = world.person()
    claim = claim_of(world, person)
    world.run()
    assert state(world, claim) == ("paid", None)
    (file,) = files(world)
    say(world, StatusItem(file.items[0].end_to_end_id, AnswerStatus.RETURNED, "AC06"))
    advance_claims(world.services)
    assert state(world, claim) == ("paying", "payee")
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person.id, claim.id)
    assert status_of(view).title == "银行没有付成"
    assert [step.note for step in view.steps][-1] == "银行没有付成：账户已冻结"


def test_a_fault_of_the_bank_is_tried_again_three_times_and_then_waits(world: World) -> None:
    person = world.person()
    claim = claim_of(world, person)
    world.bank.plan[account_of(person)] = (AnswerStatus.REJECTED, "ED05")
    world.run(rounds=30)
    assert [name[-2:] for name, _, _ in attempts(world)] == ["A1", "A2", "A3"]
    assert state(world, claim) == ("paying", "payee")
    del world.bank.plan[account_of(person)]
    world.run()
    assert state(world, claim) == ("paying", "payee"), "a fourth time without a person"
    world.services.clock.advance(1)
    with pytest.raises(ConflictError, match="nothing is stopped"):
        release(world.services, claim.number, "出纳甲", "银行已恢复")
    hold(world.services, claim.number, "出纳甲", "问银行")
    release(world.services, claim.number, "会计乙", "银行已恢复")
    world.run()
    assert state(world, claim) == ("paid", None)
    assert list(world.bank.paid) == [f"{claim.number}-V1-A4"]


def test_a_supplement_goes_its_own_way_while_the_first_payment_came_back(world: World) -> None:
    """Two payables of one claim: each is paid once, and the claim is paid when both are."""
    from backend.domain.review import Outcome
    from backend.service_layer.handling.appeals import file_appeal
    from tests.integration.claims.revising import WORDS, claim_on, conclude, matched, mixed_bill

    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    file_appeal(world.services, person.id, claim.id, "item", WORDS)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    (file,) = files(world)
    say(world, StatusItem(file.items[0].end_to_end_id, AnswerStatus.RETURNED, "AC04"))
    world.run()
    assert state(world, claim) == ("paying", "payee")
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    assert state(world, claim) == ("paid", None)
    assert {name[-5:]: fen for name, (_, fen) in world.bank.paid.items()} == {
        "V1-A1": 12_000, "V1-A2": 12_000, "V2-A1": 6_000,
    }  # fmt: skip
    assert balance(world, "bank") == MONEY - 18_000


def test_silence_is_no_answer(world: World) -> None:
    claim = claim_of(world, world.person())
    world.bank.is_slow = True
    world.run()
    assert state(world, claim) == ("paying", None)
    world.services.clock.advance(24 * 3600 + 1)
    for _ in range(3):
        advance_claims(world.services)
    assert alarms(world) == {"payment-unanswered"}
    assert len(attempts(world)) == 1 and len(files(world)) == 1
    world.bank.is_slow = False
    world.run()
    assert (state(world, claim), alarms(world)) == (("paid", None), set())


def test_a_bank_that_is_down_gets_the_same_bytes_later(world: World) -> None:
    claim = claim_of(world, world.person())
    world.bank.is_down = True
    world.run()
    assert alarms(world) == {"bank-unreachable"}
    (stored,) = rows(world, tables.payout_file)
    assert stored.handed_over_at is None and world.bank.files == {}
    world.services.clock.advance(3600)
    world.bank.is_down = False
    world.run()
    assert (state(world, claim), alarms(world)) == (("paid", None), set())
    (handed,) = world.bank.files.values()
    assert handed == world.services.secret_box.unwrap(stored.wrapped_content, stored.id)


def test_a_file_that_was_changed_in_the_database_never_leaves(world: World) -> None:
    claim_of(world, world.person())
    world.bank.is_down = True
    world.run()
    (stored,) = rows(world, tables.payout_file)
    forged = world.services.secret_box.wrap(b"pay somebody else", stored.id)
    world.sql("UPDATE payout_file SET wrapped_content = :forged", forged=forged)
    world.bank.is_down = False
    world.run()
    assert world.bank.files == {} and "payout-file-damaged" in alarms(world)


def test_other_bytes_under_a_name_that_the_bank_knows_are_an_alarm(world: World) -> None:
    claim_of(world, world.person())
    world.bank.is_down = True
    world.run()
    (stored,) = rows(world, tables.payout_file)
    world.bank.files[f"{stored.message_id}.xml"] = b"another"
    world.bank.is_down = False
    world.run()
    assert alarms(world) >= {"bank-conflict"} and world.bank.paid == {}
    del world.bank.files[f"{stored.message_id}.xml"]  # the file desk has taken it away
    world.run()
    assert alarms(world) == set() and len(world.bank.paid) == 1


# --- held ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", [ACCOUNT_MISSING, ACCOUNT_UNVERIFIED, ACCOUNT_CLOSED, ACCOUNT_DELAY]
)
def test_without_an_account_in_effect_money_waits_and_the_page_says_why(
    world: World, reason: str
) -> None:
    person = world.person()
    world.accounts.withhold(person.id, reason)
    claim = claim_of(world, person)
    world.run()
    assert state(world, claim) == ("paying", reason)
    assert_says_what_to_do(world, person.id, claim.id)
    assert attempts(world) == [] and balance(world, "payable") == FIRST_FEN
    world.accounts.correct(person.id, person.name, "TEST-NEW", version=1)
    world.run()
    assert state(world, claim) == ("paid", None)


def assert_says_what_to_do(world: World, person_id: str, claim_id: str) -> None:
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person_id, claim_id)
    said = status_of(view)
    assert said.title not in ("已核定，正在打款", "已打款") and len(said.meaning) > 10


def test_a_person_stops_a_payment_and_lets_it_go_on(world: World) -> None:
    person = world.person()
    claim = settled(world, claim_of(world, person))
    hold(world.services, claim.number, "出纳甲", "核对户名")
    world.run()
    assert state(world, claim) == ("paying", "payout-stopped")
    assert_says_what_to_do(world, person.id, claim.id)
    assert attempts(world) == []
    for name in ("出纳甲", " 出纳甲"):
        with pytest.raises(SamePersonError, match="another person does this"):
            release(world.services, claim.number, name, "核对无误")
    release(world.services, claim.number, "会计乙", "核对无误")
    world.run()
    assert state(world, claim) == ("paid", None)


def test_an_open_mismatch_holds_the_payment(world: World) -> None:
    person = world.person()
    claim = settled(world, claim_of(world, person))
    with world.services.work() as work:
        work.reconciliation.put_case("money:1", "mismatch", {"holds_payout_of": claim.id})
        work.commit()
    world.run()
    assert state(world, claim) == ("paying", "payout-case")
    assert_says_what_to_do(world, person.id, claim.id)
    with world.services.work() as work:
        work.reconciliation.resolve_case("money:1", "会计乙", "已更正")
        work.commit()
    world.run()
    assert state(world, claim) == ("paid", None)


def test_a_bill_voided_between_approval_and_the_file_is_not_paid(world: World) -> None:
    person = world.person()
    world.accounts.withhold(person.id, ACCOUNT_DELAY)
    claim = claim_of(world, person)
    world.run()
    assert balance(world, "payable") == FIRST_FEN
    (key,) = world.ledger.slots
    slot = world.ledger.slots[key]
    world.ledger.slots[key] = dataclasses.replace(slot, flags=SlotState.VOID)
    del world.accounts.answers[person.id]
    world.run()
    assert state(world, claim) == ("paying", "payout-held")
    assert_says_what_to_do(world, person.id, claim.id)
    assert attempts(world) == [] and alarms(world) == {"payout-held"}
    world.ledger.slots[key] = slot
    world.run()
    assert (state(world, claim), alarms(world)) == (("paid", None), set())


@pytest.mark.parametrize("alarm", ["database-behind-chain", "final-reorganisation"])
def test_while_the_ledger_disagrees_nothing_is_written_or_handed_over(
    world: World, alarm: str
) -> None:
    claim = claim_of(world, world.person())
    world.bank.is_down = True
    world.run()
    with world.services.work() as work:
        work.alarms.raise_alarm(alarm, "chain", "test")
        work.commit()
    other = world.person("测试乙丑", "citizen02")
    second = claim_of(world, other)
    world.bank.is_down = False
    world.run()
    assert world.bank.files == {}
    assert state(world, second)[1] == "reconcile"
    with world.services.work() as work:
        work.alarms.clear(alarm, "chain")
        work.commit()
    world.run()
    assert state(world, claim) == state(world, second) == ("paid", None)


def test_no_slot_is_paid_unread(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    world.accounts.withhold(claim.person_id, ACCOUNT_DELAY)
    world.run()
    del world.accounts.answers[claim.person_id]
    world.ledger.is_down = True
    for _ in range(3):
        advance_claims(world.services)
    assert attempts(world) == []
    world.ledger.is_down = False
    world.run()
    assert state(world, claim) == ("paid", None)


def test_a_fund_without_money_pays_nobody_until_it_is_funded(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    person = world.person()
    claim = claim_of(world, person)
    world.sql("DELETE FROM journal_transfer")
    world.sql("DELETE FROM journal_entry")
    world.run()
    assert state(world, claim) == ("paying", "fund-short")
    assert_says_what_to_do(world, person.id, claim.id)
    assert alarms(world) == {"fund-short"} and attempts(world) == []
    fund_pools(world.services, FIRST_FEN)
    world.run()
    assert (state(world, claim), alarms(world)) == (("paid", None), set())
    assert balance(world, "bank") == FIRST_FEN * (len(TYPES) - 1)


def test_a_layer_without_money_pays_nobody_out_of_the_other_layers(tmp_path: Path) -> None:
    """专款专用: its deposit was reversed, or went to another layer; the bank has enough in all."""
    world = World.make(tmp_path)
    claim = claim_of(world, world.person())
    world.sql("DELETE FROM journal_transfer")
    world.sql("DELETE FROM journal_entry")
    deposits = ((Layer.MEDICAL_AID, POOL_FEN), (Layer.POOL, FIRST_FEN - 1), (Layer.POOL, 1))
    fund = Fund("330800", "310", "330800", "test")
    for place, (layer, fen) in enumerate(deposits):
        deposit(world.services, fund, layer, fen, reference=f"D{place}", by="x", reason="拨款")
        if place == len(deposits) - 1:
            continue
        world.run()
        assert state(world, claim) == ("paying", "fund-short")
        assert (alarms(world), attempts(world)) == ({"fund-short"}, [])
    world.run()
    assert (state(world, claim), alarms(world)) == (("paid", None), set())
    assert balance(world, "bank") == POOL_FEN


def test_one_instruction_that_no_file_can_hold_does_not_stop_the_others(world: World) -> None:
    bad, good = world.person(), world.person("测试乙丑", "citizen02")
    world.accounts.correct(bad.id, "unwritable", "TEST-X", version=1)
    stuck, paid = claim_of(world, bad), claim_of(world, good)
    world.run()
    assert state(world, paid) == ("paid", None)
    assert state(world, stuck) == ("paying", "payout-stopped")
    assert alarms(world) == {"payout-unwritable"}
    world.accounts.correct(bad.id, bad.name, "TEST-X")
    with pytest.raises(SamePersonError, match="the program's own, which is nobody"):
        release(world.services, stuck.number, "出纳甲", "户名已改")
    propose_release(world.services, stuck.number, "出纳甲", "户名已改")
    release(world.services, stuck.number, "会计乙", "户名已核对")
    world.run()
    assert state(world, stuck) == ("paid", None)


# --- bank files ----------------------------------------------------------------------------------


@pytest.fixture
def waiting(world: World) -> World:
    """A file of two instructions is with the bank, which has not answered."""
    world.bank.is_slow = True
    claim_of(world, world.person())
    claim_of(world, world.person("测试乙丑", "citizen02"))
    settle_all(world)
    (file,) = files(world)
    assert len(file.items) == 2
    return world


def settle_all(world: World) -> None:
    for _ in range(40):
        advance_claims(world.services, with_payouts=False)
        world.mine()
    world.run()


def paid(world: World, index: int = 0, **changes: object) -> StatusItem:
    item = files(world)[0].items[index]
    said = StatusItem(item.end_to_end_id, AnswerStatus.PAID, bank_reference=f"REF-{index}")
    return dataclasses.replace(said, **changes)  # type: ignore[arg-type]


BEFORE = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)
REFUSED = {
    "a file that we never wrote": ({"original_message_id": "YC-9"}, {}, "no payment file YC-9"),
    "another number of items": ({"original_item_count": 3}, {}, "speaks of 3 items"),
    "another sum": ({"original_control_sum_fen": 1}, {}, "speaks of 1 fen"),
    "older than our file": ({"created_at": BEFORE}, {}, "before the file that it answers"),
    "not said to be simulated": ({"simulated": False}, {}, "it is real, this bank is simulated"),
    "an unknown item": ({}, {"end_to_end_id": "X-V1-A1"}, "X-V1-A1 is not in"),
    "another amount": ({}, {"amount_fen": 1}, "1 fen were reported"),
    "known at the bank": (
        {}, {"status": AnswerStatus.REJECTED, "reason_code": "DU04"}, "the bank knows this",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_nothing_of_a_file_that_does_not_agree_is_booked(waiting: World, case: str) -> None:
    fields, changes, words = REFUSED[case]
    file = files(waiting)[0]
    report = waiting.bank.report_on(file, paid(waiting, 1), paid(waiting, 0, **changes), **fields)  # type: ignore[arg-type]
    name = waiting.bank.leave(report)
    kept = waiting.bank.inbox[name]
    before = [entry.balance_fen for entry in balances(waiting)]
    advance_claims(waiting.services)
    assert answers(waiting) == [] and verdicts(waiting) == ["refused"]
    assert [entry.balance_fen for entry in balances(waiting)] == before
    (message,) = rows(waiting, tables.bank_message)
    assert words in message.difference
    assert waiting.services.secret_box.unwrap(message.wrapped_content, message.id) == kept
    assert alarms(waiting) == {"bank-file-refused"}
    acknowledge(waiting.services, message.id, "出纳甲", "已电话核实")
    assert alarms(waiting) == {"bank-file-refused"}
    confirm_acknowledged(waiting.services, message.id, "会计乙", "已看")
    assert alarms(waiting) == set()


def balances(world: World) -> list[object]:
    with world.services.work(write=False) as work:
        return list(work.journal.balances())


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"items": []}'])
def test_a_file_that_is_cut_off_is_kept_and_nothing_is_booked(
    waiting: World, content: bytes
) -> None:
    waiting.bank.inbox["broken.xml"] = content
    advance_claims(waiting.services)
    (message,) = rows(waiting, tables.bank_message)
    assert (message.verdict, answers(waiting)) == ("refused", [])
    assert "no whole report" in message.difference
    assert waiting.bank.inbox == {}


def test_an_item_that_is_named_twice_refuses_the_file(waiting: World) -> None:
    waiting.bank.leave(waiting.bank.report_on(files(waiting)[0], paid(waiting), paid(waiting)))
    advance_claims(waiting.services)
    assert (verdicts(waiting), answers(waiting)) == (["refused"], [])


def test_the_same_file_again_is_known_and_a_copy_under_another_name_is_repeated(
    waiting: World,
) -> None:
    report = waiting.bank.report_on(files(waiting)[0], paid(waiting), paid(waiting, 1))
    for name in ("a.xml", "a.xml", "copy.xml"):
        waiting.bank.leave(report, name)
        advance_claims(waiting.services)
    assert verdicts(waiting) == ["booked", "repeated"]
    assert [status for _, status in answers(waiting)] == ["paid", "paid"]
    assert alarms(waiting) == {"bank-file-repeated"}


def test_a_report_in_two_parts_is_booked_in_two(waiting: World) -> None:
    for index in (0, 1):
        waiting.bank.leave(waiting.bank.report_on(files(waiting)[0], paid(waiting, index)))
        advance_claims(waiting.services)
        assert len(answers(waiting)) == index + 1
    assert verdicts(waiting) == ["booked", "booked"]


CONTRADICTIONS = {
    "paid, then rejected": (AnswerStatus.PAID, AnswerStatus.REJECTED, {}),
    "rejected, then paid": (AnswerStatus.REJECTED, AnswerStatus.PAID, {}),
    "paid, then paid with another reference": (
        AnswerStatus.PAID, AnswerStatus.PAID, {"bank_reference": "OTHER"},
    ),
    "rejected, then returned": (AnswerStatus.REJECTED, AnswerStatus.RETURNED, {}),
    "paid, then only accepted": (AnswerStatus.PAID, AnswerStatus.ACCEPTED, {}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_contradicts_an_earlier_answer_is_refused_with_all_that_comes_with_it(
    waiting: World, case: str
) -> None:
    first, second, changes = CONTRADICTIONS[case]
    waiting.bank.leave(waiting.bank.report_on(files(waiting)[0], paid(waiting, 0, status=first)))
    advance_claims(waiting.services)
    booked = answers(waiting)
    again = paid(waiting, 0, status=second, **changes)
    waiting.bank.leave(waiting.bank.report_on(files(waiting)[0], again, paid(waiting, 1)))
    advance_claims(waiting.services)
    assert verdicts(waiting) == ["booked", "refused"]
    assert answers(waiting) == booked


def test_a_report_older_than_a_booked_one_cannot_return_money(waiting: World) -> None:
    late = waiting.services.clock.now() + dt.timedelta(minutes=5)
    file = files(waiting)[0]
    waiting.bank.leave(waiting.bank.report_on(file, paid(waiting), created_at=late))
    advance_claims(waiting.services)
    back = paid(waiting, 0, status=AnswerStatus.RETURNED, reason_code="AC04")
    waiting.bank.leave(waiting.bank.report_on(file, back))
    advance_claims(waiting.services)
    assert verdicts(waiting) == ["booked", "refused"]
    assert [status for _, status in answers(waiting)] == ["paid"]


def test_a_whole_file_that_the_bank_rejects_is_rejected_item_by_item(waiting: World) -> None:
    report = waiting.bank.report_on(
        files(waiting)[0], group_status=AnswerStatus.REJECTED, group_reason_code="AM04"
    )
    waiting.bank.leave(report)
    with_rules(waiting, every_seconds=86_400)
    advance_claims(waiting.services)
    assert [status for _, status in answers(waiting)] == ["rejected", "rejected"]
    assert {claim.waiting_for for claim in rows(waiting, tables.claim)} == {"bank-retry"}


# --- what the database itself refuses ----------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return World.make(tmp_path, url)


def test_the_database_refuses_a_second_payment_by_any_code_path(either: World) -> None:
    claim_of(either, either.person())
    either.run()
    (attempt,) = rows(either, tables.payment_attempt)
    (answer,) = rows(either, tables.payment_answer)
    again = {**attempt._mapping, "id": "x", "attempt": 2, "end_to_end_id": "X-V1-A2"}
    planted = [
        (tables.payment_attempt, again, "an attempt before is not over"),
        (tables.payment_attempt, {**again, "attempt": 1}, "(?i)unique|duplicate"),
        (tables.payment_attempt, {**again, "attempt": 3}, "an attempt before is not over"),
        (tables.payment_attempt, {**again, "amount_fen": 1}, "an attempt before is not over"),
        (tables.payment_answer, {**answer._mapping, "status": "rejected"}, "(?i)unique|duplicate"),
        (tables.payment_answer, {**answer._mapping, "status": "lost"}, "(?i)check"),
    ]
    for table, values, words in planted:
        with pytest.raises(sa.exc.DBAPIError, match=words), either.services.engine.begin() as db:
            db.execute(table.insert().values(values))
    for statement in (
        "UPDATE payment_attempt SET amount_fen = 1", "DELETE FROM payment_answer",
        "UPDATE payout_file SET handed_over_at = created_at", "DELETE FROM payout_file",
        "UPDATE bank_message SET verdict = 'booked'", "DELETE FROM bank_message",
    ):  # fmt: skip
        with (
            pytest.raises(sa.exc.DBAPIError, match=r"insert-only|handed over once"),
            either.services.engine.begin() as db,
        ):
            db.execute(sa.text(statement))
    either.services.engine.dispose()


def test_two_people_are_paid_in_one_file_each_their_own(world: World) -> None:
    first, second = world.person(), world.person("测试乙丑", "citizen02")
    claims = [claim_of(world, first), claim_of(world, second, 800)]
    for claim in claims:
        settled(world, claim) if world.claim(claim.id).state != "settled" else None
    world.run()
    assert dict(world.bank.paid.values()) == {
        account_of(first): FIRST_FEN, account_of(second): SECOND_FEN,
    }  # fmt: skip


# --- rows of a release that kept neither journal nor files ---------------------------------------


def written_before(world: World, *, is_answered: bool) -> Claim:
    """A claim whose payout was written, and perhaps answered, by such a release."""
    claim = settled(world, claim_of(world, world.person()))
    now = world.services.clock.now()
    payout_id = f"pay_{claim.number}_v1"
    with world.services.engine.begin() as db:
        db.execute(
            tables.payout.insert().values(
                id=payout_id, claim_id=claim.id, decision_version=1, amount_fen=FIRST_FEN,
                payee_bank="示例银行（测试）", payee_account_tail="6217", instructed_at=now,
            )
        )  # fmt: skip
        if is_answered:
            db.execute(
                tables.payout_answer.insert().values(
                    payout_id=payout_id, outcome="paid", bank_reference="SIM1", simulated=True,
                    answered_at=now,
                )
            )  # fmt: skip
    with world.services.work() as work:
        after = ClaimState.PAID if is_answered else ClaimState.PAYING
        work.claims.update(claim.id, claim.state, now, state=after)
        work.commit()
    return world.claim(claim.id)


def test_what_an_earlier_release_has_paid_stays_paid_and_readable(world: World) -> None:
    claim = written_before(world, is_answered=True)
    world.run()
    assert state(world, claim) == ("paid", None) and attempts(world) == []
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, claim.person_id, claim.id)
    assert view.answer is not None and view.answer.bank_reference == "SIM1"
    assert view.steps[-1].note == "模拟银行回执"


def test_what_an_earlier_release_has_only_written_is_booked_and_paid_once(world: World) -> None:
    claim = written_before(world, is_answered=False)
    world.run()
    assert state(world, claim) == ("paid", None)
    assert [name for name, _, _ in attempts(world)] == [f"{claim.number}-V1-A1"]
    with world.services.work(write=False) as work:
        kinds = [entry.kind for entry in work.journal.entries_of(claim.id)]
    assert kinds == ["approved", "instructed", "paid"]


def test_a_payable_whose_decision_was_changed_does_not_stop_the_others(world: World) -> None:
    bad, good = world.person(), world.person("测试乙丑", "citizen02")
    for person in (bad, good):
        world.accounts.withhold(person.id, ACCOUNT_DELAY)
    stuck, fine = claim_of(world, bad), claim_of(world, good, 410)
    world.run()
    entries = "(SELECT id FROM journal_entry WHERE claim_id = :claim)"
    world.sql(f"DELETE FROM journal_transfer WHERE entry_id IN {entries}", claim=stuck.id)
    world.sql("DELETE FROM journal_entry WHERE claim_id = :claim", claim=stuck.id)
    world.sql("UPDATE decision SET explanation = '[]' WHERE claim_id = :claim", claim=stuck.id)
    world.accounts.answers.clear()
    world.run()
    assert state(world, fine) == ("paid", None)
    assert state(world, stuck) == ("paying", "operator")
    assert "payout-failed" in alarms(world)
    assert [name for name, _, _ in attempts(world)] == [f"{fine.number}-V1-A1"]
