"""Bookings a second, and how long sums over a large journal take.

Run: ``python -m scripts.bench.journal [--transfers 100000] [--database postgresql]``. Entries are
approvals of two layers, instructions and payments, as a day of payouts books them: first each in
its own transaction, then many in one. Then the questions that people and the worker ask.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain.journal import (
    Entry,
    Fund,
    LayerAmounts,
    Occasion,
    approved,
    funded,
    instructed,
    paid,
)
from backend.service_layer.journal.booking import book, book_all
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.money_tables import read_tables
from scripts.bench.anchoring_bed import open_postgresql

START = dt.datetime(2026, 11, 1, 1, tzinfo=dt.UTC)
FUNDS = [
    Fund("330800", insurance, agency, "bench")
    for insurance in ("310", "390")
    for agency in ("330802", "330803", "330881")
]
SINGLE_ENTRIES = 600
IN_ONE_TRANSACTION = 3_000


def entries_of(number: int) -> tuple[Entry, ...]:
    """One payment's entries: four transfers."""
    fund = FUNDS[number % len(FUNDS)]
    at = START + dt.timedelta(minutes=number % 40_000)

    def said(what: str) -> Occasion:
        return Occasion(what, f"n{number}", fund, None, at)

    layers = LayerAmounts(100 + number % 7, 50)
    amount = layers.total_fen
    return (
        approved(said("payout"), LayerAmounts(), layers),
        instructed(said("attempt"), amount),
        paid(said("attempt"), amount),
    )


def timed(label: str, act: Callable[[], Any], per: int = 0) -> None:
    """Print how long it took, and how many a second."""
    started, cpu = time.perf_counter(), time.process_time()
    act()
    took, busy = time.perf_counter() - started, time.process_time() - cpu
    rate = f"  {per / took:,.0f}/s" if per else ""
    print(f"{label:<58} {took * 1000:>10,.1f} ms  processor {busy * 1000:>9,.1f} ms{rate}")


def book_each(engine: sa.Engine, entries: list[Entry]) -> None:
    for entry in entries:
        with SqlUnitOfWork(engine) as work:
            book(work, entry)
            work.commit()


def book_together(engine: sa.Engine, entries: list[Entry]) -> None:
    for start in range(0, len(entries), IN_ONE_TRANSACTION):
        with SqlUnitOfWork(engine) as work:
            book_all(work, entries[start : start + IN_ONE_TRANSACTION])
            work.commit()


def run(engine: sa.Engine, transfers: int) -> None:
    """Fill the journal and ask it everything."""
    payments = transfers // 4
    entries = [entry for number in range(payments) for entry in entries_of(number)]
    deposits = [
        funded(Occasion("deposit", f"d{n}", fund, None, START), LayerAmounts(10**10, 10**10))
        for n, fund in enumerate(FUNDS)
    ]
    book_together(engine, deposits)
    single, rest = entries[:SINGLE_ENTRIES], entries[SINGLE_ENTRIES:]
    timed("entries, each in its own transaction", lambda: book_each(engine, single), len(single))
    timed("entries, 3,000 in one transaction", lambda: book_together(engine, rest), len(rest))
    timed("the same again: nothing is booked", lambda: book_together(engine, rest), len(rest))
    day = dt.date(2026, 11, 20)
    questions: dict[str, Callable[[SqlUnitOfWork], Any]] = {
        "balance of the bank": lambda work: work.journal.balance("bank:330800", None, "310"),
        "balance of the bank after a day": lambda work: work.journal.balance("bank:330800", day),
        "all balances (trial balance)": lambda work: work.journal.balances(),
        "three tables of a day": lambda work: read_tables(work, day, day),
        "three tables of a month": lambda work: read_tables(
            work, day.replace(day=1), day.replace(day=30)
        ),
        "journal check": check_journal,
    }
    with SqlUnitOfWork(engine, write=False) as work:
        stored = work.connection.exec_driver_sql("SELECT count(*) FROM journal_transfer").scalar()
        print(f"over {stored:,} transfers:")
        for label, ask in questions.items():
            timed(f"  {label}", partial(ask, work))
        if check_journal(work) or read_tables(work, day, day).faults:
            raise SystemExit("the books do not balance")


@contextlib.contextmanager
def open_engine(database: str) -> Iterator[sa.Engine]:
    """A fresh migrated database."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="yichu-bench-"))
        url = f"sqlite:///{Path(folder) / 'yichu.db'}"
        if database == "postgresql":
            url = stack.enter_context(open_postgresql())
        engine = make_engine(url)
        migrate(engine)
        yield engine
        engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transfers", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    print(f"{options.database}, load {os.getloadavg()[0]:.1f}")
    with open_engine(options.database) as engine:
        run(engine, options.transfers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"load {os.getloadavg()[0]:.1f}, peak memory {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
