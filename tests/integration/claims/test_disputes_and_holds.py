"""A number sent by a second hospital, or held by another payer, only delays the genuine claim."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.batch_repository import BatchRepository
from backend.adapters.database.claim_repository import ClaimRepository
from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.ledger import IntentKind, SlotState
from backend.service_layer.anchoring.readiness import Readiness
from backend.service_layer.claims.claimable import list_claimable
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.claims.submit import SubmissionRefusedError, submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.read import view_claim
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.intake.disputes import finish_rulings, rule_dispute
from backend.service_layer.intake.errors import DisputeError
from tests.integration.claims.world import CLASS_A, NOW, OUTSIDE, World

DAY = dt.date(2026, 11, 3)
SQUATTER = "H33080299999"
REGISTRAR = "0x00000000000000000000000000000000000000C1"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def claim_of(world: World, person: Person, *invoice_ids: str) -> Claim:
    token = secrets.token_urlsafe(32)
    return submit(world.services, person.id, invoice_ids, token, has_consent=True).claims[0]


def squat(world: World, claim: Claim) -> str:
    """A second hospital sends a bill under the claim's number; returns that bill's id."""
    with world.services.engine.begin() as connection:
        connection.execute(
            tables.institution.insert().values(
                code=SQUATTER, name="冒号医院", level=2, area_code="330800", custody="custodial",
                agreement_from=DAY, agreement_until=dt.date(2030, 1, 1), grace_days=90,
                ledger_number=2, ledger_account=REGISTRAR, created_at=NOW,
            )
        )  # fmt: skip
    with world.services.work(write=False) as work:
        bill = work.claims.bill_of_version(claim.version_id)
    code, name, _ = CLASS_A
    theirs = world.store(
        Invoice(
            institution_code=SQUATTER, institution_name="冒号医院",
            invoice_code=bill.invoice_code, invoice_number=bill.invoice_number,
            total_fen=100, own_pay_fen=100, issued_on=DAY, visit_on=DAY,
            payer_name="测试癸亥", payer_id="TEST-9999",
            lines=(ExpenseLine(name, 10_000, 1_000_000, 10_000, code, level="01"),),
        )
    )  # fmt: skip
    with world.services.work() as work:
        work.disputes.open(world.services.ids.new_id("dsp"), bill.invoice_key, NOW)
        work.commit()
    return theirs


def rule(world: World, upheld: str | None) -> str:
    with world.services.work(write=False) as work:
        (dispute,) = work.disputes.unsettled()
    ruled = rule_dispute(
        world.services,
        dispute.id,
        upheld_invoice_id=upheld,
        by="测试经办",
        reason="核对原件",
        registrar=REGISTRAR,
    )
    return str(ruled.state)


def finish(world: World) -> int:
    with world.services.work() as work:
        closed = finish_rulings(world.services, work)
        work.commit()
    return closed


def steps(world: World, count: int) -> None:
    for _ in range(count):
        advance_claims(world.services)


def at(world: World, person: Person, state: ClaimState) -> Claim:
    """A claim of 400.00 that has just come to a state."""
    bill = world.bill(person, 400, DAY)
    world.anchor()
    claim = claim_of(world, person, bill)
    for _ in range(20):
        now = world.claim(claim.id)
        if now.state is state:
            return now
        advance_claims(world.services)
        if world.claim(claim.id).state is ClaimState.LODGING and state is not ClaimState.LODGING:
            world.mine()
    raise AssertionError(f"the claim never came to {state}")


HELD_AT = (
    ClaimState.SUBMITTED,
    ClaimState.CALCULATED,
    ClaimState.LODGED,
    ClaimState.DECIDED,
)


@pytest.mark.parametrize("state", HELD_AT)
def test_a_dispute_makes_the_claim_wait_and_go_on_when_ruled_for_it(
    world: World, state: ClaimState
) -> None:
    person = world.person()
    claim = at(world, person, state)
    calls = list(world.ledger.calls)
    squat(world, claim)
    world.run()
    held = world.claim(claim.id)
    assert (held.state, held.waiting_for) == (state, "dispute")
    assert world.ledger.calls == calls
    with world.services.work(write=False) as work:
        rows = [r for r in work.claims.stages_of(claim.id) if r.stage is Stage.SCREENING]
    assert [row.outcome for row in rows].count(StageOutcome.WAITING) == 1
    assert rule(world, claim.invoice_id) == "ruled"
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle"]


@pytest.mark.parametrize("state", HELD_AT)
def test_a_ruling_against_the_bill_refuses_the_claim_and_frees_the_number(
    world: World, state: ClaimState
) -> None:
    person = world.person()
    claim = at(world, person, state)
    theirs = squat(world, claim)
    world.run()
    locked = state in (ClaimState.LODGED, ClaimState.DECIDED)
    assert rule(world, theirs) == ("ruling" if locked else "ruled")
    assert finish(world) == 0
    world.run()
    assert finish(world) == (1 if locked else 0)
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert [call for call, _ in world.ledger.calls] == (["lodge", "release"] if locked else [])
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person.id, claim.id)
        assert work.payouts.of_claim(claim.id) is None
        assert work.disputes.unsettled() == []
        assert work.outbox.queued(held=True) == []
    assert [reason.code for reason in view.refusals] == ["ruled-against"]


def test_a_pended_claim_waits_for_the_ruling_after_it_was_approved(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, payer_name="测试丁卯")
    world.anchor()
    claim = claim_of(world, person, bill)
    world.run()
    squat(world, claim)
    approve_pended(world.services, claim.number, "复核员甲", "同一人")
    world.run()
    assert world.claim(claim.id).waiting_for == "dispute"
    rule(world, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


def test_a_ruling_waits_for_the_lock_of_another_payer(world: World) -> None:
    person = world.person()
    claim = at(world, person, ClaimState.CALCULATED)
    theirs = squat(world, claim)
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    world.ledger.slots[key] = SlotState(100, 0, 2 << 32 | 1 << 10, 9, 2, 1, 0, 0)
    for upheld in (claim.invoice_id, theirs, None):
        with pytest.raises(DisputeError, match="不能裁定"):
            rule(world, upheld)


@pytest.mark.parametrize("state", ["void", "reversed"])
def test_a_bill_void_between_calculation_and_lodge_is_not_lodged(world: World, state: str) -> None:
    person = world.person()
    claim = at(world, person, ClaimState.CALCULATED)
    world.sql("UPDATE invoice SET state = :state", state=state)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert world.ledger.calls == []
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person.id, claim.id)
    assert [reason.code for reason in view.refusals] == [state]


def test_a_queued_lodge_is_not_ready_while_its_number_is_disputed(world: World) -> None:
    person = world.person()
    claim = at(world, person, ClaimState.LODGING)
    squat(world, claim)
    steps(world, 2)
    assert world.claim(claim.id).waiting_for == "dispute"

    class Node:
        def is_intake_paused(self) -> bool:
            return False

    class Deps:
        clock, retry_at, node = world.services.clock, {}, Node()

    def is_ready() -> bool:
        with world.services.work(write=False) as work:
            (intent,) = work.outbox.of_subject(claim.id, IntentKind.LODGE)
            return Readiness(Deps(), "0x").is_ready(work, intent)

    assert not is_ready()
    rule(world, claim.invoice_id)
    assert is_ready()
    steps(world, 1)
    assert world.claim(claim.id).waiting_for is None
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


# --- held by another payer --------------------------------------------------------------------


def locked_by_another(world: World, claim: Claim) -> bytes:
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    world.ledger.slots[key] = SlotState(40_000, 0, 1 << 32 | 1 << 10, 9, 2, 5, 0, 0)
    return key


@pytest.mark.parametrize("rounds", [0, 4])
def test_a_bill_is_offered_again_once_another_payer_has_released_it(
    world: World, rounds: int
) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    first = claim_of(world, person, bill)
    steps(world, rounds)
    key = locked_by_another(world, first)
    world.run()
    assert world.claim(first.id).state is ClaimState.REFUSED
    slot = world.ledger.slots[key]
    world.ledger.slots[key] = dataclasses.replace(slot, open_payer=0, deadline=0, leaf_reference=0)
    with world.services.work(write=False) as work:
        found = list_claimable(world.services, work, person)
    assert [entry.bill.invoice_id for entry in found.offered] == [bill]
    second = claim_of(world, person, bill)
    world.run()
    assert world.claim(second.id).state is ClaimState.PAID


@pytest.mark.parametrize("kind", ["decision", "mismatch"])
def test_a_bill_refused_by_a_decision_or_a_mismatch_is_not_offered_again(
    world: World, kind: str
) -> None:
    person = world.person()
    item = OUTSIDE if kind == "decision" else CLASS_A
    bill = world.bill(person, 400, DAY, item=item)
    world.anchor()
    claim = claim_of(world, person, bill)
    if kind == "mismatch":
        world.sql("UPDATE invoice_version SET fingerprint = zeroblob(32)")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        found = list_claimable(world.services, work, person)
    assert found.offered == ()
    code = "refused" if kind == "decision" else "fingerprint-mismatch"
    assert [entry.reason.code for entry in found.withheld] == [code]
    with pytest.raises(SubmissionRefusedError, match="有票据不能报销"):
        claim_of(world, person, bill)


# --- what is missing here ---------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["account", "position"])
def test_a_lodge_that_cannot_be_asked_for_calls_an_operator(
    world: World, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.person()
    claim = at(world, person, ClaimState.CALCULATED)
    with monkeypatch.context() as patch:
        if missing == "account":
            patch.setattr(ClaimRepository, "payer_account", lambda *_: None)
        else:
            patch.setattr(BatchRepository, "position_of", lambda *_: None)
        steps(world, 3)
    held = world.claim(claim.id)
    assert (held.state, held.waiting_for) == (ClaimState.CALCULATED, "operator")
    assert open_alarms(world) == ["lodge-not-possible"]
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert open_alarms(world) == []


def open_alarms(world: World) -> list[str]:
    with world.services.engine.begin() as connection:
        rows = connection.execute(
            sa.select(tables.alarm.c.code).where(tables.alarm.c.cleared_at.is_(None))
        )
        return list(rows.scalars())
