"""How fast the anchoring worker is, with a real worker process and a real node.

Run: ``python -m scripts.bench.anchoring [--database postgresql] [--only outbox,bills,lodge,lag]``.
It needs the npm packages of contracts/ (anvil). Four measurements, each with its bar; a missed bar
is printed and never an error, since other programs share the machine:

- outbox: from committed anchor intents to anchored and final, instant blocks: 2,000 invoices/s
- bills: from stored bills in no batch to anchored and final, instant blocks (no bar of its own)
- lodge: from the commit of one lodge's intent to the block that holds it, blocks of 1 second, at a
  random phase: 1 second + 300 milliseconds at the median
- lag: from the block to the final state of each anchor, 132 institutions, blocks of 1 second

Afterwards the ledger itself is asked whether every batch is there, once.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from backend.adapters.database.tables import alarm, batch, institution, ledger_intent
from backend.adapters.ledger.codec import event_topic
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.intake.form_batches import form_batches
from scripts.bench.anchoring_bed import Bed, BlockWatch, open_bed, usage_of

BATCH = 1_000
BAR_A_SECOND = 2_000
BAR_LODGE_SECONDS = 1.3
INSTITUTIONS_OF_A_CITY = 132
_LIMIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Options:
    database: str
    invoices: int
    institutions: int
    document_bytes: int
    lodges: int


def measure_outbox(options: Options) -> None:
    """Batches are formed beforehand; their intents are committed as one when the worker idles."""
    rounds = options.invoices // (options.institutions * BATCH)
    with open_bed(options.database, options.institutions) as bed:
        for _ in range(rounds):
            for code in bed.codes:
                bed.add_bills(code, BATCH, 64)
            _form_all(bed)
        wanted = rounds * options.institutions
        assert len(bed.ask(sa.select(batch.c.id).where(batch.c.size == BATCH))) == wanted
        queue = sa.update(ledger_intent)
        bed.write(queue.values(state=str(IntentState.QUARANTINED)))  # nobody touches them
        _time_worker(
            bed,
            "outbox",
            wanted * BATCH,
            queue.values(state=str(IntentState.QUEUED)),
            lambda: _count(bed, IntentState.FINAL) == wanted,
        )


def measure_bills(options: Options) -> None:
    """Nothing is formed beforehand; the institutions are made known when the worker idles."""
    each = options.invoices // options.institutions
    with open_bed(options.database, options.institutions) as bed:
        for code in bed.codes:
            for first in range(0, each, BATCH):
                bed.add_bills(code, min(BATCH, each - first), options.document_bytes)
        wanted = each * options.institutions
        numbers = bed.ask(sa.select(institution.c.code, institution.c.ledger_number))
        bed.write(sa.update(institution).values(ledger_number=None))
        leaves = sa.select(sa.func.sum(batch.c.size))

        def is_done() -> bool:
            return bed.ask(leaves)[0][0] == wanted and _count(bed, *IntentState) == _count(
                bed, IntentState.FINAL
            )

        by_code = sa.case(dict(map(tuple, numbers)), value=institution.c.code)
        known = sa.update(institution).values(ledger_number=by_code)
        _time_worker(bed, "bills", wanted, known, is_done)


def _form_all(bed: Bed) -> None:
    while form_batches(bed.services):
        pass


def _time_worker(
    bed: Bed, name: str, invoices: int, release: sa.Update, is_done: Callable[[], bool]
) -> None:
    """From the commit that gives an idle worker its work until all of it is final."""
    with bed.worker() as pid:
        bed.write(release)
        began, before = time.monotonic(), usage_of(pid)
        _wait(is_done, 0.05)
        seconds = time.monotonic() - began
        after = usage_of(pid)
    _check_ledger(bed)
    rate = invoices / seconds
    print(
        f"{name}: {invoices:,} invoices in {seconds:.2f} s: {rate:,.0f}/s, "
        f"{rate / BAR_A_SECOND:.2f} of the bar of {BAR_A_SECOND:,}/s; worker: "
        f"{after.seconds - before.seconds:.2f} s of processor time and "
        f"{after.waited - before.waited:.2f} s of waiting for it, {after.peak_mib:.0f} MiB"
    )


def measure_lodge(options: Options) -> None:
    """One lodge at a time, at random moments between blocks."""
    rng = random.Random(2)
    with open_bed(options.database, 1) as bed:
        bed.add_bills(bed.codes[0], BATCH, 64)
        _form_all(bed)
        (leaves,) = [row[0] for row in bed.ask(sa.select(batch.c.id))]
        with bed.services.work(write=False) as work:
            versions = [version for _, version in work.batches.leaves(leaves)]
            positions = [work.batches.position_of(v) for v in versions[: options.lodges]]
        with bed.worker() as pid:
            _wait(lambda: _count(bed, IntentState.FINAL) == 1, 0.05)
            bed.set_block_seconds(1)
            deadline = int(time.time()) + 86_400
            committed: dict[str, float] = {}
            with BlockWatch(bed) as watch:
                used, started = usage_of(pid).seconds, time.monotonic()
                for position in positions:
                    assert position is not None
                    time.sleep(rng.uniform(0.5, 1.7))
                    intent_id = _want_lodge(bed, position.to_payload(), deadline)
                    committed[intent_id] = time.monotonic()
                _wait(lambda: _count(bed, IntentState.FINAL) == 1 + len(committed), 0.05)
                time.sleep(0.1)
                elapsed = time.monotonic() - started
                share = (usage_of(pid).seconds - used) / elapsed
            rows = bed.ask(
                sa.select(ledger_intent.c.id, ledger_intent.c.block_number).where(
                    ledger_intent.c.kind == str(IntentKind.LODGE), ledger_intent.c.outcome == "done"
                )
            )
        assert len(rows) == len(committed), f"only {len(rows)} lodges took effect"
        waits = [watch.seen[block] - committed[intent_id] for intent_id, block in rows]
    middle, late = statistics.median(waits), statistics.quantiles(waits, n=20)[-1]
    print(
        f"lodge: {len(waits)} lodges, from commit to block: median {middle:.3f} s "
        f"({middle / BAR_LODGE_SECONDS:.2f} of the bar of {BAR_LODGE_SECONDS} s), "
        f"p95 {late:.3f} s; the worker used {share:.0%} of a core meanwhile"
    )


def _want_lodge(bed: Bed, position: dict[str, object], deadline: int) -> str:
    services = bed.services
    intent = LedgerIntent(
        id=services.ids.new_id("int"),
        kind=IntentKind.LODGE,
        account=services.keystores.account_of("payer-1"),
        held=True,
        dedupe_key=services.ids.new_id("lodge"),
        subject_id=services.ids.new_id("clm"),
        payload={"position": position, "payer": 1, "counter": 1, "deadline": deadline},
    )
    with services.work() as work:
        assert work.outbox.add(intent)
        work.commit()
    return intent.id


def measure_lag(options: Options) -> None:
    """Two batches an institution, all at once; how long each waits for its final state."""
    with open_bed(options.database, INSTITUTIONS_OF_A_CITY) as bed:
        for _ in range(2):
            for code in bed.codes:
                bed.add_bills(code, 20, 64)
            _form_all(bed)
        wanted = 2 * len(bed.codes)
        bed.set_block_seconds(1)
        finals: dict[str, tuple[int, float]] = {}
        statement = sa.select(ledger_intent.c.id, ledger_intent.c.block_number).where(
            ledger_intent.c.state == str(IntentState.FINAL)
        )

        def is_done() -> bool:
            now = time.monotonic()
            for intent_id, block in bed.ask(statement):
                finals.setdefault(intent_id, (block, now))
            return len(finals) == wanted

        with BlockWatch(bed) as watch, bed.worker() as pid:
            started, used = time.monotonic(), usage_of(pid).seconds
            _wait(is_done, 0.02)
            seconds, after = time.monotonic() - started, usage_of(pid)
            time.sleep(0.1)
        _check_ledger(bed)
    lags = [at - watch.seen[block] for block, at in finals.values()]
    print(
        f"lag: {wanted} batches of {len(bed.codes)} institutions, final after {seconds:.1f} s; "
        f"from block to final state: median {statistics.median(lags):.2f} s, "
        f"worst {max(lags):.2f} s; worker: {after.seconds - used:.2f} s of processor time, "
        f"{after.peak_mib:.0f} MiB"
    )


def _count(bed: Bed, *states: IntentState) -> int:
    statement = sa.select(sa.func.count()).select_from(ledger_intent)
    chosen = statement.where(ledger_intent.c.state.in_([str(state) for state in states]))
    return int(bed.ask(chosen)[0][0])


def _wait(is_done: Callable[[], bool], every: float) -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError("the worker does not come to an end")
        time.sleep(every)


def _check_ledger(bed: Bed) -> None:
    """Every batch is on the ledger, once, and no alarm is open."""
    ledger = bed.services.ledger
    logs = bed.rpc(
        "eth_getLogs",
        {
            "fromBlock": "0x0",
            "toBlock": "latest",
            "address": ledger.deployment().invoice_ledger,
            "topics": ["0x" + event_topic("InvoiceLedger", "Anchored").hex()],
        },
    )
    stored = bed.ask(sa.select(batch))
    assert len(logs) == len(stored), f"{len(logs)} anchors for {len(stored)} batches"
    newest = {row.institution_code: row for row in sorted(stored, key=lambda row: row.sequence)}
    for code, row in newest.items():
        with bed.services.work(write=False) as work:
            number = work.institutions.get(code).ledger_number
        assert number is not None and ledger.batch_head(number, row.sequence) == row.head
    alarms = [tuple(row) for row in bed.ask(sa.select(alarm.c.code, alarm.c.detail))]
    assert not alarms, alarms


_MEASUREMENTS: dict[str, Callable[[Options], None]] = {
    "outbox": measure_outbox,
    "bills": measure_bills,
    "lodge": measure_lodge,
    "lag": measure_lag,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--invoices", type=int, default=60_000)
    parser.add_argument("--institutions", type=int, default=12)
    parser.add_argument("--document-kib", type=int, default=8, help="size of a bill's document")
    parser.add_argument("--lodges", type=int, default=60)
    parser.add_argument("--only", default=",".join(_MEASUREMENTS))
    given = parser.parse_args(arguments)
    names = given.only.split(",")
    if not set(names) <= set(_MEASUREMENTS):
        parser.error(f"--only takes a list of {', '.join(_MEASUREMENTS)}")
    if not 1 <= given.institutions <= given.invoices // BATCH:
        parser.error(f"each institution needs a batch: --invoices of at least {BATCH} times them")
    if not 2 <= given.lodges <= BATCH:
        parser.error(f"--lodges must be 2 to {BATCH}")
    options = Options(
        given.database, given.invoices, given.institutions, given.document_kib * 1024, given.lodges
    )
    print(f"{given.database}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in names:
        _MEASUREMENTS[name](options)
        print(f"  load {os.getloadavg()[0]:.1f} at the end of {name}", flush=True)


if __name__ == "__main__":
    main()
