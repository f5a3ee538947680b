"""A real embedded system under test: ledger, worker and web as processes, asked over the wire.

Everything lives in one temporary folder and on free loopback ports. Reads of the ledger go over
JSON-RPC; the backend's own services are used only where an operator would use a command.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from backend.adapters.catalogue import load_catalogue
from backend.adapters.database import tables
from backend.adapters.ledger.codec import decode_log, event_topic
from backend.adapters.ledger.events import decode_detail
from backend.bootstrap import Services, build_services
from backend.domain.claim import ClaimState
from backend.domain.invoice import Invoice
from backend.domain.ledger import SlotState
from backend.entrypoints.supervisor.files import VarFolder
from backend.settings import Settings
from scripts.hospital_agent import AgentError, HospitalAgent
from scripts.sample_data.__main__ import default_as_of
from scripts.sample_data.documents import CONTENT_TYPES, bill_bytes
from scripts.sample_data.hospital_keys import HospitalKeys, hospital_folder, load_keys
from scripts.sample_data.load import open_agent
from scripts.sample_data.planted import Action, Step
from scripts.sample_data.population import DEFAULT_SEED, Population, sample_population
from tests.e2e.citizen import Citizen
from tests.e2e.pages import Visitor
from tests.e2e.processes import ROOT, YICHU, Process, free_port, wait_for

BULK_BILLS = 4
"""Bills beside the demo citizen's and the planted ones: enough for batches of several leaves."""


