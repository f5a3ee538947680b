"""The ledger of the walks with money: insurers' calls, time of its own, and a record of its calls.

The record outlives every copy of the database. As a node it is read by the code of
``yichu reconcile``: what was carried out after a copy was taken stands there as events of blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent, SlotState
from backend.service_layer.anchoring.model import (
    LedgerEvent,
    MinedTransaction,
    Receipt,
    UnsignedTransaction,
)
from backend.service_layer.ports import BlockStamp
from tests.integration.claims.world import NOW
from tests.integration.second_payers.desk import InsurersLedger
from tests.machine.reorganising_ledger import INSTITUTION, ReorganisingLedger

_NOBODY = "0x" + "00" * 20
_BYTES = ("decision_fingerprint", "policy_hash", "recovery_number")


class MoneyLedger(ReorganisingLedger, InsurersLedger):
    """Another worker may do its work between the reading of a slot and what follows from it."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None
        self.record: dict[str, tuple[LedgerIntent, dict[str, Any]]] = {}
        """Calls and what became of them, in their order; of a lost block until it is said anew."""
        self._settled: dict[tuple[str, int], dict[str, Any]] = {}

    def _note(self, work: Any, intent: LedgerIntent, outcome: str, detail: dict[str, Any]) -> None:
        super()._note(work, intent, outcome, detail)
        block = self.block.to_bytes(32, "big")
        self.record.pop(intent.id, None)
        self.record[intent.id] = (
            intent,
            {
                "outcome": outcome,
                "tx_hash": block,
                "block_number": self.block,
                "block_hash": block,
                "block_at": NOW + self.skew,
                "log_index": 0,
                "outcome_detail": detail,
            },
        )

    def slot(self, invoice_key: bytes) -> SlotState:
        found = super().slot(invoice_key)
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        return found

    # --- calls that come twice after an older copy of the database was put back -----------------

    def _settle(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The same settlement again is a repetition (design: ledger protocol 4)."""
        name = (payload["invoice_key"], payload["payer"])
        slot = self.slots[bytes.fromhex(payload["invoice_key"])]
        if slot.has_settled(payload["payer"]) and self._settled.get(name) == payload:
            return "repeated", {}
        outcome, detail = super()._settle(payload)
        if outcome == "done":
            self._settled[name] = dict(payload)
        return outcome, detail

    def _release(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Only who holds the lock gives it back."""
        slot = self.slots[bytes.fromhex(payload["invoice_key"])]
        if (slot.open_payer, slot.lodge_counter) != (payload["payer"], payload["counter"]):
            return "stale", {}
        return super()._release(payload)


def event_of(intent: LedgerIntent, values: dict[str, Any]) -> LedgerEvent:
    """What the contract would have emitted for a call that was carried out."""
    payload = dict(intent.payload)
    figures: dict[str, Any] = {
        name: bytes.fromhex(found) if name in _BYTES else found
        for name, found in payload.items()
        if name not in ("position", "invoice_key")
    }
    if intent.kind is IntentKind.LODGE:
        position = LeafPosition.from_payload(payload["position"])
        figures |= {"leaf_reference": position.reference, "value": payload["deadline"]}
        key = position.leaf[20:52]
    else:
        key = bytes.fromhex(payload["invoice_key"])
        figures["value"] = payload.get("amount", payload.get("reason", payload.get("deadline", 0)))
    if intent.kind is IntentKind.SUPPLEMENT:
        figures["paid"] = payload["paid_before"] + payload["amount"]
    return LedgerEvent(
        call=str(intent.kind),
        outcome=values["outcome"],
        item_index=0,
        key=key,
        values={"counter": 0} | figures,
        tx_hash=values["tx_hash"],
        block_number=values["block_number"],
        block_hash=values["block_hash"],
        log_index=values["log_index"],
    )


class RecordNode:
    """The blocks after ``copied_at``, read as a node gives them."""

    def __init__(self, ledger: MoneyLedger, copied_at: int) -> None:
        self._ledger, self._copied_at = ledger, copied_at
        self._times = {v["block_number"]: v["block_at"] for _, v in ledger.record.values()}
        self._events = [
            event_of(intent, values)
            for intent, values in ledger.record.values()
            if intent.kind is not IntentKind.ANCHOR and values["block_number"] > copied_at
        ]

    def deployment(self) -> Any:
        return SimpleNamespace(block_number=self._copied_at + 1)

    def head(self) -> BlockStamp:
        self._ledger._asked()
        found = self.block(self._ledger.block)
        assert found is not None, "the head is a block"
        return found

    def final_number(self) -> int:
        return self.head().number

    def block(self, number: int) -> BlockStamp | None:
        if number > self._ledger.block:
            return None
        at = self._times.get(number, NOW + self._ledger.skew)
        return BlockStamp(number, number.to_bytes(32, "big"), at)

    def blocks(self, numbers: Sequence[int]) -> list[BlockStamp | None]:
        return [self.block(number) for number in numbers]

    def events(self, first: int, last: int) -> list[LedgerEvent]:
        self._ledger._asked()
        return [one for one in self._events if first <= one.block_number <= last]

    def transaction(self, tx_hash: bytes) -> MinedTransaction:
        nonce = int.from_bytes(tx_hash, "big")
        unsigned = UnsignedTransaction(1337, nonce, _NOBODY, b"", 21_000, gas_price=1)
        return MinedTransaction(_NOBODY, unsigned)

    def receipt(self, tx_hash: bytes) -> Receipt:
        found = tuple(one for one in self._events if one.tx_hash == tx_hash)
        return Receipt(tx_hash, found[0].block_number, found[0].block_hash, True, 21_000, found)

    def receipts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        return {tx_hash: self.receipt(tx_hash) for tx_hash in tx_hashes}

    def batch_head(self, institution_number: int, sequence: int) -> bytes:
        """No bill is lost in the walks: every batch of the ledger is in the copy."""
        assert institution_number == INSTITUTION, "the walks have one hospital"
        return bytes(32)

    def transaction_count(self, account: str, block_number: int | None = None) -> int:
        raise AssertionError(f"nothing signs here for {account} at {block_number}")


class NoKeys:
    """Signs nothing: the ledger of the walks takes calls as they are."""

    def holds(self, account: str) -> bool:
        return account == "nobody"


class ReportSeal:
    """Stands in for the agency's key under the reports of a reconciliation."""

    def sign(self, account: str, digest: bytes) -> bytes:
        return (account.encode() + digest).ljust(65, b"\x00")[:65]
