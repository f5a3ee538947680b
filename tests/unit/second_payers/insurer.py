"""An insurer with a lodged claim on one bill, a citizen's consent, and a ledger to be asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.service_layer.second_payers.once import Once
from backend.service_layer.second_payers.records import (
    Consent,
    KeptAnswer,
    PayerClaim,
    SecondPayer,
)

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
SOON = int((NOW + dt.timedelta(days=1)).timestamp())
PAYER = SecondPayer(9, "示例人寿", "non-basic")
KEY = b"\x05" * 32
CLAIM = PayerClaim("pcl_1", 9, "per_1", "inv_1", "ver_1", KEY, "cns_1", 4, 1, NOW)
CONSENT = Consent(
    "cns_1", "per_1", "inv_1", 9, "header,lines", NOW + dt.timedelta(days=30), b"", "t" * 16,
    NOW - dt.timedelta(days=1),
)  # fmt: skip
ONCE = Once("key-1", ("settle", "pcl_1"), lambda view: f"{view.claim.id} {view.standing.phase}")
LODGE = IntentKind.LODGE


def call(
    kind: IntentKind = LODGE, outcome: str | None = "done", state: str = "final", **payload: Any
) -> LedgerIntent:
    return LedgerIntent(
        id=f"int_{kind}", kind=kind, account="0x9", held=True, dedupe_key=str(kind),
        subject_id="pcl_1", payload={"deadline": SOON, "amount": 7} | payload,
        state=IntentState(state), outcome=outcome,
    )  # fmt: skip


def slot(payer: int = 9, counter: int = 4, deadline: int = SOON) -> SlotState:
    return SlotState(
        total_fen=40_000, paid_fen=0, leaf_reference=0, deadline=deadline, open_payer=payer,
        lodge_counter=counter, flags=0, settled_payers=0,
    )  # fmt: skip


class Desk:
    """Services and transaction in one; keeps everything that is written."""

    def __init__(self, *calls: LedgerIntent) -> None:
        self.calls = list(calls or (call(),))
        self.claims: dict[str, PayerClaim] = {"pcl_1": CLAIM}
        self.consents: list[Consent] = [CONSENT]
        self.kept: dict[tuple[int, str], KeptAnswer] = {}
        self.notices: list[Any] = []
        self.published = 1
        self.slot = slot()
        self.head_at = NOW
        self.bill: Any = SimpleNamespace(state="active")
        self.closed: list[tuple[str, str]] = []
        self.revoked: list[str] = []
        self.locked: list[str] = []
        self.commits = 0
        self.asked: list[LedgerIntent] = []
        self.ledger_error: Exception | None = None

    # services

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_new"),
            ledger=SimpleNamespace(
                head=lambda: SimpleNamespace(at=self.head_at),
                bill=self._bill_on_ledger,
                policy_published_at=lambda policy_hash: self.published,
            ),
            work=lambda write=True: self,
        )

    def _bill_on_ledger(self, key: bytes) -> Any:
        assert key == KEY
        if self.ledger_error is not None:
            raise self.ledger_error
        return SimpleNamespace(slot=self.slot, head=SimpleNamespace(at=self.head_at))

    # the transaction

    def __enter__(self) -> Any:
        desk = self

        def add(intent: LedgerIntent) -> bool:
            if any(one.dedupe_key == intent.dedupe_key for one in desk.asked):
                return False
            desk.asked.append(intent)
            return True

        def close(claim_id: str, phase: str, at: dt.datetime) -> bool:
            assert at == NOW
            desk.closed.append((claim_id, str(phase)))
            return True

        def revoke(consent_id: str, at: dt.datetime) -> bool:
            desk.revoked.append(consent_id)
            return True

        def keep(entry: KeptAnswer) -> None:
            desk.kept[entry.payer_number, entry.request_key] = entry

        return SimpleNamespace(
            commit=self._commit,
            people=SimpleNamespace(lock=self.locked.append),
            claims=SimpleNamespace(
                payer_account=lambda number: f"0x{number}",
                payer_name=lambda number: f"payer {number}",
                bill_of_version=lambda version: self.bill,
            ),
            outbox=SimpleNamespace(of_subject=self._of_subject, add=add),
            payees=SimpleNamespace(contact_of=lambda person: None, add_notice=self.notices.append),
            second_payers=SimpleNamespace(
                claim=self.claims.get,
                claims_on=lambda payer, invoice: list(self.claims.values()),
                consents_on=lambda payer, invoice: [
                    one
                    for one in self.consents
                    if (one.payer_number, one.invoice_id) == (payer, invoice)
                ],
                consent=lambda name: next((o for o in self.consents if o.id == name), None),
                open_claims=lambda: list(self.claims.values()),
                kept_answer=lambda payer, key: self.kept.get((payer, key)),
                keep_answer=keep,
                close=close,
                revoke=revoke,
            ),
        )

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1

    def _of_subject(self, subject: str, kind: IntentKind) -> Sequence[LedgerIntent]:
        return [one for one in self.calls if (one.subject_id, one.kind) == (subject, kind)]
