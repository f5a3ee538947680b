"""A payment file: who stands in it, under which name, and why the rest waits."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.payout import FundAccount, InstantLimits, PayoutRules
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.payout.instruct import Page, write_files
from backend.service_layer.payout.records import Lane
from backend.service_layer.payout.stored import Attempt, Hold
from backend.service_layer.ports import FinalSlot, LedgerUnavailableError
from tests.unit.payout.bank_files import ended
from tests.unit.payout.payables import CLAIM, NOW, PAYABLE
from tests.unit.payout.payout_office import FUND, GOOD, VOID, Office, decision, intent

DAILY, INSTANT = Lane.DAILY, Lane.INSTANT
SECOND = replace(CLAIM, id="clm_2", number="C2", person_id="per_2", version_id="ver_2")
THIRD = replace(CLAIM, id="clm_3", number="C3", person_id="per_1", version_id="ver_3")
LIMITS = InstantLimits(10_000, 20_000, 30_000)
UNREAD = LedgerUnavailableError("连不上", "no node answers")


def payable(claim: Claim) -> Payout:
    number = claim.id[-1]
    return replace(PAYABLE, id=f"pay_{number}", claim_id=claim.id,
                   instructed_at=NOW + dt.timedelta(seconds=int(number)))  # fmt: skip


def office(*claims: Claim, **fields: Any) -> Office:
    claims = claims or (CLAIM,)
    return Office(
        held={one.id: one for one in claims},
        payables=[payable(one) for one in claims],
        intents=[intent(one, 6_000) for one in claims],
        made=[decision(one, 1, 5_000, 1_000) for one in claims],
        **fields,
    )


def written(one: Office, lane: Lane = DAILY) -> Page:
    return write_files(one.deps, lane, None)


def names(one: Office) -> list[list[str]]:
    return [[attempt.end_to_end_id for attempt in attempts] for _, attempts in one.files]


def waits(one: Office) -> dict[str, str | None]:
    return {claim: after["waiting_for"] for claim, _, after in one.moves}


def test_a_payable_leaves_in_a_file_that_is_stored_with_its_instruction_and_its_entry() -> None:
    waiting = replace(CLAIM, waiting_for="payout-run")
    one = office(waiting)
    one.open = {("payment-returned", "clm_1"): "", ("payout-held", "clm_1"): ""}
    page = written(one)
    ((stored, (attempt,)),) = one.files
    # The name of the file: local day, lane, digest of its instant and its instructions.
    named = hashlib.sha256(b"2026-11-20T02:00:00+00:00\nC1-V1-A1").hexdigest()[:20].upper()
    assert (stored.id, stored.message_id) == ("pfl_1", f"YC20261120D-{named}")
    assert (stored.item_count, stored.control_sum_fen, stored.lane) == (1, 6_000, DAILY)
    assert (stored.region, stored.created_at) == ("330800", NOW)
    content = stored.message_id.encode()
    assert stored.digest == hashlib.sha256(content).digest()
    assert stored.wrapped_content == content + b"|pfl_1"
    assert attempt == Attempt(
        id="pay_1_a1", payout_id="pay_1", claim_id="clm_1", person_id="per_1", attempt=1,
        end_to_end_id="C1-V1-A1", account_version=3,
        wrapped_holder="测试甲子|pay_1_a1:holder".encode(),
        wrapped_account=b"TEST-6217|pay_1_a1:account", account_tail="6217",
        bank_name="示例银行（测试）", amount_fen=6_000, lane=DAILY, region="330800",
        instructed_on=dt.date(2026, 11, 20), file_id="pfl_1", created_at=NOW,
    )  # fmt: skip
    assert [(str(it.kind), it.occasion.source_id) for it in one.booked] == [
        ("approved", "pay_1"), ("instructed", "pay_1_a1"),
    ]  # fmt: skip
    assert waits(one) == {"clm_1": None} and one.open == {}
    assert (page.files, page.instructed, page.held, page.moved) == ([stored], 1, 0, 1)
    assert page.last == (payable(CLAIM).instructed_at, "pay_1")
    assert one.turns == [DAILY] and one.commits == 1


def test_where_nothing_is_owed_the_ledger_is_not_asked() -> None:
    one = office()
    one.payables = []
    assert written(one) == Page() and one.asked == [] and one.commits == 0


def test_one_file_for_each_region_debits_its_own_account() -> None:
    account = FundAccount("舟山（测试）", "TEST-FUND-330900")
    one = office(
        CLAIM, SECOND, rules=PayoutRules(accounts=(("330900", account),)),
        funds={"clm_1": replace(FUND, region="330900")},
    )  # fmt: skip
    page = written(one)
    assert [stored.region for stored, _ in one.files] == ["330800", "330900"]
    assert names(one) == [["C2-V1-A1"], ["C1-V1-A1"]]
    assert (page.instructed, page.moved, len(page.files)) == (2, 2, 2)


def test_a_region_without_an_account_waits_with_an_alarm_and_the_others_are_paid() -> None:
    one = office(CLAIM, SECOND, funds={"clm_1": replace(FUND, region="330900")})
    one.open = {("debit-account-missing", "330800"): ""}
    page = written(one)
    assert one.open == {
        ("debit-account-missing", "330900"): "its fund has no account to pay from"
    }  # fmt: skip
    assert waits(one) == {"clm_1": "debit-account-missing"} and names(one) == [["C2-V1-A1"]]
    assert (page.instructed, page.held, page.moved) == (1, 1, 2)


def test_what_the_ledger_stops_is_held_with_its_reason_and_the_others_are_paid() -> None:
    one = office(CLAIM, SECOND, slots={b"ver_1": FinalSlot(90, GOOD, VOID)})
    written(one)
    assert one.open == {("payout-held", "clm_1"): f"newest block: flags {VOID.flags}"}
    assert waits(one) == {"clm_1": "payout-held"} and names(one) == [["C2-V1-A1"]]
    assert one.asked == [[b"ver_1", b"ver_2"]], "both in one question"


def test_a_fund_that_is_short_pays_what_it_can() -> None:
    one = office(CLAIM, SECOND, bank_fen=11_999)
    written(one)
    assert names(one) == [["C1-V1-A1"]] and waits(one) == {"clm_2": "fund-short"}
    assert ("fund-short", "330800/310") in one.open


def test_without_an_account_of_the_person_the_ledger_is_not_asked_and_the_claim_says_why() -> None:
    one = office(account=None)
    page = written(one)
    assert one.asked == [[]] and one.files == []
    assert waits(one) == {"clm_1": "account-missing"} and (page.held, page.moved) == (1, 1)
    one.held["clm_1"] = replace(CLAIM, waiting_for="account-missing")
    assert written(one).moved == 0, "it says so already"


def test_a_claim_that_is_under_way_otherwise_keeps_its_words() -> None:
    one = office(replace(CLAIM, state=ClaimState.SUPPLEMENTING), account=None)
    assert (written(one).held, one.moves) == (1, [])


def test_an_instruction_that_the_bank_has_not_answered_is_not_written_again() -> None:
    class Open:
        has_failed = False

    one = office(attempts={"pay_1": [Open()]})
    page = written(one)
    assert one.files == [] and (page.held, page.moved) == (0, 0)


def test_after_a_rejection_to_a_corrected_account_the_next_attempt_has_its_own_name() -> None:
    class Failed:
        has_failed = True
        answer = ended("rejected", reason="AC06")  # type: ignore[arg-type]

        class attempt:  # noqa: N801
            claim_id, attempt, account_version = "clm_1", 1, 2

    one = office(attempts={"pay_1": [Failed()]})
    written(one)
    assert names(one) == [["C1-V1-A2"]]
    assert one.files[0][1][0].id == "pay_1_a2" and one.files[0][1][0].attempt == 2


# --- no node can tell -----------------------------------------------------------------------------


def test_while_no_node_can_tell_nothing_is_written_and_the_claims_say_so() -> None:
    one = office(CLAIM, SECOND, slots={b"ver_1": UNREAD})
    with pytest.raises(LedgerUnavailableError, match="no node answers"):
        written(one)
    assert one.files == [] and one.open == {("payout-ledger", "daily"): "no node answers"}
    assert waits(one) == {"clm_1": "payout-ledger", "clm_2": "payout-ledger"}


def test_in_the_instant_lane_the_claims_keep_their_words_for_the_daily_run() -> None:
    one = office(rules=PayoutRules(instant=LIMITS), slots={b"ver_1": UNREAD})
    with pytest.raises(LedgerUnavailableError):
        written(one, INSTANT)
    assert one.moves == [] and one.open == {}


@pytest.mark.parametrize(
    ("error", "what"),
    [(ValueError("odd"), "ValueError"), (ConflictError("冲突", "odd"), "conflict")],
)
def test_one_slot_that_cannot_be_asked_for_does_not_stop_the_others(
    error: Exception, what: str
) -> None:
    one = office(CLAIM, SECOND, slots={b"ver_1": error})
    written(one)
    assert names(one) == [["C2-V1-A1"]]
    assert one.asked == [[b"ver_1", b"ver_2"], [b"ver_1"], [b"ver_2"]]
    assert one.open == {
        ("payout-failed", "clm_1"): f"pay_1: its slot cannot be read: {what}"
    }  # fmt: skip
    assert waits(one) == {"clm_1": "payout-run"}


def test_a_node_that_goes_away_in_between_stops_the_run() -> None:
    one = office(CLAIM, SECOND, slots={b"ver_1": ValueError("odd"), b"ver_2": UNREAD})
    with pytest.raises(LedgerUnavailableError):
        written(one)
    assert one.files == []


# --- what no file can hold ------------------------------------------------------------------------


def test_one_instruction_that_no_file_can_hold_is_stopped_for_a_person() -> None:
    one = office(CLAIM, SECOND, unwritable=frozenset({"C1-V1-A1"}))
    one.holds = [Hold("clm_1", 4, "release", "经办乙", "核对过", NOW)]
    page = written(one)
    assert names(one) == [["C2-V1-A1"]] and (page.instructed, page.held) == (1, 1)
    assert one.holds[1:] == [
        Hold("clm_1", 5, "hold", "worker",
             "付款文件写不出这笔：请核对户名和账号 / no payment file can hold it", NOW)
    ]  # fmt: skip
    assert one.open[("payout-unwritable", "clm_1")] == "pay_1"
    assert waits(one) == {"clm_1": "payout-stopped"}


def test_the_first_stop_of_a_claim_has_number_one() -> None:
    one = office(unwritable=frozenset({"C1-V1-A1"}))
    written(one)
    assert [held.ordinal for held in one.holds] == [1] and one.files == []


def test_a_claim_number_that_no_file_can_hold_is_its_own_trouble_alone() -> None:
    one = office(replace(CLAIM, number="C" * 40), SECOND)
    written(one)
    assert names(one) == [["C2-V1-A1"]] and waits(one) == {"clm_1": "operator"}
    assert one.open == {("payout-failed", "clm_1"): "pay_1: bad-payout"}


# --- at once --------------------------------------------------------------------------------------


def test_instantly_goes_what_is_within_the_day_of_the_person_and_of_the_pool() -> None:
    limits = replace(LIMITS, person_day_fen=12_000)
    one = office(CLAIM, SECOND, THIRD, rules=PayoutRules(instant=limits))
    one.instructed_today = {("2026-11-20", "per_1"): 1, ("2026-11-20", "330800"): 12_001}
    written(one, INSTANT)
    # 60.00 each: the first person would have 120.01 of 120.00 with a second one.
    assert names(one) == [["C1-V1-A1", "C2-V1-A1"]]
    assert one.files[0][0].message_id.startswith("YC20261120I-")
    assert waits(one) == {"clm_3": "payout-run"}


@pytest.mark.parametrize(("pool", "goes"), [(18_000, 2), (18_001, 1), (24_001, 0)])
def test_the_pool_of_a_day_is_counted_with_what_went_before(pool: int, goes: int) -> None:
    one = office(CLAIM, SECOND, rules=PayoutRules(instant=LIMITS))
    one.instructed_today = {("2026-11-20", "330800"): pool}
    assert written(one, INSTANT).instructed == goes


@pytest.mark.parametrize(("person", "goes"), [(8_000, 2), (8_001, 1), (14_001, 0)])
def test_the_day_of_a_person_is_counted_with_what_went_before(person: int, goes: int) -> None:
    one = office(CLAIM, THIRD, rules=PayoutRules(instant=LIMITS))
    one.instructed_today = {("2026-11-20", "per_1"): person}
    assert written(one, INSTANT).instructed == goes


def test_what_is_above_the_limit_of_a_bill_is_left_to_the_daily_run() -> None:
    one = office(rules=PayoutRules(instant=replace(LIMITS, bill_fen=5_999)))
    page = written(one, INSTANT)
    assert one.files == [] and one.asked == [[]] and page.held == 1
    assert waits(one) == {"clm_1": "payout-run"}
