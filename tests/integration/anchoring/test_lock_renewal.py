"""An open claim keeps its lock, however long a person takes: it is renewed by the ledger's time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.ledger.codec import encode_call
from backend.domain.ledger import SlotState
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from backend.service_layer.handling.renewal import renew_locks
from tests.kill.town import Town, build_town

DAY = 86_400
SECONDS = 120


pytestmark = pytest.mark.slow


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


@pytest.fixture
def town(built: Town, tmp_path: Path) -> Iterator[Town]:
    snapshot = built.services.ledger.rpc.call("evm_snapshot")
    shutil.copytree(built.folder, tmp_path, dirs_exist_ok=True)
    town = Town(built.url, tmp_path)
    yield town
    town.close()
    built.services.ledger.rpc.call("evm_revert", snapshot)


def lodged(town: Town) -> tuple[str, bytes]:
    """A claim that holds its lock and waits for a person; its id and invoice key."""
    person = town.person()
    bill = town.upload(town.bill(person, 1))
    (claim,) = town.submit(person, bill)
    run(town, lambda: town.claim(claim.id).state == "lodged")
    with town.services.engine.begin() as connection:
        pended = sa.update(tables.claim).where(tables.claim.c.id == claim.id)
        connection.execute(pended.values(state="pended", waiting_for="reviewer"))
    return claim.id, town.key_of(bill)


def slot(town: Town, key: bytes) -> SlotState:
    return town.services.ledger.slot(key)


def pass_time(town: Town, days: int) -> None:
    """The ledger's clock goes on; ours stands where it is."""
    town.services.ledger.rpc.call("evm_increaseTime", days * DAY)
    town.services.ledger.rpc.call("evm_mine")


def run(town: Town, holds: Callable[[], bool]) -> None:
    """A new worker's passes until ``holds``. Not a number of them: on a busy machine a lease runs
    out or a node answers late, the step waits before it tries again, and passes go by."""
    worker = town.worker()
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, (town.rows(tables.claim), town.alarms())
        if not worker.run_once():
            time.sleep(0.02)
    worker._release()


def is_sent(town: Town) -> bool:
    """Whether everything that was asked of the ledger has its final outcome."""
    with town.services.work(write=False) as work:
        return not work.outbox.backlog()


def renewals(town: Town) -> int:
    return len(town.event_keys("Renewed"))


def lasting_alarms(town: Town) -> set[str]:
    """Alarms but those of a machine that is too busy to answer; they end by themselves."""
    return town.alarms() - {"node-failing", "chain-stalled", "nonce-stalled"}


def test_lock_of_a_pended_claim_outlasts_years(town: Town) -> None:
    claim, key = lodged(town)
    first = slot(town, key).deadline
    for number in range(1, 5):
        pass_time(town, 120)
        run(town, lambda n=number: renewals(town) == n and is_sent(town))  # type: ignore[misc]
        now = town.services.ledger.head().at.timestamp()
        assert slot(town, key).deadline - now > 60 * DAY
    state = slot(town, key)
    assert state.deadline - first > 400 * DAY
    assert (state.open_payer, state.lodge_counter) == (1, 1)
    assert renewals(town) == 4
    assert town.claim(claim).state == "pended"
    assert lasting_alarms(town) == set()


def test_worker_starts_though_a_stranger_has_expired_our_lock(town: Town) -> None:
    """Anybody may expire a lock: it must not look like a database that lags behind."""
    _, key = lodged(town)
    pass_time(town, 190)
    expire(town, key)
    worker = town.worker()
    for _ in range(4):
        worker.run_once()
    worker._release()
    assert "database-behind-chain" not in town.alarms()


def test_lock_is_not_renewed_long_before_its_deadline(town: Town) -> None:
    _, key = lodged(town)
    before = slot(town, key).deadline
    pass_time(town, 100)
    assert renew_locks(town.services) == 0
    assert slot(town, key).deadline == before


def test_one_renewal_a_deadline_however_often_it_is_asked(town: Town) -> None:
    lodged(town)
    pass_time(town, 130)
    assert [renew_locks(town.services) for _ in range(3)] == [1, 0, 0]
    run(town, lambda: renewals(town) == 1 and is_sent(town))
    assert renew_locks(town.services) == 0
    assert renewals(town) == 1
    assert town.event_keys("Unchanged") == []


def test_closed_claim_is_not_renewed(town: Town) -> None:
    claim, _ = lodged(town)
    with town.services.engine.begin() as connection:
        closing = sa.update(tables.claim).where(tables.claim.c.id == claim)
        connection.execute(closing.values(state="refused", waiting_for=None))
    pass_time(town, 170)
    assert renew_locks(town.services) == 0


def test_lock_that_somebody_ended_is_an_alarm_and_is_not_asked_for_again(town: Town) -> None:
    """After the deadline anybody may expire a lock; a renewal that comes too late is told."""
    claim, key = lodged(town)
    pass_time(town, 130)
    assert renew_locks(town.services) == 1
    pass_time(town, 50)
    expire(town, key)
    run(town, lambda: is_sent(town))
    assert renew_locks(town.services) == 0  # the next look at the locks
    assert lasting_alarms(town) == {"lock-not-renewed"}
    assert slot(town, key).open_payer == 0
    assert town.claim(claim).state == "pended"


def expire(town: Town, key: bytes) -> None:
    """As a stranger: any account may."""
    rpc = town.services.ledger.rpc
    stranger = rpc.call("eth_accounts")[0]
    data = encode_call("InvoiceLedger", "expireBatch", [(key, 1)])
    rpc.call(
        "eth_sendTransaction",
        {
            "from": stranger,
            "to": town.services.ledger.deployment().invoice_ledger,
            "data": "0x" + data.hex(),
            "gas": hex(400_000),
        },
    )
