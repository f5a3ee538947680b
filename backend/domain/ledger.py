"""What we want the ledger to do (intents) and what it did (outcomes).

An intent is a row of the transactional outbox. It is created in the same database transaction
as the state change that wants it, and its outcome is read back from the chain's events, never
assumed (design: ledger protocol, sections 4 to 6).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class IntentKind(StrEnum):
    ANCHOR = "anchor"
    SUPERSEDE = "supersede"
    VOID = "void"
    REVERSE = "reverse"
    LODGE = "lodge"
    SETTLE = "settle"
    RELEASE = "release"
    RENEW = "renew"
    EXPIRE = "expire"
    RULE = "rule"
    SUPPLEMENT = "supplement"
    RECOVER = "recover"
    EXCHANGE = "exchange"
    RETURN = "return"


class IntentState(StrEnum):
    """queued -> offered (self-custody only) -> signed -> sent -> mined -> final.

    ``failed`` is an outcome that the ledger refused for good; ``quarantined`` an item that was
    isolated after bounded tries. A reorganisation takes *mined* back to *sent*.
    """

    QUEUED = "queued"
    OFFERED = "offered"
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class LedgerIntent:
    """One wanted ledger event.

    ``payload`` holds the call's arguments as JSON values (hashes as 0x-less hex, integers).
    ``account`` is the checksummed address that must send it; ``held`` says whether the operator
    holds its key (custodial institutions, payers, registrar) or it is offered for signing.
    ``dedupe_key`` makes enqueueing idempotent, e.g. ``lodge:<claim id>:<counter>``.
    """

    id: str
    kind: IntentKind
    account: str
    held: bool
    dedupe_key: str
    subject_id: str
    payload: dict[str, Any]
    state: IntentState = IntentState.QUEUED
    outcome: str | None = None
    outcome_detail: dict[str, Any] | None = None
    tx_hash: bytes | None = None
    block_number: int | None = None
    block_hash: bytes | None = None
    log_index: int | None = None
    block_at: dt.datetime | None = None
    tries: int = 0

    def payload_text(self) -> str:
        return json.dumps(self.payload, sort_keys=True, separators=(",", ":"))

    @property
    def is_final(self) -> bool:
        return self.state is IntentState.FINAL

    @property
    def took_effect(self) -> bool:
        """Whether the ledger is now as the intent wanted it (it may have been so already)."""
        return self.outcome in ("done", "repeated")


@dataclass(frozen=True, slots=True)
class LeafPosition:
    """Where an invoice version's leaf stands: batch opening, index and proof."""

    institution_number: int
    sequence: int
    previous_head: bytes
    root: bytes
    size: int
    leaf_index: int
    leaf: bytes
    proof: tuple[bytes, ...]

    @property
    def reference(self) -> int:
        """48-bit leaf reference of the slot: institution 16, sequence 22, index 10."""
        return (self.institution_number << 32) | (self.sequence << 10) | self.leaf_index

    def to_payload(self) -> dict[str, Any]:
        return {
            "institution": self.institution_number,
            "sequence": self.sequence,
            "previous_head": self.previous_head.hex(),
            "root": self.root.hex(),
            "size": self.size,
            "leaf_index": self.leaf_index,
            "leaf": self.leaf.hex(),
            "proof": [node.hex() for node in self.proof],
        }

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> LeafPosition:
        return cls(
            institution_number=payload["institution"],
            sequence=payload["sequence"],
            previous_head=bytes.fromhex(payload["previous_head"]),
            root=bytes.fromhex(payload["root"]),
            size=payload["size"],
            leaf_index=payload["leaf_index"],
            leaf=bytes.fromhex(payload["leaf"]),
            proof=tuple(bytes.fromhex(node) for node in payload["proof"]),
        )


@dataclass(frozen=True, slots=True)
class SlotState:
    """An invoice key's slot, decoded (layout: ledger protocol, section 4)."""

    total_fen: int
    paid_fen: int
    leaf_reference: int
    deadline: int
    open_payer: int
    lodge_counter: int
    flags: int
    settled_payers: int

    PINNED = 1
    VOID = 2
    REVERSED = 4
    ON_PAPER = 8
    IS_PAPER = 16
    ALIAS = 32
    MOVED = 64

    @classmethod
    def decode(cls, raw: int) -> SlotState:
        def take(shift: int, width: int) -> int:
            return (raw >> shift) & ((1 << width) - 1)

        return cls(
            total_fen=take(0, 40),
            paid_fen=take(40, 40),
            leaf_reference=take(80, 48),
            deadline=take(128, 32),
            open_payer=take(160, 8),
            lodge_counter=take(168, 16),
            flags=take(184, 8),
            settled_payers=take(192, 64),
        )

    def has_settled(self, payer_number: int) -> bool:
        return bool(self.settled_payers >> (payer_number - 1) & 1)


# Payload schemas, one an intent kind (all hashes hex, all numbers int):
#   anchor     {"sequence", "previous_head", "root", "size"}
#   supersede  {"old": LeafPosition payload, "new": LeafPosition payload}
#   void       {"position": LeafPosition payload, "reason": int}
#   reverse    {"original": LeafPosition payload, "red": LeafPosition payload}
#   lodge      {"position": LeafPosition payload, "payer", "counter", "deadline"}
#   settle     {"invoice_key", "payer", "counter", "amount", "decision_fingerprint",
#               "decision_version", "policy_hash"}
#   release    {"invoice_key", "payer", "counter", "reason", "decision_fingerprint",
#               "decision_version", "policy_hash"}
#   renew      {"invoice_key", "payer", "counter", "deadline"}
#   expire     {"invoice_key", "counter"}
#   rule       {"invoice_key", "leaf": LeafPosition payload or null}
#   supplement {"invoice_key", "payer", "paid_before", "amount", "decision_fingerprint",
#               "decision_version", "policy_hash"}
#   recover    {"invoice_key", "payer", "amount", "recovery_number"}
#   exchange   {"position": LeafPosition payload, "paper_key"}; return likewise

# Outcomes: the contract's `Outcome` and `AnchorOutcome` in kebab case ("done" for an effect and
# for Anchored): done, repeated, stale, locked, settled-by-payer, settled-by-basic, bound-elsewhere,
# nothing-left, over-total, bad-deadline, conflict, not-next, quarantined, retired, not-settled,
# number-used, paper-key-bound, is-paper, ... `outcome_detail` of a claim call:
#   {"payer", "counter", "holder_payer", "holder_counter", "leaf_reference", "value",
#    "decision_version", "paid", "total"}; of an anchor: {"head"} (hex).
