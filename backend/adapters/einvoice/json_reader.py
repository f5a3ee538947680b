"""Our JSON: names of DA/T 95-2022 table B.10, MainExt and the settlement-voucher lines.

Every value is a text; a JSON number would pass through somebody's float and lose fen.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final

from backend.adapters.einvoice.assembly import RawDocument, assemble
from backend.adapters.einvoice.fields import HEADER, JSON_LISTS, Field
from backend.domain.invoice import MAX_LINES
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.faults import Fault, UnreadableDocumentError

MAX_DEPTH: Final = 16
MAX_BYTES: Final = 8 * 2**20
SOURCE_FORMAT: Final = "json"
_MAX_LIST: Final = {"items": 50, "lines": MAX_LINES, "attachments": 100}
_TOO_MANY: Final = {
    "items": "too-many-items", "lines": "too-many-lines", "attachments": "too-many-elements",
}  # fmt: skip

_HEADER_NAMES: Final = {entry.json: entry.name for entry in HEADER}
_HEADER_JSON: Final = {entry.name: entry.json for entry in HEADER}
_LIST_JSON: Final = {
    ours: (theirs, {entry.name: entry.json for entry in table})
    for ours, (theirs, table) in JSON_LISTS.items()
}


#: A bracket, or a whole string, closed or not (possessive, so that no text makes it backtrack).
_BRACKET_OR_STRING: Final = re.compile(r'[\[\]{}]|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


class _Number(str):
    """A JSON number, kept as its text and never converted: it is refused anyway."""

    __slots__ = ()


class _Object(dict[str, Any]):
    """A JSON object that remembers a name that appeared twice."""

    repeated: tuple[str, ...] = ()


def parse_json_invoice(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_lines: int = MAX_LINES,
    max_depth: int = MAX_DEPTH,
) -> ParsedInvoice:
    """Read one bill. Raises UnreadableDocumentError when the bytes are no JSON object; every
    other fault is collected in the answer."""
    tree = _load(data, max_bytes, max_depth)
    raw = RawDocument(SOURCE_FORMAT, json_pointer)
    _note_repeated(raw, tree)
    for key, value in tree.items():
        if key in _HEADER_NAMES:
            _take_text(raw, raw.header, _HEADER_NAMES[key], value, "")
        elif not any(key == theirs for theirs, _ in JSON_LISTS.values()):
            raw.fault(f"/{_token(key)}", "unknown-field")
    for ours, (theirs, table) in JSON_LISTS.items():
        limit = min(max_lines, MAX_LINES) if ours == "lines" else _MAX_LIST[ours]
        _take_list(raw, ours, table, tree.get(theirs, []), limit)
    return assemble(raw)


def json_pointer(path: str) -> str:
    """The RFC 6901 pointer of our field path (``lines/3/amount_e4``)."""
    first, _, rest = path.partition("/")
    if first in _HEADER_JSON:
        return f"/{_HEADER_JSON[first]}"
    if first in _LIST_JSON:
        theirs, names = _LIST_JSON[first]
        index, _, name = rest.partition("/")
        parts = [theirs, *([index] if index else []), *([names.get(name, name)] if name else [])]
        return "/" + "/".join(parts)
    return ""


def _load(data: bytes, max_bytes: int, max_depth: int) -> _Object:
    if len(data) > max_bytes:
        raise UnreadableDocumentError((Fault("", "too-large"),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableDocumentError((Fault("", "bad-encoding"),)) from error
    # Depth is checked before parsing: the standard parser recurses, and a library that raises the
    # interpreter's recursion limit (py-evm does) would turn a deep text into a crash.
    if is_deeper(text, min(max_depth, MAX_DEPTH)):
        raise UnreadableDocumentError((Fault("", "too-deep"),))
    try:
        tree = json.loads(
            text, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number,
            parse_constant=_refuse_constant,
        )  # fmt: skip
    except ValueError as error:
        raise UnreadableDocumentError((Fault("", "not-json"),)) from error
    if not isinstance(tree, _Object):
        raise UnreadableDocumentError((Fault("", "wrong-type"),))
    return tree


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    built = _Object(pairs)
    if len(built) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        built.repeated = tuple(sorted(name for name, count in counts.items() if count > 1))
    return built


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


def is_deeper(text: str, limit: int) -> bool:
    """Whether brackets outside of strings are ever more than ``limit`` deep; linear in the text."""
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(text):
        mark = match.group()
        if mark in ("{", "["):
            depth += 1
            if depth > limit:
                return True
        elif mark in ("}", "]"):
            depth -= 1
    return False


def _note_repeated(raw: RawDocument, node: _Object, base: str = "") -> None:
    for name in node.repeated:
        raw.fault(f"{base}/{_token(name)}", "duplicate-key")


def _take_text(raw: RawDocument, texts: dict[str, str], name: str, value: Any, prefix: str) -> None:
    path = prefix + name
    if isinstance(value, _Number):
        raw.fault(raw.pointer(path), "number-not-text")
        raw.unread.add(path)
    elif not isinstance(value, str):
        raw.fault(raw.pointer(path), "wrong-type")
        raw.unread.add(path)
    else:
        texts[name] = value


def _take_list(
    raw: RawDocument, ours: str, table: tuple[Field, ...], value: Any, limit: int
) -> None:
    if not isinstance(value, list):
        raw.fault(raw.pointer(ours), "wrong-type")
        raw.unread.add(ours)
        return
    if len(value) > limit:
        raw.fault(raw.pointer(ours), _TOO_MANY[ours])
        raw.unread.add(ours)
        return
    names = {entry.json: entry.name for entry in table}
    target: list[dict[str, str]] = getattr(raw, ours)
    for i, element in enumerate(value):
        texts: dict[str, str] = {}
        target.append(texts)
        base = raw.pointer(f"{ours}/{i}")
        if not isinstance(element, _Object):
            raw.fault(base, "wrong-type")
            raw.unread.update(f"{ours}/{i}/{entry.name}" for entry in table)
            continue
        _note_repeated(raw, element, base)
        for key, text in element.items():
            if key in names:
                _take_text(raw, texts, names[key], text, f"{ours}/{i}/")
            else:
                raw.fault(f"{base}/{_token(key)}", "unknown-field")


def _token(name: str) -> str:
    """A reference token (RFC 6901), cut to a harmless length and free of control characters."""
    shown = "".join(c if c.isprintable() else "?" for c in name[:64])
    return shown.replace("~", "~0").replace("/", "~1")
