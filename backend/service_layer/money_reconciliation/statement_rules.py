"""R19: what the bank has booked on each account of ours, and what the journal has.

Movements are matched one by one: a payment or its return by the instruction's name, anything else
(a deposit, money that a debtor pays back) by the bank's own reference. When all are matched, the
first opening balance is that of the books and each statement begins where the one before ended,
the closing balance of the bank is the balance of the books.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.service_layer.money_reconciliation.ports import MoneyServices
from backend.service_layer.money_reconciliation.records import SUBJECT_MAX, Mismatch
from backend.service_layer.payout.examine import CLOCKS_APART

MISSING: Final = "bank-statement-missing"


@dataclass(frozen=True, slots=True)
class BookMovement:
    """Money that moved on a bank account of the journal; ``key`` is by what the bank names it.
    ``at``: when the bank did it, as far as that is known here. A deposit that was reversed comes
    a second time, below zero: the bank has never done anything of the kind."""

    key: str
    side: str  # credit: it came; debit: it left
    amount_fen: int
    at: dt.datetime
    claim_id: str
    booked_at: dt.datetime | None = None  # when it was booked here


@dataclass(frozen=True, slots=True)
class BankMovement:
    """The same on a statement; ``claim_id`` is empty for what names no claim known here.
    ``is_awaited``: one whose answer may still come. What the bank has called rejected is none."""

    key: str
    side: str
    amount_fen: int
    to_at: dt.datetime  # the end of its statement
    is_awaited: bool
    claim_id: str
    booked_on: dt.date | None = None
    subject: str = ""  # the statement's row: its id and the movement's place
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Period:
    """A statement without its movements."""

    statement_id: str
    from_at: dt.datetime
    to_at: dt.datetime
    opening_fen: int
    closing_fen: int
    simulated: bool = False


def statements(
    deps: MoneyServices, work: Any, lost: Mapping[str, object], silent_before: dt.datetime
) -> Iterator[Mismatch]:
    """R19 for every account of which there is a statement."""
    for region in work.bank_statements.regions():
        books = work.bank_statements.movements(region)
        periods = work.bank_statements.periods(region)
        bank = work.bank_statements.entries(region)
        yield from _sums(region, periods, bank)
        # A payment that is lost has no entry, unless two people have put it in suspense.
        without = lost.keys() - {one.key for one in books}
        yield from compare_account(
            region, periods, [one for one in bank if one.key not in without], books, silent_before
        )


def _sums(
    region: str, periods: Sequence[Period], bank: Sequence[BankMovement]
) -> Iterator[Mismatch]:
    """A statement is filed only when its movements lead from its opening to its closing balance:
    what is stored must still do so."""
    said = sum(one.closing_fen - one.opening_fen for one in periods)
    moved = sum(_signed(one) for one in bank)
    if said != moved:
        here = f"the stored movements change it by {moved} fen"
        yield _row(f"{region} closing", here, f"the stored balances by {said} fen")


def compare_account(
    region: str,
    periods: Sequence[Period],
    bank: Sequence[BankMovement],
    books: Sequence[BookMovement],
    silent_before: dt.datetime,
) -> Iterator[Mismatch]:
    """Compare one account. ``periods`` in their order, at least one. What the bank did with an
    instruction after ``silent_before`` and has not answered yet is on its way, no mismatch."""
    first, last = periods[0], periods[-1]
    before = sum(_signed(one) for one in books if one.at < first.from_at)
    if before != first.opening_fen:
        there = f"statement {first.statement_id} opens with {first.opening_fen} fen"
        yield _row(f"{region} opening", f"{before} fen", there)
    for one, after in itertools.pairwise(periods):
        if one.closing_fen != after.opening_fen:
            here = f"{one.statement_id} closes with {one.closing_fen} fen"
            yield _row(
                f"{region} {after.statement_id}", here, f"opens with {after.opening_fen} fen"
            )
    ours: dict[tuple[str, str], list[BookMovement]] = defaultdict(list)
    theirs: dict[tuple[str, str], list[BankMovement]] = defaultdict(list)
    for book in books:
        ours[book.side, book.key].append(book)
    for entry in bank:
        theirs[entry.side, entry.key].append(entry)
    for place, entries in theirs.items():
        yield from _theirs(place, entries, ours.get(place, []), silent_before)
    until = last.to_at - CLOCKS_APART
    for place, booked in ours.items():
        if place in theirs or not any(first.from_at <= one.at <= until for one in booked):
            continue
        if not _total(booked):  # a deposit that never came, and was reversed
            continue
        here = f"booked {_total(booked)} fen {place[0]}"
        yield _row(place[1], here, "not on the bank's statement", booked[0].claim_id)


def _theirs(
    place: tuple[str, str],
    entries: Sequence[BankMovement],
    booked: Sequence[BookMovement],
    silent_before: dt.datetime,
) -> Iterator[Mismatch]:
    side, key = place
    claims = [one.claim_id for one in entries] + [one.claim_id for one in booked]
    claim_id = next(filter(None, claims), "")
    there = f"the bank has {_total(entries)} fen {side}"
    if len(entries) > 1:
        there += f", {len(entries)} times"
    if not booked:
        known = [one for one in entries if one.is_awaited]
        is_on_its_way = len(entries) == 1 and known and known[0].to_at >= silent_before
        if not is_on_its_way:
            yield _row(key, "not booked", there, claim_id)
    elif _total(entries) != _total(booked):
        yield _row(key, f"booked {_total(booked)} fen", there, claim_id)


def _total(some: Sequence[BankMovement] | Sequence[BookMovement]) -> int:
    return sum(one.amount_fen for one in some)


def _signed(one: BookMovement | BankMovement) -> int:
    return one.amount_fen if one.side == "credit" else -one.amount_fen


def _row(subject: str, here: str, there: str, claim_id: str = "") -> Mismatch:
    return Mismatch("R19", subject[:SUBJECT_MAX] or "no reference", here, there, claim_id)


def watch_statements(deps: MoneyServices) -> None:
    """An alarm for each region on whose account money has moved and of which the bank has given no
    statement for too long."""
    hours = deps.settings.statement_hours
    with deps.work(write=False) as work:
        seen = work.bank_statements.last_ends()
        moved = work.bank_statements.first_moves()
        is_open = MISSING in work.alarms.open_counts()
    limit = deps.clock.now() - dt.timedelta(hours=hours)
    late = {
        region: seen.get(region, since)
        for region, since in moved.items()
        if hours and seen.get(region, since) < limit
    }
    if not late and not is_open:
        return
    with deps.work() as work:
        for region in moved:
            if region in late:
                detail = f"no statement of its account since {late[region]:%F %H:%MZ}"
                work.alarms.raise_alarm(MISSING, region, detail)
            else:
                work.alarms.clear(MISSING, region)
        work.commit()
