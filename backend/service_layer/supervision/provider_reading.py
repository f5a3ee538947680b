"""What a provider may know of the findings that concern it.

Only what it was asked, told and has sent itself: never who reported, who acted, the agency's
evidence, or the claim of a citizen. Texts that staff wrote lose what names the person of a claim
and any identity or mobile number, unless it stands in the bill that the provider uploaded.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

from backend.domain.local_time import local_day
from backend.domain.supervision import (
    State,
    StepKind,
    amount_of,
    deadline,
    is_final,
    state_of,
)
from backend.domain.supervision import Step as LeadStep
from backend.service_layer.intake.records import StoredInvoice
from backend.service_layer.review.read import STRUCK_OUT, strike_out
from backend.service_layer.supervision.lead_records import Lead
from backend.service_layer.supervision.provider import own_lead
from backend.service_layer.supervision.statement_records import (
    Statement,
    StatementServices,
    StatementWork,
)

PAGE_MAX: Final = 200
_HIDDEN_STEPS: Final = frozenset({StepKind.OPENED, StepKind.DISMISSED})
_SAID_TO_IT: Final = frozenset(
    {
        StepKind.ASKED,
        StepKind.FOUND,
        StepKind.REVIEWED,
        StepKind.ORDERED,
        StepKind.REFERRED,
        StepKind.SET_ASIDE,
    }
)
_NUMBERS: Final = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|1[3-9]\d{9})(?!\d)")


@dataclass(frozen=True, slots=True)
class FindingStep:
    """One step as the provider sees it; ``text`` is empty where it was not said to it."""

    kind: StepKind
    on: dt.date
    outcome: str
    amount_fen: int | None
    due_on: dt.date | None
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A lead as its provider sees it. ``waits_for`` is the statement that can be sent until
    ``due``, None when none can; ``is_provisional`` as in :class:`LeadView`."""

    id: str
    state: State
    is_final: bool
    amount_fen: int | None
    bill: StoredInvoice | None
    due: dt.date | None
    is_provisional: bool
    waits_for: StepKind | None
    steps: tuple[FindingStep, ...]
    statements: tuple[Statement, ...]


def finding_of(deps: StatementServices, institution_code: str, lead_id: str) -> Finding:
    """One finding. Raises NotFoundError, for another institution's too."""
    with deps.work(write=False) as work:
        lead, steps = own_lead(work, institution_code, lead_id)
        return _finding(deps, work, lead, steps)


def findings_of(
    deps: StatementServices, institution_code: str, after: str, limit: int
) -> tuple[list[Finding], bool]:
    """One page in the order in which they were opened, and whether more follow."""
    wanted = min(max(limit, 1), PAGE_MAX)
    with deps.work(write=False) as work:
        leads = work.statements.leads_of(institution_code, after, wanted + 1)
        found = [
            _finding(deps, work, lead, work.leads.steps_of(lead.id)) for lead in leads[:wanted]
        ]
    return found, len(leads) > wanted


def _finding(
    deps: StatementServices, work: StatementWork, lead: Lead, steps: list[LeadStep]
) -> Finding:
    state, today = state_of(steps), local_day(deps.clock.now())
    due = deadline(steps, deps.settings.supervision, deps.calendar)
    bill, hidden, known = _bill_of(work, lead)
    waits_for = {State.ASKED: StepKind.ANSWERED, State.FOUND: StepKind.APPEALED}.get(state)
    if due is None or today > due.on:
        waits_for = None
    return Finding(
        id=lead.id,
        state=state,
        is_final=is_final(steps, today, deps.calendar),
        amount_fen=amount_of(steps),
        bill=bill,
        due=None if due is None else due.on,
        is_provisional=due is not None and due.is_provisional,
        waits_for=waits_for,
        steps=tuple(
            FindingStep(
                step.kind,
                step.on,
                step.outcome,
                step.amount_fen,
                step.due_on,
                _without_names(step.reason, hidden, known) if step.kind in _SAID_TO_IT else "",
            )
            for step in steps
            if step.kind not in _HIDDEN_STEPS
        ),
        statements=tuple(work.statements.of_lead(lead.id)),
    )


def _bill_of(work: StatementWork, lead: Lead) -> tuple[StoredInvoice | None, list[str], str]:
    """The provider's bill, what its texts must not name, and what the provider knows: the text of
    the bill that it uploaded."""
    found = work.statements.bill_of(lead)
    if found is None:
        return None, [], ""
    bill = work.invoices.get(found[0])
    known = work.invoices.current_version(bill).header
    if found[1] is None:
        return bill, [], known
    claim = work.claims.get(found[1])
    person = work.people.get(claim.person_id)
    names = [person.name, person.identity_number, claim.number, claim.id]
    return bill, [name for name in names if name not in known], known


def _without_names(text: str, hidden: list[str], known: str) -> str:
    struck = str(strike_out(text, hidden))
    return _NUMBERS.sub(
        lambda found: found.group() if found.group() in known else STRUCK_OUT, struck
    )
