"""Working-day clocks: the promised date and the legal limit of a claim.

A filing on a day off counts as made on the next working day; the N-th working day after the day
of filing is the date. So with N = 5 a Monday's filing is due the next Monday, and a Saturday's
filing is due on the Monday after that week.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Protocol

from backend.domain.errors import DomainError

DAYS_MAX: Final = 400
_SEARCH_MAX: Final = 2_000
_ONE_DAY: Final = dt.timedelta(days=1)


class WorkingDayError(DomainError):
    """A clock that cannot be worked out."""

    code = "bad-working-days"


class WorkingDayCalendar(Protocol):
    """Which days are worked. ``is_announced`` says whether the year's substituted work days
    have been published; before that, answers for the year are by the law's fixed rules only."""

    def is_working_day(self, day: dt.date) -> bool: ...

    def is_announced(self, year: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class DueDate:
    """``is_provisional`` when it crosses a year whose holiday notice is not out yet: the day
    may still move by the substituted work days, and must be shown as 预计."""

    on: dt.date
    is_provisional: bool


def compute_due_date(filed_on: dt.date, working_days: int, calendar: WorkingDayCalendar) -> DueDate:
    """The ``working_days``-th working day after filing (a local date, not an instant)."""
    if not 0 <= working_days <= DAYS_MAX:
        raise WorkingDayError(
            f"工作日数应在 0 到 {DAYS_MAX} 之间。", f"Working days go from 0 to {DAYS_MAX}."
        )
    day = filed_on
    left = working_days
    for _ in range(_SEARCH_MAX):
        if calendar.is_working_day(day):
            if left == 0:
                years = range(filed_on.year, day.year + 1)
                return DueDate(day, not all(calendar.is_announced(year) for year in years))
            left -= 1
        day += _ONE_DAY
    raise WorkingDayError("日历里没有工作日。", "The calendar has no working days.")
