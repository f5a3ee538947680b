"""One more bill, with a number that nothing else of the sample has."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Final

from scripts.sample_data.bills import BillShape, SampleBill, bill_of
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.expense_lines import Goods, charge
from scripts.sample_data.hospitals import Hospital, last_day_of_one_year
from scripts.sample_data.population import Population

_FIRST_SERIAL: Final = 5_000_000
"""Far above the serials of planted and drawn bills."""

_SERIALS: Final = 5_000_000
_DAYS_BACK: Final = 7
_YUAN: Final = 1_000_000


def new_bill(population: Population, hospital: Hospital, citizen: Citizen, wire: str) -> SampleBill:
    """An outpatient bill of 760.00 yuan, issued a week before the population's day."""
    day = last_day_of_one_year(population.as_of) - dt.timedelta(days=_DAYS_BACK)
    serial = _FIRST_SERIAL + secrets.randbelow(_SERIALS)
    goods = (Goods("01", "03", 2, 280 * _YUAN), Goods("02", "09", 4, 50 * _YUAN))
    lines = tuple(charge(population.catalogue, day, entry) for entry in goods)
    invoice = bill_of(hospital, citizen, BillShape(day, serial), lines)
    return SampleBill(hospital, citizen, wire, invoice)
