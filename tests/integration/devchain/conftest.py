"""A development ledger over HTTP, in a thread of the test or as the real command."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from eth_utils import to_checksum_address
from web3 import HTTPProvider, Web3

from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer

ROOT = Path(__file__).parents[3]
#: The first two accounts of ``ganache --deterministic``.
KEY0 = "0x4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d"
ADDRESS0 = "0x90f8bf6a479f320ead074411a4b0e7944ea8c9c1"
ADDRESS1 = "0xffcf8fdee72ac11b5c542428b35eef5769c409f0"

#: Called without data: slot 0 = block number and LOG2(topic 0x77, topic block number).
#: Called with data: reverts with exactly that data. Written by hand, so no compiler is needed.
PROBE_INIT = bytes.fromhex(
    "601c600c600039601c6000f33660115743600055436077600060 00a2".replace(" ", "")
    + "00"
    + "5b36600060003736 6000fd".replace(" ", "")
)


@dataclass(slots=True)
class Ledger:
    """A running ledger and the ways to talk to it."""

    url: str
    engine: Engine | None = None

    def rpc(self, method: str, *params: Any) -> Any:
        """The whole JSON-RPC answer."""
        return self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})

    def ask(self, method: str, *params: Any) -> Any:
        """The result; an error fails the test."""
        answer = self.rpc(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def refusal(self, method: str, *params: Any) -> dict[str, Any]:
        """The error; a result fails the test."""
        answer = self.rpc(method, *params)
        assert "error" in answer, answer
        error: dict[str, Any] = answer["error"]
        return error

    def post(self, content: Any) -> Any:
        """POST JSON and parse the answer."""
        return requests.post(self.url, json=content, timeout=20).json()

    @property
    def web3(self) -> Web3:
        return Web3(HTTPProvider(self.url, request_kwargs={"timeout": 20}))

    def sign(self, nonce: int, **fields: Any) -> str:
        """A raw transaction of account 0 at gas price zero."""
        transaction = {
            "nonce": nonce,
            "to": ADDRESS1,
            "value": 1,
            "gas": 21000,
            "gasPrice": 0,
            "chainId": 1337,
        } | fields
        given = {name: value for name, value in transaction.items() if value is not None}
        if "to" in given:
            given["to"] = to_checksum_address(given["to"])  # eth-account signs for no other form
        signed = Account.from_key(KEY0).sign_transaction(given)
        return "0x" + bytes(signed.raw_transaction).hex()

    def nonce(self) -> int:
        """The next nonce of account 0."""
        return int(self.ask("eth_getTransactionCount", ADDRESS0, "latest"), 16)

    def deploy_probe(self) -> str:
        """Deploy the probe contract and return its address."""
        raw = self.sign(self.nonce(), to=None, value=0, gas=200_000, data=PROBE_INIT)
        sent = self.ask("eth_sendRawTransaction", raw)
        receipt = self.ask("eth_getTransactionReceipt", sent)
        assert receipt["status"] == "0x1"
        address: str = receipt["contractAddress"]
        return address


OpenLedger = Callable[..., Ledger]


@pytest.fixture
def open_ledger() -> Iterator[OpenLedger]:
    """Open ledgers in threads of this process; all are closed at the end."""
    opened: list[tuple[LedgerServer, threading.Thread]] = []

    def open_one(
        folder: Path | None = None,
        run: RunOptions | None = None,
        **options: Any,
    ) -> Ledger:
        engine = Engine(
            folder, ChainOptions(**({"deterministic": True} | options)), run or RunOptions()
        )
        server = LedgerServer(engine, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve)
        thread.start()
        opened.append((server, thread))
        return Ledger(f"http://127.0.0.1:{server.server_address[1]}", engine)

    yield open_one
    for server, thread in opened:
        server.stop()
        thread.join()
        server.engine.close()


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    """A fresh ledger in memory with ganache's deterministic accounts."""
    return open_ledger()


class Command:
    """``yichu devchain`` as a process."""

    def __init__(self, folder: Path, port: int, *arguments: str) -> None:
        self.ledger = Ledger(f"http://127.0.0.1:{port}")
        self.log = folder.with_suffix(".log")
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "backend.entrypoints.cli.main",
                    "devchain",
                    "--db",
                    str(folder),
                    "--port",
                    str(port),
                    *arguments,
                ],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.started_in = self._wait()

    def _wait(self) -> float:
        start = time.monotonic()
        while time.monotonic() < start + 30:
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.ledger.ask("eth_chainId")
            except requests.ConnectionError:
                time.sleep(0.02)
            else:
                return time.monotonic() - start
        raise AssertionError("the ledger did not start in 30 s")
