"""From raw texts, of whatever format, to a :class:`ParsedInvoice`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backend.adapters.einvoice.fields import (
    ATTACHMENT,
    HEADER,
    ITEM,
    LINE,
    REMARK_LEVELS,
    Field,
)
from backend.adapters.einvoice.texts import NEUTRAL, UnreadableTextError, read_text
from backend.domain.invoice import Attachment, AttachmentType, ExpenseLine, FeeItem, Invoice
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.faults import MAX_FAULTS, Fault


@dataclass(slots=True)
class RawDocument:
    """Texts by our field names, with the faults met so far and how to point at a field."""

    source_format: str
    pointer: Callable[[str], str]
    header: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)
    lines: list[dict[str, str]] = field(default_factory=list)
    attachments: list[dict[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    invoice_id: str = ""

    def fault(self, pointer: str, code: str) -> None:
        if len(self.faults) <= MAX_FAULTS:
            self.faults.append(Fault(pointer, code))


def assemble(raw: RawDocument) -> ParsedInvoice:
    """Read every text; what cannot be read becomes a fault and a neutral value."""
    # A 20-digit number has no code; an empty text reads as absent.
    header = {"invoice_code": ""} | _read_fields(raw, HEADER, raw.header, "")
    items = tuple(
        FeeItem(**_read_fields(raw, ITEM, texts, f"items/{i}/"))
        for i, texts in enumerate(raw.items)
    )
    lines = tuple(_read_line(raw, texts, f"lines/{i}/") for i, texts in enumerate(raw.lines))
    invoice = Invoice(**header, items=items, lines=lines, attachments=_read_attachments(raw))
    return ParsedInvoice(
        invoice=invoice,
        faults=tuple(raw.faults),
        unread=frozenset(raw.unread),
        pointer=raw.pointer,
        source_format=raw.source_format,
        invoice_id=raw.invoice_id,
    )


def _read_fields(
    raw: RawDocument, table: tuple[Field, ...], texts: dict[str, str], prefix: str
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in table:
        path = prefix + entry.name
        if path in raw.unread:  # the reader has already said why
            values[entry.name] = NEUTRAL.get(entry.form, "")
            continue
        try:
            value = read_text(entry, texts.get(entry.name, ""))
        except UnreadableTextError as fault:
            raw.fault(raw.pointer(path), fault.code)
            raw.unread.add(path)
            value = NEUTRAL.get(entry.form, "")
        if value is not None:
            values[entry.name] = value
    return values


def _read_line(raw: RawDocument, texts: dict[str, str], prefix: str) -> ExpenseLine:
    values = _read_fields(raw, LINE, texts, prefix)
    # Fiscal bills write the class into the remark (甲类, 乙类, 丙类): it is the charge level.
    level = REMARK_LEVELS.get(values.get("remark", ""))
    if level is not None:
        del values["remark"]
        if values.setdefault("level", level) != level:
            raw.fault(raw.pointer(f"{prefix}remark"), "level-conflict")
    return ExpenseLine(**values)


def _read_attachments(raw: RawDocument) -> tuple[Attachment, ...]:
    read: list[Attachment] = []
    for i, texts in enumerate(raw.attachments):
        before = len(raw.faults)
        values = _read_fields(raw, ATTACHMENT, texts, f"attachments/{i}/")
        if len(raw.faults) > before or f"attachments/{i}" in raw.unread or "" in values.values():
            continue
        attachment = Attachment(AttachmentType(values["type"]), values["digest"])
        if attachment in read:
            raw.fault(raw.pointer(f"attachments/{i}"), "duplicate-attachment")
        read.append(attachment)
    return tuple(sorted(read))
