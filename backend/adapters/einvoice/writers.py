"""Writers: the two documents of a bill, as hospitals' systems send them.

Used by the sample generator, by tests and by hospitals that start from our record. Reading back
what is written gives the same canonical record.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from backend.adapters.einvoice.fields import (
    ATTACHMENT,
    HEADER,
    ITEM,
    LEVEL_REMARKS,
    LINE,
    MAIN,
    Field,
    Form,
)
from backend.domain.invoice import ExpenseLine, Invoice, scaled_text

_PLACES: Final = {Form.FEN: 2, Form.LINE_AMOUNT: 4, Form.QUANTITY: 4, Form.PRICE: 6}
#: Decimals that are always written, zero or not.
_MIN_PLACES: Final = {Form.FEN: 2, Form.LINE_AMOUNT: 2, Form.QUANTITY: 0, Form.PRICE: 2}


def invoice_to_json(invoice: Invoice) -> bytes:
    """The bill as our JSON (docs/api.md)."""
    document: dict[str, Any] = _json_texts(HEADER, invoice)
    document["Items"] = [_json_texts(ITEM, item) for item in invoice.items]
    document["AuxItems"] = [_json_texts(LINE, line) for line in invoice.lines]
    if invoice.attachments:
        document["Attachments"] = [_json_texts(ATTACHMENT, a) for a in invoice.attachments]
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def invoice_to_fiscal_xml(invoice: Invoice, region: str = "33") -> bytes:
    """The bill as fiscal XML with ``EInvoiceTag`` CZ-EI-<region>, as UTF-8 with a prolog."""
    root = Element("EInvoice")
    header = SubElement(root, "Header")
    number, code = invoice.invoice_number, invoice.invoice_code
    SubElement(header, "EInvoiceID").text = f"{number[::-1]}-{code[::-1]}"
    SubElement(header, "EInvoiceTag").text = f"CZ-EI-{region}"
    SubElement(header, "Version").text = "1.1.0"
    data = SubElement(root, MAIN[0])
    main = SubElement(data, MAIN[1])
    _write_element(main, HEADER, _texts(HEADER, invoice, yyyymmdd=True))
    if invoice.attachments:
        ext = main.find("MainExt")
        digests = SubElement(
            ext if ext is not None else SubElement(main, "MainExt"), "attachmentDigests"
        )
        for attachment in invoice.attachments:
            place = SubElement(digests, "attachmentDigest")
            _write_element(place, ATTACHMENT, _texts(ATTACHMENT, attachment))
    details = SubElement(data, "Details")
    for item in invoice.items:
        _write_element(SubElement(details, "Item"), ITEM, _texts(ITEM, item))
    aux = SubElement(data, "AuxDetails")
    for line in invoice.lines:
        _write_element(SubElement(aux, "AuxItem"), LINE, _line_texts(line))
    indent(root)
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _json_texts(table: tuple[Field, ...], source: object) -> dict[str, str]:
    texts = _texts(table, source)
    return {entry.json: texts[entry.name] for entry in table if entry.name in texts}


def _line_texts(line: ExpenseLine) -> dict[str, str]:
    """As fiscal bills do it: the class stands in the remark when the remark is free."""
    texts = _texts(LINE, line)
    if line.level in LEVEL_REMARKS and not line.remark:
        texts["remark"] = LEVEL_REMARKS[texts.pop("level")]
    return texts


def _texts(table: tuple[Field, ...], source: object, *, yyyymmdd: bool = False) -> dict[str, str]:
    texts: dict[str, str] = {}
    for entry in table:
        value = getattr(source, entry.name)
        if value in ("", None):
            continue
        if isinstance(value, dt.date):
            texts[entry.name] = value.strftime("%Y%m%d") if yyyymmdd else value.isoformat()
        elif entry.form in _PLACES:
            texts[entry.name] = decimal_text(value, _PLACES[entry.form], _MIN_PLACES[entry.form])
        else:
            texts[entry.name] = str(value)
    return texts


def decimal_text(value: int, places: int, min_places: int) -> str:
    """``value`` / 10^places without trailing zeros beyond ``min_places``."""
    whole, _, part = scaled_text(value, places).partition(".")
    kept = part.rstrip("0").ljust(min_places, "0")
    return f"{whole}.{kept}" if kept else whole


def _write_element(parent: Element, table: tuple[Field, ...], texts: dict[str, str]) -> None:
    for entry in table:
        if entry.name not in texts:
            continue
        place = parent
        for name in entry.xml[:-1]:
            found = place.find(name)
            place = SubElement(place, name) if found is None else found
        SubElement(place, entry.xml[-1]).text = texts[entry.name]
