"""The hospital of the machine: its own agent, and the real hospital API without a socket."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from pathlib import Path

from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.bootstrap import Services
from backend.domain.invoice import ExpenseLine, Invoice
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Person
from scripts.hospital_agent import AgentStore, HospitalAgent
from scripts.hospital_agent.agent import Answer, UploadOutcome
from tests.integration.claims.world import CLASS_A, HOSPITAL, OUTSIDE
from tests.machine.databases import API_KEY

LEDGER_KEY = b"\x01" * 32
FORMS = ("json", "xml")
STORE = "agent.db"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was acknowledged, to be sent again at any time."""

    invoice_id: str
    version: int
    invoice: Invoice
    form: str


class Hospital:
    """Uploads over HTTP as the hospital's agent does. Its store outlives a restart of ours."""

    def __init__(self, services: Services, folder: Path) -> None:
        self.store = AgentStore(folder / STORE)
        self.reach(services)

    def reach(self, services: Services) -> None:
        """The application was started, or started anew."""
        self._services = services
        self._agent: HospitalAgent | None = None

    @property
    def agent(self) -> HospitalAgent:
        if self._agent is None:
            client = create_app(self._services).test_client()

            def wire(
                method: str, path: str, *, data: bytes | None, headers: dict[str, str]
            ) -> Answer:
                answer = client.open(path, method=method, data=data, headers=headers)
                return Answer(answer.status_code, json.loads(answer.data) if answer.data else {})

            self._agent = HospitalAgent("", API_KEY, LEDGER_KEY, self.store, transport=wire)
        return self._agent

    def upload(self, invoice: Invoice, form: str) -> UploadOutcome:
        """Raises AgentError for what is refused."""
        return self.agent.upload(_document(invoice, form), f"application/{form}")

    def correct(self, invoice_id: str, invoice: Invoice, form: str) -> UploadOutcome:
        return self.agent.correct(invoice_id, _document(invoice, form), f"application/{form}")


def _document(invoice: Invoice, form: str) -> bytes:
    return invoice_to_json(invoice) if form == "json" else invoice_to_fiscal_xml(invoice)


def bill_of(
    person: Person,
    number: int,
    day: dt.date,
    covered: int,
    *,
    outside: int = 0,
    payer_name: str = "",
) -> Invoice:
    """A bill of ``covered`` yuan, and a second line that is not covered of ``outside`` yuan."""
    amounts = [(CLASS_A, covered), (OUTSIDE, outside)] if outside else [(CLASS_A, covered)]
    total_fen = (covered + outside) * 100
    return Invoice(
        institution_code=HOSPITAL,
        institution_name="示例市第一医院",
        invoice_code="33060126",
        invoice_number=f"{number:010d}",
        check_code="a1b2c3",
        total_fen=total_fen,
        issued_on=day,
        visit_on=day,
        payer_name=payer_name or person.name,
        payer_id=person.identity_number,
        own_pay_fen=total_fen,
        lines=tuple(
            ExpenseLine(item[1], 10_000, yuan * 1_000_000, yuan * 10_000, item[0], level="01")
            for item, yuan in amounts
        ),
    )


def dearer(invoice: Invoice, yuan: int) -> Invoice:
    """The same bill with another amount in its first line."""
    first = invoice.lines[0]
    more = replace(
        first,
        amount_e4=first.amount_e4 + yuan * 10_000,
        price_e6=first.price_e6 + yuan * 1_000_000,
    )
    total_fen = invoice.total_fen + yuan * 100
    return replace(
        invoice,
        total_fen=total_fen,
        own_pay_fen=total_fen,
        lines=(more, *invoice.lines[1:]),
    )
