"""Opening and ending a review case.

A case of kind *claim* is opened for every pended claim. Others are opened by the use cases they
belong to (an appeal, a reopening, a revision, a post-audit draw) with :func:`open_case`. What a
decided case does is the business of its kind (``ReviewServices.conclusions``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.pend_reasons import GENERAL, PRIORITY_USUAL
from backend.domain.review import (
    EARLIER,
    RAISED,
    CaseKind,
    CaseState,
    Concern,
    Outcome,
    Risk,
    StepName,
    classify,
    next_step,
)
from backend.domain.ruling import RulingKind
from backend.service_layer.audit_rules.outcomes import outcomes_of_review, record_outcome
from backend.service_layer.claims.clocks import clocks_of
from backend.service_layer.claims.decide import REFUSED_MARK
from backend.service_layer.claims.records import Claim, PendReason
from backend.service_layer.outside.hands import hands_of
from backend.service_layer.review.clocks import due_after
from backend.service_layer.review.ports import ReviewServices, ReviewWork
from backend.service_layer.review.records import Case, Conclusion, Step

CASE_LATE = "review-late"
UNASSIGNED = "review-unassigned"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a case is opened with. ``raised_by`` are people who may not review it; ``due_on`` is
    the promised day where one was given, else the usual promise counts from today; ``waited_days``
    are working days in which its person was asked, which that day has in it already."""

    kind: CaseKind
    subject_id: str | None = None
    queue: str = GENERAL
    priority: int = PRIORITY_USUAL
    concerns: tuple[Concern, ...] = ()
    amount_fen: int = 0
    raised_by: tuple[str, ...] = ()
    due_on: dt.date | None = None
    legal_limit_on: dt.date | None = None
    waited_days: int = 0
    risk: Risk | None = None


def open_case(deps: ReviewServices, work: ReviewWork, claim: Claim, opening: Opening) -> Case:
    """Open a case with its first step; the live case of the same kind where there is one.

    Who raised it and who gave a finding in an earlier case of the claim get a part that keeps
    them out of every step.
    """
    found = work.reviews.live_case(claim.id, opening.kind)
    if found is not None:
        return found
    now, settings = deps.clock.now(), deps.settings
    bill = work.claims.bill_of_version(claim.version_id)
    case = Case(
        id=deps.ids.new_id("rev"),
        claim_id=claim.id,
        ordinal=work.reviews.next_ordinal(claim.id),
        kind=opening.kind,
        subject_id=opening.subject_id,
        risk=opening.risk
        or classify(
            opening.concerns or (Concern(opening.priority),), opening.amount_fen, settings.review
        ),
        state=CaseState.OPEN,
        live_key=f"{claim.id}:{opening.kind}",
        queue=opening.queue,
        priority=opening.priority,
        amount_fen=opening.amount_fen,
        hospital_code=bill.institution_code,
        opened_at=now,
        due_on=opening.due_on or due_after(deps, settings.promise_working_days),
        legal_limit_on=opening.legal_limit_on or due_after(deps, settings.legal_working_days),
        waited_days=opening.waited_days,
    )
    earlier = work.reviews.earlier_finders(claim.id)
    work.reviews.add_case(case)
    for person in earlier:
        work.reviews.add_part(case.id, person, EARLIER, now)
    for person in set(opening.raised_by) - set(earlier):
        work.reviews.add_part(case.id, person, RAISED, now)
    first = next_step(case.risk, (), case.amount_fen, settings.review)
    assert first is not None, "a case begins with a step"
    open_step(deps, work, case, first, 1)
    return case


def open_step(
    deps: ReviewServices, work: ReviewWork, case: Case, step: StepName, position: int
) -> Step:
    """Add the next step of a case; nobody holds it yet."""
    opened = Step(
        case_id=case.id,
        step=step,
        position=position,
        opened_at=deps.clock.now(),
        due_on=due_after(deps, deps.settings.review.step_days),
    )
    work.reviews.add_step(opened)
    return opened


def open_pends(work: ReviewWork, claim_id: str) -> list[PendReason]:
    """The reasons of a claim that nobody resolved, the most urgent first."""
    found = [pend for pend in work.claims.pends_of(claim_id) if pend.resolved_at is None]
    return sorted(found, key=lambda pend: (pend.priority, pend.line_index or -1, pend.code))


