"""The rules of a bill: everything wrong with it, in one answer.

Pure. Rules whose inputs could not be read are skipped, since the reader has said so already.
Sources: domain reference 1.1, 1.2, 1.4, 4.2 and 7; design/ledger protocol 3 (agreement).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from backend.domain.invoice import MAX_FEN, ExpenseLine, Invoice
from backend.domain.local_time import local_day
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.faults import Fault
from verifier.commitment.invoice_key import number_shape
from verifier.errors import MalformedError

#: Bills are dated in China Standard Time, which has no summer time.

_INSTITUTION_CODE: Final = re.compile(r"[0-9A-Za-z]{1,16}", re.ASCII)
_CHECK_CODES: Final = {
    "8+10": re.compile(r"[0-9A-Za-z]{6}", re.ASCII),
    "12+8": re.compile(r"[0-9]{6}|[0-9]{20}", re.ASCII),
    "20": re.compile(r"[0-9A-Za-z]{0,20}", re.ASCII),
}
_AMOUNTS: Final = (
    "total_fen", "fund_pay_fen", "other_pay_fen", "account_pay_fen", "own_pay_fen",
    "self_payment_fen", "self_expense_fen", "prepaid_fen", "recharge_fen", "refund_fen",
)  # fmt: skip
_SPLIT: Final = ("fund_pay_fen", "other_pay_fen", "account_pay_fen", "own_pay_fen")
_PRODUCT_UNIT: Final = 10**10  # quantity (10^4) times price (10^6), in yuan
_LINE_UNIT: Final = 10**4


class Agreement(Protocol):
    """The institution's terms that gate uploads."""

    @property
    def code(self) -> str: ...
    @property
    def agreement_from(self) -> dt.date: ...
    @property
    def agreement_until(self) -> dt.date: ...
    @property
    def grace_days(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Check:
    """One document under its rules."""

    parsed: ParsedInvoice
    invoice: Invoice

    def has(self, *paths: str) -> bool:
        """Whether all of these were read."""
        return not self.parsed.unread.intersection(paths)

    def fault(self, path: str, code: str) -> Fault:
        return Fault(self.parsed.pointer(path), code)


def find_faults(
    parsed: ParsedInvoice, institution: Agreement | None, now: dt.datetime
) -> tuple[Fault, ...]:
    """Every fault of the document: those of reading first, then those of the rules.

    ``institution`` is the uploader; None checks the document alone (the hospital's own check).
    """
    check = _Check(parsed, parsed.invoice)
    faults = list(parsed.faults)
    faults += _identity(check)
    faults += _amounts(check)
    faults += _sums(check)
    faults += _lines(check)
    faults += _red(check)
    faults += _dates(check, now)
    if institution is not None:
        faults += _agreement(check, institution, now)
    return tuple(faults)


def _identity(check: _Check) -> Iterable[Fault]:
    invoice = check.invoice
    if check.has("institution_code") and not _INSTITUTION_CODE.fullmatch(invoice.institution_code):
        yield check.fault("institution_code", "bad-institution-code")
    if check.has("invoice_code", "invoice_number"):
        shape = shape_of(invoice.invoice_code, invoice.invoice_number)
        if shape is None:
            yield check.fault("invoice_number", "bad-number-shape")
        else:
            if check.has("check_code") and not _CHECK_CODES[shape].fullmatch(invoice.check_code):
                code = "bad-check-code" if invoice.check_code else "required"
                yield check.fault("check_code", code)
            written = f"{invoice.invoice_number[::-1]}-{invoice.invoice_code[::-1]}"
            if check.parsed.invoice_id and check.parsed.invoice_id != written:
                yield Fault("/EInvoice/Header/EInvoiceID", "invoice-id-differs")
    if invoice.second_number and check.has("second_number", "second_number_code"):
        second = (invoice.second_number_code, invoice.second_number)
        if shape_of(*second) is None:
            yield check.fault("second_number", "bad-number-shape")
        elif second == (invoice.invoice_code, invoice.invoice_number):
            yield check.fault("second_number", "second-number-repeats")


def shape_of(code: str, number: str) -> str | None:
    """The shape tag of a bill's number, None when it has none of the three shapes."""
    try:
        return number_shape(code, number)[0]
    except MalformedError:
        return None


def _amounts(check: _Check) -> Iterable[Fault]:
    invoice = check.invoice
    for name in _AMOUNTS:
        value = getattr(invoice, name)
        if value is None or not check.has(name):
            continue
        if abs(value) > MAX_FEN:
            yield check.fault(name, "over-limit")
        elif value < 0 and not invoice.is_red:
            yield check.fault(name, "negative-amount")
        elif value > 0 and invoice.is_red and name in _SPLIT:
            yield check.fault(name, "mixed-signs")
    for i, item in enumerate(invoice.items):
        path = f"items/{i}/amount_fen"
        if not check.has(path):
            continue
        if item.amount_fen < 0 and not invoice.is_red:
            yield check.fault(path, "negative-amount")
        elif item.amount_fen > 0 and invoice.is_red:
            yield check.fault(path, "mixed-signs")


def _sums(check: _Check) -> Iterable[Fault]:
    invoice, parsed = check.invoice, check.parsed
    if not check.has("total_fen"):
        return
    if check.has(*_SPLIT) and sum(getattr(invoice, n) for n in _SPLIT) != invoice.total_fen:
        yield check.fault("own_pay_fen", "payer-split-differs")
    unread_lines = any(p == "lines" or p.endswith("amount_e4") for p in parsed.unread)
    if not unread_lines and invoice.lines:
        total = round_half_up(sum(line.amount_e4 for line in invoice.lines), 100)
        if total != invoice.total_fen:
            yield check.fault("lines", "line-sum-differs")
    unread_items = any(p == "items" or p.endswith("amount_fen") for p in parsed.unread)
    if (
        not unread_items
        and invoice.items
        and sum(item.amount_fen for item in invoice.items) != invoice.total_fen
    ):
        yield check.fault("items", "item-sum-differs")


def round_half_up(value: int, divisor: int) -> int:
    """``value`` / ``divisor`` rounded half away from zero, the rounding of bills."""
    whole = (2 * abs(value) + divisor) // (2 * divisor)
    return -whole if value < 0 else whole


def _lines(check: _Check) -> Iterable[Fault]:
    invoice = check.invoice
    if not invoice.lines and check.has("lines"):
        yield check.fault("lines", "no-lines")
    for i, line in enumerate(invoice.lines):
        base = f"lines/{i}/"
        if not check.has(base + "amount_e4"):
            continue
        if line.amount_e4 < 0 and not invoice.is_red:
            yield check.fault(base + "amount_e4", "negative-amount")
        elif line.amount_e4 > 0 and invoice.is_red:
            yield check.fault(base + "amount_e4", "mixed-signs")
        elif check.has(base + "quantity_e4", base + "price_e6") and not is_product(line):
            yield check.fault(base + "amount_e4", "line-amount-differs")


def is_product(line: ExpenseLine) -> bool:
    """Whether the amount is price times quantity, rounded at the last decimal that it keeps.

    A line keeps at least whole fen; trailing zeros beyond do not count as kept, since formats
    differ in writing them.
    """
    kept = 100 if line.amount_e4 % 100 == 0 else 10 if line.amount_e4 % 10 == 0 else 1
    exact = line.quantity_e4 * line.price_e6
    written = line.amount_e4 * (_PRODUCT_UNIT // _LINE_UNIT)
    return 2 * abs(exact - written) <= kept * (_PRODUCT_UNIT // _LINE_UNIT)


def _red(check: _Check) -> Iterable[Fault]:
    invoice = check.invoice
    if not check.has("total_fen", "related_invoice_code", "related_invoice_number"):
        return
    names = bool(invoice.related_invoice_number)
    if invoice.is_red and not names:
        yield check.fault("related_invoice_number", "original-missing")
    elif names and not invoice.is_red:
        yield check.fault("related_invoice_number", "original-not-expected")
    elif names:
        original = (invoice.related_invoice_code, invoice.related_invoice_number)
        if shape_of(*original) is None:
            yield check.fault("related_invoice_number", "bad-number-shape")
        elif original == (invoice.invoice_code, invoice.invoice_number):
            yield check.fault("related_invoice_number", "original-is-itself")


def _dates(check: _Check, now: dt.datetime) -> Iterable[Fault]:
    invoice = check.invoice
    today = local_day(now)
    if check.has("issued_on") and invoice.issued_on > today:
        yield check.fault("issued_on", "issued-in-future")
    for earlier, later in (
        ("admitted_on", "discharged_on"), ("visit_on", "issued_on"), ("discharged_on", "issued_on"),
    ):  # fmt: skip
        first, second = getattr(invoice, earlier), getattr(invoice, later)
        if first and second and check.has(earlier, later) and first > second:
            yield check.fault(earlier, "dates-out-of-order")


def _agreement(check: _Check, institution: Agreement, now: dt.datetime) -> Iterable[Fault]:
    invoice = check.invoice
    if check.has("institution_code") and invoice.institution_code != institution.code:
        yield check.fault("institution_code", "another-institution")
    if not check.has("issued_on"):
        return
    if invoice.issued_on > institution.agreement_until:
        yield check.fault("issued_on", "agreement-expired")
    elif invoice.issued_on < institution.agreement_from:
        yield check.fault("issued_on", "agreement-not-begun")
    else:
        last_day = institution.agreement_until + dt.timedelta(days=institution.grace_days)
        if local_day(now) > last_day:
            yield check.fault("issued_on", "grace-ended")
