"""Sums: lines and categories against the bill, payers against the total, price against amount.

Domain reference 1.4 (identity of payers), 4.2 (insurers tolerate 0.1; ours tolerates 0.00 after
rounding) and section 7 (a sum is rounded once).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex, round_e4
from backend.domain.audit.check import (
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    Values,
    claim_check,
    line_check,
    whole,
)
from backend.domain.audit.facts import AuditFacts
from backend.domain.money import format_yuan

_UNIT: Final = 10**6
"""Quantity (10^4) x price (10^6) in units of a line amount (10^4)."""


def _lines_total(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    return _difference(bill.lines_fen, facts.invoice.total_fen)


def _items_total(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    items = facts.invoice.items
    if not items:
        return Unjudged("no-items", "票据没有收费项目，无法核对", "the bill has no fee categories")
    return _difference(sum(item.amount_fen for item in items), facts.invoice.total_fen)


def _difference(sum_fen: int, total_fen: int) -> Answer:
    if sum_fen == total_fen:
        return ()
    return (
        Finding(
            {"sum": format_yuan(sum_fen), "total": format_yuan(total_fen)},
            evidence={"sum_fen": sum_fen, "total_fen": total_fen},
        ),
    )


def _payers_beyond(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """What others bore is more than the bill; ours: sum of all payers <= total."""
    invoice = facts.invoice
    borne = invoice.fund_pay_fen + invoice.other_pay_fen + invoice.account_pay_fen
    if invoice.is_red or borne <= invoice.total_fen:
        return ()
    return _difference(borne, invoice.total_fen)


def _payers_total(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    invoice = facts.invoice
    paid = (
        invoice.fund_pay_fen + invoice.other_pay_fen + invoice.account_pay_fen + invoice.own_pay_fen
    )
    if not paid:
        return Unjudged(
            "no-payers", "票据没有写明各方支付金额，无法核对", "the bill names no payments"
        )
    return _difference(paid, invoice.total_fen)


def _person_parts(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """自付 + 自费 printed on the bill is more than the bill."""
    invoice = facts.invoice
    if invoice.self_payment_fen is None and invoice.self_expense_fen is None:
        return Unjudged(
            "no-person-parts", "票据没有写自付、自费金额，无法核对", "no such amounts are printed"
        )
    printed = (invoice.self_payment_fen or 0) + (invoice.self_expense_fen or 0)
    return () if printed <= invoice.total_fen else _difference(printed, invoice.total_fen)


def _price_quantity(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Price x quantity against the amount, within the tolerance (10^-4 yuan)."""
    tolerance = params["tolerance_e4"]
    found: list[Finding] = []
    for index, line in enumerate(bill.lines):
        product = _product_e4(line.quantity_e4, line.price_e6)
        if abs(product - line.amount_e4) > tolerance:
            evidence = {"product_e4": product, "amount_e4": line.amount_e4}
            values: Values = {
                "product": format_yuan(round_e4(product)),
                "amount": format_yuan(round_e4(line.amount_e4)),
            }
            found.append(Finding(values, index, evidence))
    return found


def _product_e4(quantity_e4: int, price_e6: int) -> int:
    """Rounded half away from zero, so that a line and the line that reverses it are alike."""
    product = quantity_e4 * price_e6
    rounded = (abs(product) + _UNIT // 2) // _UNIT
    return -rounded if product < 0 else rounded


_BOTH: Final = ("sum", "total")

CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("lines-total", _lines_total, values=_BOTH),
    claim_check("items-total", _items_total, values=_BOTH),
    claim_check("payers-beyond", _payers_beyond, values=_BOTH),
    claim_check("payers-total", _payers_total, values=_BOTH),
    claim_check("person-parts", _person_parts, values=_BOTH),
    line_check(
        "price-quantity",
        _price_quantity,
        (whole("tolerance_e4", 0, 10_000),),
        ("product", "amount"),
    ),
)
