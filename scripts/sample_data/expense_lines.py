"""Expense lines out of a catalogue: quantities, split packs, four-decimal amounts, fee items."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.domain.catalogue import Catalogue, CatalogueItem
from backend.domain.invoice import ExpenseLine, FeeItem
from scripts.sample_data.draw import Draw
from scripts.sample_data.plausible import ChargedOnce, is_ordinary, sold_singly

CATEGORY_NAMES: Final = {
    "01": "床位费",
    "02": "诊察费",
    "03": "检查费",
    "04": "化验费",
    "05": "治疗费",
    "06": "手术费",
    "07": "护理费",
    "08": "卫生材料费",
    "09": "西药费",
    "10": "中药饮片",
    "11": "中成药费",
    "12": "一般诊疗费",
    "13": "挂号费",
    "14": "其他门诊收费",
}
"""med_chrgitm_type (domain reference 2.4) with the words that bills print."""

_INPATIENT_ONLY: Final = frozenset(("01", "06", "07"))
_WEIGHT_FEN: Final = 40_000
_WEIGHT_MAX: Final = 250
"""Weights that bring the mean line near Quzhou's 15.9 yuan (requirement R15)."""

_SPLIT_UNITS: Final = 12
"""Tablets of a pack that is sold singly: a twelfth of a price has more than two decimals."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """What one kind of visit can charge, cheap things oftener than dear ones."""

    outpatient: tuple[CatalogueItem, ...]
    inpatient: tuple[CatalogueItem, ...]


def price_list(catalogue: Catalogue, on: dt.date) -> PriceList:
    """The ordinary, unrestricted items that are valid on ``on``, weighted by price.

    Restricted items need the hospital's approval flag and a look at the diagnosis.
    """
    valid = [
        item
        for item in catalogue.items
        if item.valid_from <= on <= item.valid_to
        and not item.restricted
        and item.price_fen > 0
        and is_ordinary(item)
    ]
    weighted: list[CatalogueItem] = []
    for item in sorted(valid, key=lambda entry: entry.code):
        weighted += [item] * max(1, min(_WEIGHT_MAX, _WEIGHT_FEN // item.price_fen))
    return PriceList(
        outpatient=tuple(i for i in weighted if i.category_code not in _INPATIENT_ONLY),
        inpatient=tuple(weighted),
    )


def line_of(
    item: CatalogueItem,
    *,
    quantity_e4: int,
    price_e6: int,
    amount_e4: int | None = None,
    occurred_at: str = "",
    approval_flag: str = "",
) -> ExpenseLine:
    """A line as a hospital charges ``item``; the amount is quantity x price to four decimals."""
    amount = (quantity_e4 * price_e6 + 500_000) // 1_000_000 if amount_e4 is None else amount_e4
    return ExpenseLine(
        name=item.name,
        quantity_e4=quantity_e4,
        price_e6=price_e6,
        amount_e4=amount,
        catalogue_code=item.code,
        category_code=item.category_code,
        category_name=CATEGORY_NAMES.get(item.category_code, "其他"),
        level=item.level,
        unit=item.unit,
        spec=item.spec,
        occurred_at=occurred_at,
        approval_flag=approval_flag,
    )


def draw_lines(
    draw: Draw,
    items: Sequence[CatalogueItem],
    count: int,
    days: Sequence[str],
    suitable: Callable[[CatalogueItem], bool],
) -> tuple[ExpenseLine, ...]:
    """``count`` lines whose amounts are whole fen in each category, though single ones are not.

    What does not suit the person, or was charged that day already, is drawn again. Every split
    pack is followed by the line that completes its fen, as in a hospital that rounds once a
    category (domain reference, section 7).
    """
    lines: list[ExpenseLine] = []
    once = ChargedOnce()
    while len(lines) < count:
        item = draw.one_of(items)
        day = draw.one_of(days) if days else ""
        if not suitable(item) or not once.is_free(item, day):
            continue
        if len(lines) + 2 <= count and item.category_code in ("09", "11") and draw.chance(0.3):
            lines += _split_pack(draw, item, day)
            continue
        quantity = draw.between(1, 2) if item.category_code in ("09", "10", "11", "08") else 1
        lines.append(
            line_of(
                item,
                quantity_e4=quantity * 10_000,
                price_e6=item.price_fen * 10_000,
                occurred_at=day,
            )
        )
    return tuple(lines)


def _split_pack(draw: Draw, item: CatalogueItem, day: str) -> list[ExpenseLine]:
    """Some tablets at a twelfth of the pack's price, and a dose that completes the fen."""
    price_e6 = item.price_fen * 10_000 // _SPLIT_UNITS
    first = line_of(
        item, quantity_e4=draw.between(3, 11) * 10_000, price_e6=price_e6, occurred_at=day
    )
    rest = -first.amount_e4 % 100
    amount_e4 = max(price_e6 // 100 // 100 * 100, 100) + rest
    second = line_of(item, quantity_e4=10_000, price_e6=amount_e4 * 100, occurred_at=day)
    return [replace(line, unit=sold_singly(line)) for line in (first, second)]


def fee_items(lines: Iterable[ExpenseLine]) -> tuple[FeeItem, ...]:
    """The bill's face: one amount a category, in code order. Amounts must be whole fen."""
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line.category_code, line.category_name)
        sums[key] = sums.get(key, 0) + line.amount_e4
    items = []
    for (code, name), amount_e4 in sorted(sums.items()):
        assert amount_e4 % 100 == 0, "a category of the sample is whole fen"
        items.append(FeeItem(code, name, amount_e4 // 100, quantity="1", unit="项"))
    return tuple(items)


@dataclass(frozen=True, slots=True)
class Goods:
    """A class of item, a quantity and a unit price; ``price_e6`` is 10^-6 yuan."""

    level: str
    category: str
    quantity: int
    price_e6: int


def charge(catalogue: Catalogue, on: dt.date, goods: Goods) -> ExpenseLine:
    """A line of a plain item of that class, at exactly the wished price."""
    item = _suitable(catalogue, on, goods)
    return line_of(item, quantity_e4=goods.quantity * 10_000, price_e6=goods.price_e6)


def _suitable(catalogue: Catalogue, on: dt.date, goods: Goods) -> CatalogueItem:
    """An unrestricted item without price limit, 10 % paid first if it is class 乙.

    The wished category and a like price come first, so that the bill reads well.
    """
    found = [
        item
        for item in catalogue.items
        if item.level == goods.level
        and item.valid_from <= on <= item.valid_to
        and not item.restricted
        and (item.price_limit_fen is None or item.price_limit_fen * 10_000 >= goods.price_e6)
        and (goods.level != "02" or item.selfpay_bp == 1_000)
        and catalogue.find_negative(item.code, on) is None
    ]
    if not found:
        raise LookupError(f"the catalogue has no plain item of class {goods.level}")
    wished_fen = goods.price_e6 // 10_000
    return min(
        found,
        key=lambda item: (
            item.category_code != goods.category,
            abs(item.price_fen - wished_fen),
            item.code,
        ),
    )
