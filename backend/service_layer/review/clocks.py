"""The clocks of a case in working days: the promise, the legal limit, each step, each request.

Days are those of Asia/Shanghai. While the citizen is asked for material, the promise stands still:
the working days between the request and its end are added to the day that was promised.
"""

from __future__ import annotations

import datetime as dt

from backend.domain.local_time import local_day
from backend.service_layer.review.ports import ReviewServices
from backend.service_layer.review.records import Case


def today(deps: ReviewServices) -> dt.date:
    return local_day(deps.clock.now())


def due_after(deps: ReviewServices, days: int) -> dt.date:
    """The day by which so many working days from today have passed."""
    return deps.calendar.due_date(today(deps), days)


def is_late(case: Case, day: dt.date) -> bool:
    """Whether the promise of a case that is not closed has passed."""
    return not case.is_closed and day > case.due_on
