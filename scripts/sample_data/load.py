"""Feeding a running system: set-up as the operator does it, bills through the hospitals' agents.

Nothing here writes a bill into the database: documents go to the public API, and transactions of
self-custody hospitals are signed by their agents. An interrupted load may be started again: what
was accepted before is answered as the same resource.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from backend.bootstrap import Services
from backend.domain.errors import DomainError
from backend.domain.invoice import Invoice
from scripts.hospital_agent import AgentError, AgentStore, HospitalAgent
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.documents import CONTENT_TYPES, bill_bytes
from scripts.sample_data.hospital_keys import HospitalKeys
from scripts.sample_data.outside import load_outside
from scripts.sample_data.planted import Action, PlantedCase, Step
from scripts.sample_data.population import Population
from scripts.sample_data.set_up import Say, set_up

SIGN_EVERY_SECONDS: Final = 0.1
ANCHOR_SECONDS: Final = 180.0
_UPLOADERS: Final = 3
_PROGRESS_LINES: Final = 30


class LoadError(DomainError):
    """The running system answered otherwise than the sample expects."""

    code = "sample-load-failed"


def open_agent(services: Services, keys: HospitalKeys, base_url: str) -> HospitalAgent:
    """The upload agent of one hospital, on its own folder.

    Chain id and contract are pinned from the deployment, as the operator hands them out.
    """
    deployment = services.ledger.deployment()
    return HospitalAgent(
        base_url,
        keys.api_key,
        keys.ledger_key,
        AgentStore(keys.store),
        chain_id=deployment.chain_id,
        contract=deployment.invoice_ledger,
    )


class Signers:
    """Keeps the self-custody agents signing in the background while bills are uploaded."""

    def __init__(self, agents: Iterable[HospitalAgent]) -> None:
        self._agents = list(agents)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signers", daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> Signers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                signed = [agent.sign_next() for agent in self._agents]
                if not any(signed):
                    self._stop.wait(SIGN_EVERY_SECONDS)
        except Exception as error:  # noqa: BLE001  # told to the loading thread, which raises
            self.error = error

    def check(self) -> None:
        """Raise what stopped the signing, if anything did."""
        if self.error is not None:
            raise LoadError(
                "医院代理停止签名", f"an agent stopped signing: {self.error}"
            ) from self.error


@dataclass
class Loader:
    """One load into one running system."""

    services: Services
    population: Population
    base_url: str
    say: Say
    agents: dict[str, HospitalAgent] = field(default_factory=dict)
    _ids: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sent: int = 0

    def run(self) -> None:
        """Set up, upload, sign, wait until everything stands on the ledger."""
        began = time.monotonic()
        keys = set_up(self.services, self.population, self.say)
        self.agents = {
            code: open_agent(self.services, entry, self.base_url) for code, entry in keys.items()
        }
        self_custody = (a for code, a in self.agents.items() if keys[code].ledger_key)
        with Signers(self_custody) as signers:
            waiting = self._play_early()
            self._send_all(self._plain_bills(), signers)
            self.say(
                f"{self._sent} 张票据已上传，等待上链 / bills uploaded, waiting for the ledger"
            )
            self._wait_final(signers)
            for case in waiting:
                for step in case.steps:
                    if step.late:
                        self._play(case, step)
            self._wait_calls(self.population.planted(), signers)
        count = load_outside(self.services, self.population)
        self.say(f"{count} 张外来票据 / bills from outside")
        self.say(f"示例数据已载入（{time.monotonic() - began:.0f} 秒）/ sample loaded")

    # --- bills --------------------------------------------------------------------------------

    def _plain_bills(self) -> Iterator[SampleBill]:
        yield from self.population.demo()
        yield from self.population.payments()
        yield from self.population.bills()

    def _send_all(self, bills: Iterator[SampleBill], signers: Signers) -> None:
        """Upload from a few threads that share one iterator: memory does not grow with it."""
        shared = threading.Lock()

        def work() -> None:
            while True:
                with shared:
                    bill = next(bills, None)
                if bill is None:
                    return
                self._send(bill)
                signers.check()

        with ThreadPoolExecutor(_UPLOADERS) as pool:
            for done in [pool.submit(work) for _ in range(_UPLOADERS)]:
                done.result()

    def _send(self, bill: SampleBill) -> int:
        """Upload one bill; 201 or 200. Raises AgentError as the API refused it."""
        agent = self.agents[bill.hospital.code]
        outcome = agent.upload(bill_bytes(bill), CONTENT_TYPES[bill.wire])
        with self._lock:
            self._ids[bill.invoice.identity] = outcome.invoice_id
            self._sent += 1
            if self._sent % max(50, self.population.bulk // _PROGRESS_LINES) == 0:
                self.say(f"  {self._sent} 张票据 / bills")
        return 201 if outcome.created else 200

    # --- planted cases ------------------------------------------------------------------------

    def _play_early(self) -> list[PlantedCase]:
        """Everything that does not need the ledger; returns the cases that have more to do."""
        more = []
        for case in self.population.planted():
            if self._was_corrected(case):
                continue
            for step in case.steps:
                if not step.late:
                    self._play(case, step)
            if any(step.late for step in case.steps):
                more.append(case)
        return more

    def _was_corrected(self, case: PlantedCase) -> bool:
        """Whether an earlier load has played this case to its end: the first content is then no
        longer the current one, and sending it again is refused."""
        if not any(step.action is Action.CORRECT for step in case.steps):
            return False
        try:
            self._send(case.steps[0].bill)
        except AgentError as error:
            if error.code == "different-content":
                return True
            raise
        return False

    def _play(self, case: PlantedCase, step: Step) -> None:
        try:
            status, codes = self._act(step), frozenset[str]()
        except AgentError as error:
            faults = error.problem.get("errors", ())
            status = error.status
            codes = frozenset((error.code, *(fault["code"] for fault in faults)))
        # A load that is repeated meets what the first one created.
        is_expected = status == step.status or {status, step.status} == {200, 201}
        if not is_expected or (step.problem and step.problem not in codes):
            raise LoadError(
                f"示例情形 {case.name} 的回答不符：{status} {sorted(codes)}",
                f"planted case {case.name}: answered {status} {sorted(codes)}, "
                f"expected {step.status} {step.problem}",
            )

    def _act(self, step: Step) -> int:
        if step.action is Action.SEND:
            return self._send(step.bill)
        agent = self.agents[step.bill.hospital.code]
        invoice_id = self._ids[step.bill.invoice.identity]
        if step.action is Action.VOID:
            agent.void(invoice_id)
            return 200
        document = bill_bytes(step.bill)
        outcome = agent.correct(invoice_id, document, CONTENT_TYPES[step.bill.wire])
        return 201 if outcome.created else 200

    # --- waiting ------------------------------------------------------------------------------

    def _wait_final(self, signers: Signers) -> None:
        """Until the last bill of each institution, and every planted one, is final."""
        last = {identity[0]: identity for identity in self._ids}
        planted = {
            step.bill.invoice.identity for case in self.population.planted() for step in case.steps
        }
        for identity in (*last.values(), *(planted & self._ids.keys())):
            self._until_final(identity, signers)

    def _until_final(self, identity: tuple[str, str, str], signers: Signers) -> None:
        agent = self.agents[identity[0]]
        deadline = time.monotonic() + ANCHOR_SECONDS
        while True:
            signers.check()
            state = agent.status(self._ids[identity])
            if state["anchor"]["state"] == "final":
                return
            if time.monotonic() > deadline:
                raise LoadError(
                    "上链等待超时，请查看 worker 日志后重新载入",
                    f"a bill is still {state['anchor']['state']}; see the worker's log, then "
                    "load again",
                )
            time.sleep(SIGN_EVERY_SECONDS)

    def _wait_calls(self, cases: Iterable[PlantedCase], signers: Signers) -> None:
        """Until every supersede, void and reverse of the late steps is final."""
        for case in cases:
            for invoice in _called_on(case):
                self._until_final(invoice.identity, signers)
                agent, deadline = self.agents[invoice.institution_code], time.monotonic()
                deadline += ANCHOR_SECONDS
                while True:
                    signers.check()
                    calls = agent.status(self._ids[invoice.identity])["ledger_calls"]
                    if calls and all(call["state"] == "final" for call in calls):
                        break
                    if time.monotonic() > deadline:
                        raise LoadError(
                            "等待账本确认更正或作废超时", f"{case.name}: calls are {calls}"
                        )
                    time.sleep(SIGN_EVERY_SECONDS)


def _called_on(case: PlantedCase) -> list[Invoice]:
    """The bills of a case on which the hospital makes a call of its own on the ledger."""
    return [
        expected.bill.invoice
        for expected in case.expected
        if expected.ledger in ("void", "reversed", "settled-on-correction")
    ]
