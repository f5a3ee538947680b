"""From an HTTP request to what the use cases take."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from backend.adapters.einvoice.json_reader import MAX_DEPTH, is_deeper, parse_json_invoice
from backend.adapters.einvoice.xml_reader import parse_fiscal_xml
from backend.domain.errors import DomainError
from backend.entrypoints.api.authentication import services
from backend.service_layer.intake.drafting import Upload
from backend.service_layer.intake.errors import SecretError

SECRET_HEADER: Final = "Yichu-Invoice-Secret"  # noqa: S105 - a header name; base64, 32 bytes
FINGERPRINT_HEADER: Final = "Yichu-Fingerprint"  # 64 hex digits
_JSON_TYPES: Final = ("application/json",)
_XML_TYPES: Final = ("application/xml", "text/xml")
_SMALL_BODY: Final = 512 * 1024


class MalformedRequestError(DomainError):
    """A small JSON body or a query is not of the described form."""

    code = "malformed-request"


def read_upload() -> Upload:
    """The bill in the request's body, by its content type, with the agent's hash headers.

    Raises UnsupportedMediaType (415), RequestEntityTooLarge (413, before anything is parsed),
    UnreadableDocumentError, SecretError.
    """
    mimetype = request.mimetype
    if mimetype not in _JSON_TYPES + _XML_TYPES:
        raise UnsupportedMediaType
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
    data = request.get_data(cache=False)
    settings = services().settings
    if request.content_length is None and len(data) >= settings.max_body_bytes:
        raise RequestEntityTooLarge  # a chunked body is cut at the limit without a word
    parse = parse_json_invoice if mimetype in _JSON_TYPES else parse_fiscal_xml
    parsed = parse(
        data,
        max_bytes=settings.max_body_bytes,
        max_lines=settings.max_lines,
        max_depth=settings.max_nesting,
    )
    return Upload(parsed, data, _secret(), _fingerprint())


def _secret() -> bytes | None:
    text = request.headers.get(SECRET_HEADER)
    if text is None:
        return None
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretError(
            f"{SECRET_HEADER} 不是 base64", f"{SECRET_HEADER} is not base64"
        ) from error
    return secret


def _fingerprint() -> bytes | None:
    text = request.headers.get(FINGERPRINT_HEADER)
    if text is None:
        return None
    try:
        fingerprint = bytes.fromhex(text)
    except ValueError as error:
        raise SecretError(
            f"{FINGERPRINT_HEADER} 不是十六进制", f"{FINGERPRINT_HEADER} is not hex"
        ) from error
    if len(fingerprint) != 32:
        raise SecretError("指纹应为 32 字节", "a fingerprint is 32 bytes")
    return fingerprint


def read_small_json(*names: str) -> dict[str, str]:
    """A JSON object whose members are these texts; nothing else is taken."""
    if request.mimetype not in _JSON_TYPES:
        raise UnsupportedMediaType
    data = request.get_data(cache=False)
    if len(data) > _SMALL_BODY:
        raise _malformed(*names)
    try:
        text = data.decode("utf-8")
        if is_deeper(text, MAX_DEPTH):
            raise _malformed(*names)
        body: Any = json.loads(text)
    except ValueError as error:
        raise _malformed(*names) from error
    if not isinstance(body, dict) or not set(body) <= set(names):
        raise _malformed(*names)
    if not all(isinstance(value, str) for value in body.values()):
        raise _malformed(*names)
    return body


def _malformed(*names: str) -> MalformedRequestError:
    wanted = ", ".join(names)
    return MalformedRequestError(
        f"请求应为 JSON 对象，成员为文本：{wanted}",
        f"send a JSON object with these texts and nothing else: {wanted}",
    )
