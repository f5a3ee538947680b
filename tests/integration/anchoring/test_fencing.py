"""A worker that outlives its lease cannot sign: the fencing token is checked in the transaction
that stores nonce and signed bytes. Real processes, frozen with SIGSTOP in the middle of signing."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.database import tables
from backend.adapters.database.engine import BUSY_TIMEOUT_SECONDS
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from tests.e2e.processes import wait_for
from tests.integration.anchoring.network import CUSTODIAL
from tests.kill.processes import is_stopped, kill, resume, start_worker
from tests.kill.town import Town, build_town, copy_database

pytestmark = pytest.mark.slow
LEASE_SECONDS = 0.5
FROZEN_SECONDS = 1
# The first transaction that a worker signs is its probe, the second the anchor.
FREEZE_AFTER = "send.after-sign:2:stop"
FREEZE_INSIDE = "send.in-commit:2:stop"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
    server = LedgerServer(engine, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    folder = tmp_path_factory.mktemp("town")
    town = build_town(f"http://127.0.0.1:{server.server_address[1]}", folder)
    town.close()
    yield town
    town.close()
    server.stop()
    thread.join()
    engine.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def town(built: Town, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Town]:
    """The town as it was built, with a database of the test's own."""
    snapshot = built.services.ledger.rpc.call("evm_snapshot")
    shutil.copytree(built.folder, tmp_path, dirs_exist_ok=True)
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        copy_database(built.settings.database_url, url)
    town = Town(built.url, tmp_path, url)
    yield town
    town.close()
    built.services.ledger.rpc.call("evm_revert", snapshot)


def signed(town: Town) -> list[int]:
    """The nonces of the hospital's stored transactions."""
    account = town.services.keystores.account_of(f"institution-{CUSTODIAL}")
    rows = town.rows(tables.ledger_transaction)
    return sorted(row.nonce for row in rows if row.account == account and row.purpose == "call")


def is_anchored(town: Town) -> bool:
    return [row.state for row in town.rows(tables.ledger_intent)] == ["final"]


def overtake(town: Town, failpoint: str) -> None:
    """Freeze a worker at the point, let another one anchor, then let the first go on."""
    first = start_worker(
        town, failpoint, lease_seconds=LEASE_SECONDS, frozen_seconds=FROZEN_SECONDS
    )
    others = [first]
    try:
        wait_for("the first worker to stop", lambda: is_stopped(first), 20)
        assert signed(town) == []
        second = start_worker(town, lease_seconds=LEASE_SECONDS)
        others.append(second)
        wait_for("the second worker to anchor", lambda: is_anchored(town), 30)
        resume(first)
        wait_for("the first worker to run", lambda: not is_stopped(first), 5)
        # It finds its lease gone, stands by, and takes over again when the second is killed.
        kill(second)
        person = town.person()
        town.upload(town.bill(person, 2))
        wait_for("the first worker to work again", lambda: len(signed(town)) == 2, 30)
        wait_for("the second anchor", lambda: len(town.event_keys("Anchored")) == 2, 30)
    finally:
        for process in others:
            kill(process)


def assert_one_each(town: Town) -> None:
    anchored = town.event_keys("Anchored")
    assert len(anchored) == len(set(anchored)) == 2
    assert town.event_keys("AnchorUnchanged") == []
    used = [(row.account, row.nonce) for row in town.rows(tables.ledger_transaction)]
    assert len(used) == len(set(used)), "two transactions were signed for one nonce"


def test_worker_that_outlived_its_lease_commits_nothing_it_signed(town: Town) -> None:
    town.upload(town.bill(town.person(), 1))
    overtake(town, FREEZE_AFTER)
    assert_one_each(town)


@pytest.mark.parametrize("town", ["postgresql"], indirect=True)
def test_worker_frozen_inside_its_transaction_does_not_keep_others_out(town: Town) -> None:
    """PostgreSQL ends the frozen session, and what it had written is gone with it."""
    town.upload(town.bill(town.person(), 1))
    overtake(town, FREEZE_INSIDE)
    assert_one_each(town)


@pytest.mark.parametrize("town", ["sqlite"], indirect=True)
def test_frozen_writer_of_sqlite_is_waited_for(town: Town) -> None:
    """SQLite has one writer, and a frozen one keeps the file: a standby waits, and does not end."""
    town.upload(town.bill(town.person(), 1))
    started = [start_worker(town, FREEZE_INSIDE, lease_seconds=LEASE_SECONDS)]
    (first,) = started
    try:
        wait_for("the first worker to stop", lambda: is_stopped(first), 20)
        second = start_worker(town, lease_seconds=LEASE_SECONDS)
        started.append(second)
        time.sleep(BUSY_TIMEOUT_SECONDS + 1)
        assert second.is_alive()
        assert town.event_keys("Anchored") == []
        resume(first)
        wait_for("the anchor", lambda: is_anchored(town), 30)
    finally:
        for process in started:
            kill(process)
    assert len(town.event_keys("Anchored")) == len(signed(town)) == 1
