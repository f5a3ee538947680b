"""Appeals upheld while an insurer holds the bill: kept, waited for, and carried out or said."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentKind
from backend.domain.review import Outcome
from backend.entrypoints.mobile import status_texts
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.read import view_claim
from backend.service_layer.handling.review import refuse_pended
from tests.integration.claims.revising import (
    WORDS,
    alarms,
    conclude,
    decisions,
    matched,
    mixed_bill,
    payouts,
)
from tests.integration.claims.world import OUTSIDE
from tests.integration.second_payers.desk import DAY, INSURER, OTHER, Desk, code_of

pytestmark = pytest.mark.slow

# Employee, level 2: 300.00 of a year first, then 60 %. 400.00: 60.00; 600.00: 180.00.


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def refused(desk: Desk) -> Claim:
    """A bill of 400.00 of which the machine covers nothing, opened to the insurer."""
    bill = desk.world.bill(desk.person, 400, DAY, item=OUTSIDE)
    return _claimed(desk, bill, ClaimState.REFUSED)


def paid(desk: Desk) -> Claim:
    """500.00 covered and 100.00 not: 120.00 paid."""
    return _claimed(desk, mixed_bill(desk.world, desk.person, 500, 100, DAY), ClaimState.PAID)


def _claimed(desk: Desk, bill: str, state: ClaimState) -> Claim:
    desk.world.anchor()
    claim_id = desk.claim(bill)
    desk.world.run()
    assert desk.world.claim(claim_id).state is state
    desk.consent(bill)
    return desk.world.claim(claim_id)


def uphold(desk: Desk, claim: Claim, line: int) -> None:
    file_appeal(desk.services, desk.person.id, claim.id, "item", WORDS)
    conclude(desk.world, claim, "appeal", Outcome.APPROVE, matched(line))
    desk.world.run()


def standing(desk: Desk, claim: Claim) -> tuple[str, str | None]:
    found = desk.world.claim(claim.id)
    return str(found.state), found.waiting_for


def lodges(desk: Desk, claim: Claim) -> list[str | None]:
    with desk.services.work(write=False) as work:
        return [one.outcome for one in work.outbox.of_subject(claim.id, IntentKind.LODGE)]


def waiting_behind(desk: Desk) -> tuple[Claim, str]:
    """A claim that people brought back while the insurer holds its bill; the insurer's claim."""
    claim = refused(desk)
    held = desk.lodged(claim.invoice_id)
    uphold(desk, claim, 0)
    assert standing(desk, claim) == ("submitted", "other-payer")
    return claim, held


def test_an_upheld_appeal_waits_for_the_insurer_and_goes_on_by_itself(desk: Desk) -> None:
    claim, held = waiting_behind(desk)
    assert lodges(desk, claim) == ["done"]  # the first one: nothing is asked for in vain
    with desk.services.work(write=False) as work:
        stage = work.claims.stages_of(claim.id)[-1]
        view = view_claim(desk.services, work, desk.person.id, claim.id)
    assert (str(stage.outcome), stage.reasons[0].code) == ("waiting", "other-payer")
    assert "付款方3" in stage.reasons[0].zh
    assert "another payer holds this bill" in stage.reasons[0].en
    status = status_texts.status_of(view)
    assert "等另一方办完" in status.title and "自动接着办" in status.meaning
    assert "waiting for another insurer" in status.en[0] and "by itself" in status.en[1]
    # Nobody else takes the bill meanwhile: basic insurance has not finished with it.
    desk.consent(claim.invoice_id, payer=OTHER)
    refusal = desk.post(f"/bills/{claim.invoice_id}/lodge", payer=OTHER)
    assert code_of(refusal) == (409, "payer-basic-first")
    assert desk.post(f"/claims/{held}/release", {"reason": "given-up"}).status_code == 202
    desk.go()
    desk.world.run()
    assert standing(desk, claim) == ("paid", None)
    assert payouts(desk.world, claim) == [(f"pay_{claim.number}_v2", 6_000)]
    assert [(d.outcome, d.decided_by) for d in decisions(desk.world, claim)] == [
        ("refused", "machine"),
        ("approved", "复核员乙"),
    ]
    assert alarms(desk.world) == []


