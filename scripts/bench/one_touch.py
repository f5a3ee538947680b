"""How long one touch takes: from POST to calculated, and from POST to decided, with many users.

Run: ``python -m scripts.bench.one_touch [--users 16] [--touches 6] [--pause 2.0] [--lines 85]``.

A whole embedded system is started (development ledger, worker, web: one machine, as ``make run``
starts it). A custodial hospital uploads a bill of so many lines for each touch; when all are
anchored, each user logs in and touches one bill at a time, thinking for ``--pause`` seconds
in between. Three times are taken of each touch:

- *answered*: from sending the form to the whole answer, with the amounts worked out and stored;
- *calculated*: from sending the form to the claim's being screened against the ledger and worked
  out on the year's totals, read from the database as the moment at which its lodge was asked for;
- *decided*: from sending the form to the decision; beside it how much of that was the ledger's,
  from the wish to lodge to its being final.

Beside them stand the processor time that web, worker and ledger spent on a touch, and why claims
went to a person, if any did: the bills are such that the machine decides them.

Time never fails it: figures stand beside the bars (calculated: median 150 ms, 99th percentile
500 ms), with the load average.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.catalogue import Catalogue, CatalogueItem
from backend.domain.invoice import ExpenseLine
from backend.domain.register import FactKind
from scripts.bench.anchoring_bed import usage_of
from scripts.sample_data.bills import BillShape, SampleBill, bill_of
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.draw import Draw
from scripts.sample_data.expense_lines import line_of, price_list
from scripts.sample_data.hospitals import last_day_of_one_year
from scripts.sample_data.plausible import ChargedOnce, suits
from scripts.sample_data.population import Population
from scripts.sample_data.register_facts import sample_facts
from scripts.sample_data.set_up import set_up
from tests.e2e.fresh_bills import send
from tests.e2e.processes import wait_for
from tests.e2e.system import System

_CUSTODIAL: Final = 2
_MEDIAN_BAR, _P99_BAR = 150.0, 500.0
_SERIAL: Final = 7_000_000
_E6_PER_FEN: Final = 10_000
_KINDS: Final = 120
_TIMES_MAX: Final = 2
_DIAGNOSIS: Final = ("J06.900", "急性上呼吸道感染")
_STOCKED: Final = ("XA10B", "XC07", "XC08", "XC09", "XC10", "XB01AC", "XN05C")
_STOCKED_WORDS: Final = ("奥司他韦", "白蛋白", "病历复印", "远程会诊")
_PLAIN_FACTS: Final = {FactKind.COVER, FactKind.AREA}
_UNDER_WAY: Final = (
    "submitted", "screened", "calculated", "lodging", "lodged", "decided", "settling",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Touch:
    """One touch: the bill, when the form was sent, how long the answer took (seconds)."""

    invoice_id: str
    sent_at: dt.datetime
    answered: float


def _prices(catalogue: Catalogue, on: dt.date) -> tuple[CatalogueItem, ...]:
    """What the bills are drawn from: the cheaper ordinary things of a visit, none of them bought
    by the box for weeks, so that a person with many bills has no stock of it."""
    items = {item.code: item for item in price_list(catalogue, on).outpatient}
    usual = [item for item in items.values() if not _is_stocked(item)]
    return tuple(sorted(usual, key=lambda item: (item.price_fen, item.code))[:_KINDS])


def _is_stocked(item: CatalogueItem) -> bool:
    return item.code.startswith(_STOCKED) or any(word in item.name for word in _STOCKED_WORDS)


def plain_citizens(population: Population, users: int) -> list[Citizen]:
    """Citizens of whom the register knows their insurance and no more: on a hardship status or a
    civil servant's supplement the policy's sources leave points open, which a person settles."""
    plain = [
        one
        for one in population.citizens
        if {fact.kind for fact in sample_facts(one, population.as_of)} <= _PLAIN_FACTS
    ]
    assert len(plain) >= users, f"the sample has {len(plain)} citizens for this"
    return plain[:users]


def touched_bill(population: Population, who: Citizen, place: int, lines: int) -> SampleBill:
    """A visit on a day of its own that the machine can decide: each bill draws its own things,
    and charges none of them twice a day, as :class:`ChargedOnce` has it."""
    where = population.hospitals[_CUSTODIAL]
    day = last_day_of_one_year(population.as_of) - dt.timedelta(days=45 + 3 * place)
    prices = _prices(population.catalogue, day)
    draw = Draw(_SERIAL, f"one-touch/{who.index}/{place}")
    once, suitable = ChargedOnce(), suits(who.age_on(day))
    times: Counter[str] = Counter()
    charged: list[ExpenseLine] = []
    while len(charged) < lines:
        item = draw.one_of(prices)
        if times[item.code] < _TIMES_MAX and suitable(item) and once.is_free(item, ""):
            times[item.code] += 1
            price_e6 = item.price_fen * _E6_PER_FEN
            charged.append(line_of(item, quantity_e4=10_000, price_e6=price_e6))
    shape = BillShape(day, _SERIAL + who.index * 1_000 + place, diagnosis=_DIAGNOSIS)
    return SampleBill(where, who, "json", bill_of(where, who, shape, tuple(charged)))


def _prepare(
    system: System, people: Sequence[Citizen], touches: int, lines: int
) -> list[list[str]]:
    """Upload all bills and wait until they are anchored; invoice ids by user."""
    bills = [
        [touched_bill(system.population, who, place, lines) for place in range(touches)]
        for who in people
    ]
    for row in bills:
        for bill in row:
            send(system, bill)
    agent = system.agents[bills[0][0].hospital.code]
    ids = [[system.invoice_id(bill.invoice) for bill in row] for row in bills]
    for own in ids:
        for invoice_id in own:
            wait_for(
                "the anchors to be final",
                lambda one=invoice_id: agent.status(one)["anchor"]["state"] == "final",  # type: ignore[misc]
                120,
            )
    return ids


class _User(threading.Thread):
    """One citizen with a phone: logs in, and touches a bill every few seconds."""

    def __init__(self, system: System, username: str, bills: Sequence[str], pause: float) -> None:
        super().__init__(name=username)
        self.citizen = system.citizen(username)
        self.bills = bills
        self.pause = pause
        self.touches: list[Touch] = []

    def run(self) -> None:
        # Not all at the same moment: people do not breathe in step.
        time.sleep(self.pause * (zlib.crc32(self.name.encode()) % 97) / 97)
        for invoice_id in self.bills:
            check = self.citizen.check([invoice_id])
            sent_at, began = dt.datetime.now(dt.UTC), time.perf_counter()
            receipt = self.citizen.confirm(check)
            took = time.perf_counter() - began
            assert receipt.status == 200, receipt.text[:300]
            self.touches.append(Touch(invoice_id, sent_at, took))
            time.sleep(self.pause)


def _times(system: System, touches: Sequence[Touch]) -> dict[str, list[float]]:
    """Milliseconds of each touch, from the rows that it left."""
    found: dict[str, list[float]] = {"answered": [t.answered * 1000 for t in touches]}
    with system.services.engine.connect() as connection:
        for touch in touches:
            claim = _row(connection, tables.claim, invoice_id=touch.invoice_id)
            lodge = _row(connection, tables.ledger_intent, subject_id=claim.id, kind="lodge")
            decision = _first(connection, tables.decision, claim_id=claim.id)
            _add(found, "calculated", lodge.created_at - touch.sent_at)
            if decision is not None:
                _add(found, "decided", decision.decided_at - touch.sent_at)
            _add(found, "ledger", lodge.updated_at - lodge.created_at)
    return found


def _add(found: dict[str, list[float]], name: str, span: dt.timedelta) -> None:
    found.setdefault(name, []).append(span.total_seconds() * 1000)


def _first(connection: sa.Connection, table: sa.Table, **where: Any) -> Any:
    return connection.execute(sa.select(table).filter_by(**where)).first()


def _row(connection: sa.Connection, table: sa.Table, **where: Any) -> Any:
    row = _first(connection, table, **where)
    assert row is not None, (table.name, where)
    return row


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _print(times: dict[str, list[float]], users: int) -> None:
    print(f"{users} users, load average {os.getloadavg()[0]:.1f}; milliseconds")
    print(f"{'from POST to':<14}{'touches':>8}{'median':>9}{'p99':>9}{'worst':>9}")
    for name, values in times.items():
        median, p99 = statistics.median(values), _percentile(values, 0.99)
        text = f"{name:<14}{len(values):>8}{median:>9.0f}{p99:>9.0f}{max(values):>9.0f}"
        if name in ("answered", "calculated"):
            text += f"   bars {_MEDIAN_BAR:.0f} and {_P99_BAR:.0f}:"
            text += f" {median / _MEDIAN_BAR:.2f} and {p99 / _P99_BAR:.2f} of them"
        if name == "ledger":
            text += "   the ledger's part of decided: from the wish to lodge to final"
        print(text)


def measure(users: int, touches: int, pause: float, lines: int) -> dict[str, list[float]]:
    """Run it once; the times in milliseconds by name."""
    with tempfile.TemporaryDirectory(prefix="yichu-one-touch-") as folder:
        system = System(Path(folder))
        try:
            system.up()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("YICHU_KEYSTORE_SCRYPT", "cheap")
                system.keys = set_up(system.services, system.population, lambda _text: None)
            citizens = plain_citizens(system.population, users)
            ids = _prepare(system, citizens, touches, lines)
            people = [
                _User(system, citizen.username, bills, pause)
                for citizen, bills in zip(citizens, ids, strict=True)
            ]
            before = _used(system)
            for person in people:
                person.start()
            for person in people:
                person.join()
            done = [touch for person in people for touch in person.touches]
            assert len(done) == users * touches, "a user stopped early"
            _until_at_rest(system)
            _print_used(before, _used(system), len(done))
            _print_reasons(system)
            return _times(system, done)
        finally:
            system.down()


def _used(system: System) -> dict[str, float]:
    """Processor seconds of each process and of those that it started, so far."""
    return {
        process.name: sum(usage_of(pid).seconds for pid in process.pids)
        for process in (system.web, system.worker, system.ledger)
    }


def _print_used(before: dict[str, float], after: dict[str, float], touches: int) -> None:
    each = ((name, (after[name] - before[name]) * 1000 / touches) for name in before)
    print("processor time a touch:", ", ".join(f"{name} {spent:.0f} ms" for name, spent in each))


def _print_reasons(system: System) -> None:
    """Why claims went to a person; a run whose bills are clean has nothing to say here."""
    counted = Counter(row.code for row in system.rows(tables.pend_reason))
    if counted:
        print("asked of people:", ", ".join(f"{code} {n}" for code, n in counted.most_common()))


def _until_at_rest(system: System) -> None:
    wait_for(
        "the claims to come to rest",
        lambda: all(row.state not in _UNDER_WAY for row in system.rows(tables.claim)),
        300,
        0.5,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--touches", type=int, default=6)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds a user thinks")
    parser.add_argument("--lines", type=int, default=85)
    options = parser.parse_args()
    times = measure(options.users, options.touches, options.pause, options.lines)
    _print(times, options.users)


if __name__ == "__main__":
    main()
