"""The small world with two commercial insurers, a citizen, and a bill that basic insurance paid."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from pathlib import Path
from typing import Any, Final

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.ledger import SlotState
from backend.entrypoints.web import create_app
from backend.service_layer.claims.submit import submit
from backend.service_layer.second_payers.consent import Asked, give_consent
from backend.service_layer.second_payers.records import Consent
from backend.service_layer.second_payers.sweep import second_payer_pass
from tests.integration.claims.world import FakeLedger, World

DAY: Final = dt.date(2026, 11, 3)
INSURER, OTHER = 3, 4
KEYS: Final = {INSURER: "yi_" + "a" * 40, OTHER: "yi_" + "b" * 40}
HOSPITAL_KEY: Final = "yk_" + "h" * 40
TERMS: Final = "5e" * 32
RULING: Final = {"policy_hash": TERMS, "decision_fingerprint": "d1" * 32}
#: 3,000.00 yuan: 300.00 a year first, 60 % of the rest (domain reference 3.4).
BASIC_FEN: Final = 162_000
LEFT_FEN: Final = 138_000
ALL: Final = ("header", "lines", "decision")


class InsurersLedger(FakeLedger):
    """The fake ledger with what insurers' calls need: renew, expire, nothing left, published
    policies. Its clock is set apart from the system's."""

    def __init__(self) -> None:
        super().__init__()
        self.published = {bytes.fromhex(TERMS)}
        self.skew = dt.timedelta()

    def head(self) -> Any:
        found = super().head()
        return dataclasses.replace(found, at=found.at + self.skew)

    def policy_published_at(self, policy_hash: bytes) -> int:
        self._asked()
        return int(policy_hash in self.published)

    def _sums(self, payload: dict[str, Any]) -> dict[str, Any]:
        slot = self.slots.get(bytes.fromhex(payload["invoice_key"]), SlotState.decode(0))
        return {"paid": slot.paid_fen, "total": slot.total_fen}

    def _lodge(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["position"]["leaf"])[20:52]
        slot = self.slots.get(key, SlotState.decode(0))
        mine = (payload["payer"], payload["counter"])
        if slot.open_payer and (slot.open_payer, slot.lodge_counter) == mine:
            return "repeated", {}
        if not slot.open_payer and slot.total_fen and slot.paid_fen == slot.total_fen:
            return "nothing-left", {"holder_payer": 1, "holder_counter": 0}
        return super()._lodge(payload)

    def _settle(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        outcome, detail = super()._settle(payload)
        return outcome, detail | self._sums(payload)

    def _renew(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["invoice_key"])
        slot = self.slots[key]
        if (slot.open_payer, slot.lodge_counter) != (payload["payer"], payload["counter"]):
            return "stale", {}
        self.slots[key] = dataclasses.replace(slot, deadline=payload["deadline"])
        return "done", {}

    def _expire(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["invoice_key"])
        slot = self.slots[key]
        if (slot.open_payer, slot.lodge_counter) == (0, payload["counter"]):
            return "repeated", {}
        if slot.deadline >= self.head().at.timestamp():
            return "not-due", {}
        self.slots[key] = dataclasses.replace(slot, open_payer=0, deadline=0)
        return "done", {}


class Desk:
    """What the insurers do over HTTP, and what the worker and the ledger make of it."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.world = World.make(folder, url)
        self.services = self.world.services
        self.ledger = InsurersLedger()
        self.world.ledger = self.services.__dict__["ledger"] = self.ledger
        rows = [(INSURER, "non-basic"), (OTHER, "non-basic"), (2, "basic")]
        with self.services.engine.begin() as connection:
            connection.execute(
                tables.payer.insert(),
                [
                    {
                        "number": number,
                        "name": f"付款方{number}",
                        "payer_class": payer_class,
                        "ledger_account": f"0x{number:040x}",
                    }
                    for number, payer_class in rows
                ],
            )
        with self.services.work() as work:
            for number, key in KEYS.items():
                work.second_payers.add_key(f"key_{number}", number, key)
            work.institutions.add_key("key_h", "H33080200001", HOSPITAL_KEY)
            work.commit()
        self.app = create_app(self.services)
        self.client = self.app.test_client()
        self.person = self.world.person()
        self.requests = 0
        self.day = DAY

    def fresh(self) -> Desk:
        """For another test: somebody who has had no bill this year, nobody logged in or slowed."""
        self.app.extensions.pop("yichu-payer-limits", None)
        self.client = self.app.test_client()
        self.person = self.world.person(username=f"citizen-{len(self.world.people)}")
        return self

    # --- the citizen ---------------------------------------------------------------------------

    def bill(self, yuan: int = 3_000, **more: Any) -> str:
        """A stamped bill; each has a day of its own, so that none counts as charged twice."""
        self.day = DAY - dt.timedelta(days=self.world.numbers)
        bill_id = self.world.bill(self.person, yuan, self.day, **more)
        self.world.anchor()
        return bill_id

    def paid_bill(self, yuan: int = 3_000) -> str:
        """A bill on which the basic insurer has settled."""
        bill_id = self.bill(yuan)
        self.claim(bill_id)
        self.world.run()
        return bill_id

    def settled_bill(self) -> str:
        """A bill on which basic insurance has paid at the counter what it pays of the other."""
        return self.bill(fund_pay_fen=BASIC_FEN, settlement_number="S1")

    def claim(self, bill_id: str) -> str:
        token = secrets.token_urlsafe(24)
        done = submit(self.services, self.person.id, [bill_id], token, has_consent=True)
        return done.claims[0].id

    def consent(
        self, bill_id: str, parts: tuple[str, ...] = ALL, payer: int = INSURER, days: str = "30"
    ) -> Consent:
        asked = Asked(str(payer), parts, days, True, secrets.token_urlsafe(24))
        return give_consent(self.services, self.person.id, bill_id, asked)

    # --- the insurer ---------------------------------------------------------------------------

    def get(self, path: str, payer: int = INSURER) -> Any:
        return self.client.get(
            f"/v1/payer{path}", headers={"Authorization": f"Bearer {KEYS[payer]}"}
        )

    def post(
        self, path: str, body: Any = None, payer: int = INSURER, key: str | None = None
    ) -> Any:
        self.requests += 1
        headers = {"Authorization": f"Bearer {KEYS[payer]}"}
        headers["Idempotency-Key"] = key or f"request-{self.requests}"
        return self.client.post(f"/v1/payer{path}", json=body or {}, headers=headers)

    def lodged(self, bill_id: str, payer: int = INSURER) -> str:
        """A claim of the insurer whose lock is final; returns its id."""
        answer = self.post(f"/bills/{bill_id}/lodge", payer=payer)
        assert answer.status_code == 202, answer.get_json()
        self.go()
        return str(answer.get_json()["id"])

    def settle(self, claim_id: str, amount_fen: int, payer: int = INSURER) -> Any:
        answer = self.post(f"/claims/{claim_id}/settle", {"amount_fen": amount_fen} | RULING, payer)
        self.go()
        return answer

    def state(self, claim_id: str, payer: int = INSURER) -> dict[str, Any]:
        answer = self.get(f"/claims/{claim_id}", payer)
        assert answer.status_code == 200, answer.get_json()
        found: dict[str, Any] = answer.get_json()
        return found

    def claims_on(self, bill_id: str, payer: int = INSURER) -> list[str]:
        """What the list of claims has of a bill."""
        rows = self.get("/claims?limit=200", payer).get_json()["claims"]
        return [row["id"] for row in rows if row["bill_id"] == bill_id]

    def go(self) -> int:
        """The ledger carries out what is queued, and the worker looks at insurers' claims."""
        self.world.mine()
        return second_payer_pass(self.services)

    def slot(self, bill_id: str) -> SlotState:
        with self.services.work(write=False) as work:
            key = work.invoices.get(bill_id).invoice_key
        return self.ledger.slot(key)

    def left_fen(self, bill_id: str) -> int:
        slot = self.slot(bill_id)
        return slot.total_fen - slot.paid_fen

    def pass_time(self, span: dt.timedelta) -> None:
        """The system's clock and the ledger's go on together."""
        clock = self.services.clock
        assert isinstance(clock, SetClock)
        clock.advance(span.total_seconds())
        self.ledger.skew += span


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]
