"""The steps of a case: ask, answer, find, appeal, expert, review, order, refer, set aside.

Each locks the lead, checks where the case is, whose time runs and who holds which part, and adds
one row that is never changed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backend.domain.local_time import local_day
from backend.domain.supervision import (
    PART_OF,
    BadStepError,
    FindingOutcome,
    ReviewOutcome,
    Step,
    StepKind,
    amount_of,
    check_amount,
    check_hands,
    check_reason,
    check_step,
)
from backend.domain.working_days import compute_due_date
from backend.service_layer.supervision.lead_reading import overdue
from backend.service_layer.supervision.lead_records import SupervisionServices, SupervisionWork
from backend.service_layer.supervision.leads import open_revision_leads, person_of
from backend.service_layer.supervision.points import set_points_aside

LEAD_LATE = "lead-overdue"


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be done, by whom and why. ``amount_fen`` and ``outcome`` are those of a
    finding, a review or an order; of the provider's own steps ``by`` is the clerk who took
    them down and ``reason`` what the provider wrote."""

    kind: StepKind
    by: str
    reason: str
    outcome: str = ""
    amount_fen: int | None = None


def take_step(deps: SupervisionServices, lead_id: str, act: Act) -> Step:
    """Take one step of a case and return it. The newest step asked for again, in the same words
    by the same person, is the step that is there.

    Raises NotFoundError, WrongStepError, TooEarlyError, TooLateError, SameHandsError,
    ForbiddenError (own institution) and BadStepError.
    """
    with deps.work() as work:
        lead = work.leads.get(lead_id, lock=True)
        person = person_of(work, act.by, lead.institution_code)
        last = work.leads.steps_of(lead_id)[-1]
        if _is_same(last, act, person):
            return last
        step = add_step(deps, work, lead_id, act, person)
        work.commit()
    return step


def _is_same(step: Step, act: Act, person: str) -> bool:
    said = (act.kind, person, act.reason.strip(), act.outcome)
    is_same = (step.kind, step.by, step.reason, step.outcome) == said
    # An order carries what the finding stands at, which nobody states.
    return is_same and (act.kind is StepKind.ORDERED or step.amount_fen == act.amount_fen)


def add_step(
    deps: SupervisionServices, work: SupervisionWork, lead_id: str, act: Act, person: str
) -> Step:
    """One more step of a locked lead by a person who may act on it; the caller commits.

    Raises what :func:`take_step` does, but for who the person is.
    """
    steps = work.leads.steps_of(lead_id)
    now = deps.clock.now()
    today = local_day(now)
    reason = check_reason(act.reason)
    check_step(steps, act.kind, today, deps.calendar)
    part = PART_OF.get(act.kind)
    if part is not None:
        check_hands(work.leads.parts_of(lead_id), person, part)
        work.leads.add_part(lead_id, person, part, now)
    step = Step(
        ordinal=len(steps) + 1,
        kind=act.kind,
        by=person,
        part=part,
        reason=reason,
        at=now,
        on=today,
        outcome=_outcome(act),
        amount_fen=_amount(act, steps),
        due_on=_due_on(deps, act, today),
    )
    work.leads.add_step(lead_id, step)
    if act.kind is StepKind.SET_ASIDE:
        set_points_aside(work, lead_id, reason, person, now)
    work.alarms.clear(LEAD_LATE, lead_id)
    return step


def _outcome(act: Act) -> str:
    allowed: tuple[str, ...] = ("",)
    if act.kind is StepKind.FOUND:
        allowed = tuple(FindingOutcome)
    elif act.kind is StepKind.REVIEWED:
        allowed = tuple(ReviewOutcome)
    if act.outcome not in allowed:
        raise BadStepError(
            f"结果应为：{'、'.join(allowed) or '空'}",
            f"the outcome is one of: {', '.join(allowed) or 'none'}",
        )
    return str(act.outcome)


def _amount(act: Act, steps: list[Step]) -> int | None:
    """What the step says in fen: the finding's amount, the lower one after a review, and for an
    order exactly what the finding stands at."""
    found = amount_of(steps)
    if act.kind is StepKind.ORDERED:
        if not found:
            raise BadStepError(
                "没有可追回的金额；请移送或撤销", "there is no amount to recover: refer the case"
            )
        return found
    if act.kind is StepKind.FOUND and act.outcome == FindingOutcome.SUBSTANTIATED:
        return check_amount(-1 if act.amount_fen is None else act.amount_fen)
    if act.kind is StepKind.REVIEWED and act.outcome == ReviewOutcome.REDUCED:
        return check_amount(-1 if act.amount_fen is None else act.amount_fen, (found or 0) - 1)
    if act.amount_fen is not None:
        raise BadStepError("这一步不带金额", "this step carries no amount")
    return None


def _due_on(deps: SupervisionServices, act: Act, today: dt.date) -> dt.date | None:
    clocks = deps.settings.supervision
    days = None
    if act.kind is StepKind.ASKED:
        days = clocks.answer_days
    elif act.kind is StepKind.FOUND and act.outcome == FindingOutcome.SUBSTANTIATED:
        days = clocks.appeal_days
    return None if days is None else compute_due_date(today, days, deps.calendar).on


def supervision_pass(deps: SupervisionServices) -> int:
    """Open the leads of revisions and say which case is past its day; returns how many changed."""
    changed = open_revision_leads(deps)
    with deps.work(write=False) as work:
        late = overdue(deps, work)
        known = work.alarms.open_counts().get(LEAD_LATE, 0)
    if len(late) != known:
        changed += sum(_say_late(deps, row.lead.id) for row in late)
    return changed


def _say_late(deps: SupervisionServices, lead_id: str) -> int:
    with deps.work() as work:
        work.leads.get(lead_id, lock=True)
        row = next((one for one in overdue(deps, work) if one.lead.id == lead_id), None)
        if row is None:
            return 0
        work.alarms.raise_alarm(LEAD_LATE, lead_id, f"{row.state}, due {row.due}")
        work.commit()
    return 1
