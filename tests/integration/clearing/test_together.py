"""A run that is killed goes on; runs at the same time book a difference once; the commands."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.database import tables
from backend.domain.clearing import ClearingConflictError, YearOpenError
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.recovery import State
from backend.entrypoints.cli.clearing import command
from backend.service_layer.clearing.run import Figures, run_year
from backend.service_layer.clearing.statement import yearly_statement
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.clearing.cleared_world import (
    FIRST_DAY,
    booked,
    learn_filing,
    new_year,
    paid_twice,
    paid_with_filing,
    recoveries,
)
from tests.integration.register.register_world import decisions, payouts

ROOT = Path(__file__).parents[3]
THREADS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    is_file = request.param == "sqlite"
    url = None if is_file else request.getfixturevalue("postgresql_url")
    made = World.make(tmp_path, url)
    yield made
    made.services.engine.dispose()


def two_people(world: World) -> tuple[Any, Any, Any]:
    """One is owed 84.00 and 60.00 more, the other 84.00 less."""
    one, other = world.person("测试甲子", "one"), world.person("测试乙丑", "other")
    first, second = paid_twice(world, one)
    third = paid_with_filing(world, other)
    learn_filing(world, one)
    learn_filing(world, other, withdrawn=True)
    return first, second, third


@pytest.mark.slow
def test_runs_at_the_same_time_book_each_difference_once(either: World) -> None:
    first, second, third = two_people(either)
    new_year(either)
    barrier = threading.Barrier(THREADS)
    figures: list[Figures] = []
    failed: list[BaseException] = []

    def one(index: int) -> None:
        barrier.wait()
        try:
            figures.append(run_year(either.services, 2026, by=f"清算员{index}")[1])
        except BaseException as error:  # noqa: BLE001  # told below
            failed.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failed == []
    assert (sum(f.more_fen for f in figures), sum(f.less_fen for f in figures)) == (14_400, 8_400)
    either.run()
    assert [[d.paid_fen for d in decisions(either, c)] for c in (first, second, third)] == [
        [29_400, 37_800], [21_000, 27_000], [37_800],
    ]  # fmt: skip
    assert [payouts(either, c) for c in (first, second)] == [[29_400, 8_400], [21_000, 6_000]]
    (order,) = recoveries(either, third)
    assert (order.state, order.order.amount_fen) == (State.PROPOSED, 8_400)
    with either.services.work(write=False) as work:
        assert all(run.ended_at is not None for run in work.clearings.runs(2026))


def yichu(world: World, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, on the system's clock."""
    url = str(world.services.settings.database_url)
    folder = str(Path(url.removeprefix("sqlite:///")).parent)
    return subprocess.run(
        [sys.executable, "-m", "backend.entrypoints.cli.main", "clearing", *words],
        cwd=ROOT,
        env={**os.environ, "YICHU_VAR": folder, "YICHU_DATABASE_URL": url, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_with_the_others(world: World) -> None:
    first, second, third = two_people(world)
    new_year(world)
    year = world.services.clock.now().year - 1
    words = ("run", "--year", str(year), "--by", "清算员甲", "--year-open")
    killed = yichu(world, *words, YICHU_FAILPOINT="clearing.person-done")
    assert killed.returncode == -signal.SIGKILL
    with world.services.work(write=False) as work:
        (run,) = work.clearings.runs(year)
        assert run.ended_at is None
        assert sum(people for people, _ in work.clearings.people_of(run.id).values()) == 1
    half = booked(world)["clearing_item"]
    assert half in (1, 2)
    went_on = yichu(world, *words, "--json")
    assert went_on.returncode == 0, went_on.stderr
    *told, total = [json.loads(line) for line in went_on.stdout.splitlines()]
    assert (total["run"], len(told)) == (run.id, 3 - half)
    after = booked(world)
    assert (after["decision"], after["recovery_order"], after["clearing_item"]) == (5, 1, 3)
    again = yichu(world, *words)
    assert again.returncode == 0 and "0.00" in again.stdout and booked(world) == after
    world.run()
    assert [payouts(world, c) for c in (first, second, third)] == [
        [29_400, 8_400], [21_000, 6_000], [37_800],
    ]  # fmt: skip


@pytest.mark.slow
def test_the_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, third = two_people(world)
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)

    def told(*words: str, status: int = 0) -> str:
        result = CliRunner().invoke(command, list(words))
        assert result.exit_code == status, result.output
        return result.output

    def refused(error: type[DomainError], words: str, *arguments: str) -> None:
        result = CliRunner().invoke(command, list(arguments))
        assert isinstance(result.exception, error), result.output
        assert words in result.exception.en

    assert third.number in told("run", "--year", "2026", "--trial")
    assert "--by" in told("run", "--year", "2026", status=2)
    refused(YearOpenError, "--year-open", "run", "--year", "2026", "--by", "清算员甲")
    assert booked(world)["clearing_item"] == 0
    new_year(world)
    told("run", "--year", "2026", "--by", "清算员甲")
    world.run()
    (run,) = told("list").splitlines()
    assert "cleared 2" in run
    (line,) = [one for one in told("show", run.split()[0]).splitlines() if third.number in one]
    item = line.split()[0]
    assert "378.00 -> 294.00" in line and "proposed" in line
    signed = ("confirm", item, "--reason", "已核对备案", "--by")
    for by, count in (("经办甲", "1/2"), ("经办乙", "2/2")):
        (waiting,) = told("list", "--open").splitlines()
        assert item in waiting
        assert count in told(*signed, by)
    assert told("list", "--open") == ""
    refused(ClearingConflictError, "not what was proposed", *signed, "经办丙")
    assert "no such run" in told("show", "clr_x", status=1)
    refused(NotFoundError, "no institution H9", "statement", "--year", "2026", "--hospital", "H9")
    told("statement", "--year", "2026", "--json", "--csv", status=2)
    (of_hospital,) = json.loads(told("statement", "--year", "2026", "--json"))["hospitals"]
    assert (of_hospital["manual_claims"], of_hospital["manual_paid_fen"]) == (3, 94_200)
    table = told("statement", "--year", "2026", "--claims", "--csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert sorted(int(row["paid_fen"]) for row in rows) == [27_000, 29_400, 37_800]
    assert {row["hospital_code"] for row in rows} == {HOSPITAL}


@pytest.mark.slow
def test_settled_bills_stand_apart_and_a_broken_journal_is_named(world: World) -> None:
    first, _, _ = two_people(world)
    person = world.people[0]
    # 700.00 of 1,000.00 by the fund at the counter: no claim, no journal.
    world.bill(person, 1000, FIRST_DAY, fund_pay_fen=70_000, settlement_number="S1",
               other_pay_fen=10_000)  # fmt: skip
    world.anchor()
    (year,) = yearly_statement(world.services, 2026, HOSPITAL)
    assert (year.settled_bills, year.settled_total_fen, year.settled_fund_fen) == (
        1, 100_000, 70_000,
    )  # fmt: skip
    # Before any clearing: 294.00 + 210.00 + 378.00.
    assert (year.claims, year.paid_fen, year.untied) == (3, 88_200, [])
    assert yearly_statement(world.services, 2025) == []
    with world.services.engine.begin() as connection:
        entry = connection.execute(
            sa.select(tables.journal_entry.c.id).where(
                tables.journal_entry.c.claim_id == first.id,
                tables.journal_entry.c.kind == "approved",
            )
        ).scalar_one()
    world.sql("UPDATE journal_transfer SET amount_fen = amount_fen - 1 WHERE entry_id = :id",
              id=entry)  # fmt: skip
    (year,) = yearly_statement(world.services, 2026, HOSPITAL)
    assert (year.paid_fen, year.untied) == (88_199, [first.number])
    told = yichu(world, "statement", "--year", "2026", "--hospital", HOSPITAL)
    assert told.returncode == 1 and f"does not tie: {first.number}" in told.stdout
