"""Decisions as versions: appeals, reopenings and differences over the real database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.ledger import IntentKind, SlotState
from backend.domain.review import Outcome
from backend.domain.revision import Cause
from backend.service_layer.claims.benefits import adjudicate_again, history_before
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.appeals import (
    AppealRefusedError,
    Reopening,
    file_appeal,
)
from backend.service_layer.handling.review import refuse_pended
from backend.service_layer.handling.withdraw import withdraw
from backend.service_layer.handling.year_totals import revise
from tests.integration.claims.revising import (
    DAY,
    WORDS,
    alarms,
    claim_on,
    conclude,
    decisions,
    matched,
    mixed_bill,
    payouts,
    reopen,
    slot_of,
)
from tests.integration.claims.world import OUTSIDE, World

# An employee in service at level 2 bears 300.00 of a year first, then the fund pays 60 %.
GOOD = Reopening("calculation-error", "核定时漏算一行", "衢医保函〔2026〕1号")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def paid(world: World) -> tuple[Person, Claim]:
    """500.00 covered and 100.00 not: (500.00 - 300.00) x 60 % = 120.00 are paid."""
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    return person, world.claim(claim.id)


def refused(world: World) -> tuple[Person, Claim]:
    """400.00 of which nothing is covered."""
    person = world.person()
    bill = world.bill(person, 400, DAY, item=OUTSIDE)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    return person, world.claim(claim.id)


def appeal(world: World, person: Person, claim: Claim) -> None:
    file_appeal(world.services, person.id, claim.id, "item", WORDS)


# --- upheld and rejected -----------------------------------------------------------------------


def test_an_upheld_appeal_of_a_paid_claim_pays_the_difference_once(world: World) -> None:
    person, claim = paid(world)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    assert world.claim(claim.id).state is ClaimState.SUPPLEMENTING
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    # (600.00 - 300.00) x 60 % = 180.00: 60.00 more.
    assert [(d.version, d.paid_fen) for d in decisions(world, claim)] == [(1, 12_000), (2, 18_000)]
    assert payouts(world, claim) == [
        (f"pay_{claim.number}_v1", 12_000),
        (f"pay_{claim.number}_v2", 6_000),
    ]
    _, slot = slot_of(world, claim)
    assert (slot.paid_fen, slot.lodge_counter) == (18_000, 1)
    with world.services.work(write=False) as work:
        (intent,) = work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT)
        assert work.revisions.causes_of(claim.id) == {1: Cause.FIRST, 2: Cause.APPEAL}
        history = history_before(work, person.id, 2026, None)
    assert (intent.payload["paid_before"], intent.payload["amount"]) == (12_000, 6_000)
    assert [(e.pool_paid_fen, e.deductible_fen) for e in history.entries] == [(18_000, 30_000)]
    assert decisions(world, claim)[1].decided_by == "复核员乙"


@pytest.mark.slow
def test_a_rejected_appeal_changes_nothing_but_the_record(world: World) -> None:
    person, claim = paid(world)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.REFUSE, matched(1))
    world.run()
    assert len(decisions(world, claim)) == 1
    assert payouts(world, claim) == [(f"pay_{claim.number}_v1", 12_000)]
    with world.services.work(write=False) as work:
        (one,) = work.revisions.of_claim(claim.id)
        assert work.claims.rulings_of(claim.id) == ()
    assert one.outcome is not None
    assert (one.outcome.outcome, one.outcome.effect) == ("rejected", "none")


def test_an_upheld_appeal_of_a_refused_claim_is_lodged_anew_under_its_number(world: World) -> None:
    person, claim = refused(world)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(0))
    back = world.claim(claim.id)
    assert (back.state, back.number, back.live_invoice_id) == (
        ClaimState.SUBMITTED,
        claim.number,
        claim.invoice_id,
    )
    world.run()
    after = world.claim(claim.id)
    assert (after.state, after.lodge_counter, after.decision_version) == (ClaimState.PAID, 2, 2)
    # (400.00 - 300.00) x 60 % = 60.00.
    assert [(d.outcome, d.paid_fen, d.decided_by) for d in decisions(world, claim)] == [
        ("refused", 0, "machine"),
        ("approved", 6_000, "复核员乙"),
    ]
    assert payouts(world, claim) == [(f"pay_{claim.number}_v2", 6_000)]
    assert [call for call, _ in world.ledger.calls] == ["lodge", "release", "lodge", "settle"]


@pytest.mark.slow
def test_a_claim_refused_by_a_person_comes_back_by_an_appeal_alone(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, payer_name="测试丁卯")
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    refuse_pended(world.services, claim.number, "复核员甲", "不是本人")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work() as work:
        work.people.lock(person.id)
        again = adjudicate_again(world.services, work, world.claim(claim.id))
        assert again[0].paid_fen == 6_000
        by = {"cause": Cause.LATE_FILING, "decided_by": "machine", "reason": "补备案"}
        assert revise(world.services, work, claim, again, **by) is None
        work.commit()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    world.services.clock.advance(3_600)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [d.outcome for d in decisions(world, claim)] == ["refused", "approved"]


@pytest.mark.slow
def test_a_bill_that_another_claim_holds_is_said_and_comes_back_when_it_is_free(
    world: World,
) -> None:
    person, claim = refused(world)
    appeal(world, person, claim)
    world.sql("UPDATE claim SET state = 'withdrawn' WHERE id = :id", id=claim.id)
    (other,) = claim_on(world, person, claim.invoice_id)
    world.sql("UPDATE claim SET state = 'refused' WHERE id = :id", id=claim.id)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(0))
    waiting = world.claim(claim.id)
    assert (waiting.state, waiting.waiting_for) == (ClaimState.REFUSED, "bill-held")
    with world.services.work(write=False) as work:
        (one,) = work.revisions.of_claim(claim.id)
        said = work.revisions.events_of(claim.id)[-1]
    assert one.outcome is not None and one.outcome.effect == "bill-held"
    assert said.kind == "bill-held" and other.number in said.text
    withdraw(world.services, person.id, other.id)
    world.run()
    assert world.claim(other.id).state is ClaimState.WITHDRAWN
    assert world.claim(claim.id).state is ClaimState.PAID
    assert payouts(world, claim) == [(f"pay_{claim.number}_v2", 6_000)]


@pytest.mark.slow
def test_a_claim_that_comes_back_counts_behind_what_was_decided_meanwhile(world: World) -> None:
    person, claim = refused(world)
    later = world.bill(person, 500, dt.date(2026, 11, 10))
    world.anchor()
    world.services.clock.advance(3_600)
    (second,) = claim_on(world, person, later)
    world.run()
    assert decisions(world, second)[-1].paid_fen == 12_000  # it took the 300.00
    world.services.clock.advance(3_600)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(0))
    world.run()
    assert decisions(world, claim)[-1].paid_fen == 24_000  # 400.00 x 60 %
    assert len(decisions(world, second)) == 1
    assert alarms(world) == []


# --- less, and by itself -----------------------------------------------------------------------


def test_less_is_kept_for_a_person_and_no_money_moves(world: World) -> None:
    person, claim = paid(world)
    with world.services.work() as work:
        work.people.lock(person.id)
        eob, *rest = adjudicate_again(world.services, work, claim)
        lower = dataclasses.replace(eob, pool_paid_fen=eob.pool_paid_fen - 100)
        by = {"cause": Cause.ENTITLEMENT, "decided_by": "machine", "reason": "待遇变更"}
        for _ in range(2):
            assert revise(world.services, work, claim, (lower, *rest), **by) is None
        work.commit()
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert payouts(world, claim) == [(f"pay_{claim.number}_v1", 12_000)]
    with world.services.work(write=False) as work:
        (one,) = work.revisions.of_claim(claim.id)
    request = one.request
    assert (request.kind, request.code) == ("revision", "entitlement")
    assert (request.amount_before_fen, request.amount_after_fen) == (12_000, 11_900)
    conclude(world, claim, "revision", Outcome.APPROVE)
    world.run()
    assert len(decisions(world, claim)) == 1
    assert world.claim(claim.id).state is ClaimState.PAID


@pytest.mark.slow
def test_the_same_amount_makes_no_version(world: World) -> None:
    person, claim = paid(world)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE)
    world.run()
    assert len(decisions(world, claim)) == 1
    with world.services.work(write=False) as work:
        (one,) = work.revisions.of_claim(claim.id)
    assert one.outcome is not None and one.outcome.effect == "unchanged"


# --- the supplement and the ledger -------------------------------------------------------------


def upheld(world: World) -> Claim:
    person, claim = paid(world)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    return claim


@pytest.mark.slow
def test_a_supplement_waits_while_another_payer_has_the_bill(world: World) -> None:
    claim = upheld(world)
    key, slot = slot_of(world, claim)
    world.ledger.slots[key] = dataclasses.replace(slot, open_payer=7, lodge_counter=2)
    world.run()
    waiting = world.claim(claim.id)
    assert (waiting.state, waiting.waiting_for) == (ClaimState.SUPPLEMENTING, "bill-locked")
    settled = slot.settled_payers | 1 << 6
    world.ledger.slots[key] = dataclasses.replace(
        slot, paid_fen=slot.paid_fen + 10_000, settled_payers=settled, lodge_counter=2
    )
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert payouts(world, claim)[-1] == (f"pay_{claim.number}_v2", 6_000)
    assert slot_of(world, claim)[1].paid_fen == 28_000


@pytest.mark.slow
def test_a_supplement_that_another_payment_overtook_is_asked_again_from_the_new_sum(
    world: World,
) -> None:
    claim = upheld(world)
    advance_claims(world.services)
    key, slot = slot_of(world, claim)
    world.ledger.slots[key] = dataclasses.replace(
        slot, paid_fen=slot.paid_fen + 5_000, settled_payers=slot.settled_payers | 1 << 6
    )
    world.run()
    world.services.clock.advance(60)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    with world.services.work(write=False) as work:
        tries = work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT)
    assert [(i.outcome, i.payload["paid_before"]) for i in tries] == [
        ("stale", 12_000),
        ("done", 17_000),
    ]
    assert payouts(world, claim)[-1] == (f"pay_{claim.number}_v2", 6_000)


@pytest.mark.slow
def test_a_void_bill_gets_no_supplement_and_a_person_is_asked(world: World) -> None:
    claim = upheld(world)
    key, slot = slot_of(world, claim)
    world.ledger.slots[key] = dataclasses.replace(slot, flags=SlotState.VOID)
    world.run()
    stuck = world.claim(claim.id)
    assert (stuck.state, stuck.waiting_for) == (ClaimState.SUPPLEMENTING, "operator")
    assert ("supplement-refused", claim.id) in alarms(world)
    assert payouts(world, claim) == [(f"pay_{claim.number}_v1", 12_000)]


@pytest.mark.slow
def test_a_bill_voided_under_a_supplement_is_not_paid(world: World) -> None:
    claim = upheld(world)
    advance_claims(world.services)
    key, slot = slot_of(world, claim)
    world.ledger.slots[key] = dataclasses.replace(slot, flags=SlotState.VOID)
    world.run()
    assert world.claim(claim.id).waiting_for == "operator"
    assert ("supplement-refused", claim.id) in alarms(world)
    assert payouts(world, claim) == [(f"pay_{claim.number}_v1", 12_000)]


def test_a_sum_that_we_do_not_know_of_stops_the_supplement(world: World) -> None:
    claim = upheld(world)
    key, slot = slot_of(world, claim)
    world.ledger.slots[key] = dataclasses.replace(slot, paid_fen=18_000)
    world.run()
    stuck = world.claim(claim.id)
    assert (stuck.state, stuck.waiting_for) == (ClaimState.SUPPLEMENTING, "operator")
    assert ("supplement-differs", claim.id) in alarms(world)
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle"]


@pytest.mark.slow
def test_an_appeal_upheld_while_the_bank_is_still_paying_pays_both_amounts(world: World) -> None:
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.bank.is_slow = True
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAYING
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    assert world.claim(claim.id).state is ClaimState.PAYING
    world.bank.is_slow = False
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [amount for _, amount in payouts(world, claim)] == [12_000, 6_000]


# --- what is refused ---------------------------------------------------------------------------


NO_REASONS = [
    ("", WORDS, "the reason must be one of"),
    ("calculation-error", WORDS, "the reason must be one of"),
    ("item", "", "4 to 500 characters"),
    ("item", "  短  ", "4 to 500 characters"),
    ("item", "长" * 501, "4 to 500 characters"),
    ("item", "有\x00零字节的说明", "4 to 500 characters"),
]


def test_an_appeal_without_a_proper_reason_is_refused(world: World) -> None:
    person, claim = paid(world)
    for code, text, words in NO_REASONS:
        with pytest.raises(AppealRefusedError, match=words):
            file_appeal(world.services, person.id, claim.id, code, text)
    with world.services.work(write=False) as work:
        assert work.revisions.of_claim(claim.id) == []


@pytest.mark.slow
def test_nobody_else_appeals(world: World) -> None:
    _, claim = paid(world)
    other = world.person("测试乙丑", "citizen02")
    with pytest.raises(NotFoundError, match="no such claim"):
        file_appeal(world.services, other.id, claim.id, "item", WORDS)


def test_an_outcome_is_appealed_once_and_only_while_nothing_is_open(world: World) -> None:
    person, claim = paid(world)
    appeal(world, person, claim)
    with pytest.raises(AppealRefusedError, match="open already"):
        appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.REFUSE)
    with pytest.raises(AppealRefusedError, match="appealed once already"):
        appeal(world, person, claim)


@pytest.mark.slow
def test_the_next_version_can_be_appealed_again(world: World) -> None:
    claim = upheld(world)
    world.run()
    appeal(world, world.people[0], claim)
    conclude(world, claim, "appeal", Outcome.REFUSE)
    assert len(decisions(world, claim)) == 2


@pytest.mark.parametrize(("days", "is_taken"), [(60, True), (61, False)])
@pytest.mark.slow
def test_the_last_day_of_an_appeal_is_the_sixtieth(world: World, days: int, is_taken: bool) -> None:
    person, claim = paid(world)
    world.services.clock.advance(days * 86_400)
    if is_taken:
        appeal(world, person, claim)
        return
    with pytest.raises(AppealRefusedError, match="ended on 2027-01-19"):
        appeal(world, person, claim)


@pytest.mark.slow
def test_what_is_not_decided_is_not_appealed(world: World) -> None:
    person = world.person()
    (claim,) = claim_on(world, person, world.bill(person, 400, DAY))
    with pytest.raises(AppealRefusedError, match="no outcome to appeal"):
        appeal(world, person, claim)
    withdraw(world.services, person.id, claim.id)
    with pytest.raises(AppealRefusedError, match="no outcome to appeal"):
        appeal(world, person, claim)


NO_REOPENINGS = [
    ({"code": "amount"}, "the reason must be one of"),
    ({"text": "短"}, "4 to 500 characters"),
    ({"source_reference": ""}, "what it is based on"),
    ({"source_reference": "号" * 81}, "what it is based on"),
]


def test_a_reopening_without_code_words_or_source_is_refused(world: World) -> None:
    _, claim = paid(world)
    for change, words in NO_REOPENINGS:
        with pytest.raises(AppealRefusedError, match=words):
            reopen(world, claim, dataclasses.replace(GOOD, **change))


@pytest.mark.slow
def test_a_claim_is_reopened_three_times_and_not_beside_another_review(world: World) -> None:
    person, claim = paid(world)
    for _ in range(3):
        reopen(world, claim, GOOD)
        with pytest.raises(AppealRefusedError, match="under review already"):
            reopen(world, claim, GOOD)
        with pytest.raises(AppealRefusedError, match="open already"):
            appeal(world, person, claim)
        conclude(world, claim, "reopen", Outcome.REFUSE)
    with pytest.raises(AppealRefusedError, match="reopened 3 times"):
        reopen(world, claim, GOOD)


@pytest.mark.slow
def test_a_reopening_that_gives_more_is_a_version_with_its_cause(world: World) -> None:
    _, claim = paid(world)
    reopen(world, claim, GOOD)
    conclude(world, claim, "reopen", Outcome.APPROVE, matched(1))
    world.run()
    assert payouts(world, claim)[-1] == (f"pay_{claim.number}_v2", 6_000)
    with world.services.work(write=False) as work:
        assert work.revisions.causes_of(claim.id)[2] is Cause.REOPENED


@pytest.mark.slow
def test_an_open_claim_is_not_reopened(world: World) -> None:
    person = world.person()
    (claim,) = claim_on(world, person, world.bill(person, 400, DAY))
    with pytest.raises(AppealRefusedError, match="is not closed"):
        reopen(world, claim, GOOD)


@pytest.mark.slow
def test_a_case_is_concluded_once(world: World) -> None:
    person, claim = paid(world)
    appeal(world, person, claim)
    conclude(world, claim, "appeal", Outcome.REFUSE)
    from backend.domain.revision import RequestKind, RequestOutcome
    from backend.service_layer.claims.requests import Ending
    from backend.service_layer.handling.revisions import conclude_revision

    ending = Ending(RequestOutcome.UPHELD, "复核员丙", "再来一次")
    with (
        world.services.work() as work,
        pytest.raises(ConflictError, match="has no open appeal"),
    ):
        conclude_revision(world.services, work, claim.id, RequestKind.APPEAL, ending)
