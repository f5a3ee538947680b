"""A small town on a development ledger: one custodial hospital, one payer, people with bills.

Uploads, submissions and reads go through the application's own use cases; the worker is real.
What happened is counted from the ledger's own events.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.adapters.einvoice.json_reader import parse_json_invoice
from backend.adapters.einvoice.writers import invoice_to_json
from backend.adapters.identifiers import RandomIds
from backend.adapters.ledger.codec import event_topic
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, Keystores
from backend.adapters.ledger.network import Network
from backend.bootstrap import Services
from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.register import SIMULATED, FactKind, RegisterFact
from backend.entrypoints.anchor_worker import LEASE_NAME, Worker
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.claims.submit import submit
from backend.service_layer.intake.drafting import Upload
from backend.service_layer.intake.upload_invoice import upload_invoice
from backend.settings import Settings
from tests.funding import fund_pools
from tests.integration.anchoring.network import CUSTODIAL, PASSWORD, deploy_network
from tests.memory_bank import SetAccounts
from tests.reference import commitment as reference

ITEM: Final = ("XM01AEE156A010010180277", "布洛芬缓释胶囊")  # 甲, no price limit
PAYER: Final = 1
SECRET_NAMES: Final = ("network_key", "wrapping_key", "session_key")
BILL_DAYS: Final = 300
"""Every bill is of one of so many days before today: what is older than a year is for a person."""
OWN_EVENTS: Final = ("Anchored", "Lodged", "Settled", "Released", "Unchanged", "AnchorUnchanged")


class Town:
    """One process's view of the town: services on its folder (or a PostgreSQL database)."""

    def __init__(self, url: str, folder: Path, database_url: str = "") -> None:
        self.url, self.folder, self.database_url = url, folder, database_url
        settings = dataclasses.replace(
            Settings.from_environment(
                {
                    "YICHU_VAR": str(folder),
                    "YICHU_RPC_URLS": url,
                    "YICHU_PAYOUT_EVERY_SECONDS": "0",
                }
            ),
            batch_seconds=0,
        )
        if database_url:
            settings = dataclasses.replace(settings, database_url=database_url)
        self.settings = settings
        self.services = Services(settings, SystemClock(), RandomIds())
        self.services.keystores = Keystores(folder / "keystores", PASSWORD, SCRYPT_CHEAP)
        self.services.__dict__["payees"] = SetAccounts()

    def close(self) -> None:
        self.services.engine.dispose()
        self.services.ledger.close()

    def worker(self) -> Worker:
        return Worker(self.services)

    # --- what people and hospitals do ---------------------------------------------------------

    def person(self) -> Person:
        """Somebody insured; each bill of a test may have its own, so that years do not mix."""
        person = Person(
            id=self.services.ids.new_id("per"),
            name="测试甲子",
            identity_number=f"TEST-{secrets.token_hex(8)}",
            birth_on=dt.date(1985, 1, 1),
            gender="女",
            payee_bank="示例银行（测试）",
            payee_account_tail="6217",
        )
        with self.services.work() as work:
            work.people.add(person)
            work.register.add(
                RegisterFact(
                    id=self.services.ids.new_id("fct"),
                    person_id=person.id,
                    kind=FactKind.COVER,
                    code="310",
                    detail="1101",
                    valid_from=dt.date(2020, 1, 1),
                    valid_to=None,
                    filed_on=None,
                    supersedes=None,
                    is_withdrawn=False,
                    source=SIMULATED,
                    recorded_by="test",
                    reason="test",
                    recorded_at=self.services.clock.now(),
                )
            )
            work.commit()
        return person

    def bill(self, person: Person, number: int, yuan: int = 20_000) -> Invoice:
        """A bill far above every yearly deductible, so that something is paid on it.

        Each number has a day and a total of its own: alike, they would be charged twice.
        """
        code, name = ITEM
        before = dt.timedelta(days=BILL_DAYS + 1 - number * 8 % BILL_DAYS)
        day = self.services.clock.now().date() - before
        total_fen = yuan * 100 + number
        return Invoice(
            institution_code=CUSTODIAL,
            institution_name=CUSTODIAL,
            invoice_code="33060126",
            invoice_number=f"{number:010d}",
            total_fen=total_fen,
            check_code="123456",
            issued_on=day,
            visit_on=day,
            payer_name=person.name,
            payer_id=person.identity_number,
            own_pay_fen=total_fen,
            lines=(
                ExpenseLine(name, 10_000, total_fen * 10_000, total_fen * 100, code, level="01"),
            ),
        )

    def upload(self, bill: Invoice, secret: bytes | None = None, code: str = CUSTODIAL) -> str:
        """Upload a bill as its hospital; returns its id. ``secret``: as a self-custody agent."""
        document = invoice_to_json(bill)
        with self.services.work(write=False) as work:
            institution = work.institutions.get(code)
        fingerprint = None
        if secret is not None:
            fingerprint = reference.fingerprint(bill.to_record(), secret)
        parsed = parse_json_invoice(document)
        assert not parsed.faults, parsed.faults
        upload = Upload(parsed, document, secret, fingerprint)
        return upload_invoice(self.services, institution, upload).invoice_id

    def submit(self, person: Person, *invoice_ids: str) -> list[Claim]:
        token = secrets.token_urlsafe(24)
        done = submit(self.services, person.id, invoice_ids, token, has_consent=True)
        return list(done.claims)

    # --- what is so ---------------------------------------------------------------------------

    def rows(self, table: sa.Table) -> list[Any]:
        with self.services.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def claim(self, claim_id: str) -> Claim:
        with self.services.work(write=False) as work:
            return work.claims.get(claim_id)

    def key_of(self, invoice_id: str) -> bytes:
        (row,) = [row for row in self.rows(tables.invoice) if row.id == invoice_id]
        return bytes(row.invoice_key)

    def alarms(self) -> set[str]:
        with self.services.work(write=False) as work:
            return set(work.alarms.open_counts())

    def event_keys(self, name: str) -> list[str]:
        """The first indexed value of each event of that name, counted on the ledger itself: the
        invoice key, for an anchor institution and sequence."""
        logs: list[dict[str, Any]] = self.services.ledger.rpc.call(
            "eth_getLogs",
            {
                "fromBlock": "0x0",
                "toBlock": "latest",
                "address": self.services.ledger.deployment().invoice_ledger,
                "topics": ["0x" + event_topic("InvoiceLedger", name).hex()],
            },
        )
        width = 3 if name.startswith("Anchor") else 2
        return ["/".join(log["topics"][1:width]) for log in logs]

    def is_quiet(self) -> bool:
        """Whether nothing is under way: no open intent, no open nonce, no moving claim."""
        with self.services.work(write=False) as work:
            report = work.outbox.backlog()
            waiting = work.institutions.with_unbatched()
            moving = work.claims.open_ids()
        return not report and not waiting and not moving

    def active_worker(self) -> int:
        """The process number of the worker that holds the lease, or held it last."""
        with self.services.work(write=False) as work:
            owner = work.accounts.holder(LEASE_NAME)
        return int(owner.split(":")[1]) if owner else 0

    def run_until_quiet(self, worker: Worker | None = None, seconds: float = 60) -> None:
        """Run a worker in this process until nothing is under way any more."""
        worker = worker or self.worker()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            moved = worker.run_once()
            if self.is_quiet():
                worker.run_once()
                return
            if not moved:
                time.sleep(0.02)
        with self.services.work(write=False) as work:
            states = [(row.state, row.waiting_for) for row in self.rows(tables.claim)]
            raise AssertionError((work.outbox.backlog(), states, self.alarms()))

    def payouts(self) -> list[Any]:
        """(payout id, how often it was answered) of the journal."""
        owners = {row.id: row.payout_id for row in self.rows(tables.payment_attempt)}
        answers = [owners[row.attempt_id] for row in self.rows(tables.payment_answer)]
        return [(row.id, answers.count(row.id)) for row in self.rows(tables.payout)]


