"""The Chinese working-day calendar, out of the ``holidays`` package.

The State Council announces the days off and the substituted work days (调休) of a year late in
the year before. For a year that the package has no announcement of, the statutory holidays and
weekends are used and the date is marked provisional: a claim filed in December is promised a
date at once, and is told that it may move.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final

import holidays
from holidays.countries.china import ChinaStaticHolidays

from backend.domain.working_days import DueDate, compute_due_date

_SATURDAY: Final = 5


@lru_cache(maxsize=64)
def _year(year: int) -> tuple[frozenset[dt.date], frozenset[dt.date]]:
    """Days off and substituted work days of one year."""
    calendar = holidays.country_holidays("CN", years=year)
    off = frozenset(day for day in calendar if day.year == year)
    worked = frozenset(day for day in calendar.weekend_workdays if day.year == year)
    return off, worked


class ChineseCalendar:
    """Implements ``WorkingDayCalendar``; holds no state of its own."""

    def is_working_day(self, day: dt.date) -> bool:
        off, worked = _year(day.year)
        if day in worked:
            return True
        return day.weekday() < _SATURDAY and day not in off

    def is_announced(self, year: int) -> bool:
        """Whether the package knows that year's notice (it lists substituted days by year)."""
        return year in ChinaStaticHolidays.special_public_holidays

    def compute_due_date(self, start: dt.date, days: int) -> DueDate:
        """The due date with its mark; ``start`` is the local (Asia/Shanghai) day of filing."""
        return compute_due_date(start, days, self)

    def due_date(self, start: dt.date, days: int) -> dt.date:
        """The day alone; whether it is provisional, :meth:`is_announced` tells of its year."""
        return self.compute_due_date(start, days).on
