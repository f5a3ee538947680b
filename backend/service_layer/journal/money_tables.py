"""The three tables: 我有多少钱, 要付多少钱, 付了多少钱, and whether they tie.

The tables are made from what moved before and in the period. They are compared with the balances
of the accounts at its end, which are added up by another question to the database.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.journal import Account, AccountKind, EventKind, Side
from backend.service_layer.journal.ports import JournalWork
from backend.service_layer.journal.records import Balance, Turnover

_OWED: Final = (AccountKind.PAYABLE, AccountKind.TRANSIT)


@dataclass(frozen=True, slots=True)
class HaveRow:
    """我有多少钱: the money of one fund at the bank, and what is left of it for nobody yet.

    ``moves`` are the signed changes by kind of event; opening and moves add up to closing.
    ``net_fen`` is the fund's own position by layer: bank and receivable less what is owed.
    """

    region: str
    insurance_type: str
    opening_fen: int
    moves: tuple[tuple[str, int], ...]
    closing_fen: int
    receivable_fen: int
    owed_fen: int
    clearing_fen: int
    net_fen: tuple[tuple[str, int], ...]

    @property
    def free_fen(self) -> int:
        """At the bank, owed to nobody, and not what came in and is in suspense."""
        return self.closing_fen - self.owed_fen - max(0, self.clearing_fen)


@dataclass(frozen=True, slots=True)
class OwedRow:
    """要付多少钱: what one agency's claims are owed, approved and not yet paid."""

    region: str
    insurance_type: str
    agency_code: str
    agency_name: str
    opening_fen: int
    moves: tuple[tuple[str, int], ...]
    closing_fen: int
    payable_fen: int
    transit_fen: int


@dataclass(frozen=True, slots=True)
class PaidRow:
    """付了多少钱: what the bank has paid for one agency's claims in the period."""

    region: str
    insurance_type: str
    agency_code: str
    agency_name: str
    paid_count: int
    paid_fen: int
    returned_count: int
    returned_fen: int

    @property
    def net_fen(self) -> int:
        return self.paid_fen - self.returned_fen


@dataclass(frozen=True, slots=True)
class MoneyTables:
    """``faults`` names every sum that does not agree; empty when the tables tie."""

    starts_on: dt.date
    ends_on: dt.date
    have: tuple[HaveRow, ...]
    owed: tuple[OwedRow, ...]
    paid: tuple[PaidRow, ...]
    has_simulated: bool
    faults: tuple[str, ...]


def read_tables(
    work: JournalWork, starts_on: dt.date, ends_on: dt.date, region: str | None = None
) -> MoneyTables:
    """The tables of these days, both included, of all regions unless one is given."""
    before = work.journal.turnover(None, starts_on - dt.timedelta(days=1), region)
    within = work.journal.turnover(starts_on, ends_on, region)
    return build_tables(starts_on, ends_on, before, within, work.journal.balances(ends_on, region))


def build_tables(
    starts_on: dt.date,
    ends_on: dt.date,
    before: Iterable[Turnover],
    within: Iterable[Turnover],
    at_end: Iterable[Balance],
) -> MoneyTables:
    """Pure: the tables from the movements, and their comparison with the balances ``at_end``."""
    before, within, at_end = list(before), list(within), list(at_end)
    balances = {(one.account, one.insurance_type): one.balance_fen for one in at_end}
    books = sorted({(one.region, one.insurance_type) for one in (*before, *within)})
    names = {one.agency_code: one.agency_name for one in (*before, *within)}
    have = tuple(_have(book, before, within, balances) for book in books)
    owed = tuple(_owed(names, before, within))
    paid = tuple(_paid(names, within))
    return MoneyTables(
        starts_on,
        ends_on,
        have,
        owed,
        paid,
        any(one.is_simulated for one in (*before, *within)),
        tuple(_faults(have, owed, paid, balances)),
    )


def _signed(moved: Turnover, *kinds: AccountKind) -> int:
    """The change of the accounts of these kinds together, on their normal side."""
    change = 0
    for code, on_debit in ((moved.debit_account, True), (moved.credit_account, False)):
        kind = Account.parse(code).kind
        if kind in kinds:
            grows = on_debit == (kind.normal_side is Side.DEBIT)
            change += moved.amount_fen if grows else -moved.amount_fen
    return change


def _moves(
    rows: Iterable[Turnover], change: Callable[[Turnover], int]
) -> tuple[tuple[str, int], ...]:
    """By kind of event, those of no effect left out."""
    sums: dict[str, int] = defaultdict(int)
    for one in rows:
        sums[one.kind] += change(one)
    return tuple((kind, amount) for kind, amount in sorted(sums.items()) if amount)


def _have(
    book: tuple[str, str],
    before: list[Turnover],
    within: list[Turnover],
    balances: dict[tuple[str, str], int],
) -> HaveRow:
    region, insurance_type = book

    def ours(rows: list[Turnover]) -> list[Turnover]:
        return [one for one in rows if (one.region, one.insurance_type) == book]

    def at_end(kind: AccountKind) -> int:
        return balances.get((Account(kind, region).code, insurance_type), 0)

    opening = sum(_signed(one, AccountKind.BANK) for one in ours(before))
    moves = _moves(ours(within), lambda one: _signed(one, AccountKind.BANK))
    net = tuple(
        (str(Account.parse(code).layer), amount)
        for (code, insurance), amount in sorted(balances.items())
        if insurance == insurance_type and code.startswith(f"fund:{region}:")
    )
    return HaveRow(
        region,
        insurance_type,
        opening,
        moves,
        opening + sum(amount for _, amount in moves),
        at_end(AccountKind.RECEIVABLE),
        at_end(AccountKind.PAYABLE) + at_end(AccountKind.TRANSIT),
        at_end(AccountKind.CLEARING),
        net,
    )


