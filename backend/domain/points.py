"""The 12-point record of responsible persons of hospitals and pharmacies (requirements 3.5, H11).

Points are booked from final findings only, within the band of the act, by a person; what they
lead to is proposed to a person and never applied. The scale is data (:class:`Scale`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.record_reader import MalformedDataError

POINTS_MAX: Final = 12
FORMAT: Final = "yichu-points-1"
OPEN: Final = "open"
_WHOLE_PERCENT: Final = 100


class Responsibility(StrEnum):
    MAIN = "main"
    DIRECT = "direct"
    MANAGERIAL = "managerial"


class CounterKind(StrEnum):
    SET_ASIDE = "set-aside"  # the finding fell
    REPAIR = "repair"  # training, taking part in management, reporting abuse


class BadPointsError(DomainError):
    """Points that cannot be booked or taken off as asked."""

    code = "bad-points"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a scale proposes: ``code`` talk, suspend or end, for so many months."""

    points: int
    code: str
    months: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Bands of points by act, shares by responsibility and consequences, with their source.

    ``shares`` gives percent of the band by responsibility; None where the source leaves it open:
    then a person names any points up to the top of the band, with the reason.
    """

    id: str
    valid_from: dt.date
    source: str
    bands: Mapping[str, tuple[int, int]]
    shares: Mapping[Responsibility, int | None]
    accumulated: tuple[Consequence, ...]
    at_once: tuple[Consequence, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """Points taken off a booking: insert-only, so that the booking itself stays."""

    booking_id: str
    ordinal: int
    kind: CounterKind
    points: int
    reason: str
    by: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Booking:
    """Points of one person from one final finding. ``booked_on`` is the local day."""

    id: str
    lead_id: str
    institution_code: str
    person_code: str
    act: str
    band: str
    responsibility: Responsibility
    points: int
    scale_id: str
    scale_digest: bytes
    reason: str
    booked_by: str
    booked_at: dt.datetime
    booked_on: dt.date
    counters: tuple[Counter, ...] = ()

    @property
    def left(self) -> int:
        return self.points - sum(counter.points for counter in self.counters)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed to a person for one calendar year. Never applied by the system."""

    year: int
    total: int
    highest_at_once: int
    accumulated: Consequence | None
    at_once: Consequence | None

    @property
    def severest(self) -> Consequence | None:
        """The heavier of the two; the source does not say how they combine."""
        both = [one for one in (self.accumulated, self.at_once) if one is not None]
        return max(both, key=lambda one: one.months, default=None)


