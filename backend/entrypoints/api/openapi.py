"""The OpenAPI 3.1 description, made from the same field table that the readers use."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from backend.adapters.einvoice.fields import ATTACHMENT, HEADER, ITEM, LINE, Field, Form
from backend.domain.supervision import REASON_MAX, State
from backend.entrypoints.api.payer_openapi import payer_paths, payer_schemas
from backend.entrypoints.api.problem_codes import PROBLEMS
from backend.service_layer.supervision.provider import FILE_NAME_MAX, FILES_MAX

_PATTERNS: Final = {
    Form.FEN: r"^-?[0-9]{1,14}(\.[0-9]{1,2}0*)?$",
    Form.LINE_AMOUNT: r"^-?[0-9]{1,14}(\.[0-9]{1,4}0*)?$",
    Form.QUANTITY: r"^-?[0-9]{1,14}(\.[0-9]{1,4}0*)?$",
    Form.PRICE: r"^-?[0-9]{1,14}(\.[0-9]{1,6}0*)?$",
    Form.DECIMAL: r"^-?[0-9]{1,14}(\.[0-9]{1,8})?$",
    Form.DATE: r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}$",
    Form.TIME: r"^[0-9]{2}:[0-9]{2}:[0-9]{2}$",
    Form.DIGEST: r"^[0-9a-fA-F]{64}$",
}
_VOID: Final = ["other", "issued-twice", "wrong-patient", "wrong-content", "not-rendered"]


def _member(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": field.limit}
    if field.form in _PATTERNS:
        schema["pattern"] = _PATTERNS[field.form]
    if field.choices:
        schema["enum"] = sorted(field.choices)
    return schema


def _object(table: tuple[Field, ...], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {field.json: _member(field) for field in table} | more,
        "required": [field.json for field in table if field.required]
        + (["AuxItems"] if "AuxItems" in more else []),
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(name: str, most: int, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": _reference(name), "maxItems": most, "minItems": least}


def _answers(*codes: int, body: str | None = "Answer") -> dict[str, Any]:
    texts = {200: "OK", 201: "Stored", 202: "Taken", 204: "Nothing to sign"}
    responses: dict[str, Any] = {}
    for code in codes:
        responses[str(code)] = {"description": texts[code]}
        if code != 204 and body is not None:
            responses[str(code)]["content"] = {"application/json": {"schema": {"type": "object"}}}
    responses["default"] = {
        "description": "A problem (RFC 9457)",
        "content": {"application/problem+json": {"schema": _reference("Problem")}},
    }
    return responses


def _operation(name: str, zh: str, en: str, *codes: int, **more: Any) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": f"{zh} / {en}",
        "security": [{"key": []}],
        "responses": _answers(*codes),
        **more,
    }


def _id(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]


def _query(*names: str) -> list[dict[str, Any]]:
    return [{"name": n, "in": "query", "required": False, "schema": {"type": "string"}}
            for n in names]  # fmt: skip


_BILL: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _reference("Invoice")},
            "application/xml": {"schema": {"type": "string", "description": "EInvoice CZ-EI-*"}},
        },
    }
}
_HASH_HEADERS: Final = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": text,
        "schema": {"type": "string"},
    }
    for name, text in (
        ("Yichu-Invoice-Secret", "self-custody only: base64 of the 32-byte invoice secret"),
        ("Yichu-Fingerprint", "self-custody only: hex of the fingerprint computed by the agent"),
    )
]

_REPLACES: Final = [
    {
        "name": "Yichu-Replaces",
        "in": "header",
        "required": False,
        "description": "the bill's present version; needed to go back to content of an earlier one",
        "schema": {"type": "integer", "minimum": 1},
    }
]


def _body(**members: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": False, "properties": members,
              "required": list(members)}  # fmt: skip
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _finding_paths() -> dict[str, Any]:
    one = "/v1/findings/{finding_id}"
    finding_id = _id("finding_id")
    body = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference("Statement")}},
        }
    }
    found = {"content": {"application/json": {"schema": _reference("Finding")}}}
    answers: dict[str, Any] = {
        code: {"description": text, **found}
        for code, text in (("200", "The same one was here before"), ("201", "Taken"))
    }
    answers["default"] = _answers(200)["default"]
    return {
        "/v1/findings": {
            "get": _operation(
                "listFindings", "稽核问询和认定", "Findings that concern the institution", 200,
                parameters=_query("after", "limit"))
        },
        one: {
            "get": _operation(
                "getFinding", "一条问询或认定", "One of them", 200, parameters=finding_id)
        },
        f"{one}/answer": {
            "post": _operation(
                "answerFinding", "答复（期限内，一次）", "Answer, once and in time",
                parameters=finding_id, **body) | {"responses": answers}
        },
        f"{one}/appeal": {
            "post": _operation(
                "appealFinding", "申诉（期限内，一次）", "Appeal, once and in time",
                parameters=finding_id, **body) | {"responses": answers}
        },
    }  # fmt: skip


def _finding_schemas() -> dict[str, Any]:
    text, day = {"type": "string"}, {"type": ["string", "null"], "format": "date"}
    fen = {"type": ["integer", "null"]}
    attachment = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": text | {"minLength": 1, "maxLength": FILE_NAME_MAX},
            "sha256": text | {"pattern": _PATTERNS[Form.DIGEST]},
            "content": text | {"contentEncoding": "base64"},
        },
        "required": ["name", "sha256"],
    }
    step = {"step": text, "on": day, "outcome": text, "amount_fen": fen, "due_on": day,
            "text": text}  # fmt: skip
    finding = {
        "id": text,
        "state": {"type": "string", "examples": [str(state) for state in State]},
        "is_final": {"type": "boolean"},
        "amount_fen": fen,
        "due_on": day,
        "due_is_provisional": {"type": "boolean"},
        "bill": {"type": ["object", "null"]},
        "steps": {"type": "array", "items": {"type": "object", "properties": step}},
        "sent": {"type": "object"},
        "links": {"type": "object"},
    }
    return {
        "Finding": {"type": "object", "properties": finding},
        "Attached": attachment,
        "Statement": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "text": text | {"minLength": 1, "maxLength": REASON_MAX},
                "attachments": _array("Attached", FILES_MAX),
            },
            "required": ["text"],
        },
    }


def _paths() -> dict[str, Any]:
    one = "/v1/invoices/{invoice_id}"
    invoice_id = _id("invoice_id")
    return {
        "/v1/institution": {
            "get": _operation("ownInstitution", "本机构", "The key's institution", 200)
        },
        "/v1/invoices": {
            "post": _operation(
                "uploadInvoice", "上传票据", "Upload a bill", 200, 201,
                parameters=_HASH_HEADERS, **_BILL),
            "get": _operation(
                "listInvoices", "票据列表", "List own bills", 200,
                parameters=_query("after", "limit", "EinvoiceCode", "EinvoiceNumber")),
        },
        "/v1/invoices/check": {
            "post": _operation(
                "checkInvoice", "上传前自查", "Check a bill; stores nothing", 200, **_BILL)
        },
        one: {
            "get": _operation(
                "getInvoice", "票据状态", "State of a bill", 200, parameters=invoice_id)
        },
        f"{one}/proof": {
            "get": _operation(
                "getProof", "上链证明", "Inclusion proof", 200, parameters=invoice_id)
        },
        f"{one}/corrections": {
            "post": _operation(
                "correctInvoice", "更正", "Upload corrected content", 200, 201,
                parameters=invoice_id + _HASH_HEADERS + _REPLACES, **_BILL)
        },
        f"{one}/void": {
            "post": _operation(
                "voidInvoice", "作废", "Void a bill", 200, parameters=invoice_id,
                **_body(reason={"type": "string", "enum": _VOID}))
        },
        f"{one}/disputes": {
            "get": _operation(
                "getDisputes", "争议状态", "Disputes over the number", 200, parameters=invoice_id)
        },
        "/v1/signing-offers/next": {
            "get": _operation(
                "nextOffer", "待签交易", "The transaction to sign now", 200, 204)
        },
        "/v1/signing-offers/{offer_id}/raw-transaction": {
            "post": _operation(
                "handInTransaction", "提交已签交易", "Hand in the signed transaction", 202,
                parameters=_id("offer_id"), **_body(raw={"type": "string"}))
        },
        **_finding_paths(),
        **payer_paths(),
    }  # fmt: skip


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    lists = {
        "Items": _array("Item", 50),
        "AuxItems": _array("AuxItem", 5_000, 1),
        "Attachments": _array("Attachment", 100),
    }
    fault = {name: {"type": "string"} for name in ("pointer", "code", "zh", "en")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Yichu 一触 hospital API",
            "version": "1.0.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "payerKey": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {
                "Invoice": _object(HEADER, **lists),
                "Item": _object(ITEM),
                "AuxItem": _object(LINE),
                "Attachment": _object(ATTACHMENT),
                **_finding_schemas(),
                **payer_schemas(),
                "Problem": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "instance": {"type": "string"},
                        "code": {"type": "string", "examples": sorted(PROBLEMS)},
                        "retryable": {"type": "boolean"},
                        "errors": {
                            "type": "array",
                            "items": {"type": "object", "properties": fault},
                        },
                    },
                    "required": ["type", "title", "status", "code"],
                },
            },
        },
    }


#: A plain page of the description; no script, so it works under the strict policy.
DOCS_PAGE: Final = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{{ api.info.title }}</title></head><body>
<h1>{{ api.info.title }}</h1>
<p><a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI {{ api.openapi }})</p>
{% for path, operations in api.paths.items() %}{% for method, op in operations.items() %}
<h2><code>{{ method | upper }} {{ path }}</code></h2><p>{{ op.summary }}</p>
{% if op.parameters %}<ul>{% for p in op.parameters %}
<li><code>{{ p.name }}</code> ({{ p.in }}) {{ p.description or '' }}</li>
{% endfor %}</ul>{% endif %}
{% endfor %}{% endfor %}
{% for name, schema in api.components.schemas.items() %}
<h2>{{ name }}</h2><table><tr><th>字段 field</th><th>类型 type</th><th>必填 required</th></tr>
{% for field, rule in schema.properties.items() %}
<tr><td><code>{{ field }}</code></td><td>{{ rule.type }} {{ rule.pattern or '' }}
{{ rule.enum | join(', ') if rule.enum else '' }}</td>
<td>{{ '是 yes' if field in (schema.required or []) else '' }}</td></tr>{% endfor %}</table>
{% endfor %}</body></html>"""
