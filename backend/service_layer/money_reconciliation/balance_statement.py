"""银行存款余额调节表: the bank's closing balance beside that of the books, and what lies between.

Movements are matched as R19 matches them. What only one side has by the end of the statement is an
open item; each balance with the other side's open items is its adjusted balance. Both adjusted
balances are the same money, so they agree unless the statements themselves do not follow on one
another, or the first one did not open where the books stood.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from backend.domain.local_time import local_day
from backend.service_layer.money_reconciliation.statement_rules import (
    BankMovement,
    BookMovement,
    Period,
)

_CREDIT: Final = "credit"
_Place = tuple[str, str]  # side and key


@dataclass(frozen=True, slots=True, order=True)
class OpenItem:
    """A movement that one side alone has. ``on``: the day on which that side booked it. Below zero
    only for the correction of one that the other side has not corrected."""

    on: dt.date
    reference: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BalanceStatement:
    """One account at the end of one statement; amounts in fen.

    ``we_received`` (企业已收银行未收) and ``we_paid`` (企业已付银行未付) are in the books alone,
    ``bank_received`` (银行已收企业未收) and ``bank_paid`` (银行已付企业未付) at the bank alone.
    ``gaps``: statements that do not open where the books stood, or the one before ended.
    """

    region: str
    statement_id: str
    as_of: dt.datetime
    simulated: bool
    bank_fen: int
    book_fen: int
    we_received: tuple[OpenItem, ...]
    we_paid: tuple[OpenItem, ...]
    bank_received: tuple[OpenItem, ...]
    bank_paid: tuple[OpenItem, ...]
    gaps: tuple[str, ...]

    @property
    def adjusted_bank_fen(self) -> int:
        return self.bank_fen + total_fen(self.we_received) - total_fen(self.we_paid)

    @property
    def adjusted_book_fen(self) -> int:
        return self.book_fen + total_fen(self.bank_received) - total_fen(self.bank_paid)

    @property
    def agrees(self) -> bool:
        return self.adjusted_bank_fen == self.adjusted_book_fen

    def to_record(self) -> dict[str, Any]:
        """For programs: amounts in fen, days and instants in ISO 8601."""
        record = asdict(self)
        record["as_of"] = self.as_of.astimezone(dt.UTC).isoformat(timespec="seconds")
        for name in ("we_received", "we_paid", "bank_received", "bank_paid"):
            record[name] = [item | {"on": item["on"].isoformat()} for item in record[name]]
        record["gaps"] = list(self.gaps)
        return record | {
            "adjusted_bank_fen": self.adjusted_bank_fen,
            "adjusted_book_fen": self.adjusted_book_fen,
            "agrees": self.agrees,
        }


def total_fen(items: Sequence[OpenItem]) -> int:
    return sum(one.amount_fen for one in items)


def read_balance_statement(
    work: Any, region: str, day: dt.date | None = None
) -> BalanceStatement | None:
    """That of the newest kept statement of a region's account, with ``day`` of the newest one that
    ends by the end of that day in China. None without any."""
    periods = [
        one for one in work.bank_statements.periods(region) if day is None or _last_day(one) <= day
    ]
    if not periods:
        return None
    return balance(
        region,
        periods,
        work.bank_statements.entries(region),
        work.bank_statements.movements(region),
    )


def read_balance_reaching(work: Any, region: str, at: dt.datetime) -> BalanceStatement | None:
    """That of the first kept statement which reaches an instant; None without one."""
    periods = work.bank_statements.periods(region)
    reaching = next((n for n, one in enumerate(periods, 1) if one.to_at >= at), 0)
    if not reaching:
        return None
    return balance(
        region,
        periods[:reaching],
        work.bank_statements.entries(region),
        work.bank_statements.movements(region),
    )


def _last_day(period: Period) -> dt.date:
    """The last day in China of which a statement tells: midnight ends the day before it."""
    return max(local_day(period.to_at - dt.timedelta(microseconds=1)), local_day(period.from_at))


def balance(
    region: str,
    periods: Sequence[Period],
    bank: Sequence[BankMovement],
    books: Sequence[BookMovement],
) -> BalanceStatement:
    """The statement of one account at the end of the last of ``periods`` (in their order, at least
    one); later movements of either side are left out."""
    first, last = periods[0], periods[-1]
    theirs: dict[_Place, list[OpenItem]] = defaultdict(list)
    for entry in bank:
        if entry.to_at <= last.to_at:
            on = entry.booked_on or local_day(entry.to_at)
            theirs[entry.side, entry.key].append(OpenItem(on, entry.key, entry.amount_fen))
    ours: dict[_Place, list[OpenItem]] = defaultdict(list)
    late: dict[_Place, list[OpenItem]] = defaultdict(list)
    book_fen, opening_fen = 0, 0
    for one in books:
        place, booked_at = (one.side, one.key), one.booked_at or one.at
        item = OpenItem(local_day(booked_at), one.key, one.amount_fen)
        signed = one.amount_fen if one.side == _CREDIT else -one.amount_fen
        is_booked = booked_at <= last.to_at
        book_fen += signed * is_booked
        if one.at < first.from_at and place not in theirs:
            # The bank did it before its first statement, whose opening balance has it.
            opening_fen += signed
            if not is_booked:
                late[place].append(item)
        elif is_booked:
            ours[place].append(item)
    for place, entries in theirs.items():
        ours[place], late[place] = _unmatched(ours[place], entries)
    return BalanceStatement(
        region=region,
        statement_id=last.statement_id,
        as_of=last.to_at,
        simulated=last.simulated,
        bank_fen=last.closing_fen,
        book_fen=book_fen,
        we_received=_of_side(ours, received=True),
        we_paid=_of_side(ours, received=False),
        bank_received=_of_side(late, received=True),
        bank_paid=_of_side(late, received=False),
        gaps=_gaps(periods, opening_fen),
    )


def _unmatched(
    ours: list[OpenItem], theirs: list[OpenItem]
) -> tuple[list[OpenItem], list[OpenItem]]:
    """What is left on each side of one reference: nothing when the sums are the same (a deposit in
    parts), else what has no partner of its amount."""
    if total_fen(ours) == total_fen(theirs):
        return [], []
    ours_left, theirs_left = [], list(theirs)
    for item in ours:
        partner = next((one for one in theirs_left if one.amount_fen == item.amount_fen), None)
        if partner is None:
            ours_left.append(item)
        else:
            theirs_left.remove(partner)
    return ours_left, theirs_left


def _of_side(places: dict[_Place, list[OpenItem]], *, received: bool) -> tuple[OpenItem, ...]:
    """Sorted by day. What comes to nothing under one reference is no open item."""
    return tuple(
        sorted(
            item
            for (side, _), items in places.items()
            if (side == _CREDIT) is received and total_fen(items)
            for item in items
        )
    )


def _gaps(periods: Sequence[Period], opening_fen: int) -> tuple[str, ...]:
    first = periods[0]
    found = []
    if first.opening_fen != opening_fen:
        found.append(
            f"{first.statement_id} opens with {first.opening_fen} fen, "
            f"the books with {opening_fen} fen"
        )
    for one, after in itertools.pairwise(periods):
        if one.closing_fen != after.opening_fen:
            found.append(
                f"{after.statement_id} opens with {after.opening_fen} fen, "
                f"{one.statement_id} closes with {one.closing_fen} fen"
            )
    return tuple(found)