class System:
    """One system. ``up()`` starts it as ``yichu up`` does; processes can be stopped singly.

    With ``nodes`` it runs on that network instead of a development ledger of its own: the worker
    writes to the first node, the web reads from the others, and what is read here is read from
    the last one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        finality_blocks: int = 1,
        nodes: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.rpc_port, self.web_port = free_port(), free_port()
        self.is_on_given_network = bool(nodes)
        own = f"http://127.0.0.1:{self.rpc_port}"
        self.rpc_url = nodes[-1] if nodes else own
        self.base_url = f"http://127.0.0.1:{self.web_port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("YICHU_")}
        self.env = {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "YICHU_VAR": str(folder / "var"),
            "YICHU_RPC_URLS": nodes[0] if nodes else own,
            "YICHU_PUBLIC_URL": self.base_url,
            "YICHU_FINALITY": f"blocks:{finality_blocks}",
            "YICHU_BATCH_MILLISECONDS": "100",
            "YICHU_KEYSTORE_SCRYPT": "cheap",
            "YICHU_PAYOUT_EVERY_SECONDS": "1",
            **(settings or {}),
        }
        #: Midnight may pass between the load and a test that asks what was loaded.
        self.as_of = default_as_of(dt.datetime.now(dt.UTC).date())
        self._web_env = {"YICHU_RPC_URLS": ",".join(nodes[1:])} if len(nodes) > 1 else {}
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
        if not self.is_on_given_network:
            self.ledger.start()
        wait_for("the ledger", self._ledger_answers, 30)

    def start_web(self) -> None:
        self.web.start(**self._web_env)

        def answers() -> bool:
            if not self.web.is_running:
                raise RuntimeError(f"the web ended at once:\n{self.web.log[-2000:]}")
            return requests.get(f"{self.base_url}/healthz", timeout=2).ok

        wait_for("the web", answers, 60)

    def _ledger_answers(self) -> bool:
        return bool(self.rpc("eth_chainId"))

    def down(self) -> None:
        for process in (self.web, self.worker, self.ledger):
            process.stop()
        if self._services is not None:
            self._services.engine.dispose()

    @property
    def load_command(self) -> tuple[str, ...]:
        load = (sys.executable, "-m", "scripts.sample_data", "load")
        return (
            *load, "--base-url", self.base_url, "--bulk", str(BULK_BILLS), "--as-of",
            str(self.as_of),
        )  # fmt: skip

    def load_sample(self) -> None:
        """The sample through the hospitals' agents and the public API, with a small bulk."""
        self.run(*self.load_command)

    def loader(self) -> Process:
        """The same as a process of its own, which can be killed."""
        return Process("load", self.load_command, self.env, self.folder / "load.log")

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

    # --- the sample ---------------------------------------------------------------------------

    @cached_property
    def population(self) -> Population:
        """The population that is loaded."""
        return sample_population(DEFAULT_SEED, self.as_of, load_catalogue(), bulk=BULK_BILLS)

    @cached_property
    def keys(self) -> dict[str, HospitalKeys]:
        """The hospitals' keys, as the loader has made them."""
        codes = [hospital.code for hospital in self.population.hospitals]
        return {code: load_keys(hospital_folder(self.services, code)) for code in codes}

    @cached_property
    def agents(self) -> dict[str, HospitalAgent]:
        """The hospitals' agents, on the keys that the loader has made."""
        return {
            code: open_agent(self.services, keys, self.base_url) for code, keys in self.keys.items()
        }

    def play(self, step: Step) -> tuple[int, dict[str, Any]]:
        """One step of a planted case over HTTP: status and body."""
        agent = self.agents[step.bill.hospital.code]
        document, kind = bill_bytes(step.bill), CONTENT_TYPES[step.bill.wire]
        try:
            if step.action is Action.VOID:
                return 200, agent.void(self.invoice_id(step.bill.invoice))
            if step.action is Action.CORRECT:
                outcome = agent.correct(self.invoice_id(step.bill.invoice), document, kind)
            else:
                outcome = agent.upload(document, kind)
        except AgentError as error:
            return error.status, error.problem
        return 201 if outcome.created else 200, outcome.body

    def invoice_id(self, bill: Invoice) -> str:
        row = self.stored(bill)
        assert row is not None, bill.identity
        return str(row.id)

    def stored(self, bill: Invoice) -> Any:
        """The stored row of a bill, None when it was never taken in."""
        with self.services.engine.connect() as connection:
            return connection.execute(
                sa.select(tables.invoice).filter_by(
                    institution_code=bill.institution_code,
                    invoice_code=bill.invoice_code,
                    invoice_number=bill.invoice_number,
                )
            ).first()

    def rows(self, table: sa.Table) -> list[Any]:
        with self.services.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def claims_of(self, bill: Invoice) -> list[Any]:
        wanted = self.invoice_id(bill)
        return [row for row in self.rows(tables.claim) if row.invoice_id == wanted]

    def wait_for_claims(self, seconds: float = 60) -> None:
        """Until every claim is closed or waits for a person."""
        resting = {ClaimState.PAID, ClaimState.REFUSED, ClaimState.PENDED}

        def at_rest() -> bool:
            moving = [row for row in self.rows(tables.claim) if row.state not in resting]
            assert not moving, [(row.number, row.state, row.waiting_for) for row in moving]
            return True

        wait_for("the claims to come to rest", at_rest, seconds, 0.2)

    def decision_of(self, bill: Invoice) -> Any:
        claim = self.claims_of(bill)[0]
        return [row for row in self.rows(tables.decision) if row.claim_id == claim.id][-1]

    def pend_codes(self, claim_id: str) -> set[str]:
        return {row.code for row in self.rows(tables.pend_reason) if row.claim_id == claim_id}

    def export(self, bill: Invoice) -> dict[str, Any]:
        """``yichu export`` of the bill's claim, read back."""
        path = self.folder / "bundle.json"
        self.command("export", self.claims_of(bill)[0].number, "-o", str(path))
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    def trust_file(self) -> dict[str, Any]:
        """What an auditor inside the consortium was given out of band: with the network key."""
        path = self.settings.var_dir / "trust-with-network-key.json"
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    # --- people -------------------------------------------------------------------------------

    def logins(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.var.logins.read_text("utf-8"))
        return found

    def visitor(self) -> Visitor:
        return Visitor(self.base_url)

    def citizen(self, username: str) -> Citizen:
        """A browser of its own, logged in."""
        login = next(login for login in self.logins() if login["username"] == username)
        return Citizen.log_in(self.visitor(), username, login["password"])


def decode_event(log: dict[str, Any]) -> dict[str, Any]:
    """Name and values of a log of the invoice ledger, with its detail word taken apart."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    decoded = decode_log("InvoiceLedger", topics, bytes.fromhex(log["data"][2:]))
    assert decoded is not None, log
    name, values = decoded
    detail = decode_detail(values.pop("detail")) if "detail" in values else {}
    return {"name": name, **detail, **values, "block_number": int(log["blockNumber"], 16)}