def test_it_waits_while_the_lock_is_renewed_and_goes_on_when_it_has_expired(desk: Desk) -> None:
    claim, held = waiting_behind(desk)
    desk.pass_time(dt.timedelta(days=20))
    assert desk.post(f"/claims/{held}/renew").status_code == 202
    desk.go()
    desk.pass_time(dt.timedelta(days=20))
    desk.world.run()
    assert standing(desk, claim) == ("submitted", "other-payer")
    desk.pass_time(dt.timedelta(days=11))
    desk.world.run()  # nobody asked the insurers' pass: the waiting claim has the lock ended
    desk.world.run()
    assert standing(desk, claim) == ("paid", None)
    assert desk.slot(claim.invoice_id).open_payer == 0


def test_a_lock_that_has_not_run_out_is_never_ended_by_us(desk: Desk) -> None:
    claim, _ = waiting_behind(desk)
    for _ in range(3):
        desk.pass_time(dt.timedelta(days=9))
        desk.world.run()
    with desk.services.work(write=False) as work:
        assert work.outbox.of_subject(claim.id, IntentKind.EXPIRE) == []
    assert desk.slot(claim.invoice_id).open_payer == INSURER


def test_what_the_insurer_left_is_enough_and_is_paid(desk: Desk) -> None:
    claim, held = waiting_behind(desk)
    assert desk.settle(held, 34_000).status_code == 202  # 340.00 of 400.00: 60.00 are left
    desk.world.run()
    assert standing(desk, claim) == ("paid", None)
    assert desk.left_fen(claim.invoice_id) == 0


def test_what_no_longer_fits_is_put_before_a_person_and_never_sent(desk: Desk) -> None:
    claim, held = waiting_behind(desk)
    desk.settle(held, 34_001)
    desk.world.run()
    assert standing(desk, claim) == ("pended", "reviewer")
    with desk.services.work(write=False) as work:
        (pend,) = [p for p in work.claims.pends_of(claim.id) if p.resolved_at is None]
        assert work.outbox.of_subject(claim.id, IntentKind.SETTLE) == []
    assert pend.code == "beyond-remainder"
    assert "60.00 元" in pend.zh and "59.99 元" in pend.zh
    assert "60.00 yuan" in pend.en and "59.99 yuan left" in pend.en
    desk.pass_time(dt.timedelta(hours=1))
    refuse_pended(desk.services, claim.number, "复核员丙", "余额不够，已与本人说明")
    desk.world.run()
    assert standing(desk, claim) == ("refused", None)
    assert decisions(desk.world, claim)[-1].outcome == "refused"
    assert desk.left_fen(claim.invoice_id) == 5_999 and payouts(desk.world, claim) == []


def test_a_bill_that_the_insurer_paid_whole_is_refused_and_staff_are_told(desk: Desk) -> None:
    claim, held = waiting_behind(desk)
    desk.settle(held, 40_000)
    desk.world.run()
    assert standing(desk, claim) == ("refused", None)
    with desk.services.work(write=False) as work:
        reason = work.claims.stages_of(claim.id)[-1].reasons[0]
    assert reason.code == "nothing-left" and "已由其他方付清" in reason.zh
    assert alarms(desk.world) == [("returned-claim-unpayable", claim.id)]
    assert payouts(desk.world, claim) == []


def test_another_basic_insurer_that_settled_meanwhile_bars_it_and_staff_are_told(
    desk: Desk,
) -> None:
    """The classes of payers forbid a second basic settlement, however much is left."""
    claim, _ = waiting_behind(desk)
    outcome = ("settled-by-basic", {"holder_payer": 2, "holder_counter": 0})
    desk.ledger._lodge = lambda payload: outcome  # type: ignore[method-assign]
    slots = desk.ledger.slots
    for key, slot in slots.items():
        slots[key] = slot.__class__(**(_fields(slot) | {"open_payer": 0, "deadline": 0}))
    desk.world.run()
    assert standing(desk, claim) == ("refused", None)
    with desk.services.work(write=False) as work:
        reason = work.claims.stages_of(claim.id)[-1].reasons[0]
    assert reason.code == "settled-by-basic" and "付款方2" in reason.zh
    assert alarms(desk.world) == [("returned-claim-unpayable", claim.id)]


