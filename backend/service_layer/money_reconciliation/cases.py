"""Mismatches as cases: each holds its claim's money, has a deadline, and waits for people. One of
the journal itself holds all money (``books-disagree``).

A case whose mismatch has gone is closed by the report that shows it. One that two people have
accepted stays closed as long as the figures are the same; other figures are another case. One that
they say was corrected is opened anew when the next report still finds the same figures.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.service_layer.anchoring.adopt import CASE_OVERDUE, case_deadline, open_case
from backend.service_layer.anchoring.model import Case
from backend.service_layer.claims.case_closing import figures_of
from backend.service_layer.claims.holds import BOOKS
from backend.service_layer.money_reconciliation.ports import MoneyServices
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.payout.holding import CASE_KEY

KIND: Final = "money-mismatch"
BY_ITSELF: Final = "reconcile"
OVERDUE: Final = CASE_OVERDUE


@dataclass(frozen=True, slots=True)
class Standing:
    """A mismatch with its case: open, or closed by two people who accept these figures."""

    mismatch: Mismatch
    case: Case

    @property
    def is_accepted(self) -> bool:
        return self.case.resolved_at is not None


def open_cases_of(deps: MoneyServices, mismatches: Sequence[Mismatch]) -> list[Standing]:
    """Open a case for each new mismatch. Nothing is closed: that takes a report."""
    due_at = case_deadline(deps)
    with deps.work() as work:
        known = _by_mismatch(work.reconciliation.cases_of(KIND))
        corrected = work.reconciliation.corrected()
        found: list[Standing] = []
        for mismatch in mismatches:
            name = _name(mismatch)
            before = known.get(name, [])
            last = before[-1] if before else None
            if last is None or not _stands(last, corrected):
                case_id = f"{name}#{len(before) + 1}"
                detail = mismatch.to_record()
                if mismatch.claim_id:
                    detail[CASE_KEY] = mismatch.claim_id
                open_case(work, case_id, KIND, detail, due_at)
                last = work.reconciliation.case(case_id)
            if mismatch.is_of_the_books and last.resolved_at is None:
                wrong = f"{mismatch.rule} {mismatch.subject}: {mismatch.there}"
                work.alarms.raise_alarm(BOOKS, name, wrong)
            found.append(Standing(mismatch, last))
        work.commit()
    watch_deadlines(deps)
    return found


def _stands(case: Case, corrected: set[str]) -> bool:
    """Whether a case speaks for the same figures today: it is open, or its figures were accepted.
    What was said to be corrected, or has agreed since, is found again as another case."""
    if case.resolved_at is None:
        return True
    return case.resolved_by != BY_ITSELF and case.id not in corrected


def close_agreeing(work: Any, mismatches: Sequence[Mismatch], report_number: int) -> int:
    """Close, in the transaction that stores a report, each case whose mismatch the report no
    longer has, and note on those that people closed as corrected that it agrees."""
    found = {_name(one) for one in mismatches}
    said = f"report {report_number}: all sides say the same"
    closed = 0
    for case in work.reconciliation.open_cases():
        # People who close it at this very moment have closed it.
        is_gone = case.kind == KIND and _base(case) not in found
        if is_gone and work.reconciliation.lock_open(case.id):
            work.reconciliation.add_event(
                case.id, "agrees", by=BY_ITSELF, text=said, report_number=report_number
            )
            work.reconciliation.end_case(case.id, BY_ITSELF, said)
            work.alarms.clear("reconcile-case", case.id)
            work.alarms.clear(OVERDUE, case.id)
            closed += 1
    if BOOKS in work.alarms.open_counts():
        for _, figures in work.reconciliation.holding_alarms([BOOKS]):
            if figures not in found:
                work.alarms.clear(BOOKS, figures)
    for case in work.reconciliation.awaiting_agreement():
        if _base(case) not in found:
            work.reconciliation.add_event(
                case.id, "agrees", by=BY_ITSELF, text=said, report_number=report_number
            )
    return closed


def standing(work: Any, mismatches: Sequence[Mismatch]) -> list[bool]:
    """For each mismatch, whether two people have accepted these figures."""
    known = _by_mismatch(work.reconciliation.cases_of(KIND))
    corrected = work.reconciliation.corrected()
    last = [known.get(_name(one), [None])[-1] for one in mismatches]
    return [
        case is not None and case.resolved_at is not None and _stands(case, corrected)
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


def _base(case: Case) -> str:
    return figures_of(case.id)


def _by_mismatch(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Cases of the same figures, first to last."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(_base(case), []).append(case)
    for some in found.values():
        some.sort(key=lambda case: int(case.id.rpartition("#")[2]))
    return found
