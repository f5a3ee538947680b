"""A real embedded system under test: ledger, worker and web as processes, asked over the wire.

Everything lives in one temporary folder and on free loopback ports. Reads of the ledger go over
JSON-RPC; the backend's own services are used only where an operator would use a command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from backend.adapters.ledger.codec import decode_log, event_topic
from backend.adapters.ledger.events import decode_detail
from backend.bootstrap import Services, build_services
from backend.domain.ledger import SlotState
from backend.entrypoints.supervisor.files import VarFolder
from backend.settings import Settings
from tests.e2e.pages import Visitor
from tests.e2e.processes import ROOT, YICHU, Process, free_port, wait_for


class System:
    """One system. ``up()`` starts it as ``yichu up`` does; processes can be stopped singly."""

    def __init__(self, folder: Path, *, finality_blocks: int = 1) -> None:
        self.folder = folder
        self.rpc_port, self.web_port = free_port(), free_port()
        self.rpc_url = f"http://127.0.0.1:{self.rpc_port}"
        self.base_url = f"http://127.0.0.1:{self.web_port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("YICHU_")}
        self.env = {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "YICHU_VAR": str(folder / "var"),
            "YICHU_RPC_URLS": self.rpc_url,
            "YICHU_PUBLIC_URL": self.base_url,
            "YICHU_FINALITY_BLOCKS": str(finality_blocks),
            "YICHU_BATCH_MILLISECONDS": "100",
            "YICHU_KEYSTORE_SCRYPT": "cheap",
            "YICHU_KEYSTORE_PASSWORD": "only for tests",
        }
        self.settings = Settings.from_environment(self.env)
        self.var = VarFolder(self.settings.var_dir, self.settings.secrets_dir)
        self.ledger = self._process(
            "devchain", "--quiet", "--port", str(self.rpc_port), "--db", str(self.var.ledger)
        )
        self.worker = self._process("worker")
        self.web = self._process("serve", "--port", str(self.web_port))
        self._services: Services | None = None

    def _process(self, *arguments: str) -> Process:
        log = self.folder / f"{arguments[0]}.log"
        return Process(arguments[0], (*YICHU, *arguments), self.env, log)

    # --- life -------------------------------------------------------------------------------

    def up(self) -> None:
        self.var.prepare()
        self.start_ledger()
        self.command("db", "migrate")
        self.command("contracts", "deploy")
        self.worker.start()
        self.start_web()

    def start_ledger(self) -> None:
        self.ledger.start()
        wait_for("the ledger", self._ledger_answers, 30)

    def start_web(self) -> None:
        self.web.start()
        wait_for("the web", lambda: requests.get(f"{self.base_url}/healthz", timeout=2).ok, 60)

    def _ledger_answers(self) -> bool:
        return bool(self.rpc("eth_chainId"))

    def down(self) -> None:
        for process in (self.web, self.worker, self.ledger):
            process.stop()
        if self._services is not None:
            self._services.engine.dispose()

    def load_sample(self, *options: str) -> None:
        """The sample through the hospital's agent and the public API."""
        self.run(
            sys.executable, "-m", "scripts.sample_data", "load", "--base-url", self.base_url,
            *options,
        )  # fmt: skip

    def command(self, *arguments: str, status: int = 0) -> str:
        """Run ``yichu ...``; its standard output."""
        return self.run(*YICHU, *arguments, status=status)

    def run(self, *argv: str, status: int = 0) -> str:
        done = subprocess.run(
            argv, env=self.env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    # --- the ledger over the wire -------------------------------------------------------------

    def rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = requests.post(self.rpc_url, json=body, timeout=10).json()
        assert "error" not in answer, answer
        return answer["result"]

    def slot(self, invoice_key: bytes) -> SlotState:
        return SlotState.decode(self.services.ledger.read("InvoiceLedger", "slot", invoice_key)[0])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every event of that name on the invoice ledger since its deployment, decoded."""
        deployment = self.services.ledger.deployment()
        logs = self.rpc(
            "eth_getLogs",
            {
                "address": deployment.invoice_ledger,
                "fromBlock": hex(deployment.block_number),
                "toBlock": "latest",
                "topics": ["0x" + event_topic("InvoiceLedger", name).hex()],
            },
        )
        return [decode_event(log) for log in logs]

    @property
    def services(self) -> Services:
        """The operator's services on the same settings, for set-up and for reading the truth."""
        if self._services is None:
            self._services = build_services(self.settings)
        return self._services

    # --- people -------------------------------------------------------------------------------

    def logins(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.var.logins.read_text("utf-8"))
        return found

    def visitor(self) -> Visitor:
        return Visitor(self.base_url)


def decode_event(log: dict[str, Any]) -> dict[str, Any]:
    """Name and values of a log of the invoice ledger, with its detail word taken apart."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    decoded = decode_log("InvoiceLedger", topics, bytes.fromhex(log["data"][2:]))
    assert decoded is not None, log
    name, values = decoded
    detail = decode_detail(values.pop("detail")) if "detail" in values else {}
    return {"name": name, **detail, **values, "block_number": int(log["blockNumber"], 16)}
