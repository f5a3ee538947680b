"""A database, a set clock, a ledger that is a fake, and the real web application over both."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.adapters.clock import SetClock
from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate
from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.adapters.einvoice.xml_reader import parse_fiscal_xml
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.invoice import Invoice
from backend.domain.ledger import SlotState
from backend.entrypoints.web import create_app
from backend.service_layer.intake.form_batches import form_batches
from backend.service_layer.intake.records import Institution
from backend.service_layer.ports import LedgerUnavailableError
from backend.settings import Settings
from verifier.commitment.fingerprint import compute_fingerprint

SAMPLE = Path(__file__).parents[2] / "unit/einvoice/documents/outpatient-133.xml"
AT = dt.datetime(2024, 6, 3, 4, 0, tzinfo=dt.UTC)
FIRST = "H33080200001"  # self-custody
SECOND = "H33080200002"  # custodial
EXPIRED = "H33080200003"  # custodial, agreement ended 2024-05-21
EMPTY_SLOT = SlotState.decode(0)


@dataclass
class FakeLedger:
    """Slots that a test sets; ``is_down`` makes every read fail."""

    slots: dict[bytes, SlotState] = field(default_factory=dict)
    is_down: bool = False

    def slot(self, invoice_key: bytes) -> SlotState:
        if self.is_down:
            raise LedgerUnavailableError("账本没有应答", "no ledger node answered")
        return self.slots.get(invoice_key, EMPTY_SLOT)


@dataclass
class House:
    """The whole backend of one test."""

    services: Services
    client: FlaskClient
    ledger: FakeLedger
    keys: dict[str, str]
    clock: SetClock

    def post(
        self,
        invoice: Invoice,
        path: str = "/v1/invoices",
        *,
        code: str | None = None,
        form: str = "json",
        secret: bytes | None = None,
        client: FlaskClient | None = None,
        **headers: str,
    ) -> Any:
        """Upload as the institution ``code`` (the bill's own unless given), as its agent would."""
        code = code or invoice.institution_code
        body = invoice_to_json(invoice) if form == "json" else invoice_to_fiscal_xml(invoice)
        sent = {"Authorization": f"Bearer {self.keys[code]}"}
        if code == FIRST:
            secret = secret or secrets.token_bytes(32)
            sent["Yichu-Invoice-Secret"] = base64.b64encode(secret).decode()
            sent["Yichu-Fingerprint"] = compute_fingerprint(invoice.to_record(), secret).hex()
        sent |= headers
        return (client or self.client).post(
            path, data=body, headers=sent, content_type=f"application/{form}"
        )

    def get(self, path: str, code: str = FIRST) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.keys[code]}"})

    def post_json(self, path: str, body: Any, code: str = FIRST) -> Any:
        headers = {"Authorization": f"Bearer {self.keys[code]}"}
        return self.client.post(path, json=body, headers=headers)

    def form_batches(self) -> int:
        return form_batches(self.services)

    def count(self, table: str) -> int:
        with self.services.engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
        assert isinstance(found, int)
        return found

    def intents(self, kind: str) -> list[Any]:
        with self.services.engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT * FROM ledger_intent WHERE kind = '" + kind + "' ORDER BY created_at, id"
            )
            return list(rows)


def settings_of(folder: Path, database_url: str) -> Settings:
    secrets_dir = folder / "secrets"
    secrets_dir.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("network_key", "wrapping_key", "session_key"), 1):
        (secrets_dir / name).write_text(f"{number:02x}" * 32)
    environment = {
        "YICHU_VAR": str(folder),
        "YICHU_DATABASE_URL": database_url,
        "YICHU_SECRETS": str(secrets_dir),
    }
    return Settings.from_environment(environment)


def institution(code: str, number: int, custody: str, until: str) -> Institution:
    return Institution(
        code=code,
        name="示例市第一医院",
        level=3,
        area_code="330802",
        custody=custody,
        agreement_from=dt.date(2023, 1, 1),
        agreement_until=dt.date.fromisoformat(until),
        grace_days=30,
        ledger_number=number,
        ledger_account=f"0x{number:040x}",
        created_at=AT,
    )


def build_house(folder: Path, database_url: str) -> House:
    clock = SetClock(AT)
    services = Services(settings_of(folder, database_url), clock, RandomIds())
    if not database_url.startswith("sqlite"):
        migrate(services.engine)
    ledger = FakeLedger()
    services.__dict__["ledger"] = ledger  # in place of the cached property
    keys = {}
    with services.work() as work:
        for row in (
            institution(FIRST, 1, "self", "2099-12-31"),
            institution(SECOND, 2, "custodial", "2099-12-31"),
            institution(EXPIRED, 3, "custodial", "2024-05-21"),
        ):
            work.institutions.add(row)
            keys[row.code] = secrets.token_urlsafe(32)
            work.institutions.add_key(f"key_{row.code}", row.code, keys[row.code])
        work.commit()
    return House(services, create_app(services).test_client(), ledger, keys, clock)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, made once and copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "yichu.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()  # the last connection writes the log back into the file
    return path


@pytest.fixture
def house(tmp_path: Path, migrated: Path) -> Iterator[House]:
    shutil.copyfile(migrated, tmp_path / "yichu.db")
    built = build_house(tmp_path, f"sqlite:///{tmp_path}/yichu.db")
    yield built
    built.services.engine.dispose()


@pytest.fixture(scope="session")
def sample() -> Invoice:
    """The 133.00 yuan bill of the domain reference, section 1.4."""
    return parse_fiscal_xml(SAMPLE.read_bytes()).sound_invoice()


def numbered(invoice: Invoice, number: str, **values: Any) -> Invoice:
    return replace(invoice, invoice_number=number, **values)


def red_of(invoice: Invoice, number: str) -> Invoice:
    """The red bill that reverses an invoice in full."""
    return replace(
        invoice,
        invoice_number=number,
        total_fen=-invoice.total_fen,
        own_pay_fen=-invoice.own_pay_fen,
        fund_pay_fen=-invoice.fund_pay_fen,
        self_expense_fen=None,
        self_payment_fen=None,
        related_invoice_code=invoice.invoice_code,
        related_invoice_number=invoice.invoice_number,
        items=tuple(replace(i, amount_fen=-i.amount_fen) for i in invoice.items),
        lines=tuple(
            replace(i, amount_e4=-i.amount_e4, quantity_e4=-i.quantity_e4) for i in invoice.lines
        ),
    )
