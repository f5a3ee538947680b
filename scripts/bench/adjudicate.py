"""Adjudications a second on one core, with bills of 85 lines out of the sample catalogue.

Run: ``python -m scripts.bench.adjudicate [--seconds 3] [--lines 85]``. The wish is 1,000.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import time

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import load_pack
from backend.domain.adjudication import adjudicate
from backend.domain.bill import BenefitLine, BillForBenefit
from backend.domain.invoice import VisitKind
from backend.domain.person import CoverPeriod, History, PersonSnapshot
from backend.domain.policy import PolicyPack

_DAY = dt.date(2026, 6, 1)


def sample_bill(pack: PolicyPack, rng: random.Random, lines: int) -> BillForBenefit:
    """A bill of so many lines at catalogue prices."""
    assert pack.catalogue is not None
    items = pack.catalogue.items
    made = []
    for index in range(lines):
        item = rng.choice(items)
        quantity = rng.randint(1, 3)
        made.append(
            BenefitLine(
                index=index,
                catalogue_code=item.code,
                name=item.name,
                level=item.level,
                quantity_e4=quantity * 10_000,
                price_e6=item.price_fen * 10_000,
                amount_e4=item.price_fen * quantity * 100,
            )
        )
    return BillForBenefit(
        invoice_key=rng.randbytes(32),
        total_fen=sum(line.amount_e4 for line in made) // 100,
        visit_date=_DAY,
        visit_kind=VisitKind.INPATIENT,
        hospital_code="H33080200001",
        hospital_level=3,
        lines=tuple(made),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--lines", type=int, default=85)
    options = parser.parse_args()
    rng = random.Random(1)
    pack = load_pack(POLICY_DIRECTORY / "quzhou-2026.json")
    bills = [sample_bill(pack, rng, options.lines) for _ in range(100)]
    person = PersonSnapshot(
        "bench", "330800", "310", "1101", _DAY,
        (CoverPeriod("310", dt.date(2020, 1, 1), dt.date(2030, 12, 31)),),
    )  # fmt: skip
    history = History()
    count = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < options.seconds:
        adjudicate(pack, bills[count % len(bills)], person, history)
        count += 1
    print(f"{count / elapsed:,.0f} adjudications/s at {options.lines} lines (one core)")


if __name__ == "__main__":
    main()
