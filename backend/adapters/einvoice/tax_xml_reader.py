"""Digital tax invoices (数电票): ``EInvoice`` whose header carries ``EIid``.

They come from private hospitals outside the network. The names and their nesting are those of the
domain reference, 1.6. The seller's number is not an institution code of ours; it is answered
beside the bill, and the person who checks the document names the place of care.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element

from backend.adapters.einvoice.assembly import RawDocument, assemble
from backend.adapters.einvoice.texts import UnreadableTextError, scaled
from backend.domain.invoice import MAX_LINES
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.faults import Fault, UnreadableDocumentError

SOURCE_FORMAT: Final = "tax-xml"
_DATA: Final = "EInvoiceData"
_ITEM: Final = f"{_DATA}/IssuItemInformation"
_ISSUED: Final = (f"{_DATA}/BasicInformation/RequestTime", "TaxSupervisionInfo/IssueTime")
_SELLER: Final = f"{_DATA}/SellerInformation"
_BUYER: Final = f"{_DATA}/BuyerInformation"
_TOTAL: Final = f"{_DATA}/BasicInformation/TotalTax-includedAmount"
#: our header field -> where it stands
_PATHS: Final = {
    "invoice_number": "Header/EIid",
    "institution_name": f"{_SELLER}/SellerName",
    "payer_name": f"{_BUYER}/BuyerName",
    "payer_id": f"{_BUYER}/BuyerIdNum",
    "total_fen": _TOTAL,
    "own_pay_fen": _TOTAL,
    "issued_on": _ISSUED[0],
    "remark": f"{_DATA}/AdditionalInformation/Remark",
    "cashier": f"{_DATA}/BasicInformation/Drawer",
}
_LINE_NAMES: Final = {
    "name": "ItemName",
    "spec": "SpecMod",
    "unit": "MeaUnits",
    "quantity_e4": "Quantity",
    "price_e6": "UnPrice",
    "amount_e4": "TotaltaxIncludedAmount",
}


@dataclass(frozen=True, slots=True)
class TaxInvoice:
    """``seller_code`` is the seller's taxpayer number, 统一社会信用代码 for most."""

    parsed: ParsedInvoice
    seller_code: str


def is_tax_invoice(root: Element) -> bool:
    """Whether the tree is a digital tax invoice; fiscal bills have an EInvoiceTag CZ-EI-..."""
    return root.tag == "EInvoice" and root.find("Header/EIid") is not None


def read_tax_invoice(root: Element) -> TaxInvoice:
    """Read one invoice. Raises UnreadableDocumentError for several in one; every other fault is
    collected in the answer."""
    if len(root.findall("Header")) > 1 or len(root.findall(_DATA)) > 1:
        raise UnreadableDocumentError((Fault("", "several-invoices"),))
    raw = RawDocument(SOURCE_FORMAT, _pointer)
    raw.unread.add("institution_code")  # the seller's number is longer; see seller_code
    for name, path in _PATHS.items():
        if len(root.findall(path)) > 1:
            raw.fault(f"/EInvoice/{path}", "duplicate-key")
            raw.unread.add(name)
        raw.header[name] = _text(root, path)
    raw.header["issued_on"] = (_text(root, _ISSUED[0]) or _text(root, _ISSUED[1]))[:10]
    supervised = _text(root, "TaxSupervisionInfo/InvoiceNumber")
    if supervised and supervised != raw.header["invoice_number"]:
        raw.fault("/EInvoice/TaxSupervisionInfo/InvoiceNumber", "invoice-id-differs")
    items = root.findall(_ITEM)
    if len(items) > MAX_LINES:
        raw.fault(f"/EInvoice/{_ITEM}", "too-many-lines")
        raw.unread.add("lines")
        items = []
    raw.lines = [_line(item) for item in items]
    return TaxInvoice(_with_header_code(assemble(raw)), _text(root, f"{_SELLER}/SellerIdNum"))


def _with_header_code(parsed: ParsedInvoice) -> ParsedInvoice:
    return replace(parsed, invoice=replace(parsed.invoice, institution_code=""))


def _line(item: Element) -> dict[str, str]:
    texts = {ours: _text(item, theirs) for ours, theirs in _LINE_NAMES.items()}
    texts["amount_e4"] = texts["amount_e4"] or _text(item, "Amount")
    # Quantity and unit price may be left out of a tax invoice.
    texts["quantity_e4"] = texts["quantity_e4"] or "1"
    tax = _text(item, "ComTaxAm").strip("*")
    if not texts["price_e6"] or tax.strip("0.") != "":
        # The printed unit price is before tax; the line counts with it.
        texts["price_e6"] = _price(texts["amount_e4"], texts["quantity_e4"])
    return texts


def _price(amount: str, quantity: str) -> str:
    """Amount by quantity at six places, half away from zero; the amount where that fails."""
    try:
        amount_e4 = scaled(amount, 4, "bad-line-amount")
        quantity_e4 = scaled(quantity, 4, "bad-decimal")
    except UnreadableTextError:
        return amount
    if quantity_e4 <= 0:
        return amount
    price_e6 = (2 * amount_e4 * 10**6 + quantity_e4) // (2 * quantity_e4)
    whole, part = divmod(price_e6, 10**6)
    return f"{whole}.{part:06d}"


def _text(root: Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _pointer(path: str) -> str:
    first, _, rest = path.partition("/")
    if first in _PATHS:
        return f"/EInvoice/{_PATHS[first]}"
    if first == "lines":
        index, _, name = rest.partition("/")
        base = f"/EInvoice/{_ITEM}" + (f"/{index}" if index else "")
        return f"{base}/{_LINE_NAMES.get(name, name)}" if name else base
    return "/EInvoice"
