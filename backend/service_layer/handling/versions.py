"""Decisions as versions: a decision is never changed, only followed by another one.

``revise`` is told what a claim comes to now and does what the claim's state allows. By itself
money moves in one direction only, and not beyond what one person may approve: more is paid as a
supplement, more above the second approver's amount and anything less is a case for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.domain.claim import IN_EFFECT_STATES, ClaimState
from backend.domain.errors import DomainError
from backend.domain.explanation import ExplanationOfBenefits, Outcome
from backend.domain.review import CaseKind, Risk, classify
from backend.domain.revision import Cause, RequestKind
from backend.service_layer.claims.approval_limit import needs_second_approver
from backend.service_layer.claims.benefits import (
    read_record,
    store_calculation,
)
from backend.service_layer.claims.decide import Adjudicated, insert_decision
from backend.service_layer.claims.records import MACHINE, MISMATCH, Claim, Decision
from backend.service_layer.claims.requests import Asked, add_request
from backend.service_layer.claims.revision_records import (
    BILL_HELD,
    RETURNED,
    ClaimEvent,
)
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.review.cases import Opening, open_case
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.errors import VerificationError


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a claim is decided again, who says so, and the reason that the citizen reads."""

    cause: Cause
    by: str
    reason: str


_HELD_IN: Final = "（票据在申请 "
_BY_PEOPLE: Final = frozenset({Cause.APPEAL, Cause.REOPENED})


def revise_alone(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    adjudicated: Adjudicated,
    grounds: Grounds,
) -> Decision | None:
    """:func:`revise` without working out the later claims of the year."""
    now_held = work.claims.get(claim.id, lock=True)
    eob = adjudicated[0]
    if now_held.is_undecided:
        store_calculation(deps, work, claim.id, eob)
        return None
    latest = work.decisions.latest(claim.id)
    if _is_barred(latest, grounds.cause):
        return None
    if now_held.state is ClaimState.REFUSED:
        if eob.outcome is not Outcome.REFUSED:
            return_claim(deps, work, now_held, grounds)
        return None
    is_decided = now_held.state in IN_EFFECT_STATES | {ClaimState.DECIDED}
    if latest is None or not is_decided or _says_the_same(eob, latest):
        return None
    return _follow(deps, work, now_held, adjudicated, grounds)


def _follow(
    deps: HandlingServices,
    work: HandlingWork,
    now_held: Claim,
    adjudicated: Adjudicated,
    grounds: Grounds,
) -> Decision | None:
    """The next version of a decision; for less in effect a case, for a changed bill an alarm."""
    eob, latest = adjudicated[0], work.decisions.latest(now_held.id)
    assert latest is not None, "only a decision is followed by another"
    if not _is_as_committed(deps, work, now_held):
        what = f"claim {now_held.number}: the bill was changed, no further version is made"
        work.alarms.raise_alarm(MISMATCH, now_held.version_id, what)
        return None
    is_in_effect = now_held.state in IN_EFFECT_STATES
    if is_in_effect and eob.paid_fen <= latest.paid_fen:
        _keep_for_people(deps, work, now_held, adjudicated, grounds)
        return None
    if grounds.by == MACHINE and _is_beyond_one_person(deps, latest, eob):
        _keep_for_people(deps, work, now_held, adjudicated, grounds)
        return None
    return _add_version(deps, work, now_held, adjudicated, grounds)


def _is_beyond_one_person(deps: Any, latest: Decision, eob: ExplanationOfBenefits) -> bool:
    """Whether the machine would raise a decision to what two people have to approve."""
    is_more = eob.paid_fen > latest.paid_fen
    return is_more and needs_second_approver(eob.paid_fen, deps.settings.review)


def _is_as_committed(deps: HandlingServices, work: HandlingWork, claim: Claim) -> bool:
    """Whether the stored bill still has the fingerprint that was anchored: nothing is paid on a
    text that somebody changed after the first decision."""
    bill = work.claims.bill_of_version(claim.version_id)
    if bill.wrapped_secret is None:
        return False
    try:
        secret = deps.secret_box.unwrap(bill.wrapped_secret, bill.version_id)
        return compute_fingerprint(read_record(work, bill), secret) == bill.fingerprint
    except (DomainError, VerificationError):
        return False


def _says_the_same(eob: ExplanationOfBenefits, latest: Decision) -> bool:
    is_refused = eob.outcome is Outcome.REFUSED
    return eob.paid_fen == latest.paid_fen and is_refused == (latest.outcome == Outcome.REFUSED)


def _is_barred(latest: Decision | None, cause: Cause) -> bool:
    """Whether people have refused the claim, and nobody but people may overturn that."""
    return (
        latest is not None
        and latest.outcome == Outcome.REFUSED
        and latest.decided_by != MACHINE
        and cause not in _BY_PEOPLE
    )


