"""Double submission from many devices at once: exactly one effect, on both databases."""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.service_layer.claims.ports import BillHeldError
from backend.service_layer.claims.submit import submit
from tests.integration.claims.world import World

THREADS = 16
DAY = dt.date(2026, 11, 3)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        made = World.make(tmp_path)
        yield made
        made.services.engine.dispose()
        return
    made = World.make(tmp_path, request.getfixturevalue("postgresql_url"))
    yield made
    made.services.engine.dispose()


def race(world: World, person_id: str, invoices: list[str], tokens: list[str]) -> list[str]:
    """Submit from 16 threads at once; what each was told."""
    barrier = threading.Barrier(THREADS)
    told: list[str] = [""] * THREADS

    def one(index: int) -> None:
        barrier.wait()
        try:
            result = submit(world.services, person_id, invoices, tokens[index], has_consent=True)
            told[index] = f"{'new' if result.is_new else 'same'} {result.submission.number}"
        except BillHeldError as error:
            told[index] = "held " + ",".join(c.number for c in error.holders.values())

    threads = [threading.Thread(target=one, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return told


def count(world: World, table: sa.Table) -> int:
    with world.services.engine.begin() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_sixteen_devices_make_one_claim_and_the_losers_are_told_which(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    told = race(world, person.id, [bill], [secrets.token_urlsafe(32) for _ in range(THREADS)])
    winners = [words.split()[1] for words in told if words.startswith("new")]
    assert len(winners) == 1
    assert sorted(told)[:-1] == [f"held {winners[0]}-01"] * (THREADS - 1)
    assert (count(world, tables.submission), count(world, tables.claim)) == (1, 1)


def test_the_same_form_sixteen_times_is_one_submission_for_all(world: World) -> None:
    person = world.person()
    bills = [world.bill(person, 400, DAY), world.bill(person, 90, DAY)]
    told = race(world, person.id, bills, [secrets.token_urlsafe(32)] * THREADS)
    assert len({words.split()[1] for words in told}) == 1
    assert sorted(words.split()[0] for words in told) == ["new"] + ["same"] * (THREADS - 1)
    assert (count(world, tables.submission), count(world, tables.claim)) == (1, 2)


def test_the_raced_claim_is_paid_once(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    world.anchor()
    race(world, person.id, [bill], [secrets.token_urlsafe(32) for _ in range(THREADS)])
    world.run()
    assert count(world, tables.payout) == 1
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle"]
