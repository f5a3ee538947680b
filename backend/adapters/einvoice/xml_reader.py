"""Fiscal medical e-bills: ``EInvoice`` whose header tag begins with ``CZ-EI-``.

The XML is hostile until read: DTDs and entities are refused by the parser, bytes, depth and
element count are limited while parsing, and signature and seal subtrees are dropped before any
value is looked up, because they repeat names (domain reference 1.6 and 7).
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from backend.adapters.einvoice.assembly import RawDocument, assemble
from backend.adapters.einvoice.fields import (
    ATTACHMENT,
    HEADER,
    ITEM,
    LINE,
    MAIN,
    XML_NOT_RECORDED,
    Field,
)
from backend.domain.invoice import MAX_LINES
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.faults import Fault, UnreadableDocumentError

MAX_DEPTH: Final = 16
MAX_BYTES: Final = 8 * 2**20
#: A line has at most 14 elements; the rest of a bill fits in 4,000.
MAX_ELEMENTS: Final = MAX_LINES * 14 + 4_000
SOURCE_FORMAT: Final = "fiscal-xml"
_MAX_ITEMS: Final = 50
_MAX_ATTACHMENTS: Final = 100
#: The encoding that the prolog declares: the bytes are UTF-8, and would be read as something else.
_DECLARED_ENCODING: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>]*?\bencoding\s*=\s*["']([^"']*)["']"""
)
_FISCAL_TAG: Final = "CZ-EI-"
_ROOT: Final = "EInvoice"
_ATTACHMENTS_PATH: Final = "MainExt/attachmentDigests"
_MAIN_POINTER: Final = "/" + "/".join((_ROOT, *MAIN))

#: our list -> (path of its parent below the root, name of one element, table)
_LISTS: Final[dict[str, tuple[tuple[str, ...], str, tuple[Field, ...]]]] = {
    "items": (("EInvoiceData", "Details"), "Item", ITEM),
    "lines": (("EInvoiceData", "AuxDetails"), "AuxItem", LINE),
    "attachments": ((*MAIN, "MainExt", "attachmentDigests"), "attachmentDigest", ATTACHMENT),
}
_HEADER_PATHS: Final = {entry.name: "/".join(entry.xml) for entry in HEADER}
_LIST_PATHS: Final = {
    ours: {entry.name: "/".join(entry.xml) for entry in table}
    for ours, (_, _, table) in _LISTS.items()
}


class _TooMuchError(Exception):
    """Depth or element count passed its limit; ``args[0]`` is the fault code."""


class _LimitedBuilder(TreeBuilder):
    """Builds the tree and stops at a limit, before the memory is spent."""

    def __init__(self, max_depth: int) -> None:
        super().__init__()
        self._max_depth = max_depth
        self._depth = 0
        self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > self._max_depth:
            raise _TooMuchError("too-deep")
        if self._count > MAX_ELEMENTS:
            raise _TooMuchError("too-many-elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse_fiscal_xml(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_lines: int = MAX_LINES,
    max_depth: int = MAX_DEPTH,
) -> ParsedInvoice:
    """Read one bill. Raises UnreadableDocumentError when the bytes are no fiscal bill in XML;
    every other fault is collected in the answer."""
    return read_fiscal_tree(load_xml(data, max_bytes, max_depth), max_lines)


def read_fiscal_tree(root: Element, max_lines: int = MAX_LINES) -> ParsedInvoice:
    """Read one bill from a tree of :func:`load_xml`; raises as :func:`parse_fiscal_xml`."""
    _check_single_fiscal_bill(root)
    raw = RawDocument(SOURCE_FORMAT, xml_pointer)
    raw.invoice_id = (root.findtext("Header/EInvoiceID") or "").strip()
    _walk_frame(raw, root)
    for ours, (path, _, _) in _LISTS.items():
        parent = root.find("/".join(path))
        limit = {"items": _MAX_ITEMS, "attachments": _MAX_ATTACHMENTS}.get(ours, max_lines)
        if parent is not None:
            _take_list(raw, ours, parent, limit)
    return assemble(raw)


def xml_pointer(path: str) -> str:
    """The element path of our field path (``lines/3/amount_e4``), indexes from 0."""
    first, _, rest = path.partition("/")
    if first in _HEADER_PATHS:
        return f"{_MAIN_POINTER}/{_HEADER_PATHS[first]}"
    if first in _LISTS:
        parents, element_name, _ = _LISTS[first]
        base = "/" + "/".join((_ROOT, *parents))
        index, _, name = rest.partition("/")
        if not index:
            return base
        place = f"{base}/{element_name}/{index}"
        return f"{place}/{_LIST_PATHS[first].get(name, name)}" if name else place
    return f"/{_ROOT}"


