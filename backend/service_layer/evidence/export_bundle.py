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
FORMAT_OF_VERSIONS: Final = "yichu-evidence-2"
CUSTODY: Final = {"self": "self-custody", "custodial": "custodial"}


class NotClosedError(ConflictError):
    """A claim has evidence only when its settlement or its refusal is final on the ledger."""

    code = "claim-not-closed"


class EvidenceLostError(ConflictError):
    """The ledger holds a decision version whose record or secret is not here any more."""

    code = "evidence-lost"


@dataclass(frozen=True, slots=True)
class Committed:
    """A record with the secret that its fingerprint was made with."""

    record: dict[str, Any]
    secret: bytes


@dataclass(frozen=True, slots=True)
class DecidedVersion:
    """A decision version with the event that put it on the ledger: settle, release, supplement.

    ``lodge`` is the lodge that a settlement or a refusal ended, None for a supplement.
    """

    event: LedgerIntent
    lodge: LedgerIntent | None
    number: int
    decision: Committed
    fingerprint: bytes
    policy_hash: bytes
    policy_text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a bundle is built of. ``closing`` has the lodge that it ended, ``earlier``
    are refusals before it, ``later`` supplements after it, each by rising version."""

    invoice: Committed
    position: LeafPosition
    anchor: LedgerIntent
    custody: str
    payer_number: int
    closing: DecidedVersion
    earlier: tuple[DecidedVersion, ...] = ()
    later: tuple[DecidedVersion, ...] = ()
    recoveries: tuple[LedgerIntent, ...] = ()


def build_bundle(evidence: Evidence) -> dict[str, Any]:
    """The bundle as a JSON object of strings and integers."""
    position = evidence.position
    leaf = BatchLeaf.decode(position.leaf)
    closing = evidence.closing
    event = closing.event
    is_settled = str(event.kind) == "settle"
    further = _further(evidence)
    return {
        "format": FORMAT_OF_VERSIONS if further else BUNDLE_FORMAT,
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
            "counter": event.payload["counter"],
            "lodge": _event(closing.lodge),
            "closing": {
                "kind": "settle" if is_settled else "release",
                "amount_fen": event.payload["amount"] if is_settled else 0,
                "decision_version": closing.number,
                **_event(event),
            },
        },
        **_decided(closing),
        **further,
    }


def _further(evidence: Evidence) -> dict[str, Any]:
    """The members of format 2 that have an entry; none for a claim with one version."""
    found: dict[str, list[dict[str, Any]]] = {
        "earlier": [
            {
                "counter": one.event.payload["counter"],
                "decision_version": one.number,
                "lodge": _event(one.lodge),
                "release": _event(one.event),
                **_decided(one),
            }
            for one in evidence.earlier
        ],
        "later": [
            {
                "amount_fen": one.event.payload["amount"],
                "decision_version": one.number,
                "supplement": _event(one.event),
                **_decided(one),
            }
            for one in evidence.later
        ],
        "recoveries": [
            {
                "number": one.payload["recovery_number"],
                "amount_fen": one.payload["amount"],
                "event": _event(one),
            }
            for one in evidence.recoveries
        ],
    }
    return {name: entries for name, entries in found.items() if entries}


def _decided(version: DecidedVersion) -> dict[str, Any]:
    return {
        "decision": {
            "fingerprint": version.fingerprint.hex(),
            "leaves": open_leaves(version.decision),
        },
        "policy": {"hash": version.policy_hash.hex(), "text": version.policy_text},
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


def _event(intent: LedgerIntent | None) -> dict[str, Any]:
    if (
        intent is None
        or intent.tx_hash is None
        or intent.block_number is None
        or intent.block_hash is None
    ):
        raise NotClosedError(
            "账本上的记录还不是最终的，请稍后再导出",
            "an event of this claim is not final on the ledger yet; export it later",
        )
    return {
        "tx_hash": intent.tx_hash.hex(),
        "block_number": intent.block_number,
        "block_hash": intent.block_hash.hex(),
    }
