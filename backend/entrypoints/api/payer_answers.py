"""The JSON for insurers. Hashes are hex, instants RFC 3339 in UTC, money whole fen."""

from __future__ import annotations

import json
from typing import Any, Final

from backend.domain.ledger import LedgerIntent
from backend.domain.second_payer import Phase
from backend.service_layer.second_payers.opening import ClaimView, OpenedBill
from backend.service_layer.second_payers.records import Consent, PayerClaim, SecondPayer

_WANTED: Final = ("amount", "deadline", "reason", "policy_hash", "decision_fingerprint")
_HELD: Final = (Phase.LODGED, Phase.LAPSED)


def payer_answer(payer: SecondPayer) -> dict[str, Any]:
    return {"number": payer.number, "name": payer.name, "class": payer.payer_class}


def consent_answer(consent: Consent, claim: PayerClaim | None) -> dict[str, Any]:
    return {
        "id": consent.id,
        "bill_id": consent.invoice_id,
        "opened": consent.parts.split(","),
        "given_at": consent.given_at.isoformat(),
        "until": consent.until.isoformat(),
        "claim_id": None if claim is None else claim.id,
        "links": {"bill": _link("GET", f"/v1/payer/bills/{consent.invoice_id}")},
    }


def bill_answer(opened: OpenedBill) -> dict[str, Any]:
    """The opened parts and nothing else: a part that is closed is no member at all."""
    consent = opened.consent
    href = f"/v1/payer/bills/{consent.invoice_id}"
    answer: dict[str, Any] = {
        "id": consent.invoice_id,
        "invoice_key": opened.invoice_key.hex(),
        "consent_id": consent.id,
        "opened": consent.parts.split(","),
        "until": consent.until.isoformat(),
        "claim_id": None if opened.claim is None else opened.claim.id,
        "links": {"self": _link("GET", href), "lodge": _link("POST", f"{href}/lodge")},
    }
    parts = {"header": opened.header, "lines": opened.lines, "decision": opened.decision}
    return answer | {name: part for name, part in parts.items() if part is not None}


def claim_answer(view: ClaimView) -> dict[str, Any]:
    """How a claim stands, with every call and the ledger's own answer to it."""
    claim, standing = view.claim, view.standing
    href = f"/v1/payer/claims/{claim.id}"
    links = {"self": _link("GET", href)}
    if standing.phase in _HELD:
        links |= {name: _link("POST", f"{href}/{name}") for name in ("settle", "release", "renew")}
    deadline = standing.deadline
    return {
        "id": claim.id,
        "bill_id": claim.invoice_id,
        "consent_id": claim.consent_id,
        "invoice_key": claim.invoice_key.hex(),
        "payer": claim.payer_number,
        "counter": claim.lodge_counter,
        "state": str(standing.phase),
        "is_over": standing.is_over,
        "deadline": None if deadline is None else deadline.isoformat(),
        "settled_fen": standing.settled_fen,
        "bill_state": view.bill_state,
        "created_at": claim.created_at.isoformat(),
        "calls": [_call(call, view.holders) for call in standing.calls],
        "links": links,
    }


def claim_text(view: ClaimView) -> str:
    """The answer as it is kept under an Idempotency-Key."""
    return json.dumps(claim_answer(view), ensure_ascii=False)


def _call(call: LedgerIntent, holders: dict[int, str]) -> dict[str, Any]:
    detail = call.outcome_detail or {}
    number = int(detail.get("holder_payer", 0))
    holder = {
        "payer": number,
        "counter": int(detail.get("holder_counter", 0)),
        "name": holders.get(number),
    }
    return {
        "call": str(call.kind),
        "state": str(call.state),
        "outcome": call.outcome,
        "asked": {name: call.payload[name] for name in _WANTED if name in call.payload},
        "holder": holder if number else None,
        "paid_fen": detail.get("paid"),
        "total_fen": detail.get("total"),
        "tx_hash": None if call.tx_hash is None else call.tx_hash.hex(),
        "block_number": call.block_number,
        "block_at": None if call.block_at is None else call.block_at.isoformat(),
    }


def _link(method: str, href: str) -> dict[str, str]:
    return {"method": method, "href": href}
