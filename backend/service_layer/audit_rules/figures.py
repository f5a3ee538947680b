"""Group figures: medians of bills alike, counted by the worker and kept with the instant."""

from __future__ import annotations

import datetime as dt
from typing import Final

from backend.service_layer.audit_rules.audit_claim import filed_on
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork

FIGURES_DAYS: Final = dt.timedelta(days=365)
"""Bills of how many days of service a group is made of."""
COUNTED_EVERY: Final = dt.timedelta(days=1)
GROWTH_PERCENT: Final = 150
"""Counted anew before that when there are half as many bills again as were counted."""
_TRAITS_AT_ONCE: Final = 500


def refresh_figures(deps: AuditServices) -> int:
    """Count the groups when they are a day old, or have grown; returns how many were counted.

    Bills that were stored without their traits (in a restored or copied database) get them first.
    """
    with deps.work(write=False) as work:
        if not _is_due(deps, work):
            return 0
    while True:
        with deps.work() as work:
            added = work.bill_comparison.add_missing_traits(_TRAITS_AT_ONCE)
            work.commit()
        if added < _TRAITS_AT_ONCE:
            break
    with deps.work() as work:
        if not _is_due(deps, work):
            return 0
        groups = work.bill_comparison.add_figures(_since(deps), deps.clock.now())
        work.commit()
    return groups


def _since(deps: AuditServices) -> dt.date:
    return filed_on(deps.clock.now()) - FIGURES_DAYS


def _is_due(deps: AuditServices, work: AuditWork) -> bool:
    counted_at = work.bill_comparison.figures_counted_at()
    if counted_at is None or deps.clock.now() - counted_at >= COUNTED_EVERY:
        return True
    counted = work.bill_comparison.grouped_bills(counted_at)
    return work.bill_comparison.bills_to_group(_since(deps)) * 100 >= counted * GROWTH_PERCENT