def load_xml(data: bytes, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Element:
    """The tree of an XML document without its signatures and seals: no DTD, no entities, within
    the limits. Raises UnreadableDocumentError."""
    if len(data) > max_bytes:
        raise UnreadableDocumentError((Fault("", "too-large"),))
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableDocumentError((Fault("", "bad-encoding"),)) from error
    declared = _DECLARED_ENCODING.match(data)
    if declared is not None and declared[1].lower() not in (b"utf-8", b"utf8"):
        raise UnreadableDocumentError((Fault("", "bad-encoding"),))
    parser = DefusedXMLParser(target=_LimitedBuilder(min(max_depth, MAX_DEPTH)), forbid_dtd=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except _TooMuchError as error:
        raise UnreadableDocumentError((Fault("", str(error.args[0])),)) from error
    except DefusedXmlException as error:
        raise UnreadableDocumentError((Fault("", "xml-dtd"),)) from error
    except ParseError as error:
        raise UnreadableDocumentError((Fault("", "not-xml"),)) from error
    except (LookupError, ValueError) as error:  # what the prolog says of its encoding is no text
        raise UnreadableDocumentError((Fault("", "bad-encoding"),)) from error
    _strip_signatures(root)
    return root


def _strip_signatures(root: Element) -> None:
    """Iterative, since depth is the sender's choice up to the limit."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for child in list(node):
            if child.tag.endswith(("Signature", "Seal")):
                node.remove(child)
            else:
                waiting.append(child)


def _check_single_fiscal_bill(root: Element) -> None:
    several = (
        sum(1 for _ in root.iter(_ROOT)) > 1
        or len(root.findall("EInvoiceData")) > 1
        or len(root.findall("EInvoiceData/Main")) > 1
        or len(root.findall("Header")) > 1
    )
    if several:
        raise UnreadableDocumentError((Fault("", "several-invoices"),))
    tag = (root.findtext("Header/EInvoiceTag") or "").strip()
    if root.tag != _ROOT or not tag.startswith(_FISCAL_TAG):
        place = f"/{_ROOT}/Header/EInvoiceTag" if root.tag == _ROOT else ""
        raise UnreadableDocumentError((Fault(place, "unsupported-format"),))
    if root.find("EInvoiceData/Main") is None:
        raise UnreadableDocumentError((Fault(_MAIN_POINTER, "required"),))


def _walk_frame(raw: RawDocument, root: Element) -> None:
    """Check the outer elements and take the texts of Main."""
    _refuse_others(raw, root, f"/{_ROOT}", {"Header", "EInvoiceData"})
    header = root.find("Header")
    if header is not None:
        known = {"EInvoiceID", "EInvoiceTag", "Version"}
        _refuse_others(raw, header, f"/{_ROOT}/Header", known)
    data = root.find("EInvoiceData")
    assert data is not None  # _check_single_fiscal_bill has seen to it
    _refuse_others(raw, data, f"/{_ROOT}/EInvoiceData", {"Main", "Details", "AuxDetails"})
    main = data.find("Main")
    assert main is not None
    _take_element(raw, raw.header, main, HEADER, "")


def _refuse_others(raw: RawDocument, node: Element, base: str, known: set[str]) -> None:
    seen: set[str] = set()
    for child in node:
        if child.tag not in known:
            raw.fault(f"{base}/{_shown(child.tag)}", "unknown-field")
        elif child.tag in seen:
            raw.fault(f"{base}/{child.tag}", "duplicate-key")
        seen.add(child.tag)


def _take_list(
    raw: RawDocument,
    ours: str,
    parent: Element,
    limit: int,
) -> None:
    _, element_name, table = _LISTS[ours]
    elements = [child for child in parent if child.tag == element_name]
    for child in parent:
        if child.tag != element_name:
            raw.fault(f"{raw.pointer(ours)}/{_shown(child.tag)}", "unknown-field")
    if len(elements) > limit:
        code = {"items": "too-many-items", "lines": "too-many-lines"}.get(ours)
        raw.fault(raw.pointer(ours), code or "too-many-elements")
        raw.unread.add(ours)
        return
    target: list[dict[str, str]] = getattr(raw, ours)
    for i, element in enumerate(elements):
        texts: dict[str, str] = {}
        target.append(texts)
        _take_element(raw, texts, element, table, f"{ours}/{i}")


def _take_element(
    raw: RawDocument,
    texts: dict[str, str],
    element: Element,
    table: tuple[Field, ...],
    prefix: str,
) -> None:
    """Take the text of every known leaf below ``element``; refuse what is unknown or repeated."""
    names = {"/".join(entry.xml): entry.name for entry in table}
    groups = {path.rpartition("/")[0] for path in names} - {""}
    base = raw.pointer(prefix) if prefix else _MAIN_POINTER
    seen: set[str] = set()
    waiting = [("", child) for child in element]
    while waiting:
        above, child = waiting.pop()
        path = f"{above}/{child.tag}" if above else child.tag
        if path == _ATTACHMENTS_PATH or child.tag in XML_NOT_RECORDED:
            continue
        if path in seen:
            raw.fault(f"{base}/{path}", "duplicate-key")
            continue
        seen.add(path)
        if path in groups:
            waiting.extend((path, grandchild) for grandchild in child)
        elif path not in names:
            raw.fault(f"{base}/{_path_shown(path)}", "unknown-field")
        elif len(child):
            raw.fault(f"{base}/{path}", "wrong-type")
            raw.unread.add(f"{prefix}/{names[path]}" if prefix else names[path])
        else:
            texts[names[path]] = child.text or ""


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() and c != "/" else "?" for c in name[:64])


def _path_shown(path: str) -> str:
    return "/".join(_shown(part) for part in path.split("/"))
