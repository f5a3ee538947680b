"""Reading one text of a document by its form. Each reader returns a value or a fault code."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from backend.adapters.einvoice.fields import Field, Form

_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,14})(?:\.([0-9]{1,8}))?", re.ASCII)
_DATE: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
#: C0, C1 and lone surrogates; tab and line breaks inside a remark are allowed. Nor what cannot be
#: seen or turns the reading direction: two texts that look alike must not be two contents.
_BAD_CHARACTER: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
    r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)

_PLACES: Final = {Form.FEN: 2, Form.LINE_AMOUNT: 4, Form.QUANTITY: 4, Form.PRICE: 6}
_DECIMAL_CODE: Final = {
    Form.FEN: "bad-amount",
    Form.LINE_AMOUNT: "bad-line-amount",
    Form.QUANTITY: "bad-decimal",
    Form.PRICE: "bad-decimal",
}
#: What stands in for a value that could not be read.
NEUTRAL: Final[dict[Form, Any]] = {
    Form.FEN: 0,
    Form.LINE_AMOUNT: 0,
    Form.QUANTITY: 0,
    Form.PRICE: 0,
    Form.DATE: dt.date(1900, 1, 1),
}


@dataclass(frozen=True, slots=True)
class UnreadableTextError(Exception):
    """The text of one field cannot be read; ``code`` is a key of FAULT_TEXTS."""

    code: str


def read_text(field: Field, raw: str) -> Any:
    """The value of ``raw`` without surrounding white space, None when it is empty."""
    text = raw.strip()
    if _BAD_CHARACTER.search(text):
        raise UnreadableTextError("bad-text")
    if not text:
        if field.required:
            raise UnreadableTextError("required")
        return None
    if len(text) > field.limit:
        raise UnreadableTextError("too-long")
    return _read(field, text)


def _read(field: Field, text: str) -> Any:
    form = field.form
    if form in _PLACES:
        return scaled(text, _PLACES[form], _DECIMAL_CODE[form])
    if form is Form.CHOICE and text not in field.choices:
        raise UnreadableTextError("unknown-value")
    reader = _READERS.get(form)
    return reader(text) if reader else text


def scaled(text: str, places: int, code: str) -> int:
    """Decimal text times 10^places. More places than that are allowed only when they are zeros."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise UnreadableTextError(code)
    sign, whole, part = match.group(1), match.group(2), (match.group(3) or "").rstrip("0")
    if len(part) > places:
        raise UnreadableTextError(code)
    value = int(whole + part.ljust(places, "0"))
    return -value if sign else value


def _plain_decimal(text: str) -> str:
    """The shortest spelling, so that ``1`` and ``1.00`` give one record."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise UnreadableTextError("bad-decimal")
    whole, part = match.group(2).lstrip("0") or "0", (match.group(3) or "").rstrip("0")
    shortest = f"{whole}.{part}" if part else whole
    return shortest if shortest == "0" else match.group(1) + shortest


def _date(text: str) -> dt.date:
    match = _DATE.fullmatch(text)
    if match is None or len(text) not in (8, 10):
        raise UnreadableTextError("bad-date")
    try:
        return dt.date(*(int(part) for part in match.groups()))
    except ValueError as error:
        raise UnreadableTextError("bad-date") from error


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise UnreadableTextError("bad-time")
    try:
        return dt.time.fromisoformat(text).isoformat("seconds")
    except ValueError as error:
        raise UnreadableTextError("bad-time") from error


def _instant(text: str) -> str:
    """A date, or a date and a time apart by a space or ``T``; the ISO spelling is kept."""
    day, mark, time = text.replace(" ", "T").partition("T")
    try:
        date = _date(day).isoformat()
    except UnreadableTextError as error:
        raise UnreadableTextError("bad-time") from error
    return f"{date}T{_time(time)}" if mark else date


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise UnreadableTextError("bad-digest")
    return text.lower()


_READERS: Final[dict[Form, Callable[[str], Any]]] = {
    Form.DATE: _date,
    Form.TIME: _time,
    Form.INSTANT: _instant,
    Form.DECIMAL: _plain_decimal,
    Form.DIGEST: _digest,
}
