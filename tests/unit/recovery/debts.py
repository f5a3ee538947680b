"""A claim of which 60.00 yuan were approved, 40.00 of the pool and 20.00 of serious illness, on a
bill that its hospital has taken back; everything that is written is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from backend.domain.claim import ClaimState
from backend.domain.journal import ClaimFund, Entry, Fund, LayerAmounts, Occasion, approved
from backend.domain.ledger import IntentKind
from backend.domain.recovery import Receipt, Recovery
from backend.service_layer.claims.records import Payout
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.payout.stored import Tried
from backend.service_layer.recovery.ports import Dismissal
from tests.unit.journal.books import Books
from tests.unit.payout.bank_files import ATTEMPT, ended
from tests.unit.payout.payables import CLAIM, PAYABLE

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
CITY = Fund("330800", "310", "330802", "柯城测试")
LAYERS = LayerAmounts(40_00, 20_00)


class Debts:
    """Services and transaction in one."""

    def __init__(self, bill_state: str = "void", claim_state: ClaimState = ClaimState.PAID) -> None:
        self.claim = replace(CLAIM, state=claim_state)
        self.bill: Any = SimpleNamespace(
            state=bill_state, invoice_key=b"\x05" * 32, institution_code="H1"
        )
        self.books = Books()
        self.payables: list[Payout] = [PAYABLE]
        self.attempts: dict[str, list[Tried]] = {}
        self.orders: dict[str, Recovery] = {}
        self.reversals: list[Any] = []
        self.supplements: list[Any] = []
        self.alarms: dict[tuple[str, str], str] = {}
        self.notices: list[Any] = []
        self.sent: list[Any] = []
        self.locked: list[str] = []
        self.dismissals: list[Dismissal] = []
        self.decided_at = NOW - dt.timedelta(days=9)
        self.commits = 0
        self.old_answer: Any = None
        self.approve("pay_1", LAYERS)

    def approve(self, payable: str, layers: LayerAmounts) -> None:
        said = Occasion("payout", payable, CITY, "clm_1", NOW - dt.timedelta(days=9))
        self.books.stored[payable] = approved(said, LayerAmounts(), layers)

    def tried(self, *statuses: AnswerStatus | None, payable: str = "pay_1") -> None:
        """The payable was tried so often, with these answers; None is no answer yet."""
        self.attempts[payable] = [
            Tried(replace(ATTEMPT, attempt=n), None if status is None else ended(status))
            for n, status in enumerate(statuses, start=1)
        ]

    @property
    def kinds(self) -> list[str]:
        """What was booked, without the approvals that were there."""
        return [str(one.kind) for one in self.books.stored.values() if one.kind != "approved"]

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_new"),
            bank=SimpleNamespace(is_simulated=True),
            network_key=b"k",
            work=lambda write=True: self,
        )

    def __enter__(self) -> Any:
        return SimpleNamespace(
            commit=self._commit,
            people=SimpleNamespace(lock=self.locked.append),
            claims=SimpleNamespace(
                get=lambda claim, lock=False: self.claim,
                update=self._update,
                bill_of_version=lambda version: self.bill,
                payer_account=lambda number: "0xA1",
            ),
            outbox=SimpleNamespace(of_subject=self._of_subject, add=self.sent.append),
            journal=SimpleNamespace(
                find=self.books.find,
                add=self.books.add,
                lock_months=self.books.lock_months,
                entries_of=self._entries_of,
                claim_fund=lambda claim: ClaimFund(claim, CITY, "register", NOW),
            ),
            payments=SimpleNamespace(
                payables_of=lambda claim: self.payables,
                tried=lambda payable: self.attempts.get(payable, []),
            ),
            decisions=SimpleNamespace(
                latest=lambda claim: SimpleNamespace(decided_at=self.decided_at)
            ),
            payouts=SimpleNamespace(answer_of=lambda payable: self.old_answer),
            payees=SimpleNamespace(contact_of=lambda person: None, add_notice=self.notices.append),
            alarms=SimpleNamespace(
                raise_alarm=lambda code, subject, detail: self.alarms.update(
                    {(code, subject): detail}
                ),
                clear=lambda code, subject: self.alarms.pop((code, subject), None),
            ),
            recoveries=SimpleNamespace(
                of_claim=lambda claim: list(self.orders.values()),
                get=lambda order, lock=False: self.orders[order],
                add=self._add,
                add_receipt=self._receive,
                add_dismissal=self._dismiss,
                add_reversal=self.reversals.append,
                reversed_payables=lambda claim: frozenset(one.payout_id for one in self.reversals),
            ),
        )

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1

    def _update(self, claim: str, before: ClaimState, at: dt.datetime, **fields: Any) -> bool:
        assert (claim, before, at) == ("clm_1", self.claim.state, NOW)
        self.claim = replace(self.claim, **fields)
        return True

    def _of_subject(self, subject: str, *kinds: IntentKind) -> Sequence[Any]:
        return self.supplements if IntentKind.SUPPLEMENT in kinds else []

    def _entries_of(self, claim: str) -> list[Entry]:
        return [one for one in self.books.stored.values() if one.occasion.claim_id == claim]

    def _add(self, order: Any) -> None:
        self.orders[order.id] = Recovery(order)

    def _receive(self, receipt: Receipt) -> None:
        found = self.orders[receipt.order_id]
        self.orders[receipt.order_id] = replace(found, receipts=(*found.receipts, receipt))

    def _dismiss(self, entry: Dismissal) -> None:
        self.dismissals.append(entry)
        self.orders[entry.order_id] = replace(self.orders[entry.order_id], is_dismissed=True)