def _by_agency(rows: Iterable[Turnover]) -> dict[tuple[str, str, str], list[Turnover]]:
    found: dict[tuple[str, str, str], list[Turnover]] = defaultdict(list)
    for one in rows:
        found[one.region, one.insurance_type, one.agency_code].append(one)
    return found


def _owed(
    names: dict[str, str], before: list[Turnover], within: list[Turnover]
) -> Iterable[OwedRow]:
    earlier, now = _by_agency(before), _by_agency(within)
    for key in sorted({*earlier, *now}):
        old, new = earlier.get(key, []), now.get(key, [])
        opening = sum(_signed(one, *_OWED) for one in old)
        moves = _moves(new, lambda one: _signed(one, *_OWED))
        closing = opening + sum(amount for _, amount in moves)
        payable = sum(_signed(one, AccountKind.PAYABLE) for one in (*old, *new))
        if opening or moves or payable or closing:
            yield OwedRow(*key, names[key[2]], opening, moves, closing, payable, closing - payable)


def _paid(names: dict[str, str], within: list[Turnover]) -> Iterable[PaidRow]:
    for key, rows in sorted(_by_agency(within).items()):
        paid = [one for one in rows if one.kind == EventKind.PAID]
        back = [one for one in rows if one.kind == EventKind.RETURNED]
        if paid or back:
            yield PaidRow(
                *key,
                names[key[2]],
                sum(one.count for one in paid),
                sum(one.amount_fen for one in paid),
                sum(one.count for one in back),
                sum(one.amount_fen for one in back),
            )


def _faults(
    have: tuple[HaveRow, ...],
    owed: tuple[OwedRow, ...],
    paid: tuple[PaidRow, ...],
    balances: dict[tuple[str, str], int],
) -> Iterable[str]:
    for row in have:
        book = (row.region, row.insurance_type)
        owed_here = [one for one in owed if (one.region, one.insurance_type) == book]
        paid_here = [one for one in paid if (one.region, one.insurance_type) == book]
        moved = dict(row.moves)
        bank = balances.get((Account(AccountKind.BANK, row.region).code, row.insurance_type), 0)
        sums: dict[str, tuple[int, int]] = {
            "bank": (row.closing_fen, bank),
            "owed": (sum(one.closing_fen for one in owed_here), row.owed_fen),
            "paid": (-moved.get(EventKind.PAID, 0), sum(one.paid_fen for one in paid_here)),
            "paid of what was owed": (
                -sum(dict(one.moves).get(EventKind.PAID, 0) for one in owed_here),
                sum(one.paid_fen for one in paid_here),
            ),
            "returned": (
                moved.get(EventKind.RETURNED, 0), sum(one.returned_fen for one in paid_here)
            ),
            "position": (
                row.closing_fen + row.receivable_fen,
                row.owed_fen + row.clearing_fen + sum(amount for _, amount in row.net_fen),
            ),
        }  # fmt: skip
        for name, (one, other) in sums.items():
            if one != other:
                yield f"{row.region} {row.insurance_type} {name}: {one} fen against {other} fen"


def to_json(tables: MoneyTables) -> dict[str, Any]:
    """The tables for programs; amounts in fen."""
    return {
        "starts_on": tables.starts_on.isoformat(),
        "ends_on": tables.ends_on.isoformat(),
        "simulated": tables.has_simulated,
        "ties": not tables.faults,
        "faults": list(tables.faults),
        "have": [
            {
                "region": row.region,
                "insurance_type": row.insurance_type,
                "opening_fen": row.opening_fen,
                "moves": dict(row.moves),
                "closing_fen": row.closing_fen,
                "owed_fen": row.owed_fen,
                "free_fen": row.free_fen,
                "receivable_fen": row.receivable_fen,
                "clearing_fen": row.clearing_fen,
                "net_fen": dict(row.net_fen),
            }
            for row in tables.have
        ],
        "owed": [
            _agency_json(row)
            | {
                "opening_fen": row.opening_fen,
                "moves": dict(row.moves),
                "closing_fen": row.closing_fen,
                "payable_fen": row.payable_fen,
                "transit_fen": row.transit_fen,
            }
            for row in tables.owed
        ],
        "paid": [
            _agency_json(row)
            | {
                "paid_count": row.paid_count,
                "paid_fen": row.paid_fen,
                "returned_count": row.returned_count,
                "returned_fen": row.returned_fen,
                "net_fen": row.net_fen,
            }
            for row in tables.paid
        ],
    }


def _agency_json(row: OwedRow | PaidRow) -> dict[str, Any]:
    return {
        "region": row.region,
        "insurance_type": row.insurance_type,
        "agency_code": row.agency_code,
        "agency_name": row.agency_name,
    }
