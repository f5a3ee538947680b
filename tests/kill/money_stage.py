"""The stage of the plays about money: an agency, people with accounts, a bank with its own book."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import sqlalchemy as sa
from eth_account import Account

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.bank.simulated_book import KnownAccount
from backend.adapters.banks import listed_banks
from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.adapters.iso20022.pain002 import write_pain002
from backend.adapters.iso20022.payment_format import Iso20022Format
from backend.adapters.ledger.report_signing import LedgerKeySigner
from backend.adapters.simulated_messenger import SimulatedMessenger
from backend.domain.ledger import LedgerIntent, SlotState
from backend.entrypoints.anchor_worker import load_rules
from backend.service_layer.claims.holds import show_held_payouts
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims, advance_one
from backend.service_layer.handling.renewal import renew_locks
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
from backend.service_layer.money_reconciliation.daily import reconcile_pass
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payees.declare import NamedAccount, declare
from backend.service_layer.payees.effective import VerifiedAccounts
from backend.service_layer.payees.notices import send_notices
from backend.service_layer.payees.register import record_contact
from backend.service_layer.payout.ports import BankUnavailableError
from backend.service_layer.payout.records import AnswerStatus, StatusItem, StatusReport
from backend.service_layer.payout.run import payout_pass
from backend.service_layer.recovery.run import recovery_pass
from backend.service_layer.second_payers.sweep import second_payer_pass
from tests.integration.claims.world import CLASS_A, World
from tests.integration.payout.office import with_rules
from tests.integration.second_payers.desk import InsurersLedger
from tests.kill.stage import Stage

BANK: Final = "999900000017"
DAY: Final = dt.date(2026, 11, 3)
AGENCY: Final = Account.from_key(bytes(31) + b"\x07")
SIGNER: Final = LedgerKeySigner(SimpleNamespace(key_of=lambda _: bytes(AGENCY.key)))
ROUNDS: Final = 60
UNCOUNTED: Final = frozenset(
    {
        "alarm",
        "bank_message",
        "bank_reading",
        "clearing_end",
        "clearing_person",
        "clearing_run",
        "money_report",
        "payer_key",
        "payout_file",
        "reconciliation_case_event",
    }
)
"""Tables of which a killed process may rightly leave more rows: an alarm that was raised for a
moment, a report of the bank that came twice, a bank file that was looked into twice, a clearing or
a reconciliation that was made once more and found nothing new, a word that was said again, a key
that was issued and never seen, money that went in two files or in one. Each instruction, answer
and credit at the bank is counted."""


class KeptLedger(InsurersLedger):
    """The fake ledger as it is kept between processes. Reading a key of ``broken`` fails; calls of
    a kind in ``refused`` are refused for the keys that stand there."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[bytes] = set()
        self.refused: dict[str, set[str]] = {}

    def carry_out(self, intent: LedgerIntent) -> tuple[str, dict[str, Any]]:
        if intent.payload.get("invoice_key") in self.refused.get(str(intent.kind), ()):
            return "not-yours", {}
        return super().carry_out(intent)

    def slot(self, invoice_key: bytes) -> SlotState:
        if invoice_key in self.broken:
            raise ValueError("a slot that cannot be read")
        return super().slot(invoice_key)


