"""The 12-point record: bands, boundaries of the consequences (requirements 3.5), bad scales."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.point_scales import SCALE_DIRECTORY, load_scales, scale_on
from backend.domain.points import (
    BadPointsError,
    Booking,
    Counter,
    CounterKind,
    Responsibility,
    check_counter,
    check_points,
    parse_scale,
    points_range,
    propose,
)
from backend.domain.record_reader import MalformedDataError

DOCUMENT = json.loads((SCALE_DIRECTORY / "points-jiangxi-2025.json").read_text())
SCALE = parse_scale(DOCUMENT)
AT = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def booking(points: int, off: int = 0, on: dt.date = dt.date(2026, 5, 1)) -> Booking:
    counters = (Counter("b", 1, CounterKind.REPAIR, off, "培训", "乙", AT),) if off else ()
    return Booking(
        "b", "l", "H1", "D330800001", "行为", "1-3", Responsibility.MAIN, points, "s", bytes(32),
        "r", "甲", AT, on, counters,
    )  # fmt: skip


def said(one: Any) -> tuple[str, int] | None:
    return None if one is None else (one.code, one.months)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, None), (5, None), (6, ("talk", 0)), (8, ("talk", 0)), (9, ("suspend", 1)),
        (10, ("suspend", 3)), (11, ("suspend", 5)), (12, ("end", 12)), (30, ("end", 12)),
    ],
)  # fmt: skip
def test_accumulated_points_propose_what_the_table_says(
    total: int, expected: tuple[str, int] | None
) -> None:
    singles = [booking(1) for _ in range(total)]
    proposal = propose(SCALE, singles, 2026)
    assert proposal.total == total
    assert said(proposal.accumulated) == expected
    assert proposal.at_once is None, "no single finding reached 6"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (5, None), (6, ("talk", 0)), (8, ("talk", 0)), (9, ("suspend", 2)),
        (10, ("suspend", 4)), (11, ("suspend", 6)), (12, ("end", 36)),
    ],
)  # fmt: skip
def test_points_at_once_propose_more(points: int, expected: tuple[str, int] | None) -> None:
    proposal = propose(SCALE, [booking(points)], 2026)
    assert said(proposal.at_once) == expected
    assert said(proposal.severest) == expected


def test_a_calendar_year_begins_with_nothing() -> None:
    rows = [booking(9, on=dt.date(2026, 12, 31)), booking(3, on=dt.date(2027, 1, 1))]
    assert said(propose(SCALE, rows, 2026).accumulated) == ("suspend", 1)
    assert propose(SCALE, rows, 2027).accumulated is None


def test_what_was_taken_off_no_longer_counts() -> None:
    proposal = propose(SCALE, [booking(12, off=4)], 2026)
    assert (proposal.total, proposal.highest_at_once) == (8, 8)
    assert said(proposal.severest) == ("talk", 0)


@pytest.mark.parametrize(
    ("band", "responsibility", "expected"),
    [
        ("1-3", Responsibility.MAIN, (1, 3)),
        ("4-6", Responsibility.MAIN, (4, 6)),
        ("7-9", Responsibility.MAIN, (7, 9)),
        ("10-12", Responsibility.MAIN, (10, 12)),
        ("10-12", Responsibility.DIRECT, (1, 12)),
        ("7-9", Responsibility.MANAGERIAL, (1, 9)),
    ],
)
def test_a_band_limits_the_points(
    band: str, responsibility: Responsibility, expected: tuple[int, int]
) -> None:
    low, high = points_range(SCALE, band, responsibility)
    assert (low, high) == expected
    check_points(SCALE, band, responsibility, low)
    check_points(SCALE, band, responsibility, high)
    for wrong in (low - 1, high + 1):
        with pytest.raises(BadPointsError, match=f"takes {low} to {high} points, not {wrong}"):
            check_points(SCALE, band, responsibility, wrong)


def test_a_region_that_says_how_responsibility_scales_is_followed() -> None:
    document = {**DOCUMENT, "shares": {"main": 100, "direct": 50, "managerial": 10}}
    scale = parse_scale(document)
    assert points_range(scale, "7-9", Responsibility.DIRECT) == (4, 4)
    assert points_range(scale, "10-12", Responsibility.DIRECT) == (5, 6)
    assert points_range(scale, "1-3", Responsibility.MANAGERIAL) == (1, 1)


def test_an_unknown_band_is_refused() -> None:
    with pytest.raises(BadPointsError, match="there is no band 13-15"):
        points_range(SCALE, "13-15", Responsibility.MAIN)


@pytest.mark.parametrize("points", [0, -1, 4])
def test_no_more_is_taken_off_than_is_left(points: int) -> None:
    with pytest.raises(BadPointsError, match="3 points are left"):
        check_counter(booking(5, off=2), points)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "yichu-points-9"),
        ("id", ""),
        ("source", None),
        ("valid_from", "2025"),
        ("bands", {}),
        ("bands", {"a": [0, 3]}),
        ("bands", {"a": [4, 3]}),
        ("bands", {"a": [10, 13]}),
        ("bands", {"a": [True, 3]}),
        ("shares", {"main": 100}),
        ("shares", {"main": 101, "direct": "open", "managerial": "open"}),
        ("shares", {"main": 100, "direct": "half", "managerial": "open"}),
        ("accumulated", []),
        ("at_once", [{"points": 9, "code": "jail", "months": 1}]),
        ("at_once", [{"points": 13, "code": "end", "months": 1}]),
        ("at_once", DOCUMENT["at_once"][::-1]),
        ("surprise", 1),
    ],
)
def test_a_wrong_scale_is_refused_with_the_place(path: str, value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    document[path] = value
    with pytest.raises(MalformedDataError, match=f"/{path}"):
        parse_scale(document)


def test_every_fault_is_listed() -> None:
    document = {**DOCUMENT, "id": "", "bands": {}, "at_once": []}
    with pytest.raises(MalformedDataError) as caught:
        parse_scale(document)
    assert [fault[0] for fault in caught.value.faults] == ["/bands", "/at_once", "/id"]


def test_the_shipped_scale_is_loaded_with_the_digest_of_its_file() -> None:
    ((scale, digest),) = load_scales()
    path = SCALE_DIRECTORY / "points-jiangxi-2025.json"
    assert scale == SCALE
    assert digest == hashlib.sha256(path.read_bytes()).digest()
    assert scale_on(load_scales(), dt.date(2025, 2, 5)) is None


def test_the_scale_of_a_day_is_the_newest_that_is_valid(tmp_path: Path) -> None:
    for name, first in (("a", "2025-01-01"), ("b", "2026-01-01")):
        document = {**DOCUMENT, "id": name, "valid_from": first}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    scales = load_scales(tmp_path)
    assert scale_on(scales, dt.date(2024, 12, 31)) is None
    for day, name in ((dt.date(2025, 12, 31), "a"), (dt.date(2026, 1, 1), "b")):
        found = scale_on(scales, day)
        assert found is not None and found[0].id == name
