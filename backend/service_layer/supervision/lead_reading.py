"""Reading leads: where each stands, what is overdue, and findings for other systems."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.errors import DomainError
from backend.domain.local_time import local_day
from backend.domain.supervision import (
    PART_OF,
    State,
    Step,
    StepKind,
    amount_of,
    check_hands,
    check_step,
    deadline,
    is_final,
    last_of,
    state_of,
)
from backend.service_layer.supervision.lead_records import (
    Evidence,
    Lead,
    SupervisionServices,
    SupervisionWork,
)


@dataclass(frozen=True, slots=True)
class LeadView:
    """A lead as a reader sees it. ``due`` is the day it waits for; ``is_provisional`` when the
    holiday notice of that year is not out yet."""

    lead: Lead
    state: State
    amount_fen: int | None
    due: dt.date | None
    is_provisional: bool
    is_final: bool
    steps: tuple[Step, ...]
    evidence: tuple[Evidence, ...] = ()


def view(deps: SupervisionServices, lead_id: str) -> LeadView:
    """One lead with its steps and evidence. Raises NotFoundError."""
    with deps.work(write=False) as work:
        lead = work.leads.get(lead_id)
        steps = work.leads.steps_of(lead_id)
        evidence = tuple(work.leads.evidence_of(lead_id))
    return _view(deps, lead, steps, evidence)


def possible_steps(
    deps: SupervisionServices, work: SupervisionWork, lead_id: str, person: str
) -> frozenset[StepKind]:
    """The steps that this person could take today, by where the case is and whose time runs, and
    by the part that the person holds in it."""
    steps, parts = work.leads.steps_of(lead_id), work.leads.parts_of(lead_id)
    today = local_day(deps.clock.now())
    found = set()
    for kind in StepKind:
        try:
            check_step(steps, kind, today, deps.calendar)
            if kind in PART_OF:
                check_hands(parts, person, PART_OF[kind])
        except DomainError:
            continue
        found.add(kind)
    return frozenset(found)


def list_leads(deps: SupervisionServices, *, show_closed: bool = False) -> list[LeadView]:
    """The open leads, newest first; the closed ones too when asked."""
    with deps.work(write=False) as work:
        found = _views(deps, work)
    return [one for one in found if show_closed or not one.state.is_closed]


def overdue(deps: SupervisionServices, work: SupervisionWork) -> list[LeadView]:
    """Cases whose day has passed and that wait for the agency: an answer that never came or a
    review that is late. A finding whose appeal time has passed is final, not late."""
    today = local_day(deps.clock.now())
    kinds = (StepKind.ASKED, StepKind.APPEALED, StepKind.EXPERT_ANSWERED)
    found = [
        _view(deps, lead, work.leads.steps_of(lead.id)) for lead in work.leads.waiting_after(kinds)
    ]
    return [one for one in found if one.due is not None and today > one.due]


def export_findings(deps: SupervisionServices) -> list[dict[str, Any]]:
    """Final findings without anything about patients: no claim, no bill, no free text."""
    with deps.work(write=False) as work:
        found = _views(deps, work)
    rows = []
    for one in found:
        step = last_of(one.steps, StepKind.FOUND)
        if one.is_final and step is not None:
            rows.append(
                {
                    "lead": one.lead.id,
                    "institution": one.lead.institution_code,
                    "source": str(one.lead.source),
                    "state": str(one.state),
                    "found_on": step.on.isoformat(),
                    "amount_fen": one.amount_fen,
                }
            )
    return rows


def _views(deps: SupervisionServices, work: SupervisionWork) -> list[LeadView]:
    steps = work.leads.steps_by_lead()
    return [_view(deps, lead, steps[lead.id]) for lead in work.leads.all()]


def _view(
    deps: SupervisionServices,
    lead: Lead,
    steps: Sequence[Step],
    evidence: tuple[Evidence, ...] = (),
) -> LeadView:
    due = deadline(steps, deps.settings.supervision, deps.calendar)
    return LeadView(
        lead,
        state_of(steps),
        amount_of(steps),
        None if due is None else due.on,
        due is not None and due.is_provisional,
        is_final(steps, local_day(deps.clock.now()), deps.calendar),
        tuple(steps),
        evidence,
    )
