"""32 devices claim the same 200 bills at once on PostgreSQL; two workers pay them meanwhile."""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.ledger import SlotState
from backend.service_layer.claims.ports import BillHeldError
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.journal.checking import check_journal
from tests.integration.claims.world import World
from tests.integration.payout.office import balance, rows
from tests.memory_bank import SetAccounts, claim_number_of, equip

pytestmark = pytest.mark.slow
THREADS = 32
BILLS = 200
AT_ONCE = 10
"""Bills of one form: the devices overlap in part of a form too."""

PEOPLE = 20
Form = tuple[str, list[str]]
DAY = dt.date(2026, 11, 3)


@pytest.fixture
def world(tmp_path: Path, postgresql_url: str) -> Iterator[World]:
    made = World.make(tmp_path, postgresql_url)
    yield made
    made.services.engine.dispose()


def race(world: World, forms: Sequence[Form], halves: Sequence[Form] = ()) -> Counter[str]:
    """Every device hands in every form of its kind, each in an order of its own; what they were
    told. Devices with an even number take whole forms, the others what ``halves`` are of them."""
    barrier = threading.Barrier(THREADS)
    told: Counter[str] = Counter()
    lock = threading.Lock()

    def device(index: int) -> None:
        barrier.wait()
        mine = halves if halves and index % 2 else forms
        for step in range(len(mine)):
            person_id, bills = mine[(index * 7 + step) % len(mine)]
            token = secrets.token_urlsafe(32)
            try:
                made = submit(world.services, person_id, bills, token, has_consent=True)
                answer, count = "accepted", len(made.claims)
            except BillHeldError:
                answer, count = "held", 1
            with lock:
                told[answer] += count

    threads = [threading.Thread(target=device, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=240)
    assert not any(thread.is_alive() for thread in threads)
    return told


def second_worker(world: World) -> Services:
    """Services of another process on the same database, ledger and bank."""
    before = world.services
    services = Services(before.settings, SetClock(before.clock.now()), RandomIds())
    services.__dict__["engine"] = before.engine
    services.__dict__["ledger"] = world.ledger
    equip(services, world.bank)
    accounts = world.services.payees
    assert isinstance(accounts, SetAccounts)
    services.__dict__["payees"] = accounts
    return services


def pay_with_two_workers(world: World) -> None:
    """One brings the claims to their settlement; then both at the same moment, again and again,
    until nothing moves any more."""
    for _ in range(40):
        if not advance_claims(world.services, at_once=True, with_payouts=False) + world.mine():
            break
    workers = (world.services, second_worker(world))
    with ThreadPoolExecutor(len(workers)) as pool:
        for _ in range(60):
            passes = [pool.submit(advance_claims, one, at_once=True) for one in workers]
            moved = [one.result(timeout=120) for one in passes]
            if not world.mine() and not any(moved):
                return
    raise AssertionError("it never came to rest")


@pytest.mark.timeout(600)
def test_32_devices_claim_200_bills_and_each_is_accepted_and_paid_once(world: World) -> None:
    people = [world.person(username=f"citizen{number:02d}") for number in range(PEOPLE)]
    forms = []
    for number, person in enumerate(people):
        bills = [
            world.bill(person, 400 + place + number, DAY - dt.timedelta(days=place * 3))
            for place in range(AT_ONCE)
        ]
        forms.append((person.id, bills))
    world.anchor()
    # Whole forms and parts of them at once: a form with a bill that is taken is refused as a whole.
    told = race(world, forms, [(who, bills[3:8]) for who, bills in forms])
    assert 0 < told["accepted"] <= BILLS and told["held"]
    remaining(world, forms)
    claims = rows(world, tables.claim)
    assert len(claims) == BILLS
    assert {row.invoice_id for row in claims} == {bill for _, bills in forms for bill in bills}
    pay_with_two_workers(world)
    assert_all_agree(world)


def remaining(world: World, forms: Sequence[tuple[str, list[str]]]) -> None:
    """A form of which a half was claimed already was refused as a whole: its other bills are
    claimed one by one, by all devices at once."""
    taken = {row.invoice_id for row in rows(world, tables.claim)}
    left = [(who, [bill]) for who, bills in forms for bill in bills if bill not in taken]
    if left:
        assert race(world, left)["accepted"] == len(left)


def assert_all_agree(world: World) -> None:
    """Ledger, database, journal and bank: each bill once, and of the same amount."""
    claims = {row.id: row for row in rows(world, tables.claim)}
    assert Counter(row.state for row in claims.values()) == {"paid": BILLS}
    keys = {row.id: row.invoice_key for row in rows(world, tables.invoice)}
    on_ledger = {
        row.number: slot_of(world, keys[row.invoice_id]).paid_fen for row in claims.values()
    }
    assert Counter(kind for kind, _ in world.ledger.calls) == {"lodge": BILLS, "settle": BILLS}
    decided = {claims[r.claim_id].number: r.paid_fen for r in rows(world, tables.decision)}
    assert decided == on_ledger and len(decided) == BILLS
    at_bank = {claim_number_of(name): fen for name, (_, fen) in world.bank.paid.items()}
    assert at_bank == {number: fen for number, fen in on_ledger.items() if fen}
    assert len(world.bank.paid) == len(at_bank) == len(rows(world, tables.payment_attempt))
    assert (balance(world, "payable"), balance(world, "transit")) == (0, 0)
    with world.services.work(write=False) as work:
        assert check_journal(work) == []
    assert [row.code for row in rows(world, tables.alarm)] == []


def slot_of(world: World, key: bytes) -> SlotState:
    return world.ledger.slots[key]
