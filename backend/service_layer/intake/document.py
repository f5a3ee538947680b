"""A document as read: the invoice, where each value stood, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.domain.invoice import Invoice
from backend.service_layer.intake.faults import Fault, InvalidInvoiceError


@dataclass(frozen=True, slots=True)
class ParsedInvoice:
    """``invoice`` has neutral values where ``unread`` names a field that had a fault, so that the
    remaining rules can still be checked and all faults be answered at once.

    ``pointer`` turns our field path (``total_fen``, ``lines/3/amount_e4``) into the document's.
    """

    invoice: Invoice
    faults: tuple[Fault, ...]
    unread: frozenset[str]
    pointer: Callable[[str], str]
    source_format: str
    invoice_id: str = ""  # EInvoiceID of the XML header, when there was one

    def sound_invoice(self) -> Invoice:
        """The invoice; raises InvalidInvoiceError when anything could not be read."""
        if self.faults:
            raise InvalidInvoiceError(self.faults)
        return self.invoice
