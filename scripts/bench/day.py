"""A day of payments: settled claims are approved, paid through pain.001 files, answered, booked and
reconciled.

Run: ``python -m scripts.bench.day [--claims 15605] [--database postgresql]``. 15,605 is the
number of self-pay bills that Quzhou has published as uploaded, over a time that it does not state:
here they are one day's, which is far more than a day brings.

One claim goes all the way to its settlement; the others are copies of its rows under names, keys
and people of their own. Their ledger is one in memory, so that the time is that of database, files
and bank; the files are ISO 20022 and are checked against the schemas, the bank is the simulated one
with its own book on disk. One person in a hundred has a closed account: those payments are
rejected, the account is corrected, and a second run pays them. In the end every account of the
journal is compared with what was decided, and every credit in the bank's book with what is owed:
any difference ends the run with an error.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.domain.ledger import SlotState
from backend.service_layer.handling.advance import advance_claims, advance_one
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.money_tables import read_tables
from backend.service_layer.payout.answers import take_in_answers
from backend.service_layer.payout.hand_over import hand_over_files
from backend.service_layer.payout.instruct import FILE_ITEMS
from backend.service_layer.payout.records import Lane
from backend.service_layer.payout.run import run_lane
from scripts.bench.anchoring_bed import open_postgresql
from tests.integration.claims.revising import claim_on
from tests.integration.claims.world import World
from tests.memory_bank import equip_durably
from verifier.commitment.canonical import parse_canonical
from verifier.commitment.fingerprint import compute_fingerprint

DAY: Final = dt.date(2026, 11, 3)
CLOSED_EVERY: Final = 100
CLOSED_TAIL, GOOD_TAIL = "0004", "6217"
CHUNK: Final = 1_000
DIGITS: Final = 6
DAY_SECONDS: Final = 8 * 3600
PROMISED_DAYS: Final = 5
LEGAL_DAYS: Final = 20
WINDOW_SECONDS: Final = 10 * 3600
"""From 16:00, when a daily run begins, to 02:00, when the books are compared (defaults of
``YICHU_PAYOUT_RUN_AT`` and ``YICHU_RECONCILE_AT``)."""
PEAK_MIB_MAX: Final = 512
COPIED: Final = (
    "person", "register_fact", "invoice", "invoice_version", "expense_line", "bill_trait",
    "submission", "claim", "calculation", "decision", "decision_cause", "ledger_intent",
)  # fmt: skip
_NAMES: Final = ("id", "identity_number", "invoice_number", "form_token", "public_token")


class Copies:
    """Rows of one settled claim, written again with other names."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fingerprints: dict[int, tuple[str, str]] = {}
        with world.services.engine.connect() as connection:
            self._rows = {
                name: [dict(row._mapping) for row in self._of_claim(connection, name)]
                for name in COPIED
            }
        (bill,) = self._rows["invoice"]
        self._key: bytes = bytes(bill["invoice_key"])
        (submission,) = self._rows["submission"]
        names = {submission["number"], self._key.hex()}
        for rows in self._rows.values():
            names |= {row[key] for row in rows for key in _NAMES if key in row}
        self._pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))

    def _of_claim(self, connection: sa.Connection, name: str) -> list[Any]:
        table = tables.metadata.tables[name]
        found = connection.execute(sa.select(table)).all()
        if name == "ledger_intent":
            return [row for row in found if row.kind in ("lodge", "settle")]
        return list(found)

    def add(self, count: int) -> None:
        """So many copies, numbered from 2, also of their slots on the ledger."""
        slots = self._world.ledger.slots
        for start in range(2, count + 2, CHUNK):
            numbers = range(start, min(count + 2, start + CHUNK))
            with self._world.services.engine.begin() as connection:
                for name, rows in self._rows.items():
                    copied = [self._copy(row, name, n) for n in numbers for row in rows]
                    connection.execute(sa.insert(tables.metadata.tables[name]), copied)
            slot: SlotState = slots[self._key]
            slots.update({self._key_of(n): slot for n in numbers})

    def _key_of(self, number: int) -> bytes:
        return bytes.fromhex(self._named(self._key.hex(), number))

    def _named(self, name: str, number: int) -> str:
        return name[:-DIGITS] + f"{number:0{DIGITS}d}"

    def _copy(self, row: dict[str, Any], table: str, number: int) -> dict[str, Any]:
        def renamed(value: Any) -> Any:
            if not isinstance(value, str):
                return value
            return self._pattern.sub(lambda found: self._named(found.group(), number), value)

        made = {key: renamed(value) for key, value in row.items()}
        if table == "decision":
            box = self._world.services.secret_box
            secret = box.unwrap(row["wrapped_secret"], row["id"])
            made["wrapped_secret"] = box.wrap(secret, made["id"])
            record: Any = parse_canonical(made["explanation"].encode())
            made["fingerprint"] = compute_fingerprint(record, secret)
            self._fingerprints[number] = (row["fingerprint"].hex(), made["fingerprint"].hex())
        if table == "ledger_intent":
            made["payload"] = made["payload"].replace(*self._fingerprints[number])
        if table == "invoice":
            made["invoice_key"] = self._key_of(number)
        if table == "person":
            is_closed = number % CLOSED_EVERY == 0
            made["payee_account_tail"] = CLOSED_TAIL if is_closed else GOOD_TAIL
        return made


