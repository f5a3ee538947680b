"""A small system without processes: real database and services, a ledger that fits a page.

The fake ledger keeps slots by the rules of design ledger protocol 4 that claims depend on, and
mines only when a test says so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.database.batch_repository import BatchRecord
from backend.adapters.database.bill_traits import trait_row
from backend.adapters.database.engine import make_engine
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.domain.register import FactKind, RegisterFact
from backend.service_layer.claims.records import Claim, Login, Person
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.ports import (
    BillOnLedger,
    BlockStamp,
    FinalSlot,
    LedgerUnavailableError,
)
from backend.settings import Settings
from tests.funding import fund_pools
from tests.memory_bank import MemoryBank, SetAccounts, equip
from tests.migrated import migrate_fresh
from verifier.commitment import merkle
from verifier.commitment.batch import BatchLeaf, RecordKind, batch_head
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.commitment.invoice_key import compute_invoice_key

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
HOSPITAL = "H33080200001"
PAYER_ACCOUNT = "0x00000000000000000000000000000000000000A1"
CLASS_A = ("XM01AEE156A010010180277", "布洛芬缓释胶囊", 1390)  # 甲, no price limit
OUTSIDE = ("C08019962018338764426708863", "医用外科口罩", 80)  # 丙


class FakeLedger:
    """Slots, batch heads and blocks. ``is_down`` makes every read fail."""

    def __init__(self) -> None:
        self.block = 100
        self.slots: dict[bytes, SlotState] = {}
        self.heads: dict[tuple[int, int], bytes] = {}
        self.is_down = False
        self.calls: list[tuple[str, str]] = []
        #: recovery number -> (invoice key, fen)
        self.recovered: dict[str, tuple[str, int]] = {}

    def _asked(self) -> None:
        if self.is_down:
            raise LedgerUnavailableError("账本连不上", "no node answers")

    def head(self) -> BlockStamp:
        self._asked()
        return BlockStamp(self.block, bytes(32), NOW)

    def final_number(self) -> int:
        self._asked()
        return self.block

    def batch_head(self, institution_number: int, sequence: int) -> bytes:
        self._asked()
        return self.heads.get((institution_number, sequence), bytes(32))

    def slot(self, invoice_key: bytes) -> SlotState:
        self._asked()
        return self.slots.get(invoice_key, SlotState.decode(0))

    def final_slots(
        self, invoice_keys: Sequence[bytes], followed: BlockStamp | None
    ) -> dict[bytes, FinalSlot]:
        return {key: FinalSlot(self.block, slot := self.slot(key), slot) for key in invoice_keys}

    def bill(self, invoice_key: bytes, batch: tuple[int, int] | None = None) -> BillOnLedger:
        batch_head = None if batch is None else self.batch_head(*batch)
        return BillOnLedger(self.head(), self.slot(invoice_key), batch_head)

    def policy_published_at(self, policy_hash: bytes) -> int:
        self._asked()
        return 1

    # --- what a contract would do ---------------------------------------------------------

    def carry_out(self, intent: LedgerIntent) -> tuple[str, dict[str, Any]]:
        self.block += 1
        self.calls.append((str(intent.kind), intent.subject_id))
        return getattr(self, f"_{intent.kind}")(intent.payload)

    def _lodge(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        position = payload["position"]
        leaf = BatchLeaf.decode(bytes.fromhex(position["leaf"]))
        slot = self.slots.get(leaf.invoice_key, SlotState.decode(0))
        holder = {"holder_payer": slot.open_payer, "holder_counter": slot.lodge_counter}
        if slot.open_payer:
            return "locked", holder
        if slot.has_settled(payload["payer"]):
            return "settled-by-payer", {"holder_payer": payload["payer"], "holder_counter": 0}
        if slot.flags & SlotState.VOID:
            return "is-void", {}
        if payload["counter"] != slot.lodge_counter + 1:
            return "stale", holder
        self.slots[leaf.invoice_key] = dataclasses.replace(
            slot,
            total_fen=leaf.total_fen,
            paid_fen=max(slot.paid_fen, leaf.borne_fen),
            leaf_reference=(position["institution"] << 32)
            | (position["sequence"] << 10)
            | position["leaf_index"],
            deadline=payload["deadline"],
            open_payer=payload["payer"],
            lodge_counter=payload["counter"],
        )
        return "done", {}

    def _settle(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["invoice_key"])
        slot = self.slots[key]
        if slot.flags & SlotState.VOID:
            return "is-void", {}
        if (slot.open_payer, slot.lodge_counter) != (payload["payer"], payload["counter"]):
            return "stale", {}
        if slot.paid_fen + payload["amount"] > slot.total_fen:
            return "over-total", {}
        self.slots[key] = dataclasses.replace(
            slot,
            paid_fen=slot.paid_fen + payload["amount"],
            open_payer=0,
            deadline=0,
            settled_payers=slot.settled_payers | 1 << (payload["payer"] - 1),
        )
        return "done", {}

    def _release(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["invoice_key"])
        slot = self.slots[key]
        reference = slot.leaf_reference if slot.settled_payers else 0
        self.slots[key] = dataclasses.replace(
            slot, open_payer=0, deadline=0, leaf_reference=reference
        )
        return "done", {}

    def _recover(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        slot = self.slots[bytes.fromhex(payload["invoice_key"])]
        if not slot.has_settled(payload["payer"]):
            return "not-settled", {}
        said = (payload["invoice_key"], payload["amount"])
        if payload["recovery_number"] in self.recovered:
            is_same = self.recovered[payload["recovery_number"]] == said
            return ("repeated" if is_same else "number-used"), {}
        if not 0 < payload["amount"] <= slot.paid_fen:
            return "bad-amount", {}
        self.recovered[payload["recovery_number"]] = said
        return "done", {}

    def _supplement(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["invoice_key"])
        slot = self.slots[key]
        paid = slot.paid_fen + payload["amount"]
        bars = {
            "not-settled": not slot.has_settled(payload["payer"]),
            "is-void": slot.flags & (SlotState.VOID | SlotState.REVERSED),
            "locked": slot.open_payer,
            "stale": slot.paid_fen != payload["paid_before"],
            "bad-amount": payload["amount"] <= 0,
            "over-total": paid > slot.total_fen,
            "bad-version": payload["decision_version"] < 2,
        }
        for outcome, bar in bars.items():
            if bar:
                return outcome, {}
        self.slots[key] = dataclasses.replace(slot, paid_fen=paid)
        return "done", {}


def settings_for(tmp_path: Path, url: str | None = None) -> Settings:
    environ = {
        "YICHU_VAR": str(tmp_path),
        "YICHU_DATABASE_URL": url or f"sqlite:///{tmp_path}/yichu.db",
        "YICHU_PAYOUT_EVERY_SECONDS": "0",
    }
    secrets_dir = tmp_path / "secrets"
    secrets_dir.mkdir(exist_ok=True)
    for name in ("network_key", "wrapping_key", "session_key"):
        (secrets_dir / name).write_text(secrets.token_hex(32))
    return Settings.from_environment(environ)


def cover_of(
    services: Services,
    person: Person,
    *,
    starts_on: dt.date = dt.date(2020, 1, 1),
    ends_on: dt.date | None = None,
    insurance: tuple[str, str] = ("310", "1101"),
) -> RegisterFact:
    """A cover fact of the simulated register, as the agency would have recorded it."""
    return RegisterFact(
        id=services.ids.new_id("fct"),
        person_id=person.id,
        kind=FactKind.COVER,
        code=insurance[0],
        detail=insurance[1],
        valid_from=starts_on,
        valid_to=ends_on,
        filed_on=None,
        supersedes=None,
        is_withdrawn=False,
        source="simulated",
        recorded_by="test",
        reason="test",
        recorded_at=NOW,
    )


@dataclass
class World:
    """Services on a fresh database, with one hospital, our payer and any number of people."""

    services: Services
    ledger: FakeLedger
    numbers: int = 0
    sequence: int = 0
    people: list[Person] = field(default_factory=list)

    @classmethod
    def make(cls, tmp_path: Path, url: str | None = None) -> World:
        services = Services(settings_for(tmp_path, url), SetClock(NOW), RandomIds())
        services.__dict__["engine"] = make_engine(services.settings.database_url)
        ledger = FakeLedger()
        services.__dict__["ledger"] = ledger
        equip(services)
        migrate_fresh(services.engine)
        fund_pools(services)
        with services.engine.begin() as connection:
            connection.execute(
                tables.institution.insert().values(
                    code=HOSPITAL,
                    name="示例市第一医院",
                    level=2,
                    area_code="330800",
                    custody="self",
                    agreement_from=dt.date(2020, 1, 1),
                    agreement_until=dt.date(2030, 1, 1),
                    grace_days=90,
                    ledger_number=1,
                    ledger_account="0x00000000000000000000000000000000000000B1",
                    created_at=NOW,
                )
            )
            connection.execute(
                tables.payer.insert().values(
                    number=1,
                    name="衢州市医保中心",
                    payer_class="basic",
                    ledger_account=PAYER_ACCOUNT,
                )
            )
        return cls(services, ledger)

    @property
    def bank(self) -> MemoryBank:
        bank = self.services.bank
        assert isinstance(bank, MemoryBank)
        return bank

    @property
    def accounts(self) -> SetAccounts:
        accounts = self.services.payees
        assert isinstance(accounts, SetAccounts)
        return accounts

    def person(
        self, name: str = "测试甲子", username: str = "citizen01", *, is_covered: bool = True
    ) -> Person:
        person = Person(
            id=self.services.ids.new_id("per"),
            name=name,
            identity_number=f"TEST-{len(self.people):04d}",
            birth_on=dt.date(1985, 1, 1),
            gender="女",
            payee_bank="示例银行（测试）",
            payee_account_tail="6217",
        )
        with self.services.work() as work:
            work.people.add(person)
            work.people.add_login(
                Login(
                    self.services.ids.new_id("log"),
                    username,
                    generate_password_hash("12345678", method="pbkdf2:sha256:1"),
                    "citizen",
                    person.id,
                    is_sample=True,
                )
            )
            if is_covered:
                work.register.add(cover_of(self.services, person))
            work.commit()
        self.people.append(person)
        return person

    def bill(
        self,
        person: Person,
        yuan: int,
        visit_on: dt.date,
        *,
        item: tuple[str, str, int] = CLASS_A,
        lines: int = 1,
        **header: Any,
    ) -> str:
        """Store a bill of ``yuan`` yuan in equal lines of one item; returns its invoice id."""
        self.numbers += 1
        each_e4 = yuan * 10_000 // lines
        code, name, _ = item
        invoice = Invoice(
            institution_code=HOSPITAL,
            institution_name="示例市第一医院",
            invoice_code="33060126",
            invoice_number=f"{self.numbers:010d}",
            total_fen=yuan * 100,
            issued_on=visit_on,
            visit_on=visit_on,
            payer_name=header.pop("payer_name", person.name),
            payer_id=person.identity_number,
            own_pay_fen=yuan * 100 - header.get("other_pay_fen", 0),
            lines=tuple(
                ExpenseLine(name, 10_000, each_e4 * 100, each_e4, code, level="01")
                for _ in range(lines)
            ),
            **header,
        )
        return self.store(invoice)

    def store(self, invoice: Invoice) -> str:
        services, ids = self.services, self.services.ids
        record = invoice.to_record()
        secret = ids.new_secret()
        version_id, invoice_id = ids.new_id("ver"), ids.new_id("inv")
        lookup = services.secret_box.lookup("payer-id", invoice.payer_id)
        with services.engine.begin() as connection:
            connection.execute(
                tables.invoice.insert().values(
                    id=invoice_id,
                    institution_code=invoice.institution_code,
                    invoice_code=invoice.invoice_code,
                    invoice_number=invoice.invoice_number,
                    invoice_key=compute_invoice_key(
                        services.network_key, invoice.invoice_code, invoice.invoice_number
                    ),
                    second_key=bytes(32),
                    key_version=1,
                    kind=2 if invoice.is_settled_online else 1,
                    state="active",
                    current_version=1,
                    payer_id_lookup=lookup,
                    public_token=secrets.token_urlsafe(32),
                    original_id=None,
                    created_at=NOW,
                )
            )
            lines = record.pop("lines")
            connection.execute(
                tables.invoice_version.insert().values(
                    id=version_id,
                    invoice_id=invoice_id,
                    version=1,
                    header=canonical_bytes(record).decode(),
                    line_count=len(lines),
                    total_fen=invoice.total_fen,
                    borne_fen=invoice.borne_fen,
                    service_on=invoice.service_on,
                    fingerprint=compute_fingerprint({**record, "lines": lines}, secret),
                    wrapped_secret=services.secret_box.wrap(secret, version_id),
                    content_digest=bytes(32),
                    source_format="json",
                    source_document=b"{}",
                    marks="[]",
                    uploaded_at=NOW,
                )
            )
            for index, line in enumerate(lines):
                connection.execute(
                    tables.expense_line.insert().values(
                        version_id=version_id,
                        line_index=index,
                        record=canonical_bytes(line).decode(),
                    )
                )
            trait = trait_row(
                version_id,
                invoice.service_on,
                canonical_bytes(record).decode(),
                [canonical_bytes(line).decode() for line in lines],
            )
            connection.execute(tables.bill_trait.insert().values(trait))
        return invoice_id

    def anchor(self) -> None:
        """Form one batch of everything that is in none, and make its anchor final."""
        with self.services.work() as work:
            versions = [version.id for version in work.batches.unbatched(HOSPITAL)]
            bills = [work.claims.bill_of_version(version) for version in versions]
            last = work.batches.last(HOSPITAL)
            previous = bytes(32) if last is None else last.head
            self.sequence += 1
            leaves = [
                BatchLeaf(
                    HOSPITAL,
                    RecordKind(bill.kind),
                    1,
                    bill.invoice_key,
                    bytes(32),
                    bill.fingerprint,
                    bill.total_fen,
                    bill.borne_fen,
                ).encode()
                for bill in bills
            ]
            root = merkle.root_hash([merkle.leaf_hash(leaf) for leaf in leaves])
            head = batch_head(1, self.sequence, previous, root, len(leaves))
            batch_id = self.services.ids.new_id("bat")
            record = BatchRecord(
                batch_id, HOSPITAL, self.sequence, previous, root, len(leaves), head, NOW
            )
            work.batches.add(record, list(zip(leaves, versions, strict=True)))
            intent = LedgerIntent(
                self.services.ids.new_id("int"),
                IntentKind.ANCHOR,
                "0x00000000000000000000000000000000000000B1",
                False,
                f"anchor:{batch_id}",
                batch_id,
                {"sequence": self.sequence},
            )
            work.outbox.add(intent)
            self.ledger.block += 1
            self._final(work, intent, "done", {})
            work.commit()
        self.ledger.heads[(1, self.sequence)] = head

    def _final(self, work: Any, intent: LedgerIntent, outcome: str, detail: dict[str, Any]) -> None:
        work.outbox.set_state(
            [intent.id],
            IntentState.FINAL,
            outcome=outcome,
            outcome_detail=detail,
            tx_hash=secrets.token_bytes(32),
            block_number=self.ledger.block,
            block_hash=secrets.token_bytes(32),
            block_at=self.services.clock.now(),
        )

    def mine(self) -> int:
        """Carry out every queued intent of the payer and make it final."""
        with self.services.work() as work:
            queued = work.outbox.queued(held=True)
            for intent in queued:
                outcome, detail = self.ledger.carry_out(intent)
                self._final(work, intent, outcome, detail)
            work.commit()
        return len(queued)

    def run(self, rounds: int = 12) -> None:
        """Advance and mine until nothing moves."""
        for _ in range(rounds):
            moved = advance_claims(self.services)
            mined = self.mine()
            if not moved and not mined:
                return

    def claim(self, claim_id: str) -> Claim:
        with self.services.work(write=False) as work:
            return work.claims.get(claim_id)

    def sql(self, statement: str, **values: Any) -> None:
        """Change the database behind the application's back, insert-only triggers dropped."""
        with self.services.engine.begin() as connection:
            names = connection.execute(
                sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            ).scalars()
            for name in list(names):
                connection.execute(sa.text(f"DROP TRIGGER {name}"))
            connection.execute(sa.text(statement), values)