def _fields(slot: Any) -> dict[str, Any]:
    return {name: getattr(slot, name) for name in slot.__dataclass_fields__}


def test_an_insurer_that_was_faster_by_a_block_is_waited_for_too(desk: Desk) -> None:
    """The lodge was on its way when the insurer's was mined first."""
    claim = refused(desk)
    file_appeal(desk.services, desk.person.id, claim.id, "item", WORDS)
    answer = desk.post(f"/bills/{claim.invoice_id}/lodge")
    conclude(desk.world, claim, "appeal", Outcome.APPROVE, matched(0))
    for _ in range(4):
        advance_claims(desk.services)
    assert standing(desk, claim)[0] == "lodging"
    assert lodges(desk, claim) == ["done", None]
    desk.go()  # in the order of asking: the insurer's first
    desk.world.run()
    assert lodges(desk, claim)[:2] == ["done", "locked"]
    assert standing(desk, claim) == ("calculated", "other-payer")
    desk.world.run()
    assert len(lodges(desk, claim)) == 2  # not asked again while the lock is open
    desk.post(f"/claims/{answer.get_json()['id']}/release", {"reason": "given-up"})
    desk.go()
    desk.world.run()
    assert standing(desk, claim) == ("paid", None)


def test_a_first_claim_does_not_wait_for_another_payers_lock(desk: Desk) -> None:
    """It is refused naming the holder: a duplicate is told at once (requirement R4)."""
    bill = desk.bill(400)
    with desk.services.work(write=False) as work:
        key = work.invoices.get(bill).invoice_key
    taken = desk.ledger.slot(key)
    desk.ledger.slots[key] = taken.__class__(
        **(_fields(taken) | {"open_payer": OTHER, "lodge_counter": 1, "deadline": 2**31})
    )
    claim = desk.claim(bill)
    desk.world.run()
    found = desk.world.claim(claim)
    assert (found.state, found.waiting_for) == (ClaimState.REFUSED, None)
    assert alarms(desk.world) == []


def test_a_supplement_waits_for_the_insurer_and_is_paid_after_its_release(desk: Desk) -> None:
    claim = paid(desk)
    held = desk.lodged(claim.invoice_id)
    uphold(desk, claim, 1)
    assert standing(desk, claim) == ("supplementing", "bill-locked")
    desk.post(f"/claims/{held}/release", {"reason": "given-up"})
    desk.go()
    desk.world.run()
    assert standing(desk, claim) == ("paid", None)
    assert payouts(desk.world, claim)[-1] == (f"pay_{claim.number}_v2", 6_000)


def test_a_supplement_ends_a_lock_that_has_run_out(desk: Desk) -> None:
    claim = paid(desk)
    desk.lodged(claim.invoice_id)
    uphold(desk, claim, 1)
    desk.pass_time(dt.timedelta(days=31))
    desk.world.run()
    desk.world.run()
    assert standing(desk, claim) == ("paid", None)


def test_a_supplement_that_no_longer_fits_is_told_and_nothing_more_is_paid(desk: Desk) -> None:
    claim = paid(desk)
    held = desk.lodged(claim.invoice_id)
    uphold(desk, claim, 1)
    desk.settle(held, 60_000 - 12_000 - 5_999)  # 59.99 are left of the 60.00
    desk.world.run()
    assert standing(desk, claim) == ("supplementing", "beyond-remainder")
    assert alarms(desk.world) == [("supplement-refused", claim.id)]
    with desk.services.work(write=False) as work:
        assert work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT) == []
        detail = work.alarms.open_alarms()[0].detail
        view = view_claim(desk.services, work, desk.person.id, claim.id)
    assert "60.00 yuan" in detail and "59.99 yuan left" in detail
    status = status_texts.status_of(view)
    assert "不够付差额" in status.meaning and "less is left of this bill" in status.en[1]
    assert payouts(desk.world, claim) == [(f"pay_{claim.number}_v1", 12_000)]
