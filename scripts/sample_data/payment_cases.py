"""What a bank does seldom, one sample citizen each: an account and a bill to try it with.

The bill is small, ordinary and anchored, so that its payment leaves within seconds. Worked by hand
for one that is claimed alone by an employee in service (310/1101): 1,000.00 of class 甲 at level 2,
less the year's deductible of 300.00 = 700.00; 60 % of it are **420.00**.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from backend.domain.catalogue import Catalogue
from scripts.sample_data.bills import BillShape, SampleBill, bill_of
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.expense_lines import Goods, charge
from scripts.sample_data.hospitals import Hospital, last_day_of_one_year


@dataclass(frozen=True, slots=True)
class PaymentCase:
    """``tail`` is the ending that asks the simulated bank for it, empty where the account is
    closed after it was named. ``paid_fen`` is what the case's bill pays when claimed alone."""

    name: str
    tail: str
    paid_fen: int

    @property
    def is_closed(self) -> bool:
        return not self.tail


CASES: Final = MappingProxyType(
    {
        16: PaymentCase("closed", "", 42_000),
        18: PaymentCase("returned", "0008", 42_000),
        25: PaymentCase("wrong-number", "0001", 42_000),
        29: PaymentCase("silent", "0009", 42_000),
    }
)
"""By the citizen's number: rejected as closed (AC04), returned after half a minute (AC04), rejected
as wrong (AC01), never answered."""

_FIRST_SERIAL: Final = 401
_DAYS_BEFORE: Final = 20
_YUAN: Final = 1_000_000
_GOODS: Final = (Goods("01", "03", 2, 400 * _YUAN), Goods("01", "09", 4, 50 * _YUAN))


def payment_bills(
    hospitals: Sequence[Hospital],
    citizens: Sequence[Citizen],
    catalogue: Catalogue,
    as_of: dt.date,
) -> tuple[SampleBill, ...]:
    """One bill for each case, by the citizen's number."""
    hospital = hospitals[1]
    day = last_day_of_one_year(as_of) - dt.timedelta(days=_DAYS_BEFORE)
    made = []
    for number, index in enumerate(CASES):
        citizen = citizens[index - 1]
        lines = tuple(charge(catalogue, day, goods) for goods in _GOODS)
        invoice = bill_of(hospital, citizen, BillShape(day, _FIRST_SERIAL + number), lines)
        made.append(SampleBill(hospital, citizen, "json" if number % 2 else "xml", invoice))
    return tuple(made)
