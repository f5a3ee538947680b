"""Border of ISO 20022 messages: bytes to a schema-valid tree, a tree to schema-valid bytes.

Schemas: ``schemas/`` as published. Amounts are decimal strings on the wire and whole fen inside;
no float is ever made. Instants are written in UTC with ``Z``.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from pathlib import Path
from typing import Any, Final, cast

from lxml import etree

PAIN001: Final = "pain.001.001.11"
PAIN002: Final = "pain.002.001.12"
CAMT053: Final = "camt.053.001.08"
CURRENCY: Final = "CNY"
BYTES_MAX: Final = 16 * 2**20
FEN_MAX: Final = 10**14
_SCHEMAS: Final = Path(__file__).parent.joinpath("schemas")
_AMOUNT: Final = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,2})0{0,3})?", re.ASCII)
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENT: Final = re.compile(r"Element '(?:\{[^}]*\})?([A-Za-z]+)'")
_OWN: Final = threading.local()


class MessageError(ValueError):
    """A message that is malformed, too large, or not valid by its schema; says what and where."""


def namespace_of(message: str) -> str:
    """The XML namespace of a message such as ``pain.001.001.11``."""
    return f"urn:iso:std:iso:20022:tech:xsd:{message}"


def _schema(message: str) -> etree.XMLSchema:
    """One compiled schema a thread: its error log is not shared between threads."""
    kept: dict[str, etree.XMLSchema] = _OWN.__dict__.setdefault("schemas", {})
    if message not in kept:
        kept[message] = etree.XMLSchema(etree.parse(str(_SCHEMAS.joinpath(f"{message}.xsd"))))
    return kept[message]


def parse_message(content: bytes, message: str, bytes_max: int = BYTES_MAX) -> etree._Element:
    """The root of ``content`` of at most ``bytes_max`` bytes, valid by the schema of ``message``.

    Raises :class:`MessageError` for anything else: too large, not UTF-8, with a document type
    declaration or entities, cut off, of another message or version, not valid.
    """
    if len(content) > bytes_max:
        raise MessageError(f"larger than {bytes_max} bytes")
    root = _tree(content)
    if root.getroottree().docinfo.internalDTD is not None:
        raise MessageError("has a document type declaration")
    expected = f"{{{namespace_of(message)}}}Document"
    if root.tag != expected:
        raise MessageError(f"is {str(root.tag)[:120]}, not {expected}")
    _require_valid(root, message)
    return root


def is_well_formed(content: bytes) -> bool:
    """Whether bytes are one whole XML document; a file that is still being written is none."""
    try:
        _tree(content)
    except MessageError:
        return False
    return True


def _tree(content: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MessageError(f"not well-formed XML: {error}") from error


def _require_valid(root: etree._Element, message: str) -> None:
    try:
        _schema(message).assertValid(root)
    except etree.DocumentInvalid as error:
        raise MessageError(f"not valid: {_rule_broken(error)}") from None


def _rule_broken(error: etree.DocumentInvalid) -> str:
    """Where a message is not valid and by which rule. The value is left out: it may be a holder's
    name or account, and this text is stored in clear."""
    log: Any = error.error_log  # its stubs leave out what it is made of
    entry = log.last_error
    if entry is None:
        return "by its schema"
    found = _ELEMENT.match(entry.message)
    element = found[1] if found else "?"
    return f"{element[:60]} in line {entry.line}: {entry.type_name}"


def serialise(root: etree._Element, message: str) -> bytes:
    """The bytes of a tree that we made; raises :class:`MessageError` when it is not valid."""
    _require_valid(root, message)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


class Branch:
    """Writes and reads children of one namespace with the schema's short names."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self._namespace = etree.QName(element).namespace

    @classmethod
    def document(cls, message: str) -> Branch:
        space = namespace_of(message)
        prefixes = cast("dict[str, str]", {None: space})  # lxml's name of the default namespace
        return cls(etree.Element(f"{{{space}}}Document", nsmap=prefixes))

    def add(self, path: str, text: str | None = None, **attributes: str) -> Branch:
        """Append the elements of ``path`` (``A/B/C``) below each other; ``text`` goes to the last.

        Raises :class:`MessageError` for characters that XML cannot carry.
        """
        if text is not None and (_ILLEGAL.search(text) or text != text.strip() or not text):
            raise MessageError(f"{path}: a text that is empty, padded or not printable")
        element = self.element
        for name in path.split("/"):
            element = etree.SubElement(element, f"{{{self._namespace}}}{name}")
        element.text = text
        for key, value in attributes.items():
            element.set(key, value)
        return Branch(element)

    def all(self, path: str) -> list[Branch]:
        steps = "/".join(f"{{{self._namespace}}}{name}" for name in path.split("/"))
        return [Branch(found) for found in self.element.findall(steps)]

    def one(self, path: str) -> Branch | None:
        found = self.all(path)
        return found[0] if found else None

    def text(self, path: str) -> str:
        """The text at ``path``, empty where there is none."""
        found = self.one(path)
        return (found.element.text or "").strip() if found is not None else ""


def amount_text(fen: int) -> str:
    """Fen as a decimal string of yuan with two places; raises :class:`MessageError`."""
    if not 0 <= fen <= FEN_MAX:
        raise MessageError(f"an amount of {fen} fen is outside the limits")
    return f"{fen // 100}.{fen % 100:02d}"


def fen_of(text: str) -> int:
    """A decimal string of yuan as whole fen; raises :class:`MessageError` for parts of a fen."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise MessageError(f"{text[:40]!r} is no amount in whole fen")
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def instant_text(at: dt.datetime) -> str:
    """An aware instant as ISO 8601 in UTC, whole seconds."""
    if at.tzinfo is None:
        raise MessageError("an instant without a time zone")
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_of(text: str) -> dt.datetime:
    """An instant with its zone; raises :class:`MessageError` where a bank leaves the zone out."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise MessageError(f"{text[:40]!r} is no instant") from error
    if found.tzinfo is None:
        raise MessageError(f"{text[:40]!r} has no time zone")
    try:
        return found.astimezone(dt.UTC)
    except OverflowError as error:
        raise MessageError(f"{text[:40]!r} is outside the calendar") from error
