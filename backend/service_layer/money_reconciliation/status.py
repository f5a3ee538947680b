"""How the reconciliation of money stands, for ``/readyz``, ``/metrics`` and ``yichu reconcile``."""

from __future__ import annotations

from typing import Any

from backend.service_layer.money_reconciliation.cases import overdue
from backend.service_layer.money_reconciliation.timeliness import read_timeliness


def reconciliation_figures(deps: Any, work: Any) -> dict[str, Any]:
    """The last report and its age, whether that is too long ago, and how many cases wait."""
    now = deps.clock.now()
    return {
        **read_timeliness(work, now, deps.settings).to_record(),
        "open_cases": len(work.reconciliation.open_cases()),
        "overdue_cases": len(overdue(work, now)),
    }
