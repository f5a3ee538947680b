"""The two clocks of a claim: the promise stands still while its person is asked, the law does not.

The agency promises working days of its own (product decision 5), so the working days in which a
declaration or material is awaited are added to the promised day. The legal limit counts from the
filing (社会保险经办条例 art. 20: 30 working days) and no source stops it. Both are worked out
from what is stored, so that a page, a list and a case say the same.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.accident import WAIT_WORKING_DAYS
from backend.domain.claim import Stage
from backend.domain.local_time import local_day
from backend.domain.review import CaseKind, CaseState
from backend.service_layer.claims.accident import DECLARATION, answer_until
from backend.service_layer.claims.declaration_records import Subject
from backend.service_layer.claims.ports import Calendar
from backend.service_layer.claims.records import ACCIDENT, Claim, Submission
from backend.service_layer.claims.revision_records import ASKED_TO_DECLARE

CITIZEN = "citizen"
"""What a pended claim waits for while its person is asked for material."""


@dataclass(frozen=True, slots=True)
class ClaimClocks:
    """``promised_on`` as moved by ``waited_days`` (working days), ``is_stopped`` while the answer
    of the person is awaited: then it goes on moving. ``legal_limit_on`` never moves."""

    promised_on: dt.date
    legal_limit_on: dt.date
    waited_days: int
    is_stopped: bool


def clocks_of(deps: Any, work: Any, claim: Claim, submission: Submission) -> ClaimClocks:
    """The clocks of a claim as of now, up to its decision."""
    days, until = 0, dt.date.min
    for asked, end in sorted([*_declaration(deps, work, claim), *_material(deps, work, claim)]):
        days += working_days_between(deps.calendar, max(asked, until), end)
        until = max(until, end)
    return ClaimClocks(
        deps.calendar.due_date(submission.promised_on, days),
        submission.legal_limit_on,
        days,
        is_stopped(deps, work, claim),
    )


def is_stopped(deps: Any, work: Any, claim: Claim) -> bool:
    """Whether the promise stands still now: the claim waits for its person, in time."""
    if not claim.is_undecided:
        return False
    if claim.waiting_for == CITIZEN:  # a request for material is ended when its time is over
        return True
    today = local_day(deps.clock.now())
    return claim.waiting_for == DECLARATION and any(
        last >= today for _, last in _questions(deps, work, claim)
    )


def _declaration(deps: Any, work: Any, claim: Claim) -> list[tuple[dt.date, dt.date]]:
    """From asking for a declaration to its arrival, or to the end of its time."""
    answers = [
        local_day(one.declared_at)
        for subject in (Subject.ACCIDENT, Subject.KIND)
        for one in work.declarations.of_claim(claim.id, subject)
        if one.content.get("to") != ACCIDENT
    ]
    today = local_day(deps.clock.now())
    return [
        (asked, min([today, last, *(day for day in answers if day >= asked)]))
        for asked, last in _questions(deps, work, claim)
    ]


def _questions(deps: Any, work: Any, claim: Claim) -> list[tuple[dt.date, dt.date]]:
    """Each day on which the declaration was asked for, by screening, by correcting the kind or by
    a reviewer, with the last day for its answer."""
    declared = work.declarations.of_claim(claim.id, Subject.ACCIDENT)
    screened = [
        row.finished_at
        for row in work.claims.stages_of(claim.id)
        if row.stage is Stage.SCREENING and any(r.code == DECLARATION for r in row.reasons)
    ]
    corrected = [
        one.declared_at
        for one in work.declarations.of_claim(claim.id, Subject.KIND)
        if one.content["to"] == ACCIDENT
        and not any(given.declared_at <= one.declared_at for given in declared)
    ]
    by_people = [
        event.at for event in work.revisions.events_of(claim.id) if event.kind == ASKED_TO_DECLARE
    ]
    last = answer_until(deps, claim)
    found = [(local_day(at), last) for at in screened[:1]]
    for at in (*corrected, *by_people):
        day = local_day(at)
        found.append((day, deps.calendar.due_date(day, WAIT_WORKING_DAYS)))
    return found


def _material(deps: Any, work: Any, claim: Claim) -> list[tuple[dt.date, dt.date]]:
    """From each request for material in the reviews of the claim itself to its end."""
    return [
        (local_day(request.requested_at), local_day(request.closed_at or deps.clock.now()))
        for case in work.reviews.cases_of(claim.id)
        if case.kind is CaseKind.CLAIM
        for request in work.material.requests_of(case.id)
    ]


def move_case_clock(deps: Any, work: Any, claim: Claim) -> None:
    """Give the claim's open case the promised day that the wait for a declaration leads to."""
    case = work.reviews.live_case(claim.id, CaseKind.CLAIM)
    if case is None or case.state is not CaseState.OPEN:
        return
    clocks = clocks_of(deps, work, claim, work.claims.submission(claim.submission_id))
    work.reviews.update_case(case.id, due_on=clocks.promised_on, waited_days=clocks.waited_days)


_WAIT_MAX: Final = 400


def working_days_between(calendar: Calendar, start: dt.date, end: dt.date) -> int:
    """How many working days after ``start`` have passed when ``end`` is over; 0 up to there."""
    days = 0
    while days < _WAIT_MAX and calendar.due_date(start, days + 1) <= end:
        days += 1
    return days