class MoneyStage(Stage):
    """``world`` makes bills and carries out what waits for the ledger."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        folder.mkdir()
        self.world = World.make(folder, url)
        services = self.world.services
        ledger = KeptLedger()
        self.world.ledger = services.__dict__["ledger"] = ledger
        super().__init__(folder, services, ledger)
        kept = services.__dict__
        self.bank = SimulatedBank(folder / "bank", services.clock.now)
        kept["bank"] = self.bank
        kept["payment_format"] = Iso20022Format()
        kept["banks"] = listed_banks(is_simulated=True)
        kept["payees"] = VerifiedAccounts(services.secret_box)
        kept["messenger"] = SimulatedMessenger(folder / "messages")
        kept["report_signer"] = SIGNER
        with services.engine.begin() as connection:
            connection.execute(sa.update(tables.payer).values(ledger_account=AGENCY.address))
        load_rules(services)
        self.people: dict[str, Any] = {}
        self.bills: dict[str, str] = {}

    # --- before the play ----------------------------------------------------------------------

    def person(self, name: str, ending: str = "1111", *, others: str = "") -> Any:
        """Somebody with a telephone and an account that ends so; the bank knows others too."""
        person = self.world.person(f"测试{name}", name)
        self.people[name] = person
        for one in filter(None, (ending, *others.split())):
            self.bank.enrol([KnownAccount(self.number(name, one), person.name, BANK)])
        with self.services.work() as work:
            record_contact(
                self.services, work, person.id, "13800000000", by="t", source="simulated"
            )
            work.commit()
        if ending:
            self.name_account(name, ending)
        return person

    def number(self, name: str, ending: str) -> str:
        return f"9999{int.from_bytes(name.encode()[:5]):015d}{ending}"

    def name_account(self, name: str, ending: str) -> Any:
        """The same form whenever it is sent again."""
        named = NamedAccount(
            self.people[name].id, BANK, self.number(name, ending), f"form-{name}-{ending}", name
        )
        return declare(self.services, named)

    def bill(self, name: str, yuan: int, bill: str = "", **more: Any) -> str:
        """A bill of that person under a name of its own; each has another day."""
        day = DAY - dt.timedelta(days=self.world.numbers)
        item = more.pop("item", CLASS_A)
        made = self.world.bill(self.people[name], yuan, day, item=item, **more)
        self.bills[bill or name] = made
        return made

    # --- acts ---------------------------------------------------------------------------------

    def touch(self, *bills: str) -> None:
        """一触, with the form that the page had."""
        for bill in bills:
            name = bill.partition(" ")[0]
            token = hashlib.sha256(bill.encode()).hexdigest()[:43]
            ids = [self.bills[bill]]
            submit(self.services, self.people[name].id, ids, token, has_consent=True)

    def works(self, *, with_payouts: bool = True, with_ledger: bool = True) -> None:
        """A worker starts and goes on until nothing moves."""
        services = self.services
        self._starts()
        for _ in range(ROUNDS):
            moved = advance_claims(services, at_once=True, with_payouts=False)
            if with_payouts:
                moved += payout_pass(services)
            moved += recovery_pass(services)
            moved += second_payer_pass(services)
            moved += renew_locks(services)
            moved += send_notices(services)
            reconcile_pass(services, SIGNER)
            moved += self.mine() if with_ledger else 0
            if not moved:
                return
        raise AssertionError("the worker goes round and round")

    def _starts(self) -> None:
        show_held_payouts(self.services)
        try:
            hold_if_ahead(self.services)
        except BankUnavailableError:
            return

    def mine(self) -> int:
        """The ledger carries out what waits for it; nobody is killed here."""
        with self.quiet():
            mined = self.world.mine()
            self.keep()
        return mined

    def anchors(self) -> None:
        """What is in no batch is in one, and its anchor is final."""
        with self.quiet():
            self.world.anchor()

    def passes(self, **span: float) -> None:
        """Time goes by."""
        clock = self.services.clock
        clock.advance(dt.timedelta(**span).total_seconds())
        self.ledger.skew += dt.timedelta(**span)

    def instant(self, bill_fen: int) -> None:
        from backend.domain.payout import InstantLimits

        with_rules(self.world, instant=InstantLimits(bill_fen, 10 * bill_fen, 1000 * bill_fen))

    def set_slot(self, bill: str, **changes: Any) -> None:
        """The ledger shows something else of a bill."""
        import dataclasses

        key = self.key(bill)
        self.ledger.slots[key] = dataclasses.replace(self.ledger.slots[key], **changes)

    def until(self, state: str, *bills: str) -> None:
        """Workers bring the claims on these bills to a state, and no further."""
        for bill in bills:
            for _ in range(40):
                claim = self.claim(bill)
                if claim.state == state:
                    break
                if not advance_one(self.services, claim.id):
                    self.mine()
            else:
                raise AssertionError(f"{bill} is {claim.state} {claim.waiting_for}, not {state}")

    def advance(self, bill: str) -> bool:
        return advance_one(self.services, self.claim(bill).id)

    def refuse(self, kind: str, bill: str, *, is_over: bool = False) -> None:
        """The ledger refuses the calls of a kind on a bill, or does not any more."""
        known = self.ledger.refused.setdefault(kind, set())
        (known.discard if is_over else known.add)(self.key(bill).hex())

    def set_bill(self, bill: str, state: str) -> None:
        """Its institution says that it is void, or reversed; the ledger's part is apart."""
        with self.quiet(), self.services.work() as work:
            work.invoices.set_state(self.bills[bill], state)
            work.commit()

    def set_claim(self, claim: Any, state: str) -> None:
        """The state of a claim is another, as in an older copy of the database."""
        with self.services.engine.begin() as connection:
            connection.execute(
                sa.update(tables.claim).where(tables.claim.c.id == claim.id).values(state=state)
            )

    # --- what is so ---------------------------------------------------------------------------

    def key(self, bill: str) -> bytes:
        with self.services.work(write=False) as work:
            return bytes(work.invoices.get(self.bills[bill]).invoice_key)

    def claim(self, bill: str) -> Any:
        """The newest claim on a bill."""
        return self.claims_on(bill)[-1]

    def claims_on(self, bill: str) -> list[Any]:
        """Every claim on a bill, oldest first."""
        rows = [row for row in self.rows(tables.claim) if row.invoice_id == self.bills[bill]]
        return [self.world.claim(row.id) for row in sorted(rows, key=lambda row: row.created_at)]

    def alarms(self) -> set[str]:
        with self.services.work(write=False) as work:
            return set(work.alarms.open_counts())

    def credits(self) -> dict[str, list[int]]:
        """What the bank's own book has for each person, by the ending of the account."""
        names = {self.number(n, e): f"{n} {e}" for n in self.people for e in ENDINGS}
        found: dict[str, list[int]] = {}
        with self.bank.book.open() as page:
            for credit in page.credits():
                found.setdefault(names[credit.account], []).append(credit.amount_fen)
        return {name: sorted(fen) for name, fen in sorted(found.items())}

    def balances(self) -> dict[str, int]:
        """Kind of account to its balance, worked out from the transfers alone."""
        sums: Counter[str] = Counter()
        for row in self.rows(tables.journal_transfer):
            sums[row.debit_account.split(":")[0]] += row.amount_fen
            sums[row.credit_account.split(":")[0]] -= row.amount_fen
        return {kind: fen for kind, fen in sorted(sums.items()) if fen}

    def summary(self) -> dict[str, Any]:
        """What must be the same whoever was killed."""
        by_bill = {bill: name for name, bill in self.bills.items()}
        states = {
            f"{by_bill[row.invoice_id]} {row.number}"[:80]: (row.state, row.waiting_for)
            for row in self.rows(tables.claim)
        }
        calls = Counter(kind for kind, _ in self.ledger.calls)
        slots = {
            name: (slot.paid_fen, slot.open_payer, slot.settled_payers, slot.flags)
            for name in self.bills
            if (slot := self.ledger.slots.get(self.key(name))) is not None
        }
        counts = {
            table.name: len(self.rows(table))
            for table in tables.metadata.sorted_tables
            if table.name not in UNCOUNTED
        }
        with self.services.work(write=False) as work:
            cases = sorted(case.kind for case in work.reconciliation.open_cases())
        return {
            "claims": {name.split()[0]: found for name, found in states.items()},
            "ledger calls": dict(calls),
            "slots": slots,
            "bank": self.credits(),
            "balances": self.balances(),
            "alarms": sorted(self.alarms()),
            "open cases": cases,
            "rows": counts,
            "messages": len(list((self.folder / "messages").glob("*"))),
        }

    def assert_clean(self) -> None:
        """Every rule of the reconciliation, and the journal's own."""
        found = find_mismatches(self.services)
        assert found == [], found
        with self.services.work(write=False) as work:
            faults = check_journal(work)
        assert faults == [], faults
        assert sum(self.balances().values()) == 0

    def says(self, name: str, ending: str, status: AnswerStatus, report: str) -> None:
        """The bank leaves another report, about its newest payment to that account."""
        account, now = self.number(name, ending), self.services.clock.now()
        with self.bank.book.open() as page:
            credit = [one for one in page.credits() if one.account == account][-1]
        said = StatusItem(
            credit.end_to_end_id,
            status,
            reason_code="AC04" if status is AnswerStatus.RETURNED else "",
            amount_fen=credit.amount_fen,
            bank_reference=credit.reference,
            answered_at=now,
        )
        made = StatusReport(
            message_id=report,
            created_at=now,
            original_message_id=credit.message_id,
            items=(said,),
            simulated=True,
        )
        folder = self.folder / "bank"
        if not (folder / "read" / f"{report}.pain.002.xml").exists():
            (folder / "in" / f"{report}.pain.002.xml").write_bytes(write_pain002(made))

    def break_down(self) -> None:
        """The bank's folder is gone: its place is taken by a file."""
        bank = self.folder / "bank"
        if bank.is_dir():
            bank.rename(self.folder / "bank.away")
            bank.write_bytes(b"")

    def mend(self) -> None:
        bank = self.folder / "bank"
        if bank.is_file():
            bank.unlink()
            (self.folder / "bank.away").rename(bank)

    def back_up(self) -> None:
        import sqlite3

        with (
            sqlite3.connect(self.folder / "yichu.db") as one,
            sqlite3.connect(self.folder / "copy.db") as copy,
        ):
            one.backup(copy)

    def put_back(self) -> None:
        """The database is the older copy; bank and ledger are where they are."""
        self.services.engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"yichu.db{suffix}").unlink(missing_ok=True)
        (self.folder / "yichu.db").write_bytes((self.folder / "copy.db").read_bytes())
        self.services.__dict__["engine"] = make_engine(self.services.settings.database_url)


ENDINGS: Final = ("1111", "2222", "0002", "0003", "0006", "0008", "0009")
Act = Callable[[MoneyStage], object]
