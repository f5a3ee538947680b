"""Adjudications a second on one core, with bills of 85 lines out of the sample catalogue.

Run: ``python -m scripts.bench.adjudicate [--seconds 5] [--lines 85] [--pack quzhou-2026.json]``.
Each adjudication is of another bill, person and history than the one before. CPU time tells more
than the clock on a machine that does other work, though a busy sibling of the core slows both.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import statistics
import time
from collections.abc import Sequence

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import load_pack
from backend.domain.adjudication import adjudicate
from backend.domain.bill import BenefitLine, BillForBenefit
from backend.domain.invoice import VisitKind
from backend.domain.person import (
    CoverPeriod,
    DatedStatus,
    History,
    HistoryEntry,
    PersonSnapshot,
)
from backend.domain.policy import PolicyPack

BAR = 1_000
Case = tuple[BillForBenefit, PersonSnapshot, History]

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


def sample_person(rng: random.Random, number: int) -> PersonSnapshot:
    """One of many insured persons, some of them poor and some civil servants."""
    always = (dt.date(2020, 1, 1), dt.date(2030, 12, 31))
    return PersonSnapshot(
        f"bench-{number}", "330800", "310", rng.choice(["1101", "1102"]), _DAY,
        (CoverPeriod("310", *always),),
        hardship=(DatedStatus("low-income", *always),) if rng.random() < 0.1 else (),
        civil_servant=(DatedStatus("section", *always),) if rng.random() < 0.1 else (),
    )  # fmt: skip


def sample_history(rng: random.Random) -> History:
    """Up to three stays before this one in the year."""
    entries = []
    for number in range(rng.randint(0, 3)):
        scope = rng.randint(100_000, 2_000_000)
        entries.append(
            HistoryEntry(
                claim_number=f"2026010100{number:06d}",
                service_on=dt.date(2026, 1 + number, 15),
                visit_kind=VisitKind.INPATIENT,
                hospital_code="H33080200001",
                insurance_type="310",
                in_scope_fen=scope,
                deductible_fen=40_000,
                pool_paid_fen=scope // 2,
                layer2_base_fen=scope - scope // 2,
            )
        )
    return History(tuple(entries))


def measure(cases: Sequence[Case], pack: PolicyPack, seconds: float) -> list[tuple[float, float]]:
    """(CPU, wall) seconds of one adjudication, for each round over all cases."""
    rounds = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        wall, cpu = time.perf_counter(), time.process_time()
        for bill, person, history in cases:
            adjudicate(pack, bill, person, history)
        rounds.append(
            (
                (time.process_time() - cpu) / len(cases),
                (time.perf_counter() - wall) / len(cases),
            )
        )
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--lines", type=int, default=85)
    parser.add_argument("--pack", default="quzhou-2026.json")
    options = parser.parse_args()
    rng = random.Random(1)
    pack = load_pack(POLICY_DIRECTORY / options.pack)
    cases = [
        (sample_bill(pack, rng, options.lines), sample_person(rng, number), sample_history(rng))
        for number in range(200)
    ]
    load = os.getloadavg()[0]
    measure(cases, pack, 0.5)  # the terms of each item are looked up once and then remembered
    rounds = measure(cases, pack, options.seconds)
    cpu = 1 / statistics.median(cpu for cpu, _ in rounds)
    wall = 1 / statistics.median(wall for _, wall in rounds)
    best = 1 / min(cpu for cpu, _ in rounds)
    print(
        f"{options.lines} lines, {len(cases)} bills, persons and histories, {len(rounds)} rounds; "
        f"load of the machine before: {load:.2f} on {os.cpu_count()} cores\n"
        f"{cpu:,.0f} adjudications a second of CPU (median; best round {best:,.0f}), "
        f"{wall:,.0f} by the clock\n"
        f"{cpu / BAR:.2f} of the bar of {BAR:,} a second a core"
    )


if __name__ == "__main__":
    main()
