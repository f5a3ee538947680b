"""The JSON that the API answers. Hashes are hex, instants RFC 3339 in UTC, money integer fen."""

from __future__ import annotations

import json
from typing import Any

from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent
from backend.service_layer.anchoring.signing_offers import SigningOffer
from backend.service_layer.intake.records import (
    NO_KEY,
    Dispute,
    DisputeState,
    Institution,
    InvoiceStatus,
    StoredInvoice,
)
from verifier.commitment.batch import BatchLeaf, RecordKind

_NOTES = {
    "waiting": ("已收下，等待组成批次", "accepted, waiting for its batch"),
    "batched": ("已成批，等待上链", "in a batch, waiting for the ledger"),
    "sent": ("已发往账本，等待确认", "sent to the ledger, waiting to be mined"),
    "mined": ("已上链，等待最终确认", "on the ledger, waiting to be final"),
    "final": ("已上链并最终确认", "on the ledger and final"),
    "quarantined": ("上链受阻，平台正在处理", "held up; the operator is looking at it"),
}


def invoice_answer(status: InvoiceStatus, public_url: str) -> dict[str, Any]:
    bill, version = status.invoice, status.version
    return invoice_row(bill) | {
        "version": version.version,
        "total_fen": version.total_fen,
        "borne_fen": version.borne_fen,
        "line_count": version.line_count,
        "fingerprint": version.fingerprint.hex(),
        "source_format": version.source_format,
        "uploaded_at": version.uploaded_at.isoformat(),
        "marks": json.loads(version.marks),
        "claim_state": status.claim_state,
        "disputes": [dispute_answer(dispute) for dispute in status.disputes],
        "anchor": _anchor(status),
        "ledger_calls": [_call(intent) for intent in status.calls],
        "public_url": f"{public_url}/v/{bill.public_token}",
    }


def invoice_row(bill: StoredInvoice) -> dict[str, Any]:
    return {
        "id": bill.id,
        "AgencyCode": bill.institution_code,
        "EinvoiceCode": bill.invoice_code,
        "EinvoiceNumber": bill.invoice_number,
        "invoice_key": bill.invoice_key.hex(),
        "second_key": None if bill.second_key == NO_KEY else bill.second_key.hex(),
        "key_version": bill.key_version,
        "kind": RecordKind(bill.kind).name.lower(),
        "state": bill.state,
        "version": bill.current_version,
        "original_id": bill.original_id,
        "created_at": bill.created_at.isoformat(),
    }


def _anchor(status: InvoiceStatus) -> dict[str, Any]:
    state = status.anchor_state
    zh, en = _NOTES.get(state, _NOTES["batched"])
    answer: dict[str, Any] = {"state": state, "zh": zh, "en": en}
    if status.position is not None:
        answer |= {
            "institution_number": status.position.institution_number,
            "sequence": status.position.sequence,
            "leaf_index": status.position.leaf_index,
        }
    if status.anchor is not None and status.anchor.block_number is not None:
        answer |= {
            "tx_hash": _hex(status.anchor.tx_hash),
            "block_number": status.anchor.block_number,
            "block_at": status.anchor.block_at.isoformat() if status.anchor.block_at else None,
        }
    return answer


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _call(intent: LedgerIntent) -> dict[str, Any]:
    return {
        "kind": str(intent.kind),
        "state": str(intent.state),
        "outcome": intent.outcome,
        "tx_hash": _hex(intent.tx_hash),
    }


def dispute_answer(dispute: Dispute) -> dict[str, Any]:
    """The state of a dispute; who else is party to it is not said."""
    is_ruled = dispute.state == DisputeState.RULED
    return {
        "id": dispute.id,
        "invoice_key": dispute.invoice_key.hex(),
        "state": dispute.state,
        "opened_at": dispute.opened_at.isoformat(),
        "ruled_at": dispute.ruled_at.isoformat() if is_ruled and dispute.ruled_at else None,
    }


def proof_answer(status: InvoiceStatus, position: LeafPosition) -> dict[str, Any]:
    """What an auditor needs to check the inclusion (verifier/SPEC.md A4, A6, A7)."""
    return {
        "id": status.invoice.id,
        "version": status.version.version,
        "anchor": _anchor(status),
        **position.to_payload(),
    }


def institution_answer(institution: Institution) -> dict[str, Any]:
    return {
        "AgencyCode": institution.code,
        "AgencyName": institution.name,
        "level": institution.level,
        "custody": institution.custody,
        "agreement_from": institution.agreement_from.isoformat(),
        "agreement_until": institution.agreement_until.isoformat(),
        "grace_days": institution.grace_days,
        "ledger_number": institution.ledger_number,
        "ledger_account": institution.ledger_account,
    }


def offer_answer(offer: SigningOffer, batches: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A transaction to sign. ``batches`` holds the leaves of each anchored batch, in order."""
    unsigned = offer.unsigned
    fees = ("gas_price", "max_fee_per_gas", "max_priority_fee_per_gas")
    return {
        "id": offer.id,
        "account": offer.account,
        "kind": str(offer.kind),
        "transaction": {
            "chain_id": unsigned.chain_id,
            "nonce": unsigned.nonce,
            "to": unsigned.to,
            "data": unsigned.data.hex(),
            "gas": unsigned.gas,
            "value": unsigned.value,
            **{n: getattr(unsigned, n) for n in fees if getattr(unsigned, n) is not None},
        },
        "items": [
            {
                "kind": str(item.kind),
                "payload": dict(item.payload),
                **(
                    {"leaves": batches[item.subject_id]}
                    if item.kind is IntentKind.ANCHOR
                    else {"invoice_id": item.subject_id}
                ),
            }
            for item in offer.items
        ],
    }


def leaf_answer(encoded: bytes, bill: StoredInvoice, version: int) -> dict[str, Any]:
    """One leaf of an offered batch, without its fingerprint: the agent has its own."""
    leaf = BatchLeaf.decode(encoded)
    return {
        "id": bill.id,
        "EinvoiceCode": bill.invoice_code,
        "EinvoiceNumber": bill.invoice_number,
        "version": version,
        "kind": int(leaf.kind),
        "key_version": leaf.key_version,
        "invoice_key": leaf.invoice_key.hex(),
        "second_key": leaf.second_key.hex(),
        "total_fen": leaf.total_fen,
        "borne_fen": leaf.borne_fen,
    }
