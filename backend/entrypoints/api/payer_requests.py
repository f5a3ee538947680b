"""From an insurer's HTTP request to what the use cases take. Small JSON objects, nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Final

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from backend.adapters.einvoice.json_reader import is_deeper
from backend.domain.invoice import MAX_FEN
from backend.domain.second_payer import DOCUMENT_BYTES_MAX
from backend.entrypoints.api.documents import MalformedRequestError
from backend.service_layer.second_payers.calls import Ruling
from backend.service_layer.second_payers.opening import PAGE_MAX

BODY_BYTES_MAX: Final = 512 * 1024
PAGE: Final = 50
ID_MAX: Final = 40
_DEPTH_MAX: Final = 2
_KEY: Final = re.compile(r"[!-~]{8,64}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
RULING: Final = ("policy_hash", "decision_fingerprint", "decision_document")


def request_key() -> str:
    """The header ``Idempotency-Key``. Raises MalformedRequestError without one."""
    key = request.headers.get("Idempotency-Key", "")
    if _KEY.fullmatch(key) is None:
        raise MalformedRequestError(
            "请带上 Idempotency-Key 请求头（8 到 64 个可见字符）",
            "send the header Idempotency-Key (8 to 64 visible characters)",
        )
    return key


def read_object(*names: str) -> dict[str, Any]:
    """The body as a JSON object with no other members; no body is an empty object."""
    raw = request.get_data(cache=False)
    if len(raw) > BODY_BYTES_MAX:
        raise RequestEntityTooLarge
    if not raw:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        text = raw.decode("utf-8")
        if is_deeper(text, _DEPTH_MAX):
            raise ValueError("too deep")
        body = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise _malformed(names) from error
    if not isinstance(body, dict) or not set(body) <= set(names):
        raise _malformed(names)
    return body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def _malformed(names: tuple[str, ...]) -> MalformedRequestError:
    wanted = ", ".join(names) or "(none)"
    return MalformedRequestError(
        f"请求应为 JSON 对象，成员只能是：{wanted}",
        f"send a JSON object with no other members than: {wanted}",
    )


def amount_of(body: dict[str, Any]) -> int:
    """``amount_fen``: whole fen from 0 to what a bill can be at most."""
    value = body.get("amount_fen")
    if type(value) is not int or not 0 <= value <= MAX_FEN:
        raise MalformedRequestError(
            "amount_fen 应为不小于 0 的整数（分）", "amount_fen is a whole number of fen from 0 up"
        )
    return value


def ruling_of(body: dict[str, Any]) -> Ruling:
    """Policy hash with the fingerprint of the decision, or with the document itself: of that only
    its SHA-256 is taken on."""
    document, fingerprint = body.get("decision_document"), body.get("decision_fingerprint")
    if (document is None) == (fingerprint is None):
        raise MalformedRequestError(
            "decision_fingerprint 和 decision_document 给出其中一个",
            "give either decision_fingerprint or decision_document",
        )
    policy_hash = _hash(body, "policy_hash")
    if document is None:
        return Ruling(_hash(body, "decision_fingerprint"), policy_hash)
    return Ruling(hashlib.sha256(_document(document)).digest(), policy_hash)


def _hash(body: dict[str, Any], name: str) -> bytes:
    value = body.get(name)
    if not isinstance(value, str) or _HASH.fullmatch(value) is None or not int(value, 16):
        raise MalformedRequestError(
            f"{name} 应为 64 位十六进制（小写）", f"{name} is 64 hex digits in lower case"
        )
    return bytes.fromhex(value)


def _document(value: Any) -> bytes:
    try:
        content = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError) as error:
        raise MalformedRequestError(
            "decision_document 不是 base64", "decision_document is not base64"
        ) from error
    if not 1 <= len(content) <= DOCUMENT_BYTES_MAX:
        raise MalformedRequestError(
            f"decision_document 应为 1 到 {DOCUMENT_BYTES_MAX} 字节的 base64",
            f"decision_document is base64 of 1 to {DOCUMENT_BYTES_MAX} bytes",
        )
    return content


def page_of() -> tuple[str, int]:
    """The cursor and the size of the page that is asked for."""
    text = request.args.get("limit", str(PAGE))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= PAGE_MAX):
        raise MalformedRequestError("limit 应为 1 到 200", "limit is a number from 1 to 200")
    return request.args.get("after", "")[:ID_MAX], int(text)
