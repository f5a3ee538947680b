"""What opens an order beside the bill: a finding, a confirmed revision, the ledger itself."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.domain.errors import DomainError, NotFoundError
from backend.domain.recovery import (
    Cause,
    Debtor,
    RecoveryConflictError,
    RecoveryError,
    SamePersonError,
    State,
)
from backend.domain.review import Outcome
from backend.domain.revision import Cause as VersionCause
from backend.domain.supervision import Source, StepKind, SubjectKind
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.claims.benefits import adjudicate_again
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.year_totals import revise
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.records import AnswerStatus, StatusItem
from backend.service_layer.recovery.causes import assign
from backend.service_layer.recovery.opening import borne_of
from backend.service_layer.recovery.people import (
    _require_still_so,
    approve,
    approve_waiver,
    dismiss,
)
from backend.service_layer.recovery.run import follow_withdrawals, recovery_pass
from backend.service_layer.supervision.cases import Act, supervision_pass, take_step
from backend.service_layer.supervision.lead_reading import export_findings, view
from backend.service_layer.supervision.lead_records import Subject
from backend.service_layer.supervision.leads import open_lead
from tests.integration.claims.revising import conclude
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.payout.office import alarms, attempts, balance, files, say, state
from tests.integration.recovery.debts import (
    PAID_FEN,
    WHY,
    again,
    assert_books_agree,
    kinds_of,
    notices_of,
    orders,
    paid_claim,
    pay_back,
    withdraw_bill,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """After each test every side says the same: bill, claim, ledger, journal, file and bank."""
    made = World.make(tmp_path)
    yield made
    assert find_mismatches(made.services) == []
    made.services.engine.dispose()


# --- a finding -----------------------------------------------------------------------------------


def ordered(world: World, kind: SubjectKind, subject_id: str, fen: int) -> str:
    """A lead whose final finding orders a recovery."""
    services = world.services
    with services.work() as work:
        subject = Subject(kind, subject_id)
        lead = open_lead(services, work, Source.REPORT, subject, "同一项目反复收费", by="报告人")
        work.commit()
    steps: list[tuple[StepKind, str, tuple[Any, ...]]] = [
        (StepKind.ASKED, "文员", ()),
        (StepKind.ANSWERED, "文员", ()),
        (StepKind.FOUND, "认定人", ("substantiated", fen)),
    ]
    for step, by, rest in steps:
        take_step(services, lead.id, Act(step, by, f"理由 {step}", *rest))
    services.clock.advance(dt.timedelta(days=40).total_seconds())
    take_step(services, lead.id, Act(StepKind.ORDERED, "复核人", "认定已生效，责令追回"))
    return lead.id


def lead_state(world: World, lead_id: str) -> str:
    return str(view(world.services, lead_id).state)


@pytest.mark.parametrize("kind", [SubjectKind.CLAIM, SubjectKind.INVOICE])
def test_a_final_finding_is_owed_by_the_institution_and_closes_its_lead(
    world: World, kind: SubjectKind
) -> None:
    claim = paid_claim(world)
    subject = claim.id if kind is SubjectKind.CLAIM else claim.invoice_id
    lead_id = ordered(world, kind, subject, 4_000)
    assert recovery_pass(world.services) == 1 and recovery_pass(world.services) == 0
    (found,) = orders(world, claim)
    assert (found.order.cause, found.order.amount_fen) == (Cause.FINDING, 4_000)
    assert (found.order.debtor, found.order.institution_code) == (Debtor.INSTITUTION, HOSPITAL)
    assert notices_of(world, claim.person_id) == [], "the citizen owes nothing"
    assert lead_state(world, lead_id) == "recovery-ordered"
    pay_back(world, found, 4_000, "H-1")
    recovery_pass(world.services)
    assert lead_state(world, lead_id) == "recovered"
    assert recovery_pass(world.services) == 0
    (row,) = export_findings(world.services)
    assert (row["state"], row["amount_fen"]) == ("recovered", 4_000)
    assert_books_agree(world)


@pytest.mark.slow
def test_a_finding_set_aside_after_its_order_asks_for_the_waiver_that_another_person_approves(
    world: World,
) -> None:
    claim = paid_claim(world)
    lead_id = ordered(world, SubjectKind.CLAIM, claim.id, 4_000)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    pay_back(world, found, 1_500, "H-1")
    take_step(world.services, lead_id, Act(StepKind.SET_ASIDE, "主管", "法院撤销了认定"))
    assert recovery_pass(world.services) == 1 and recovery_pass(world.services) == 0
    with world.services.work(write=False) as work:
        (asked,) = work.recoveries.waiver_requests(found.order.id)
    assert (asked.by, asked.reason) == ("主管", "认定已撤销：法院撤销了认定")
    assert "recovery-waiver-asked" in alarms(world)
    with pytest.raises(DomainError, match="cannot approve it"):
        approve_waiver(world.services, found.order.id, "主管")
    done = approve_waiver(world.services, found.order.id, "复核人")
    assert (str(done.state), done.left_fen) == ("waived", 0)
    assert recovery_pass(world.services) == 0


def test_a_finding_beyond_what_the_fund_bears_is_cut_and_said(world: World) -> None:
    claim = paid_claim(world)
    ordered(world, SubjectKind.CLAIM, claim.id, PAID_FEN + 1)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    assert found.order.amount_fen == PAID_FEN and alarms(world) == {"recovery-short"}


def test_a_finding_about_an_institution_is_laid_on_claims_by_a_person(world: World) -> None:
    first, second = paid_claim(world), paid_claim(world, yuan=500)
    lead_id = ordered(world, SubjectKind.INSTITUTION, HOSPITAL, 10_000)
    recovery_pass(world.services)
    assert orders(world, first) == [] and alarms(world) == {"recovery-unassigned"}
    deps = world.services
    refused: list[tuple[tuple[str, str, int], type[Exception], str]] = [
        (("nothing", first.number, 1), NotFoundError, "no such lead"),
        ((lead_id, "nothing", 1), NotFoundError, "there is no"),
        ((lead_id, first.number, 0), RecoveryConflictError, "at most 6000 fen"),
        ((lead_id, first.number, PAID_FEN + 1), RecoveryConflictError, "at most 6000 fen"),
        ((lead_id, second.number, 10_001), RecoveryConflictError, "at most 10000 fen"),
    ]
    for words, error, said in refused:
        with pytest.raises(error, match=said):
            assign(deps, *words, by="复核人")
    made = assign(deps, lead_id, first.number, PAID_FEN, by="复核人")
    with pytest.raises(RecoveryConflictError, match="has its part already"):
        assign(deps, lead_id, first.number, 1, by="复核人")
    pay_back(world, made, PAID_FEN, "H-1")
    recovery_pass(deps)
    assert lead_state(world, lead_id) == "recovery-ordered", "a part is still to be laid"
    rest = assign(deps, lead_id, second.number, 4_000, by="复核人")
    assert alarms(world) == set()
    pay_back(world, rest, 4_000, "H-2")
    recovery_pass(deps)
    assert lead_state(world, lead_id) == "recovered"


def test_a_lead_without_an_order_takes_no_part_of_a_claim(world: World) -> None:
    claim = paid_claim(world)
    with world.services.work() as work:
        subject = Subject(SubjectKind.INSTITUTION, HOSPITAL)
        lead = open_lead(world.services, work, Source.REPORT, subject, "同一项目", by="报告人")
        work.commit()
    with pytest.raises(NotFoundError, match="no recovery is ordered"):
        assign(world.services, lead.id, claim.number, 1, by="复核人")


def test_a_void_bill_owes_only_what_a_finding_has_not_taken(world: World) -> None:
    claim = paid_claim(world)
    ordered(world, SubjectKind.CLAIM, claim.id, 4_000)
    recovery_pass(world.services)
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    found = {one.order.cause: one.order.amount_fen for one in orders(world, claim)}
    assert found == {Cause.FINDING: 4_000, Cause.VOID: 2_000}
    assert balance(world, "receivable") == PAID_FEN


def test_a_void_bill_of_which_a_finding_has_taken_all_owes_nothing_more(world: World) -> None:
    claim = paid_claim(world)
    ordered(world, SubjectKind.CLAIM, claim.id, PAID_FEN)
    recovery_pass(world.services)
    withdraw_bill(world, claim)
    assert recovery_pass(world.services) == 0, "nothing changed: the worker may rest"
    assert len(orders(world, claim)) == 1 and state(world, claim) == ("paid", None)


# --- a confirmed revision ------------------------------------------------------------------------


def lowered(world: World, fen: int = 100, kind: Outcome = Outcome.APPROVE) -> Claim:
    """A paid claim of which people have confirmed that it should be less."""
    return lower(world, paid_claim(world), fen, kind)


def lower(world: World, claim: Claim, fen: int, kind: Outcome = Outcome.APPROVE) -> Claim:
    with world.services.work() as work:
        work.people.lock(claim.person_id)
        eob, *rest = adjudicate_again(world.services, work, claim)
        lower = dataclasses.replace(eob, pool_paid_fen=eob.pool_paid_fen - fen)
        by = {"cause": VersionCause.ENTITLEMENT, "decided_by": "machine", "reason": "待遇变更"}
        assert revise(world.services, work, claim, (lower, *rest), **by) is None
        work.commit()
    conclude(world, claim, "revision", kind)
    return claim


def test_what_a_revision_gives_less_is_owed_when_two_people_say_so(world: World) -> None:
    claim = lowered(world)
    assert recovery_pass(world.services) == 1 and recovery_pass(world.services) == 0
    (found,) = orders(world, claim)
    assert (found.state, found.order.amount_fen) == (State.PROPOSED, 100)
    assert alarms(world) == {"recovery-proposed"} and found.left_fen == 0
    assert "recovery-opened" not in kinds_of(world, claim.id)
    assert notices_of(world, claim.person_id) == []
    name = found.order.id
    with pytest.raises(RecoveryError, match="a reason"):
        approve(world.services, name, "经办甲", "")
    with pytest.raises(RecoveryConflictError, match="no money is owed"):
        pay_back(world, found, 100, "B-1")
    assert approve(world.services, name, "经办甲", WHY).state is State.PROPOSED
    with pytest.raises(SamePersonError, match="another person"):
        approve(world.services, name, "经办甲", WHY)
    assert approve(world.services, name, "主任乙", WHY).state is State.OPEN
    with pytest.raises(RecoveryConflictError, match="nothing to approve"):
        approve(world.services, name, "主任丙", WHY)
    assert alarms(world) == set() and balance(world, "receivable") == 100
    assert len(notices_of(world, claim.person_id)) == 1
    supervision_pass(world.services)
    with world.services.work(write=False) as work:
        (lead,) = work.leads.all()
    pay_back(world, found, 100, "B-1")
    recovery_pass(world.services)
    assert lead_state(world, lead.id) == "recovered"


def test_two_proposals_of_one_claim_never_ask_for_the_same_money_twice(world: World) -> None:
    """Of 60.00 first 50.00 is right, then 45.00: what is too much is 15.00, not 10.00 and 15.00."""
    claim = lowered(world, 1_000)
    recovery_pass(world.services)
    (first,) = orders(world, claim)
    approve(world.services, first.order.id, "经办甲", WHY)
    world.services.clock.advance(60)
    lower(world, claim, 1_500)
    recovery_pass(world.services)
    first, second = orders(world, claim)
    assert (first.state, second.state) == (State.DISMISSED, State.PROPOSED)
    assert (first.order.amount_fen, second.order.amount_fen) == (1_000, 1_500)
    with pytest.raises(RecoveryConflictError, match="nothing to approve"):
        approve(world.services, first.order.id, "主任乙", WHY)
    assert alarms(world) == {"recovery-proposed"}
    for person in ("经办甲", "主任乙"):
        approve(world.services, second.order.id, person, WHY)
    assert balance(world, "receivable") == 1_500 and alarms(world) == set()
    assert recovery_pass(world.services) == 0, "nothing is proposed again"


def test_a_proposal_older_than_the_newest_decision_is_not_approved(world: World) -> None:
    claim = lowered(world)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    approve(world.services, found.order.id, "经办甲", WHY)
    world.services.clock.advance(60)
    with world.services.work() as work:
        decision = work.decisions.latest(claim.id)
        assert decision is not None
        work.decisions.add(
            dataclasses.replace(
                decision, id="dec_newer", version=decision.version + 1, paid_fen=PAID_FEN,
                decided_at=world.services.clock.now(),
            )
        )  # fmt: skip
        with pytest.raises(RecoveryConflictError, match="a newer decision than this"):
            _require_still_so(work, claim, found)
        assert borne_of(work, claim.id).total_fen == PAID_FEN


def test_a_proposal_that_a_person_dismisses_is_never_owed(world: World) -> None:
    claim = lowered(world)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    approve(world.services, found.order.id, "经办甲", WHY)
    assert dismiss(world.services, found.order.id, "主任乙", WHY).state is State.DISMISSED
    for act in (approve, dismiss):
        with pytest.raises(RecoveryConflictError, match="dismissed"):
            act(world.services, found.order.id, "主任丙", WHY)
    assert recovery_pass(world.services) == 0 and balance(world, "receivable") == 0
    assert alarms(world) == set() and len(orders(world, claim)) == 1


def test_what_people_rejected_is_not_proposed(world: World) -> None:
    claim = lowered(world, kind=Outcome.REFUSE)
    assert recovery_pass(world.services) == 0 and orders(world, claim) == []


def test_a_proposal_is_not_approved_when_its_bill_was_voided_meanwhile(world: World) -> None:
    claim = lowered(world)
    recovery_pass(world.services)
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    (found, whole) = orders(world, claim)
    assert (found.state, whole.left_fen) == (State.PROPOSED, PAID_FEN)
    approve(world.services, found.order.id, "经办甲", WHY)
    with pytest.raises(RecoveryConflictError, match="the fund bears less"):
        approve(world.services, found.order.id, "主任乙", WHY)
    assert len(again(world, found).approvals) == 1


def test_a_payment_that_came_back_is_paid_once_to_a_corrected_account_with_a_recovery_open(
    world: World,
) -> None:
    """The debt of 1.00 is never kept from it: nobody has consented."""
    claim = lowered(world)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    for name in ("经办甲", "主任乙"):
        approve(world.services, found.order.id, name, WHY)
    (file,) = files(world)
    say(world, StatusItem(file.items[0].end_to_end_id, AnswerStatus.RETURNED, "AC04"))
    world.run()
    recovery_pass(world.services)
    assert state(world, claim) == ("paying", "payee")
    world.accounts.correct(claim.person_id, "测试甲子", "TEST-CORRECTED")
    world.run()
    assert state(world, claim) == ("paid", None)
    assert [fen for _, fen, _ in attempts(world)] == [PAID_FEN, PAID_FEN]
    assert world.bank.paid[f"{claim.number}-V1-A2"] == ("TEST-CORRECTED", PAID_FEN)
    assert again(world, found).left_fen == 100 and balance(world, "receivable") == 100


# --- the ledger's own word -----------------------------------------------------------------------


class Node:
    """A node with the events that a test puts into its blocks."""

    def __init__(self, *events: LedgerEvent) -> None:
        self.blocks, self.final, self.asked = events, 10, []  # type: ignore[var-annotated]

    def deployment(self) -> Any:
        return dataclasses.make_dataclass("D", ["block_number"])(1)

    def final_number(self) -> int:
        return self.final

    def events(self, first: int, last: int) -> list[LedgerEvent]:
        self.asked.append((first, last))
        return [one for one in self.blocks if first <= one.block_number <= last]


def event_of(world: World, claim: Claim, call: str, block: int, outcome: str = "done") -> Any:
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    values = {"leaf_reference": 1 << 32}
    return LedgerEvent(call, outcome, 0, key, values, bytes(32), block, bytes(32), 0)


@pytest.mark.parametrize(("call", "cause"), [("void", Cause.VOID), ("reverse", Cause.REVERSED)])
def test_a_bill_that_was_withdrawn_on_the_ledger_alone_is_asked_back(
    world: World, call: str, cause: Cause
) -> None:
    claim = paid_claim(world)
    node = Node(event_of(world, claim, call, 7))
    assert follow_withdrawals(world.services, node) == 10
    assert alarms(world) == {"bill-withdrawn-on-ledger"}
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    assert found.order.cause is cause
    assert follow_withdrawals(world.services, node) == 0
    node.final = 12
    assert follow_withdrawals(world.services, node) == 2 and node.asked == [(1, 10), (11, 12)]


@pytest.mark.parametrize(
    ("call", "outcome"), [("void", "not-included"), ("reverse", "stale"), ("expire", "done")]
)
def test_what_the_ledger_refused_withdraws_nothing(world: World, call: str, outcome: str) -> None:
    claim = paid_claim(world)
    node = Node(event_of(world, claim, call, 7, outcome))
    follow_withdrawals(world.services, node)
    assert recovery_pass(world.services) == 0 and alarms(world) == set()


def test_an_event_in_a_block_that_is_not_final_is_read_later(world: World) -> None:
    claim = paid_claim(world)
    node = Node(event_of(world, claim, "void", 11))
    follow_withdrawals(world.services, node)
    assert recovery_pass(world.services) == 0
    node.final = 11
    follow_withdrawals(world.services, node)
    assert recovery_pass(world.services) == 1


def test_killed_after_reading_the_ledger_reads_no_block_twice(world: World) -> None:
    from tests.integration.recovery.test_once import killed

    claim = paid_claim(world)
    node = Node(event_of(world, claim, "void", 7))
    point = "recovery.withdrawals-read"
    assert killed(world, point, lambda: follow_withdrawals(world.services, node))
    assert follow_withdrawals(world.services, node) == 0
    assert recovery_pass(world.services) == 1 and len(orders(world, claim)) == 1
