"""A payer that speaks to the ledger itself, past the backend: raw transactions with its own key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.adapters.database import tables
from backend.domain.invoice import Invoice
from backend.domain.ledger import IntentKind, LeafPosition
from backend.service_layer.anchoring.model import LedgerEvent, UnsignedTransaction
from tests.e2e.system import System

LOCK_SECONDS = 86_400


@dataclass
class RawPayer:
    """``number`` as registered; the key is the keystore of that payer."""

    system: System
    number: int

    def lodge(self, bill: Invoice) -> LedgerEvent:
        """Lodge the bill under the counter that would be next."""
        services = self.system.services
        row = self.system.stored(bill)
        position = self._position(row.id)
        head = services.ledger.head()
        payload = {
            "position": position.to_payload(),
            "payer": self.number,
            "counter": self.system.slot(row.invoice_key).lodge_counter + 1,
            "deadline": int(head.at.timestamp()) + LOCK_SECONDS,
        }
        return self._send(IntentKind.LODGE, payload)

    def settle(self, bill: Invoice, amount_fen: int) -> LedgerEvent:
        """Settle this payer's open claim."""
        row = self.system.stored(bill)
        services = self.system.services
        pack = next(pack for pack in services.packs if pack.region == services.settings.region)
        payload = {
            "invoice_key": row.invoice_key.hex(),
            "counter": self.system.slot(row.invoice_key).lodge_counter,
            "amount": amount_fen,
            "decision_fingerprint": "77" * 32,
            "decision_version": 1,
            "policy_hash": pack.policy_hash.hex(),
        }
        return self._send(IntentKind.SETTLE, payload)

    def _position(self, invoice_id: str) -> LeafPosition:
        versions = [r for r in self.system.rows(tables.invoice_version)
                    if r.invoice_id == invoice_id]  # fmt: skip
        newest = max(versions, key=lambda version: version.version)
        with self.system.services.work(write=False) as work:
            position = work.batches.position_of(newest.id)
        assert position is not None
        return position

    def _send(self, kind: IntentKind, payload: dict[str, Any]) -> LedgerEvent:
        services = self.system.services
        account = services.keystores.account_of(f"payer-{self.number}")
        call = services.ledger.encode(kind, [payload])
        unsigned = UnsignedTransaction(
            chain_id=services.ledger.deployment().chain_id,
            nonce=services.ledger.transaction_count(account),
            to=call.to,
            data=call.data,
            gas=call.gas,
            gas_price=0,
        )
        signed = services.keystores.sign(account, unsigned)
        self.system.rpc("eth_sendRawTransaction", "0x" + signed.raw.hex())
        receipt = services.ledger.receipt(signed.hash)
        assert receipt is not None
        assert receipt.succeeded
        (event,) = receipt.events
        return event
