"""Reading the bodies of staff requests: small JSON objects with named members, nothing else."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, Final

from flask import request

from backend.adapters.einvoice.json_reader import is_deeper
from backend.domain.errors import DomainError
from backend.domain.ruling import LineRuling
from backend.service_layer.review.decide import ruling_of

BODY_BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 8
TEXT_MAX: Final = 2_000
LIST_MAX: Final = 5_000
WHOLE_MAX: Final = 2**53 - 1
_KEY: Final = re.compile(r"[!-~]{8,64}")


class MalformedStaffRequestError(DomainError):
    """The body or a header cannot be read."""

    code = "malformed-staff-request"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def read_object(*members: str) -> dict[str, Any]:
    """The request's JSON object, with no other members than these."""
    if request.mimetype != "application/json":
        raise MalformedStaffRequestError(
            "Content-Type 应为 application/json", "the content type is application/json"
        )
    raw = request.get_data(cache=False)
    try:
        if len(raw) > BODY_BYTES_MAX:
            raise ValueError("too large")
        text = raw.decode("utf-8")
        # Before parsing: where a library has raised the recursion limit, depth ends the process.
        if is_deeper(text, DEPTH_MAX):
            raise ValueError("too deep")
        value = json.loads(text, object_pairs_hook=_unique)
        # Half a surrogate pair is JSON, but no text that can be hashed or stored: a ValueError.
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise MalformedStaffRequestError(
            "请求体不是 JSON 对象", "the body is not a JSON object"
        ) from error
    if not isinstance(value, dict) or not set(value) <= set(members):
        raise MalformedStaffRequestError(
            f"请求体只能有：{', '.join(members)}", f"the body may have: {', '.join(members)}"
        )
    return value


def text_of(body: dict[str, Any], name: str, *, optional: bool = False) -> str:
    """A text member."""
    value = body.get(name, "" if optional else None)
    if not isinstance(value, str) or len(value) > TEXT_MAX or "\x00" in value:
        raise MalformedStaffRequestError(f"{name} 应为文本", f"{name} is a text")
    return value


def whole_of(body: dict[str, Any], name: str, *, optional: bool = False) -> int | None:
    """A member that is a whole number from 0 up, None where it may be left out and is."""
    value = body.get(name)
    if value is None and optional:
        return None
    if type(value) is not int or not 0 <= value <= WHOLE_MAX:
        raise MalformedStaffRequestError(
            f"{name} 应为不小于 0 的整数", f"{name} is a whole number from 0 up"
        )
    return value


def wholes_of(body: dict[str, Any], name: str) -> tuple[int, ...]:
    """An optional member that is a list of whole numbers from 0 up."""
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > LIST_MAX:
        raise MalformedStaffRequestError(f"{name} 应为整数列表", f"{name} is a list of numbers")
    return tuple(whole_of({name: one}, name) or 0 for one in value)


def day_of(body: dict[str, Any], name: str) -> dt.date | None:
    """An optional member that is a day, YYYY-MM-DD."""
    text = text_of(body, name, optional=True)
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise MalformedStaffRequestError(
            f"{name} 应为日期 YYYY-MM-DD", f"{name} is a day, YYYY-MM-DD"
        ) from error


def query_number(name: str, default: int, most: int, *, low: int = 1) -> int:
    """A number of the query from ``low`` to ``most``."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and low <= int(text[:9]) <= most):
        raise MalformedStaffRequestError(
            f"{name} 应为 {low} 到 {most}", f"{name} is a number from {low} to {most}"
        )
    return int(text)


def texts_of(body: dict[str, Any], name: str) -> tuple[str, ...]:
    """A member that is a list of texts."""
    value = body.get(name)
    is_list = isinstance(value, list) and len(value) <= LIST_MAX
    if not isinstance(value, list) or not is_list or not all(isinstance(t, str) for t in value):
        raise MalformedStaffRequestError(f"{name} 应为文本列表", f"{name} is a list of texts")
    return tuple(value)


def rulings_of(body: dict[str, Any]) -> tuple[LineRuling, ...] | None:
    """The member ``rulings``, None when it is not there: as proposed so far."""
    value = body.get("rulings")
    if value is None:
        return None
    is_list = isinstance(value, list) and len(value) <= LIST_MAX
    if not is_list or not all(isinstance(entry, dict) for entry in value):
        raise MalformedStaffRequestError("rulings 应为对象列表", "rulings is a list of objects")
    return tuple(ruling_of(entry) for entry in value)


def request_key() -> str:
    """The ``Idempotency-Key`` header, which makes asking for work twice one draw."""
    key = request.headers.get("Idempotency-Key", "")
    if _KEY.fullmatch(key) is None:
        raise MalformedStaffRequestError(
            "请带上 Idempotency-Key 请求头（8 到 64 个可见字符）",
            "send the header Idempotency-Key (8 to 64 visible characters)",
        )
    return key
