"""What ``/readyz``, ``/metrics`` and ``yichu reconcile`` are told of the reconciliation."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.money_reconciliation.status import reconciliation_figures

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def figures(
    *dues: dt.datetime | None, made_at: dt.datetime | None = None, paid_at: Any = None
) -> dict[str, Any]:
    """With cases that are due then, the last report and the first payable; the alarm after 26
    hours, held after 50."""
    report = None if made_at is None else SimpleNamespace(made_at=made_at, number=7)
    work = SimpleNamespace(
        money_reports=SimpleNamespace(last=lambda: report, first_payable_at=lambda: paid_at),
        reconciliation=SimpleNamespace(
            open_cases=lambda: [SimpleNamespace(due_at=due) for due in dues]
        ),
    )
    settings = SimpleNamespace(reconcile_overdue_hours=26, reconcile_hold_hours=50)
    deps = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW), settings=settings)
    return reconciliation_figures(deps, work)


def test_the_last_report_its_age_and_the_cases_that_wait_are_told() -> None:
    second = dt.timedelta(seconds=1)
    assert figures(NOW - second, NOW, NOW + HOUR, None, made_at=NOW - 1.5 * HOUR) == {
        "last_report": 7, "last_report_at": "2026-11-20T00:30:00+00:00", "age_hours": 1.5,
        "is_overdue": False, "holds_payouts": False, "open_cases": 4, "overdue_cases": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "is_overdue", "holds"), [(26, False, False), (27, True, False), (51, True, True)]
)
def test_without_a_report_time_runs_from_the_first_payable(
    hours: int, is_overdue: bool, holds: bool
) -> None:
    assert figures(paid_at=NOW - hours * HOUR) == {
        "last_report": 0, "last_report_at": None, "age_hours": float(hours),
        "is_overdue": is_overdue, "holds_payouts": holds, "open_cases": 0, "overdue_cases": 0,
    }  # fmt: skip
