"""The evidence bundle of a claim in the format of verifier/SPEC.md B1: a pure builder.

It takes what was read and returns the JSON object; it decides nothing, and the verifier believes
none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.domain.errors import ConflictError
from backend.domain.ledger import LeafPosition, LedgerIntent
from verifier.commitment.batch import BatchLeaf
from verifier.commitment.canonical import parse_canonical
from verifier.commitment.leaves import leaf_salt, record_leaves

BUNDLE_FORMAT: Final = "yichu-evidence-1"
CUSTODY: Final = {"self": "self-custody", "custodial": "custodial"}


class NotClosedError(ConflictError):
    """A claim has evidence only when its settlement or its refusal is final on the ledger."""

    code = "claim-not-closed"


@dataclass(frozen=True, slots=True)
class Committed:
    """A record with the secret that its fingerprint was made with."""

    record: dict[str, Any]
    secret: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a bundle is built of."""

    invoice: Committed
    position: LeafPosition
    anchor: LedgerIntent
    custody: str
    payer_number: int
    counter: int
    lodge: LedgerIntent
    closing: LedgerIntent
    decision: Committed
    decision_fingerprint: bytes
    decision_version: int
    policy_hash: bytes
    policy_text: str


def build_bundle(evidence: Evidence) -> dict[str, Any]:
    """The bundle as a JSON object of strings and integers."""
    position = evidence.position
    leaf = BatchLeaf.decode(position.leaf)
    closing = evidence.closing
    is_settled = str(closing.kind) == "settle"
    return {
        "format": BUNDLE_FORMAT,
        "invoice": {"leaves": open_leaves(evidence.invoice)},
        "batch_leaf": {
            "institution_code": leaf.institution_code,
            "kind": int(leaf.kind),
            "key_version": leaf.key_version,
            "invoice_key": leaf.invoice_key.hex(),
            "second_key": leaf.second_key.hex(),
            "fingerprint": leaf.fingerprint.hex(),
            "total_fen": leaf.total_fen,
            "borne_fen": leaf.borne_fen,
        },
        "batch": {
            "institution_number": position.institution_number,
            "sequence": position.sequence,
            "previous_head": position.previous_head.hex(),
            "root": position.root.hex(),
            "size": position.size,
            "leaf_index": position.leaf_index,
            "proof": [node.hex() for node in position.proof],
        },
        "anchor": {
            **_event(evidence.anchor),
            "account": evidence.anchor.account.removeprefix("0x").lower(),
            "custody": CUSTODY[evidence.custody],
        },
        "claim": {
            "payer_number": evidence.payer_number,
            "counter": evidence.counter,
            "lodge": _event(evidence.lodge),
            "closing": {
                "kind": "settle" if is_settled else "release",
                "amount_fen": closing.payload["amount"] if is_settled else 0,
                "decision_version": evidence.decision_version,
                **_event(closing),
            },
        },
        "decision": {
            "fingerprint": evidence.decision_fingerprint.hex(),
            "leaves": open_leaves(evidence.decision),
        },
        "policy": {"hash": evidence.policy_hash.hex(), "text": evidence.policy_text},
    }


def open_leaves(committed: Committed) -> list[dict[str, Any]]:
    """Every leaf of a record in tree order, open: path, kind, salt and value."""
    return [
        {
            "path": leaf.path,
            "kind": int(leaf.kind),
            "salt": leaf_salt(committed.secret, leaf.path).hex(),
            "value": parse_canonical(leaf.value_bytes),
        }
        for leaf in record_leaves(committed.record)
    ]


def _event(intent: LedgerIntent) -> dict[str, Any]:
    if intent.tx_hash is None or intent.block_number is None or intent.block_hash is None:
        raise NotClosedError(
            "账本上的记录还不是最终的，请稍后再导出",
            "an event of this claim is not final on the ledger yet; export it later",
        )
    return {
        "tx_hash": intent.tx_hash.hex(),
        "block_number": intent.block_number,
        "block_hash": intent.block_hash.hex(),
    }
