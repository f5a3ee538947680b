"""The bill as the checks want it: lines by item, by day and by what a rule means, looked up once.

Everything is built in one pass over the lines, so that a bill of 5,000 lines costs as much a line
as one of 85.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from backend.domain.audit.items import ItemSelector, SelectorTable
from backend.domain.invoice import ExpenseLine, Invoice, VisitKind

_E4_PER_FEN: Final = 100


class BillIndex:
    """A bill's lines, indexed. ``lines`` are those of the invoice record, in its order."""

    def __init__(self, invoice: Invoice, table: SelectorTable) -> None:
        self.invoice = invoice
        self.lines = invoice.lines
        self.visit_kind = invoice.visit_kind
        self._meant: dict[ItemSelector, list[int]] = defaultdict(list)
        matching = table.matching
        for index, line in enumerate(self.lines):
            for selector in matching((line.catalogue_code, line.name, line.category_code)):
                self._meant[selector].append(index)

    def meant(self, selector: ItemSelector) -> list[int]:
        """The places of the lines that the selector means, in order."""
        return self._meant.get(selector, [])

    @cached_property
    def days(self) -> tuple[dt.date | None, ...]:
        """The day of each line. A line without one is of the visit's day where the visit has one
        day; of a stay of several days it is not known (None)."""
        invoice = self.invoice
        usual = invoice.visit_on or invoice.issued_on
        fallback = usual if self.visit_kind is VisitKind.OUTPATIENT else None
        read: dict[str, dt.date | None] = {"": fallback}
        days = []
        for line in self.lines:
            text = line.occurred_at
            if text not in read:
                read[text] = day_of(text) or fallback
            days.append(read[text])
        return tuple(days)

    @cached_property
    def digest(self) -> str:
        """:func:`lines_digest` of this bill."""
        return lines_digest(self.lines)

    @cached_property
    def stay_days(self) -> int | None:
        """Days from admission to discharge, the day of discharge not counted but at least one;
        None when either is missing or they are swapped."""
        begins, ends = self.invoice.admitted_on, self.invoice.discharged_on
        if begins is None or ends is None or ends < begins:
            return None
        return max(1, (ends - begins).days)

    @cached_property
    def is_inpatient(self) -> bool:
        return self.visit_kind is VisitKind.INPATIENT

    @cached_property
    def lines_fen(self) -> int:
        """The sum of the lines, rounded once (half up, away from zero)."""
        return round_e4(sum(line.amount_e4 for line in self.lines))

    def amount_fen(self, places: Iterable[int]) -> int:
        """The sum of these lines, rounded once."""
        return round_e4(sum(self.lines[place].amount_e4 for place in places))

    def quantity_e4(self, places: Iterable[int]) -> int:
        return sum(self.lines[place].quantity_e4 for place in places)

    def by_day(self, places: Iterable[int]) -> dict[dt.date | None, list[int]]:
        """These lines by their day, in order."""
        found: dict[dt.date | None, list[int]] = defaultdict(list)
        for place in places:
            found[self.days[place]].append(place)
        return found


def day_of(text: str) -> dt.date | None:
    """The day of a line's time stamp; hospitals send several spellings, some none at all."""
    try:
        return dt.date.fromisoformat(text[:10] if "-" in text else text[:8])
    except ValueError:
        return None


def round_e4(amount_e4: int) -> int:
    """An amount of four decimals in whole fen, half away from zero."""
    sign = -1 if amount_e4 < 0 else 1
    return sign * ((abs(amount_e4) + _E4_PER_FEN // 2) // _E4_PER_FEN)


def lines_digest(lines: Iterable[ExpenseLine]) -> str:
    """What two bills have in common that charge the same things, in whatever order: SHA-256 (hex)
    over the sorted code (or name), quantity and amount of every line."""
    rows = sorted(
        f"{line.catalogue_code or line.name}|{line.quantity_e4}|{line.amount_e4}" for line in lines
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
