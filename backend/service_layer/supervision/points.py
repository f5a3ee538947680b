"""Booking points from final findings, taking them off, and what they propose to a person."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.errors import ConflictError, ForbiddenError, NotFoundError
from backend.domain.local_time import local_day
from backend.domain.points import (
    BadPointsError,
    Booking,
    Counter,
    CounterKind,
    Proposal,
    Responsibility,
    Scale,
    check_counter,
    check_points,
    propose,
)
from backend.domain.supervision import WrongStepError, check_reason, is_final
from backend.service_layer.supervision.lead_records import SupervisionServices, SupervisionWork
from backend.service_layer.supervision.leads import person_of
from backend.service_layer.supervision.once import Once, keep_result, result_of

_PERSON_CODE: Final = re.compile(r"[A-Z0-9-]{4,40}")
_PROVIDERS: Final = ("hospital", "pharmacy")


@dataclass(frozen=True, slots=True)
class NewPoints:
    """Points to be booked: the responsible person by the code that the insurance gave them
    (never a name), the published act in words, its band, and the responsibility."""

    person_code: str
    act: str
    band: str
    responsibility: Responsibility
    points: int
    reason: str


def book_points(
    deps: SupervisionServices,
    lead_id: str,
    entry: NewPoints,
    scale: tuple[Scale, bytes],
    *,
    by: str,
) -> Booking:
    """Book points from a final finding; one booking a person and finding.

    Raises WrongStepError before the finding is final, ForbiddenError for staff of the agency,
    BadPointsError outside the band, ConflictError for a second booking.
    """
    with deps.work() as work:
        lead = work.leads.get(lead_id, lock=True)
        now = deps.clock.now()
        person = person_of(work, by, lead.institution_code)
        _check_bookable(work, lead.institution_code, entry)
        for one in work.leads.bookings_of(lead_id):
            if (one.booked_by, _said(one)) == (person, entry):
                return one  # the same request again
        if not is_final(work.leads.steps_of(lead_id), local_day(now), deps.calendar):
            raise WrongStepError(
                "只有生效的认定才能记分：申诉期满无申诉，或复核维持",
                "points are booked from final findings only: the time for an appeal has passed, "
                "or the review upheld it",
            )
        if any(one.person_code == entry.person_code for one in work.leads.bookings_of(lead_id)):
            raise ConflictError(
                "此人已按这个认定记过分", "points of this person are booked from this finding"
            )
        check_points(scale[0], entry.band, entry.responsibility, entry.points)
        booking = Booking(
            id=deps.ids.new_id("pnt"),
            lead_id=lead_id,
            institution_code=lead.institution_code,
            person_code=entry.person_code,
            act=check_reason(entry.act),
            band=entry.band,
            responsibility=entry.responsibility,
            points=entry.points,
            scale_id=scale[0].id,
            scale_digest=scale[1],
            reason=check_reason(entry.reason),
            booked_by=person,
            booked_at=now,
            booked_on=local_day(now),
        )
        work.leads.add_booking(booking)
        work.commit()
    return booking


def _said(booking: Booking) -> NewPoints:
    return NewPoints(
        booking.person_code,
        booking.act,
        booking.band,
        booking.responsibility,
        booking.points,
        booking.reason,
    )


def _check_bookable(work: SupervisionWork, institution_code: str, entry: NewPoints) -> None:
    if not _PERSON_CODE.fullmatch(entry.person_code):
        raise BadPointsError(
            "人员请用医保编码（大写字母、数字、-，4 到 40 位），不用姓名",
            "name the person by the insurance code (capitals, digits, hyphens, 4 to 40), "
            "not by name",
        )
    names = {one.username.upper() for one in work.staff.all()}
    names |= {one.id.upper() for one in work.staff.all()}
    if work.leads.institution_role(institution_code) not in _PROVIDERS or (
        entry.person_code in names
    ):
        raise ForbiddenError(
            "只给定点医药机构的人员记分，不给经办机构人员记分",
            "points are for staff of hospitals and pharmacies, never of the agency",
        )


def repair_points(
    deps: SupervisionServices,
    booking_id: str,
    points: int,
    reason: str,
    *,
    by: str,
    once: Once | None = None,
) -> Counter:
    """Take points off for repair (training, taking part in management, reporting abuse).

    Another person than the one who booked them does it. The request ``once`` made again by the
    same person takes nothing more off.
    """
    with deps.work() as work:
        booking = _booking(work, booking_id)
        work.leads.get(booking.lead_id, lock=True)
        booking = _booking(work, booking_id)  # as it is under the lock
        person = person_of(work, by, booking.institution_code)
        made = None if once is None else result_of(work, person, once)
        if made is not None:
            return booking.counters[int(made) - 1]
        if person == booking.booked_by:
            raise ForbiddenError(
                "修复减分须由记分人以外的人办理",
                "points are taken off by another person than the one who booked them",
            )
        check_counter(booking, points)
        counter = Counter(
            booking_id,
            len(booking.counters) + 1,
            CounterKind.REPAIR,
            points,
            check_reason(reason),
            person,
            deps.clock.now(),
        )
        work.leads.add_counter(counter)
        if once is not None:
            keep_result(work, person, once, str(counter.ordinal), counter.at)
        work.commit()
    return counter


def set_points_aside(
    work: SupervisionWork, lead_id: str, reason: str, by: str, at: dt.datetime
) -> int:
    """Take off all that is left of the points of a finding that fell; returns how many rows."""
    left = [one for one in work.leads.bookings_of(lead_id) if one.left > 0]
    for one in left:
        ordinal = len(one.counters) + 1
        work.leads.add_counter(
            Counter(one.id, ordinal, CounterKind.SET_ASIDE, one.left, reason, by, at)
        )
    return len(left)


def _booking(work: SupervisionWork, booking_id: str) -> Booking:
    found = work.leads.booking(booking_id)
    if found is None:
        raise NotFoundError("没有这笔记分", "there is no such booking")
    return found


def standing(
    deps: SupervisionServices, person_code: str, scale: Scale, year: int
) -> tuple[list[Booking], Proposal]:
    """A person's bookings of a calendar year at all institutions, and what they propose."""
    with deps.work(write=False) as work:
        found = work.leads.bookings_of_person(None, person_code)
    return [one for one in found if one.booked_on.year == year], propose(scale, found, year)


def export_points(deps: SupervisionServices, year: int) -> list[dict[str, Any]]:
    """The bookings of a year for another system: persons by code, no patient, no claim.

    Reasons and acts are left out, since people write them and may name somebody.
    """
    with deps.work(write=False) as work:
        found = work.leads.all_bookings()
    return [
        {
            "booking": one.id,
            "lead": one.lead_id,
            "institution": one.institution_code,
            "person": one.person_code,
            "band": one.band,
            "responsibility": str(one.responsibility),
            "points": one.points,
            "points_left": one.left,
            "booked_on": one.booked_on.isoformat(),
            "scale": one.scale_id,
            "scale_sha256": one.scale_digest.hex(),
        }
        for one in found
        if one.booked_on.year == year
    ]
