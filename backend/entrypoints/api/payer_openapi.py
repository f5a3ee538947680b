"""The insurers' part of the OpenAPI description."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.invoice import MAX_FEN
from backend.domain.second_payer import (
    DECISION_FIELDS,
    DOCUMENT_BYTES_MAX,
    HEADER_FIELDS,
    LINE_FIELDS,
    Part,
    Phase,
)

_TEXT: Final = {"type": "string"}
_FEN: Final = {"type": ["integer", "null"]}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_HASH: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "8 to 64 visible characters; the same key again is answered as before",
    "schema": {"type": "string", "minLength": 8, "maxLength": 64},
}
_PROBLEM: Final = {
    "description": "A problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(
    name: str, zh: str, en: str, status: str, schema: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": f"{zh} / {en}",
        "security": [{"payerKey": []}],
        "responses": {
            status: {
                "description": "Taken; the worker sends it" if status == "202" else "OK",
                "content": {"application/json": {"schema": schema}},
            },
            "default": _PROBLEM,
        },
        **more,
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _body(members: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": members,
        "required": list(required),
    }
    return {
        "requestBody": {
            "required": bool(required),
            "content": {"application/json": {"schema": schema}},
        }
    }


def _page(name: str, schema: str) -> dict[str, Any]:
    members = {
        name: {"type": "array", "items": _reference(schema)},
        "has_more": {"type": "boolean"},
        "next": {"type": ["string", "null"]},
    }
    return {"type": "object", "properties": members}


_QUERY: Final = [
    {"name": name, "in": "query", "required": False, "schema": _TEXT} for name in ("after", "limit")
]
_RULING: Final = {
    "policy_hash": _HASH | {"description": "published on the ledger"},
    "decision_fingerprint": _HASH | {"description": "this, or decision_document"},
    "decision_document": _TEXT
    | {
        "contentEncoding": "base64",
        "maxLength": 4 * DOCUMENT_BYTES_MAX // 3 + 4,
        "description": "its SHA-256 becomes the fingerprint; the document is not kept",
    },
}


def payer_paths() -> dict[str, Any]:
    """The paths of insurers, with the scheme ``payerKey``."""
    bill, claim = "/v1/payer/bills/{bill_id}", "/v1/payer/claims/{claim_id}"
    of_bill, of_claim = _in_path("bill_id"), _in_path("claim_id")
    taken = {"parameters": [of_claim, _KEY]}
    answer = _reference("PayerClaim")
    amount = {"type": "integer", "minimum": 0, "maximum": MAX_FEN}
    reason = {"type": "string", "enum": ["given-up", "refused"]}
    return {
        "/v1/payer": {
            "get": _operation("ownPayer", "本付款方", "The key's payer", "200", {"type": "object"})
        },
        "/v1/payer/consents": {
            "get": _operation(
                "listConsents", "现在对本方开放的票据", "What is open to the payer now", "200",
                _page("consents", "Consent"), parameters=_QUERY)
        },
        bill: {
            "get": _operation(
                "getOpenedBill", "票据中开放的部分", "The opened parts of a bill", "200",
                _reference("OpenedBill"), parameters=[of_bill])
        },
        f"{bill}/lodge": {
            "post": _operation(
                "lodgeBill", "在账本上登记", "Lock the bill on the ledger", "202", answer,
                parameters=[of_bill, _KEY], **_body({}))
        },
        "/v1/payer/claims": {
            "get": _operation(
                "listPayerClaims", "本方的登记", "Own claims", "200",
                _page("claims", "PayerClaim"), parameters=_QUERY)
        },
        claim: {
            "get": _operation(
                "getPayerClaim", "一笔登记的状态", "State of a claim", "200", answer,
                parameters=[of_claim])
        },
        f"{claim}/settle": {
            "post": _operation(
                "settleClaim", "核销", "Settle", "202", answer, **taken,
                **_body({"amount_fen": amount, **_RULING}, "amount_fen", "policy_hash"))
        },
        f"{claim}/release": {
            "post": _operation(
                "releaseClaim", "放开", "Give the lock back", "202", answer, **taken,
                **_body({"reason": reason, **_RULING}, "reason"))
        },
        f"{claim}/renew": {
            "post": _operation(
                "renewClaim", "延长登记", "Ask for a later deadline", "202", answer, **taken,
                **_body({}))
        },
    }  # fmt: skip


def payer_schemas() -> dict[str, Any]:
    """The schemas that the paths of insurers use."""
    holder = {"payer": {"type": "integer"}, "counter": {"type": "integer"}, "name": _TEXT}
    call = {
        "call": _TEXT, "state": _TEXT, "outcome": {"type": ["string", "null"]},
        "asked": {"type": "object"},
        "holder": {"type": ["object", "null"], "properties": holder},
        "paid_fen": _FEN, "total_fen": _FEN, "tx_hash": {"type": ["string", "null"]},
        "block_number": {"type": ["integer", "null"]}, "block_at": _TIME,
    }  # fmt: skip
    claim = {
        "id": _TEXT, "bill_id": _TEXT, "consent_id": _TEXT, "invoice_key": _HASH,
        "payer": {"type": "integer"}, "counter": {"type": "integer"},
        "state": {"type": "string", "examples": [str(phase) for phase in Phase]},
        "is_over": {"type": "boolean"}, "deadline": _TIME, "settled_fen": _FEN,
        "bill_state": {"type": "string", "enum": ["active", "void", "reversed"]},
        "created_at": _TIME,
        "calls": {"type": "array", "items": {"type": "object", "properties": call}},
        "links": {"type": "object"},
    }  # fmt: skip
    parts = {"type": "array", "items": {"type": "string", "enum": [str(part) for part in Part]}}
    consent = {
        "id": _TEXT, "bill_id": _TEXT, "opened": parts, "given_at": _TIME, "until": _TIME,
        "claim_id": {"type": ["string", "null"]}, "links": {"type": "object"},
    }  # fmt: skip
    bill = {
        "id": _TEXT, "invoice_key": _HASH, "consent_id": _TEXT, "opened": parts, "until": _TIME,
        "claim_id": {"type": ["string", "null"]}, "links": {"type": "object"},
        "header": _shown(HEADER_FIELDS),
        "lines": {"type": "array", "items": _shown(LINE_FIELDS)},
        "decision": _shown(DECISION_FIELDS),
    }  # fmt: skip
    return {
        "Consent": {"type": "object", "properties": consent},
        "OpenedBill": {"type": "object", "properties": bill, "additionalProperties": False},
        "PayerClaim": {"type": "object", "properties": claim},
    }


def _shown(names: tuple[str, ...]) -> dict[str, Any]:
    members = {
        name: {"type": "integer"} if name.endswith("_fen") else {"type": ["string", "integer"]}
        for name in names
    }
    return {"type": "object", "additionalProperties": False, "properties": members}