def settled_world(folder: Path, url: str | None) -> World:
    """A city with one claim that is settled, for a person with a working account."""
    world = World.make(folder, url)
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    for _ in range(40):
        if str(world.claim(claim.id).state) == "settled":
            return world
        advance_claims(world.services, with_payouts=False)
        world.mine()
    raise SystemExit(f"the claim was never settled: {world.claim(claim.id)}")


class Stages:
    """Prints what each stage took; the sums are of a day, the copies are not."""

    def __init__(self, server: ServerTime) -> None:
        self._server = server
        self.wall = self.busy = self.served = 0.0

    def run(self, label: str, act: Callable[[], Any], count: int, *, is_day: bool = True) -> None:
        """Run a stage: wall, processor time of this process and of the database's, peak memory."""
        started, cpu, served = time.perf_counter(), time.process_time(), self._server.seconds()
        act()
        took, busy = time.perf_counter() - started, time.process_time() - cpu
        served = self._server.seconds() - served
        print(
            f"{label:<42} {took:>8.1f} s  processor {busy:>7.1f} s  database {served:>7.1f} s  "
            f"{count / took:>6,.0f} claims/s  {peak_mib():>5,.0f} MiB",
            flush=True,
        )
        if is_day:
            self.wall, self.busy, self.served = (
                self.wall + took,
                self.busy + busy,
                self.served + served,
            )


def timed(label: str, act: Callable[[], Any], count: int) -> float:
    """Print what it took without a database server; returns the seconds."""
    stages = Stages(ServerTime(None))
    stages.run(label, act, count)
    return stages.wall


class ServerTime:
    """Processor seconds of a PostgreSQL server: its first process, those that it has waited for,
    and its children now. Without a server, and where there is no /proc, 0."""

    def __init__(self, url: str | None) -> None:
        self._pid = 0
        if url is not None and Path("/proc/self/stat").exists():
            engine = make_engine(url)
            with engine.connect() as connection:
                folder = connection.execute(sa.text("SHOW data_directory")).scalar_one()
            engine.dispose()
            self._pid = int((Path(folder) / "postmaster.pid").read_text().split()[0])

    def seconds(self) -> float:
        if not self._pid:
            return 0.0
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(stat.parent.name) == self._pid:
                    ticks += sum(map(int, fields[11:15]))
                elif int(fields[1]) == self._pid:
                    ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(world: World, bank: SimulatedBank, claims: int, stages: Stages) -> None:
    """The day itself."""
    services = world.services
    _later(world)
    stages.run(
        "copies of a settled claim (no part of a day)",
        lambda: Copies(world).add(claims - 1),
        claims,
        is_day=False,
    )
    with services.engine.connect() as connection:
        due = list(connection.execute(sa.select(tables.claim.c.id)).scalars())
    if len(due) != claims:
        raise SystemExit(f"{len(due)} claims are settled, {claims} were wanted")
    stages.run(
        "approved: slot read, payable, journal",
        lambda: [advance_one(services, c) for c in due],
        claims,
    )
    stages.run("payment files written, slots read again", lambda: _instruct(world, claims), claims)
    stages.run("files handed over, carried out by bank", lambda: _hand_over(world, bank), claims)
    stages.run("answers read, compared and booked", lambda: take_in_answers(services), claims)
    closed = _correct_accounts(world)
    stages.run(
        f"second run: {closed} corrected accounts", lambda: _second_run(world, bank), max(1, closed)
    )
    stages.run(
        "books, bank, ledger, decisions compared", lambda: check(world, bank, claims), claims
    )
    stages.run("reconciliation of the money, every rule", lambda: _reconcile(world), claims)