def build_town(url: str, folder: Path, database_url: str = "") -> Town:
    """Contracts, registrations, policies, secrets; on PostgreSQL the rows are copied there."""
    network = deploy_network(url, folder)
    network.close()
    (folder / "secrets").mkdir()
    for name in SECRET_NAMES:
        (folder / "secrets" / name).write_text(secrets.token_hex(32))
    if database_url:
        copy_database(network.settings.database_url, database_url)
    town = Town(url, folder, database_url)
    admin = Network(town.services)
    for pack in town.services.packs:
        if pack.region == town.services.settings.region:
            admin.publish_policy(pack.policy_hash, pack.effective_from)
    with town.services.engine.begin() as connection:
        connection.execute(
            tables.payer.insert().values(
                number=PAYER,
                name="衢州市医保中心",
                payer_class="basic",
                ledger_account=town.services.keystores.account_of(f"payer-{PAYER}"),
            )
        )
    fund_pools(town.services)
    return town


def copy_database(source_url: str, target_url: str) -> None:
    """Every row of one database into an empty one."""
    from backend.adapters.database.schema import migrate

    source, target = make_engine(source_url), make_engine(target_url)
    migrate(target)
    with source.connect() as reading, target.begin() as writing:
        # An entry of the journal is stored after its transfers, or it is refused as not whole.
        for table in sorted(tables.metadata.sorted_tables, key=lambda t: t is tables.journal_entry):
            rows = [dict(row._mapping) for row in reading.execute(sa.select(table))]
            if rows:
                writing.execute(sa.insert(table), rows)
    source.dispose()
    target.dispose()


def back_up(folder: Path, copy: Path) -> None:
    """A backup of the SQLite file alone, as an operator takes one; secrets are kept elsewhere."""
    import sqlite3

    with sqlite3.connect(folder / "yichu.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)


def restore(copy: Path, folder: Path) -> None:
    for name in ("yichu.db", "yichu.db-wal", "yichu.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(copy, folder / "yichu.db")
