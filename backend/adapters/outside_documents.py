"""What an uploaded file is, by its bytes alone: never by its name or stated type."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from xml.etree.ElementTree import Element

from backend.adapters.einvoice.json_reader import parse_json_invoice
from backend.adapters.einvoice.ofd_reader import find_invoice
from backend.adapters.einvoice.tax_xml_reader import is_tax_invoice, read_tax_invoice
from backend.adapters.einvoice.xml_reader import load_xml, read_fiscal_tree
from backend.adapters.pictures import viewing_copy
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.faults import Fault
from backend.service_layer.outside.errors import UnusableFileError
from backend.service_layer.outside.records import FileKind, Recognised

FILE_BYTES_MAX: Final = 8 * 2**20
_BOM: Final = b"\xef\xbb\xbf"
_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_ZIP: Final = b"PK\x03\x04"
_PDF: Final = b"%PDF-"
_PDF_END: Final = b"%%EOF"
_PDF_TAIL: Final = 1024
_NOTED: Final = 50
_INSTITUTION: Final = "/EInvoice/EInvoiceData/Main/InvoicingParty/InvoicingPartyCode"
_CODE_MAX: Final = 30


class OutsideDocuments:
    """The readers behind the port ``Documents``."""

    def recognise(self, data: bytes) -> Recognised:
        """The kind of a file, its data or a viewing copy. Raises UnusableFileError, and
        UnreadableDocumentError for XML that cannot be read at all."""
        if not data:
            raise UnusableFileError("empty-file")
        if len(data) > FILE_BYTES_MAX:
            raise UnusableFileError("file-too-large")
        if data.startswith(_JPEG):
            return Recognised(FileKind.JPEG, "picture", viewing=viewing_copy(data, "JPEG"))
        if data.startswith(_PNG):
            return Recognised(FileKind.PNG, "picture", viewing=viewing_copy(data, "PNG"))
        if data.startswith(_PDF):
            if _PDF_END not in data[-_PDF_TAIL:]:
                raise UnusableFileError("bad-pdf")
            return Recognised(FileKind.PDF, "pdf")
        if data.startswith(_ZIP):
            _, root = find_invoice(data)
            return _with_data(FileKind.OFD, root)
        if data.removeprefix(_BOM).lstrip().startswith(b"<"):
            return _with_data(FileKind.XML, load_xml(data, FILE_BYTES_MAX))
        raise UnusableFileError("unknown-file-type")

    def read_typed(self, data: bytes) -> ParsedInvoice:
        """A bill typed by a clerk, in the JSON form that hospitals send (docs/api.md)."""
        return parse_json_invoice(data, max_bytes=FILE_BYTES_MAX)


def _with_data(kind: FileKind, root: Element) -> Recognised:
    if is_tax_invoice(root):
        tax = read_tax_invoice(root)
        return Recognised(kind, tax.parsed.source_format, tax.parsed, tax.seller_code[:_CODE_MAX])
    parsed = read_fiscal_tree(root)
    code = (root.findtext(_INSTITUTION.removeprefix("/EInvoice/")) or "").strip()
    kept, notes = _sort_faults(parsed)
    unread = parsed.unread | {"institution_code"}
    parsed = replace(parsed, faults=kept, unread=unread)
    return Recognised(kind, parsed.source_format, parsed, code[:_CODE_MAX], notes=notes)


def _sort_faults(parsed: ParsedInvoice) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    """(faults, notes). Elsewhere bills carry elements of their own, which a member may not send:
    they are shown to the person who checks. Nor is another region's institution code ours."""
    kept = []
    notes = []
    for fault in parsed.faults:
        if fault.code == "unknown-field":
            notes.append(fault.pointer)
        elif fault.pointer != _INSTITUTION:
            kept.append(fault)
    return tuple(kept), tuple(notes[:_NOTED])
