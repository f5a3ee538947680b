"""A sample bill as the document that its hospital sends."""

from __future__ import annotations

from typing import Final

from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from scripts.sample_data.bills import SampleBill

CONTENT_TYPES: Final = {"json": "application/json", "xml": "application/xml"}


def bill_bytes(bill: SampleBill) -> bytes:
    """The document's bytes, by the bill's ``wire``."""
    write = invoice_to_json if bill.wire == "json" else invoice_to_fiscal_xml
    return write(bill.invoice)