def _instruct(world: World, claims: int) -> None:
    done = run_lane(world.services, Lane.DAILY)
    if (done.instructed, done.files, done.is_whole) != (claims, -(-claims // FILE_ITEMS), True):
        raise SystemExit(f"the daily run came to {done}")


def judge(stages: Stages, claims: int) -> None:
    """Print the day beside what it must fit into; raises SystemExit when it does not."""
    busy = stages.busy + stages.served
    print(
        f"the day: {stages.wall:,.1f} s, processor {stages.busy:,.1f} s and {stages.served:,.1f} s "
        f"of the database: {busy / claims * 1000:.1f} ms a claim\n"
        f"{stages.wall / WINDOW_SECONDS:.3f} of the time from the run at 16:00 to the "
        f"reconciliation ({WINDOW_SECONDS / 3600:.0f} h), {stages.wall / DAY_SECONDS:.3f} of a "
        f"working day; Quzhou promises {PROMISED_DAYS} working days from claim to money, "
        f"the law {LEGAL_DAYS}"
    )
    if stages.wall > WINDOW_SECONDS or peak_mib() > PEAK_MIB_MAX:
        raise SystemExit(f"beyond its limits: {WINDOW_SECONDS} s and {PEAK_MIB_MAX} MiB")


def _later(world: World) -> None:
    assert isinstance(world.services.clock, SetClock)
    world.services.clock.advance(60)


def _hand_over(world: World, bank: SimulatedBank) -> None:
    while hand_over_files(world.services):
        pass
    bank.incoming()


def _correct_accounts(world: World) -> int:
    """Everybody whose payment was rejected names another account."""
    with world.services.engine.connect() as connection:
        waiting = connection.execute(
            sa.select(tables.person.c.id, tables.person.c.name)
            .join(tables.claim, tables.claim.c.person_id == tables.person.c.id)
            .where(tables.claim.c.state == "paying")
        ).all()
    for row in waiting:
        world.accounts.correct(row.id, row.name, f"TEST-{row.id[-12:]}-{GOOD_TAIL}")
    return len(waiting)


def _second_run(world: World, bank: SimulatedBank) -> None:
    _later(world)
    run_lane(world.services, Lane.DAILY)
    _hand_over(world, bank)
    take_in_answers(world.services)


def check(world: World, bank: SimulatedBank, claims: int) -> None:
    """Raises SystemExit unless every claim is paid once, of what was decided, everywhere."""
    services = world.services
    with services.engine.connect() as connection:
        unpaid = connection.execute(
            sa.select(sa.func.count())
            .select_from(tables.claim)
            .where(tables.claim.c.state != "paid")
        ).scalar_one()
        decided = connection.execute(
            sa.select(sa.func.sum(tables.decision.c.paid_fen))
        ).scalar_one()
    with bank.book.open() as page:
        credits = page.credits()
    numbers = {one.end_to_end_id.rsplit("-V", 1)[0] for one in credits}
    on_ledger = sum(slot.paid_fen for slot in world.ledger.slots.values())
    at_bank = sum(one.amount_fen for one in credits)
    today = services.clock.now().date()
    with services.work(write=False) as work:
        faults = [*check_journal(work), *read_tables(work, today, today).faults]
        transit = work.journal.balance(f"transit:{services.settings.region}")
        payable = work.journal.balance(f"payable:{services.settings.region}")
    if faults or unpaid or (transit, payable) != (0, 0):
        raise SystemExit(f"{faults}, {unpaid} unpaid, {transit} and {payable} fen under way")
    if not len(credits) == len(numbers) == claims or not at_bank == decided == on_ledger:
        raise SystemExit(f"{len(credits)} credits: {at_bank}, {decided} and {on_ledger} fen")


def _reconcile(world: World) -> None:
    """Every numbered rule over bills, claims, journal, files, bank and ledger."""
    from backend.service_layer.money_reconciliation.rules import find_mismatches

    found = find_mismatches(world.services)
    if found:
        raise SystemExit(f"{len(found)} rows disagree, the first: {found[0]}")


@contextlib.contextmanager
def open_world(database: str) -> Iterator[tuple[World, SimulatedBank, ServerTime]]:
    """A city on a fresh database, with the simulated bank in a folder."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yichu-bench-")))
        url = stack.enter_context(open_postgresql()) if database == "postgresql" else None
        server = ServerTime(url)
        world = settled_world(folder, url)
        yield world, equip_durably(world.services, folder), server
        world.services.engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=15_605)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    print(f"{options.claims:,} claims on {options.database}, load {os.getloadavg()[0]:.1f}")
    with open_world(options.database) as (world, bank, server):
        stages = Stages(server)
        run(world, bank, options.claims, stages)
        judge(stages, options.claims)
    print(f"load {os.getloadavg()[0]:.1f}, peak memory {peak_mib():,.0f} MiB")


if __name__ == "__main__":
    main()
