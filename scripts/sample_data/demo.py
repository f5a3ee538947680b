"""The demo citizen's bills, small enough to work out with pencil and paper.

Citizen 1 is an employee in service (310, 1101); region 330800, Quzhou pack. Parameters from the
domain reference, section 3.4: outpatient deductible 300 a year, ratio 50 % at level 3, 60 % at
level 2, 70 % at level 1, cap 3,000; inpatient deductible 800 at level 3, ratio 84 %. Class 乙 of
these bills is 10 % paid first, class 丙 is outside. Worked by hand, in visit-date order:

1. Level 3, outpatient, 850.00: 甲 600.00 + 乙 200.00 + 丙 50.00
   in scope 600.00 + 180.00 = 780.00, less the year's deductible 300.00 = 480.00
   480.00 x 50 % = **240.00**, the citizen bears 610.00
2. Level 1, outpatient, 100.00: 甲 40.00 (12 tablets at 3.333333) + 甲 60.00
   in scope 100.00, the deductible is used up; 100.00 x 70 % = **70.00**, bears 30.00
3. Level 2, outpatient, 250.40: 甲 150.50 + 乙 99.90
   in scope 150.50 + 89.91 = 240.41; x 60 % = 144.246 -> **144.25**, bears 106.15
4. Level 3, inpatient, 12,000.00: 甲 6,000.00 + 乙 5,000.00 + 丙 1,000.00
   in scope 6,000.00 + 4,500.00 = 10,500.00, less 800.00 = 9,700.00
   9,700.00 x 84 % = **8,148.00**, bears 3,852.00

Outpatient pays 454.25 of at most 3,000; out-of-pocket in scope stays far below the 20,000 where
layer 2 begins. All four in one touch: **8,602.25** of 13,200.40, the citizen bears 4,598.15.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from backend.domain.catalogue import Catalogue
from scripts.sample_data.bills import BillShape, SampleBill, bill_of
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.expense_lines import Goods, charge
from scripts.sample_data.hospitals import Hospital, last_day_of_one_year

DEMO_PAID_FEN: Final = (24_000, 7_000, 14_425, 814_800)
"""What each demo bill pays, in visit-date order, by the working above."""

DEMO_TOTAL_FEN: Final = (85_000, 10_000, 25_040, 1_200_000)

_FIRST_SERIAL: Final = 101

_YUAN: Final = 1_000_000
_BILLS: Final[tuple[tuple[int, int, str, int, tuple[Goods, ...]], ...]] = (
    # hospital, days before, wire, days in hospital, goods
    (0, 75, "json", 0, (
        Goods("01", "03", 2, 300 * _YUAN),
        Goods("02", "09", 4, 50 * _YUAN),
        Goods("03", "08", 1, 50 * _YUAN),
    )),
    (2, 60, "xml", 0, (Goods("01", "09", 12, 3_333_333), Goods("01", "02", 3, 20 * _YUAN))),
    (1, 50, "json", 0, (Goods("01", "04", 1, 150_500_000), Goods("02", "11", 3, 33_300_000))),
    (0, 40, "xml", 8, (
        Goods("01", "11", 20, 300 * _YUAN),
        Goods("02", "09", 50, 100 * _YUAN),
        Goods("03", "08", 2, 500 * _YUAN),
    )),
)  # fmt: skip


def demo_bills(
    hospitals: Sequence[Hospital],
    citizens: Sequence[Citizen],
    catalogue: Catalogue,
    as_of: dt.date,
) -> tuple[SampleBill, ...]:
    """The four claimable bills of citizen 1, in visit-date order."""
    citizen = citizens[0]
    last = last_day_of_one_year(as_of)
    made = []
    for number, (place, days, wire, stay, goods) in enumerate(_BILLS):
        hospital = hospitals[place]
        shape = BillShape(
            issued_on=last - dt.timedelta(days=days),
            serial=_FIRST_SERIAL + number,
            inpatient=stay > 0,
            stay_days=stay,
        )
        lines = tuple(charge(catalogue, shape.issued_on, entry) for entry in goods)
        made.append(SampleBill(hospital, citizen, wire, bill_of(hospital, citizen, shape, lines)))
    return tuple(made)
