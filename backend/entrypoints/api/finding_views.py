"""The hospital API's routes of findings: what concerns the key's institution, and its own words."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from flask import jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from backend.adapters.einvoice.json_reader import is_deeper
from backend.domain.supervision import StepKind
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.api.authentication import caller, services
from backend.entrypoints.api.documents import MalformedRequestError
from backend.entrypoints.api.views import Answer, blueprint
from backend.service_layer.supervision.provider import Attachment, Words, state_words
from backend.service_layer.supervision.provider_reading import (
    PAGE_MAX,
    Finding,
    finding_of,
    findings_of,
)
from backend.service_layer.supervision.statement_records import Statement

_PAGE: Final = 50
_DEPTH_MAX: Final = 4
_ID_MAX: Final = 40
_MEMBERS: Final = frozenset({"text", "attachments"})
_ATTACHMENT: Final = frozenset({"name", "sha256", "content"})
_WORDS: Final = {StepKind.ANSWERED: "answer", StepKind.APPEALED: "appeal"}


@blueprint.get("/v1/findings")
@access(AccessRule.HOSPITAL)
def list_findings() -> Answer:
    """One page in the order in which they were opened."""
    text = request.args.get("limit", str(_PAGE))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= PAGE_MAX):
        raise MalformedRequestError("limit 应为 1 到 200", "limit is a number from 1 to 200")
    after = request.args.get("after", "")[:_ID_MAX]
    page, has_more = findings_of(services(), caller().code, after, int(text))
    last = page[-1].id if page and has_more else None
    response = jsonify(
        {"findings": [_finding(one) for one in page], "has_more": has_more, "next": last}
    )
    if last is not None:
        response.headers["Link"] = f'</v1/findings?after={last}&limit={text}>; rel="next"'
    return response


@blueprint.get("/v1/findings/<finding_id>")
@access(AccessRule.HOSPITAL)
def get_finding(finding_id: str) -> Answer:
    return jsonify(_finding(finding_of(services(), caller().code, finding_id[:_ID_MAX])))


@blueprint.post("/v1/findings/<finding_id>/answer")
@access(AccessRule.HOSPITAL)
def answer_finding(finding_id: str) -> Answer:
    """The answer to what was asked, until the day that was told."""
    return _state(finding_id, StepKind.ANSWERED)


@blueprint.post("/v1/findings/<finding_id>/appeal")
@access(AccessRule.HOSPITAL)
def appeal_finding(finding_id: str) -> Answer:
    """The appeal against the finding, until the day that was told."""
    return _state(finding_id, StepKind.APPEALED)


def _state(finding_id: str, kind: StepKind) -> Answer:
    words = _read_words()
    code, known_id = caller().code, finding_id[:_ID_MAX]
    _, is_new = state_words(services(), code, known_id, kind, words)
    return jsonify(_finding(finding_of(services(), code, known_id))), 201 if is_new else 200


def _finding(one: Finding) -> dict[str, Any]:
    href = f"/v1/findings/{one.id}"
    links: dict[str, Any] = {"self": {"method": "GET", "href": href}}
    if one.waits_for is not None:
        word = _WORDS[one.waits_for]
        links[word] = {"method": "POST", "href": f"{href}/{word}"}
    bill = one.bill
    return {
        "id": one.id,
        "state": str(one.state),
        "is_final": one.is_final,
        "amount_fen": one.amount_fen,
        "due_on": None if one.due is None else one.due.isoformat(),
        "due_is_provisional": one.is_provisional,
        "bill": None
        if bill is None
        else {
            "id": bill.id,
            "EinvoiceCode": bill.invoice_code,
            "EinvoiceNumber": bill.invoice_number,
        },
        "steps": [
            {
                "step": str(step.kind),
                "on": step.on.isoformat(),
                "outcome": step.outcome,
                "amount_fen": step.amount_fen,
                "due_on": None if step.due_on is None else step.due_on.isoformat(),
                "text": step.text,
            }
            for step in one.steps
        ],
        "sent": {_WORDS[sent.kind]: _statement(sent) for sent in one.statements},
        "links": links,
    }


def _statement(sent: Statement) -> dict[str, Any]:
    return {
        "text": sent.text,
        "received_at": sent.received_at.isoformat(),
        "attachments": [
            {
                "name": one.name,
                "sha256": one.digest.hex(),
                "media_type": one.media_type or None,
                "bytes": one.byte_count,
            }
            for one in sent.files
        ],
    }


# --- reading ---------------------------------------------------------------------------------


def _read_words() -> Words:
    """The body: ``text``, and ``attachments`` as objects with name, sha256 and perhaps content."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    raw = request.get_data(cache=False)
    if request.content_length is None and len(raw) >= services().settings.max_body_bytes:
        raise RequestEntityTooLarge  # a chunked body is cut at the limit without a word
    try:
        text = raw.decode("utf-8")
        if is_deeper(text, _DEPTH_MAX):
            raise ValueError("too deep")
        body = json.loads(text, object_pairs_hook=_unique)
        # Half a surrogate pair is JSON, but no text that can be stored: a ValueError.
        json.dumps(body, ensure_ascii=False).encode()
    except ValueError as error:
        raise _malformed() from error
    if not isinstance(body, dict) or not set(body) <= _MEMBERS:
        raise _malformed()
    said, rows = body.get("text"), body.get("attachments", [])
    if not isinstance(said, str) or not isinstance(rows, list):
        raise _malformed()
    return Words(said, tuple(_attachment(row) for row in rows))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def _attachment(row: Any) -> Attachment:
    if not isinstance(row, dict) or not {"name", "sha256"} <= set(row) <= _ATTACHMENT:
        raise _malformed()
    if not all(isinstance(value, str) for value in row.values()):
        raise _malformed()
    try:
        digest = bytes.fromhex(row["sha256"])
        content = base64.b64decode(row["content"], validate=True) if "content" in row else None
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error
    if len(digest) != 32 or len(row["sha256"]) != 64:
        raise _malformed()
    return Attachment(row["name"].strip(), digest, content)


def _malformed() -> MalformedRequestError:
    return MalformedRequestError(
        "请求应为 JSON 对象：text（文本）和 attachments（对象列表：name、sha256（64 位十六进制）、"
        "可选 content（base64））；没有收下",
        "send a JSON object with text and attachments (objects with name, sha256 of 64 hex digits "
        "and perhaps content in base64); nothing was taken",
    )
