"""Everything a load sends, in order: the demo citizen's bills, the planted cases, the bulk.

``quzhou_bills`` is the full self-pay population of Quzhou (requirement R15): 132 institutions,
15,605 bills, 1,332,000 lines. It is an iterator: memory does not grow with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backend.domain.catalogue import Catalogue
from scripts.sample_data.bills import SampleBill, bulk_bills
from scripts.sample_data.citizens import Citizen, sample_citizens
from scripts.sample_data.demo import demo_bills
from scripts.sample_data.hospitals import Hospital, population_hospitals, sample_hospitals
from scripts.sample_data.payment_cases import payment_bills
from scripts.sample_data.planted import PlantedCase, planted_cases

DEFAULT_SEED: Final = 20260101
SAMPLE_BILLS: Final = 300
AVERAGE_LINES: Final = 85
"""Lines a bill, as in Quzhou: 1,332,000 over 15,605 (requirement R15)."""

QUZHOU_BILLS: Final = 15_605
QUZHOU_LINES: Final = 1_332_000

_FIRST_BULK_CITIZEN: Final = 2
"""Bulk bills go to everyone after the demo citizen and the planted one, whose bills are known."""


@dataclass(frozen=True, slots=True)
class Population:
    """One seed and day. ``bulk`` is how many bills are drawn beside the known ones."""

    seed: int
    as_of: dt.date
    hospitals: tuple[Hospital, ...]
    citizens: tuple[Citizen, ...]
    catalogue: Catalogue
    bulk: int
    bulk_lines: int

    def demo(self) -> tuple[SampleBill, ...]:
        return demo_bills(self.hospitals, self.citizens, self.catalogue, self.as_of)

    def payments(self) -> tuple[SampleBill, ...]:
        """The bills of those whose bank does something seldom."""
        return payment_bills(self.hospitals, self.citizens, self.catalogue, self.as_of)

    def planted(self) -> tuple[PlantedCase, ...]:
        return planted_cases(self.hospitals, self.citizens, self.catalogue, self.as_of)

    def bills(self) -> Iterator[SampleBill]:
        """The bulk, lazily and in the same order every time."""
        return bulk_bills(
            seed=self.seed,
            as_of=self.as_of,
            hospitals=self.hospitals,
            citizens=self.citizens[_FIRST_BULK_CITIZEN:],
            catalogue=self.catalogue,
            bills=self.bulk,
            lines=self.bulk_lines,
        )


def sample_population(
    seed: int, as_of: dt.date, catalogue: Catalogue, bulk: int = SAMPLE_BILLS
) -> Population:
    """The sample: three hospitals, thirty citizens, ``bulk`` bills of 85 lines on average."""
    return Population(
        seed=seed,
        as_of=as_of,
        hospitals=sample_hospitals(as_of),
        citizens=sample_citizens(seed, as_of),
        catalogue=catalogue,
        bulk=bulk,
        bulk_lines=bulk * AVERAGE_LINES,
    )


def quzhou_population(seed: int, as_of: dt.date, catalogue: Catalogue) -> Population:
    """Quzhou's self-pay population; demo and planted bills come on top of it."""
    return Population(
        seed=seed,
        as_of=as_of,
        hospitals=population_hospitals(as_of),
        citizens=sample_citizens(seed, as_of),
        catalogue=catalogue,
        bulk=QUZHOU_BILLS,
        bulk_lines=QUZHOU_LINES,
    )