def open_claim_case(deps: ReviewServices, work: ReviewWork, claim: Claim) -> Case:
    """The case of a claim's open reasons. Raises :class:`ConflictError` when there are none."""
    found = work.reviews.live_case(claim.id, CaseKind.CLAIM)
    if found is not None:
        return found
    pends = open_pends(work, claim.id)
    if not pends:
        raise ConflictError(
            f"{claim.number} 没有待核对的事项",
            f"{claim.number} has nothing that waits for a person",
        )
    submission = work.claims.submission(claim.submission_id)
    assert submission is not None, "a claim belongs to a submission"
    calculation = work.decisions.latest_calculation(claim.id)
    clocks = clocks_of(deps, work, claim, submission)
    return open_case(
        deps,
        work,
        claim,
        Opening(
            kind=CaseKind.CLAIM,
            queue=pends[0].queue,
            priority=pends[0].priority,
            concerns=tuple(Concern(pend.priority, pend.severity) for pend in pends),
            amount_fen=0 if calculation is None else calculation.paid_fen,
            raised_by=hands_of(work, claim),
            due_on=clocks.promised_on,
            legal_limit_on=clocks.legal_limit_on,
            waited_days=clocks.waited_days,
        ),
    )


def close_case(deps: ReviewServices, work: ReviewWork, case: Case, outcome: str) -> Case:
    """End a case: nothing more can be done in it, and its alarms are over."""
    now = deps.clock.now()
    work.reviews.update_case(
        case.id, state=CaseState.CLOSED, live_key=None, outcome=outcome, closed_at=now
    )
    request = next(
        (asked for asked in work.material.requests_of(case.id) if asked.closed_at is None), None
    )
    if request is not None:
        work.material.close_request(request.id, "closed", now)
    for code in (CASE_LATE, UNASSIGNED):
        work.alarms.clear(code, case.id)
    return replace(case, state=CaseState.CLOSED, live_key=None, outcome=outcome, closed_at=now)


def close_cases_of(
    deps: ReviewServices, work: ReviewWork, claim_id: str, outcome: str = WITHDRAWN
) -> int:
    """End every live case of a claim that is over without them; returns how many."""
    live = work.reviews.live_cases_of(claim_id)
    for case in live:
        close_case(deps, work, work.reviews.get_case(case.id, lock=True), outcome)
    return len(live)


def conclude_case(
    deps: ReviewServices, work: ReviewWork, case: Case, conclusion: Conclusion
) -> Case:
    """End a case with its outcome and let its kind do what follows."""
    closed = close_case(deps, work, case, str(conclusion.outcome))
    conclude = _conclude_claim if case.kind is CaseKind.CLAIM else deps.conclusions[case.kind]
    conclude(deps, work, closed, conclusion)
    return closed


def _conclude_claim(
    deps: ReviewServices, work: ReviewWork, case: Case, conclusion: Conclusion
) -> None:
    """The reasons are resolved, the rulings are in force, and the claim goes on to be decided."""
    from backend.service_layer.outside.hands import sign_for_insured_place

    now = deps.clock.now()
    claim = work.claims.get(case.claim_id)
    approves = conclusion.outcome is Outcome.APPROVE
    sign_for_insured_place(deps, work, claim, conclusion.by, conclusion.reason, approves=approves)
    mark = REFUSED_MARK
    if conclusion.outcome is Outcome.APPROVE:
        mark = ""
        work.reviews.add_rulings(case, conclusion.rulings, conclusion.by, now)
    _tell_the_rules(deps, work, claim, conclusion)
    work.claims.resolve_pends(claim.id, conclusion.by, mark + conclusion.reason, now)
    if claim.state is ClaimState.PENDED:
        work.claims.update(claim.id, claim.state, now, state=ClaimState.LODGED, waiting_for=None)


def _tell_the_rules(
    deps: ReviewServices, work: ReviewWork, claim: Claim, conclusion: Conclusion
) -> None:
    """Whether each audit rule that raised a reason was right, as this conclusion says."""
    taken_off = (RulingKind.EXCLUDE, RulingKind.LIMIT)
    outcomes = outcomes_of_review(
        open_pends(work, claim.id),
        is_refused=conclusion.outcome is not Outcome.APPROVE,
        changed_lines=[one.line_index for one in conclusion.rulings if one.kind in taken_off],
    )
    record_outcome(deps, work, claim.id, outcomes, conclusion.by)
