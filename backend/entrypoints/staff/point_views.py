"""The staff API's routes of the 12-point record: booked from final findings, only proposed."""

from __future__ import annotations

from typing import Any, Final

from flask import jsonify

from backend.domain.errors import NotFoundError
from backend.domain.points import Consequence, Responsibility
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    query_number,
    read_object,
    request_key,
    text_of,
    whole_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.review.clocks import today
from backend.service_layer.supervision.once import Once
from backend.service_layer.supervision.points import (
    NewPoints,
    book_points,
    export_points,
    repair_points,
    standing,
)

_YEAR_MIN: Final = 2_000
_YEAR_MAX: Final = 2_100
_PERSON_MAX: Final = 40


@blueprint.post("/leads/<lead_id>/points")
@access(AccessRule.INSPECTOR)
def post_points(lead_id: str) -> Answer:
    """Book points of a responsible person, once a person and finding."""
    body = read_object("person", "act", "band", "responsibility", "points", "reason")
    responsibility = text_of(body, "responsibility")
    if responsibility not in set(Responsibility):
        raise MalformedStaffRequestError(
            f"responsibility 应为：{'、'.join(Responsibility)}",
            f"responsibility is one of: {', '.join(Responsibility)}",
        )
    entry = NewPoints(
        text_of(body, "person"),
        text_of(body, "act").strip(),
        text_of(body, "band"),
        Responsibility(responsibility),
        whole_of(body, "points") or 0,
        text_of(body, "reason").strip(),
    )
    booked = book_points(services(), lead_id[:40], entry, _scale(), by=caller().id)
    return jsonify({"id": booked.id, "points": booked.points, "left": booked.left}), 201


@blueprint.post("/points/bookings/<booking_id>/repair")
@access(AccessRule.INSPECTOR)
def post_repair(booking_id: str) -> Answer:
    """Take points off for repair; under one key once."""
    body = read_object("points", "reason")
    count, reason = whole_of(body, "points") or 0, text_of(body, "reason")
    once = Once(request_key(), ("repair", booking_id[:40], str(count), reason))
    counter = repair_points(services(), booking_id[:40], count, reason, by=caller().id, once=once)
    return jsonify({"booking": counter.booking_id, "points": counter.points}), 201


@blueprint.get("/points/scale")
@access(AccessRule.INSPECTOR)
def scale_of_points() -> Answer:
    """The scale that is valid today, with the SHA-256 of its file."""
    scale, digest = _scale()
    return jsonify(
        {
            "id": scale.id,
            "sha256": digest.hex(),
            "source": scale.source,
            "bands": {name: list(band) for name, band in scale.bands.items()},
            "shares": {str(kind): share for kind, share in scale.shares.items()},
        }
    )


@blueprint.get("/points/people/<person>")
@access(AccessRule.INSPECTOR)
def points_of_person(person: str) -> Answer:
    """A person's points of a calendar year at all institutions, and what they propose."""
    rows, proposal = standing(services(), person[:_PERSON_MAX], _scale()[0], _year())
    return jsonify(
        {
            "person": person[:_PERSON_MAX],
            "year": proposal.year,
            "total": proposal.total,
            "bookings": [
                {
                    "id": one.id,
                    "lead": one.lead_id,
                    "booked_on": one.booked_on.isoformat(),
                    "band": one.band,
                    "responsibility": str(one.responsibility),
                    "points": one.points,
                    "left": one.left,
                }
                for one in rows
            ],
            "proposed": {
                "accumulated": _consequence(proposal.accumulated),
                "at_once": _consequence(proposal.at_once),
            },
            "is_applied": False,
        }
    )


@blueprint.get("/points")
@access(AccessRule.SUPERVISOR)
def points_of_year() -> Answer:
    """A year's bookings for another system: persons by code, nothing about patients."""
    return jsonify({"bookings": export_points(services(), _year())})


def _year() -> int:
    year = query_number("year", today(services()).year, _YEAR_MAX)
    if year < _YEAR_MIN:
        raise MalformedStaffRequestError(
            f"year 应为 {_YEAR_MIN} 到 {_YEAR_MAX}", f"year is from {_YEAR_MIN} to {_YEAR_MAX}"
        )
    return year


def _scale() -> Any:
    found = services().point_scale(today(services()))
    if found is None:
        raise NotFoundError("今天没有有效的记分标准", "no scale of points is valid today")
    return found


def _consequence(one: Consequence | None) -> dict[str, Any] | None:
    return None if one is None else {"code": one.code, "months": one.months}