def points_range(scale: Scale, band: str, responsibility: Responsibility) -> tuple[int, int]:
    """The least and the most points for a band and a responsibility.

    A share scales both ends, the lower rounded up and the upper down, at least 1. Raises
    :class:`BadPointsError` for a band that the scale does not have.
    """
    if band not in scale.bands:
        raise BadPointsError(
            f"没有档次 {band}，可用：{'、'.join(scale.bands)}",
            f"there is no band {band}; the scale has {', '.join(scale.bands)}",
        )
    low, high = scale.bands[band]
    share = scale.shares[responsibility]
    if share is None:
        return 1, high
    most = max(1, high * share // _WHOLE_PERCENT)
    return min(most, max(1, -(-low * share // _WHOLE_PERCENT))), most


def check_points(scale: Scale, band: str, responsibility: Responsibility, points: int) -> None:
    """Refuse points outside the range with :class:`BadPointsError`."""
    low, high = points_range(scale, band, responsibility)
    if not low <= points <= high:
        raise BadPointsError(
            f"{band} 档、{responsibility} 责任应记 {low} 到 {high} 分，不是 {points} 分",
            f"band {band} with {responsibility} responsibility takes {low} to {high} points, "
            f"not {points}",
        )


def check_counter(booking: Booking, points: int) -> None:
    """Refuse taking off nothing or more than is left with :class:`BadPointsError`."""
    if not 1 <= points <= booking.left:
        raise BadPointsError(
            f"这笔记分还剩 {booking.left} 分，不能减 {points} 分",
            f"{booking.left} points are left of this booking; {points} cannot be taken off",
        )


def propose(scale: Scale, bookings: Sequence[Booking], year: int) -> Proposal:
    """What the points of one person in a calendar year propose.

    *Accumulated* counts what is left of all bookings of the year; *at once* the largest single
    one. Points above the top of the scale count as its top.
    """
    left = [one.left for one in bookings if one.booked_on.year == year]
    total, highest = sum(left), max(left, default=0)
    return Proposal(
        year, total, highest, _reached(scale.accumulated, total), _reached(scale.at_once, highest)
    )


def _reached(table: Sequence[Consequence], points: int) -> Consequence | None:
    return max(
        (one for one in table if one.points <= points), key=lambda one: one.points, default=None
    )


def parse_scale(document: Any) -> Scale:
    """A scale from its JSON. Raises :class:`MalformedDataError` with every fault."""
    faults: list[tuple[str, str, str]] = []
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise MalformedDataError(
            "POINT SCALE", (("/format", f"应为 {FORMAT}", f"must be {FORMAT}"),)
        )
    known = {"format", "id", "valid_from", "source", "note", "bands", "shares"}
    known |= {"accumulated", "at_once"}
    faults += [(f"/{name}", "不认识", "is unknown") for name in sorted(set(document) - known)]
    bands = _bands(document.get("bands"), faults)
    shares = _shares(document.get("shares"), faults)
    accumulated = _table(document.get("accumulated"), "/accumulated", faults)
    at_once = _table(document.get("at_once"), "/at_once", faults)
    for name in ("id", "source"):
        if not isinstance(document.get(name), str) or not document[name]:
            faults.append((f"/{name}", "缺少文字", "must be a text"))
    try:
        valid_from = dt.date.fromisoformat(str(document.get("valid_from")))
    except ValueError:
        valid_from = dt.date.min
        faults.append(("/valid_from", "应为 YYYY-MM-DD", "must be a day YYYY-MM-DD"))
    if faults:
        raise MalformedDataError("POINT SCALE", tuple(faults))
    return Scale(
        document["id"], valid_from, document["source"], bands, shares, accumulated, at_once
    )


def _bands(value: Any, faults: list[tuple[str, str, str]]) -> dict[str, tuple[int, int]]:
    bands: dict[str, tuple[int, int]] = {}
    if not isinstance(value, dict) or not value:
        faults.append(("/bands", "缺少档次", "must name bands"))
        return bands
    for name, ends in value.items():
        is_pair = isinstance(ends, list) and [type(end) for end in ends] == [int, int]
        if is_pair and 1 <= ends[0] <= ends[1] <= POINTS_MAX:
            bands[name] = (ends[0], ends[1])
            continue
        faults.append(
            (
                f"/bands/{name}",
                f"应为 1 到 {POINTS_MAX} 的两端",
                f"must be two ends, 1 to {POINTS_MAX}",
            )
        )
    return bands


def _shares(value: Any, faults: list[tuple[str, str, str]]) -> dict[Responsibility, int | None]:
    if not isinstance(value, dict) or set(value) != set(Responsibility):
        faults.append(("/shares", "应为三种责任", "must name main, direct and managerial"))
        return {}
    for name, share in value.items():
        is_whole = type(share) is int and 1 <= share <= _WHOLE_PERCENT
        if share != OPEN and not is_whole:
            faults.append((f"/shares/{name}", "应为 1 到 100 或 open", "must be 1 to 100, or open"))
    return {Responsibility(name): None if share == OPEN else share for name, share in value.items()}


def _table(value: Any, path: str, faults: list[tuple[str, str, str]]) -> tuple[Consequence, ...]:
    found: list[Consequence] = []
    if not isinstance(value, list) or not value:
        faults.append((path, "缺少后果表", "must be a table"))
        return ()
    for index, row in enumerate(value):
        is_row = isinstance(row, dict) and set(row) == {"points", "code", "months"}
        if (
            not is_row
            or type(row["points"]) is not int
            or not 1 <= row["points"] <= POINTS_MAX
            or row["code"] not in ("talk", "suspend", "end")
            or type(row["months"]) is not int
            or not 0 <= row["months"] <= 120  # ten years
            or (found and row["points"] <= found[-1].points)
        ):
            faults.append((f"{path}/{index}", "后果写错", "is no consequence in rising order"))
            continue
        found.append(Consequence(row["points"], row["code"], row["months"]))
    return tuple(found)