def _add_version(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    adjudicated: Adjudicated,
    grounds: Grounds,
) -> Decision:
    decision = insert_decision(
        deps,
        work,
        claim,
        adjudicated,
        outcome=str(adjudicated[0].outcome),
        decided_by=grounds.by,
        reason=grounds.reason,
        cause=grounds.cause,
    )
    is_paid = claim.state is ClaimState.PAID
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        decision_version=decision.version,
        state=ClaimState.SUPPLEMENTING if is_paid else claim.state,
    )
    return decision


def _keep_for_people(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    adjudicated: Adjudicated,
    grounds: Grounds,
) -> None:
    """Keep what would be right, with a case: of less, since no money is taken back, and of more
    than the machine may add by itself. Each amount is asked about once a decision."""
    eob = adjudicated[0]
    latest = work.decisions.latest(claim.id)
    assert latest is not None, "only a decision is revised"
    known = [
        one.request
        for one in work.revisions.of_claim(claim.id)
        if one.request.kind is RequestKind.REVISION
        and one.request.decision_version == latest.version
    ]
    if any((one.code, one.amount_after_fen) == (grounds.cause, eob.paid_fen) for one in known):
        return
    request = add_request(
        deps,
        work,
        claim,
        Asked(
            kind=RequestKind.REVISION,
            code=str(grounds.cause),
            text=f"{grounds.reason}：应为 {eob.paid_fen} 分，已核定 {latest.paid_fen} 分",
            named_by=grounds.by,
            amount_before_fen=latest.paid_fen,
            amount_after_fen=eob.paid_fen,
            explanation=canonical_bytes(eob.to_estimate()).decode(),
        ),
    )
    services: Any = deps
    reviewing: Any = work
    is_more = eob.paid_fen > latest.paid_fen
    at_stake = eob.paid_fen if is_more else latest.paid_fen - eob.paid_fen
    case = open_case(
        services,
        reviewing,
        claim,
        Opening(
            kind=CaseKind.REVISION,
            subject_id=request.id,
            amount_fen=at_stake,
            due_on=request.promised_on,
            legal_limit_on=request.legal_limit_on,
        ),
    )
    if case.amount_fen < at_stake:  # one that was open already: its people decide on this too
        risk = classify((), at_stake, services.settings.review)
        reviewing.reviews.update_case(
            case.id,
            amount_fen=at_stake,
            risk=risk if risk is Risk.HIGH else case.risk,
        )


def return_claim(
    deps: HandlingServices, work: HandlingWork, claim: Claim, grounds: Grounds
) -> bool:
    """A refused claim begins again under its number; False when another claim holds its bill.

    Then it waits, and comes back by itself once the bill is free. It takes its place at the end
    of the year's order, so that nothing that was decided meanwhile changes.
    """
    assert claim.state is ClaimState.REFUSED, "only a refused claim comes back"
    now = deps.clock.now()
    holder = work.claims.live_on(claim.invoice_id)
    if holder is not None and claim.waiting_for == BILL_HELD:
        return False
    held_in = "" if holder is None else f"{_HELD_IN}{holder.number}）"
    work.revisions.add_event(
        ClaimEvent(
            id=deps.ids.new_id("evt"),
            claim_id=claim.id,
            kind=RETURNED if holder is None else BILL_HELD,
            decision_version=claim.decision_version,
            state_before=str(claim.state),
            code=str(grounds.cause),
            text=grounds.reason + held_in,
            by=grounds.by,
            at=now,
        )
    )
    if holder is not None:
        work.claims.update(claim.id, claim.state, now, waiting_for=BILL_HELD)
        return False
    return work.claims.update(
        claim.id,
        claim.state,
        now,
        state=ClaimState.SUBMITTED,
        live_invoice_id=claim.invoice_id,
        lodge_counter=None,
        waiting_for=None,
        counted_from=now,
    )


def return_freed(deps: HandlingServices) -> int:
    """Bring back the claims whose bill another claim held until now; returns how many."""
    with deps.work(write=False) as work:
        waiting = work.revisions.freed()
    return sum(_return_one(deps, claim_id) for claim_id in waiting)


def _return_one(deps: HandlingServices, claim_id: str) -> bool:
    with deps.work() as work:
        person_id = work.claims.get(claim_id).person_id
        work.people.lock(person_id)
        claim = work.claims.get(claim_id, lock=True)
        if claim.state is not ClaimState.REFUSED or claim.waiting_for != BILL_HELD:
            return False
        held = [e for e in work.revisions.events_of(claim_id) if e.kind == BILL_HELD][-1]
        grounds = Grounds(Cause(held.code), held.by, held.text.partition(_HELD_IN)[0])
        if not return_claim(deps, work, claim, grounds):
            return False
        work.commit()
    return True
