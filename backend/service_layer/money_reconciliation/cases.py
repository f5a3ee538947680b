"""Mismatches as cases: each holds its claim's money, has a deadline, and waits for a person.

A case whose mismatch has gone closes by itself, with a note. One that a person has closed stays
closed as long as the figures are the same; other figures are another case.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.service_layer.anchoring.adopt import open_case, resolve_case
from backend.service_layer.anchoring.model import Case
from backend.service_layer.money_reconciliation.ports import MoneyServices
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.holding import CASE_KEY

KIND: Final = "money-mismatch"
BY_ITSELF: Final = "reconcile"
GONE: Final = "the mismatch has gone: all sides say the same now"
OVERDUE: Final = "money-case-overdue"


@dataclass(frozen=True, slots=True)
class Standing:
    """A mismatch with its case: open, or closed by a person who has looked at these figures."""

    mismatch: Mismatch
    case: Case

    @property
    def is_accepted(self) -> bool:
        return self.case.resolved_at is not None


def sync_cases(deps: MoneyServices, mismatches: Sequence[Mismatch]) -> list[Standing]:
    """Open a case for each new mismatch, close those whose mismatch has gone."""
    due_at = deps.clock.now() + dt.timedelta(hours=deps.settings.case_hours)
    with deps.work() as work:
        known = _by_mismatch(work.reconciliation.cases_of(KIND))
        found: list[Standing] = []
        for mismatch in mismatches:
            name = _name(mismatch)
            before = known.pop(name, [])
            last = before[-1] if before else None
            if last is None or (last.resolved_at is not None and last.resolved_by == BY_ITSELF):
                case_id = f"{name}#{len(before) + 1}"
                detail = mismatch.to_record()
                if mismatch.claim_id:
                    detail[CASE_KEY] = mismatch.claim_id
                open_case(work, case_id, KIND, detail, due_at)
                last = work.reconciliation.case(case_id)
            found.append(Standing(mismatch, last))
        for some in known.values():
            if some[-1].resolved_at is None:
                resolve_case(work, some[-1].id, BY_ITSELF, GONE)
                work.alarms.clear(OVERDUE, some[-1].id)
        work.commit()
    watch_deadlines(deps)
    return found


def standing(work: Any, mismatches: Sequence[Mismatch]) -> list[bool]:
    """For each mismatch, whether a person has closed its case with these figures."""
    known = _by_mismatch(work.reconciliation.cases_of(KIND))
    last = [known.get(_name(one), [None])[-1] for one in mismatches]
    return [
        case is not None and case.resolved_at is not None and case.resolved_by != BY_ITSELF
        for case in last
    ]


def overdue(work: Any, now: dt.datetime) -> list[Case]:
    """Open cases whose deadline has passed, oldest first."""
    return [
        case
        for case in work.reconciliation.open_cases()
        if case.due_at is not None and case.due_at < now
    ]


def watch_deadlines(deps: MoneyServices) -> int:
    """An alarm for each case that is overdue; returns how many are."""
    now = deps.clock.now()
    with deps.work(write=False) as work:
        late = overdue(work, now)
    if not late:
        return 0
    with deps.work() as work:
        for case in late:
            work.alarms.raise_alarm(OVERDUE, case.id, f"was due at {case.due_at:%F %H:%MZ}")
        work.commit()
    return len(late)


def _name(mismatch: Mismatch) -> str:
    return f"money:{mismatch.rule}:{mismatch.subject[:80]}:{mismatch.key}"


def _by_mismatch(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Cases of the same figures, first to last."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        name, _, _ = case.id.rpartition("#")
        found.setdefault(name, []).append(case)
    for some in found.values():
        some.sort(key=lambda case: int(case.id.rpartition("#")[2]))
    return found
