"""Working-day clocks against the State Council's published notices."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.adapters.holiday_calendar import ChineseCalendar
from backend.domain.working_days import WorkingDayError, compute_due_date

CALENDAR = ChineseCalendar()
D = dt.date


@pytest.mark.parametrize(
    ("filed", "days", "due"),
    [
        (D(2026, 11, 16), 5, D(2026, 11, 23)),  # Monday to Monday
        (D(2026, 11, 20), 1, D(2026, 11, 23)),  # Friday to Monday
        (D(2026, 11, 21), 5, D(2026, 11, 30)),  # Saturday counts as Monday the 23rd
        (D(2026, 11, 22), 5, D(2026, 11, 30)),
        (D(2026, 11, 16), 0, D(2026, 11, 16)),
        # National Day 2026: off 1 to 7 October; Saturday 10 October is worked
        (D(2026, 9, 30), 1, D(2026, 10, 8)),
        (D(2026, 9, 30), 3, D(2026, 10, 10)),
        # Spring Festival 2026: off 16 to 23 February; Saturdays 14 and 28 are worked
        (D(2026, 2, 13), 1, D(2026, 2, 14)),
        (D(2026, 2, 13), 2, D(2026, 2, 24)),
        (D(2026, 2, 27), 1, D(2026, 2, 28)),
        # New Year 2026: off 1 to 3 January; Sunday the 4th is worked
        (D(2025, 12, 31), 1, D(2026, 1, 4)),
    ],
)
def test_due_date_follows_the_notice(filed: dt.date, days: int, due: dt.date) -> None:
    found = compute_due_date(filed, days, CALENDAR)
    assert (found.on, found.is_provisional) == (due, False)
    assert CALENDAR.due_date(filed, days) == due


def test_a_clock_into_a_year_without_notice_is_provisional_and_does_not_fail() -> None:
    found = compute_due_date(D(2039, 12, 1), 30, CALENDAR)
    assert found.is_provisional
    assert found.on > D(2040, 1, 1)


def test_thirty_days_from_late_2026_reach_2027() -> None:
    found = compute_due_date(D(2026, 12, 14), 30, CALENDAR)
    # 13 working days left in 2026 (15th to 31st), New Year's Day off, 17 in January 2027.
    assert found.on == D(2027, 1, 26)
    assert found.is_provisional == (not CALENDAR.is_announced(2027))


@pytest.mark.parametrize("days", [-1, 401])
def test_days_out_of_range_are_refused(days: int) -> None:
    with pytest.raises(WorkingDayError, match="from 0 to 400"):
        compute_due_date(D(2026, 1, 5), days, CALENDAR)


def test_calendar_without_working_days_is_refused() -> None:
    class Never:
        def is_working_day(self, day: dt.date) -> bool:
            return False

        def is_announced(self, year: int) -> bool:
            return True

    with pytest.raises(WorkingDayError, match="no working days"):
        compute_due_date(D(2026, 1, 5), 1, Never())
