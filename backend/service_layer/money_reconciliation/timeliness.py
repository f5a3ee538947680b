"""Whether the day's reconciliation is made in time, and what happens when it is not.

What counts is the last signed report. Without any, time runs from the first payable: before it
there is no money to compare. After the first limit it is an alarm; after the second no money
leaves until a report is made, since nobody knows any more whether the sides agree.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from backend.service_layer.claims.holds import LAPSED, show_held_payouts
from backend.service_layer.money_reconciliation.ports import MoneyServices

OVERDUE: Final = "reconcile-overdue"
SUBJECT: Final = "reconcile"


@dataclass(frozen=True, slots=True)
class Timeliness:
    """``since``: the last report, or the first payable where there is none; None without both."""

    last_report_at: dt.datetime | None
    last_report_number: int
    since: dt.datetime | None
    age: dt.timedelta
    is_overdue: bool
    is_lapsed: bool

    def to_record(self) -> dict[str, Any]:
        """For ``/readyz`` and programs; the age in hours, one place."""
        last = self.last_report_at
        return {
            "last_report": self.last_report_number,
            "last_report_at": None if last is None else last.isoformat(timespec="seconds"),
            "age_hours": round(self.age.total_seconds() / 3600, 1),
            "is_overdue": self.is_overdue,
            "holds_payouts": self.is_lapsed,
        }


def read_timeliness(work: Any, now: dt.datetime, settings: Any) -> Timeliness:
    """How long ago the last reconciliation succeeded."""
    report = work.money_reports.last()
    since = work.money_reports.first_payable_at() if report is None else report.made_at
    age = dt.timedelta(0) if since is None else max(now - since, dt.timedelta(0))
    return Timeliness(
        last_report_at=None if report is None else report.made_at,
        last_report_number=0 if report is None else report.number,
        since=since,
        age=age,
        is_overdue=age > dt.timedelta(hours=settings.reconcile_overdue_hours),
        is_lapsed=age > dt.timedelta(hours=settings.reconcile_hold_hours),
    )


def watch_timeliness(deps: MoneyServices) -> Timeliness:
    """Raise or close the two alarms; claims that are held by the second one say so."""
    with deps.work(write=False) as work:
        found = read_timeliness(work, deps.clock.now(), deps.settings)
        known = set(work.alarms.open_counts())
    wanted = {OVERDUE: found.is_overdue, LAPSED: found.is_lapsed}
    if all((code in known) == is_on for code, is_on in wanted.items()):
        return found
    hours = round(found.age.total_seconds() / 3600)
    detail = f"no report for {hours} hours; run yichu reconcile"
    with deps.work() as work:
        if found.is_overdue:
            work.alarms.raise_alarm(OVERDUE, SUBJECT, detail)
        else:
            work.alarms.clear(OVERDUE, SUBJECT)
        if found.is_lapsed:
            work.alarms.raise_alarm(LAPSED, SUBJECT, detail)
        else:
            work.alarms.clear(LAPSED, SUBJECT)
        work.commit()
    if (LAPSED in known) != found.is_lapsed:
        claims: Any = deps
        show_held_payouts(claims)
    return found
