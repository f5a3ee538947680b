"""Booking an entry once, whoever comes with it and however often."""

from __future__ import annotations

from collections.abc import Iterable

from backend.domain.journal import Entry, JournalConflictError, PeriodClosedError
from backend.service_layer.journal.ports import JournalWork


def book(work: JournalWork, entry: Entry) -> bool:
    """Book one entry in this transaction; False when its source is booked already, the same.

    Raises :class:`JournalConflictError` when it is booked with another content, and
    :class:`PeriodClosedError` when its month is closed. The money moves when ``work`` commits.
    """
    return book_all(work, (entry,)) == 1


def book_all(work: JournalWork, entries: Iterable[Entry]) -> int:
    """Book many entries in this transaction, in a few statements; returns how many were new.

    All or nothing: raises as :func:`book` does, before the transaction can be committed.
    """
    wanted: dict[str, Entry] = {}
    for entry in entries:
        _require_same(wanted.setdefault(entry.id, entry), entry)
    known = work.journal.find(list(wanted))
    for entry_id, stored in known.items():
        _require_same(stored, wanted[entry_id])
    new = [entry for entry_id, entry in wanted.items() if entry_id not in known]
    if not new:
        return 0
    for region in sorted({entry.occasion.fund.region for entry in new}):
        _require_open(work, region, [one for one in new if one.occasion.fund.region == region])
    booked = work.journal.add(new)
    late = [entry.id for entry in new if entry.id not in booked]
    if late:  # another transaction booked the same source between our two questions
        for entry_id, stored in work.journal.find(late).items():
            _require_same(stored, wanted[entry_id])
    return len(booked)


def _require_same(stored: Entry, wanted: Entry) -> None:
    if stored.content() != wanted.content():
        occasion = wanted.occasion
        source = f"{occasion.source_type} {occasion.source_id} {wanted.kind}"
        raise JournalConflictError(
            f"来源 {source} 已经记账，内容不同：没有再记。请核对后用新的来源编号冲正。",
            f"{source} is booked already, with another content: nothing was booked. "
            "Compare the two and correct by an entry of its own source.",
        )


def _require_open(work: JournalWork, region: str, entries: list[Entry]) -> None:
    closed = work.journal.lock_months(region)
    if closed and min(one.booked_on for one in entries).strftime("%Y-%m") <= closed:
        raise PeriodClosedError(
            f"{closed} 及以前的月份已经结账，不能倒填：请记在当月。",
            f"the months up to {closed} are closed and take no entry: book in the running month.",
        )
