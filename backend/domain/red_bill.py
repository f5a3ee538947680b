"""Which lines of a bill its red bills cancel (identity 5 of domain reference 2.2, line by line).

A refund is the negated record that names its original: each line of a red bill takes quantity and
amount off lines of the same item, code, unit and unit price, never more than is left of them.
Fiscal bills are reversed as a whole, digital tax invoices also in part (domain reference 4.2).
Whether the quantity or the price carries the sign is not settled (1.4), so both are read
without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.domain.invoice import ExpenseLine, Invoice

_Key = tuple[str, str, str, int]


class Differs(StrEnum):
    """Why a line of a red bill cancels nothing."""

    NO_SUCH_LINE = "no-such-line"
    BEYOND = "beyond"


WORDS = {
    Differs.NO_SUCH_LINE: (
        "原票没有这个项目和单价", "the original has no such item at this unit price",
    ),
    Differs.BEYOND: (
        "数量或金额超过原票剩下的", "quantity or amount is beyond what is left of the original",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line of a red bill, by its index from 0, that is no line of the original negated."""

    line_index: int
    why: Differs


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What is taken off one line of the original: scaled by 10^4 each, positive."""

    quantity_e4: int
    amount_e4: int


@dataclass(frozen=True, slots=True)
class RedMatch:
    """``cancelled`` by line of the original; ``faults`` by the place of the red bill in the order
    in which they were given. A red bill with a fault cancels nothing at all."""

    cancelled: Mapping[int, Cancelled] = field(default_factory=dict)
    faults: Mapping[int, tuple[LineFault, ...]] = field(default_factory=dict)
    left_fen: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the red bills without fault reverse the whole."""
        return self.left_fen == 0


def is_reversible_in_part(original: Invoice) -> bool:
    """Only of a digital tax invoice: its number has 20 digits and no code."""
    return not original.invoice_code and len(original.invoice_number) == 20


def match_red_lines(original: Invoice, reds: Iterable[Invoice]) -> RedMatch:
    """Take the lines of the red bills off those of the original, one red bill after the other."""
    places: dict[_Key, list[int]] = {}
    for index, line in enumerate(original.lines):
        places.setdefault(_key(line), []).append(index)
    left = [(abs(line.quantity_e4), line.amount_e4) for line in original.lines]
    faults: dict[int, tuple[LineFault, ...]] = {}
    left_fen = original.total_fen
    for position, red in enumerate(reds):
        after, found = _take(left, places, red)
        if not found and left_fen + red.total_fen < 0:
            found = (LineFault(0, Differs.BEYOND),)
        if found:
            faults[position] = found
            continue
        left, left_fen = after, left_fen + red.total_fen
    cancelled = {
        index: Cancelled(abs(line.quantity_e4) - left[index][0], line.amount_e4 - left[index][1])
        for index, line in enumerate(original.lines)
        if left[index] != (abs(line.quantity_e4), line.amount_e4)
    }
    return RedMatch(cancelled, faults, left_fen)


def _key(line: ExpenseLine) -> _Key:
    return (line.catalogue_code, line.name, line.unit, abs(line.price_e6))


_Left = list[tuple[int, int]]


def _take(
    left: _Left, places: Mapping[_Key, list[int]], red: Invoice
) -> tuple[_Left, tuple[LineFault, ...]]:
    after, faults = list(left), []
    for number, line in enumerate(red.lines):
        known = places.get(_key(line))
        if known is None:
            faults.append(LineFault(number, Differs.NO_SUCH_LINE))
        elif not _take_line(after, known, abs(line.quantity_e4), -line.amount_e4):
            faults.append(LineFault(number, Differs.BEYOND))
    return after, tuple(faults)


def _take_line(left: _Left, known: list[int], quantity: int, amount: int) -> bool:
    """Take a quantity and its amount off lines that are alike: off the one that is just that, else
    in their order. False: there is not so much."""
    alike = [index for index in known if left[index] == (quantity, amount)]
    for index in alike[:1] or known:
        has_quantity, has_amount = left[index]
        taken = min(quantity, has_quantity)
        if taken == 0 and quantity:
            continue
        worth = amount if taken == quantity else has_amount
        if worth > has_amount or worth < 0:
            return False
        left[index] = (has_quantity - taken, has_amount - worth)
        quantity, amount = quantity - taken, amount - worth
        if quantity == 0:
            break
    return quantity == 0 and amount == 0
