"""Form of the bill: numbers, missing elements, unreadable lines, dates that cannot be.

Domain reference 1.1, 1.2 and 4.2. A bill that its hospital uploaded has passed the same rules at
intake; they are asked again because bills from outside are typed in from paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_DIAGNOSIS,
    NO_LINE_DAYS,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    claim_check,
    line_check,
    texts,
)
from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.text import Text

_FISCAL_CODE: Final = re.compile(r"[0-9]{8}", re.ASCII)
_FISCAL_NUMBER: Final = re.compile(r"[0-9]{10}", re.ASCII)
_TAX_NUMBER: Final = re.compile(r"[0-9]{20}", re.ASCII)
_VAT_CODE: Final = re.compile(r"[0-9]{12}", re.ASCII)
_VAT_NUMBER: Final = re.compile(r"[0-9]{8}", re.ASCII)
_CHECK_CODE: Final = re.compile(r"[0-9A-Za-z]{6}", re.ASCII)
_DIAGNOSIS: Final = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Za-z]{1,8})?[+*]?", re.ASCII)
_ELEMENTS: Final = {
    "code": Text("票据代码", "the bill's code"),
    "number": Text("票据号码", "the bill's number"),
    "check-code": Text("校验码", "the check code"),
    "amount": Text("金额", "the amount"),
    "payer": Text("交款人", "the payer"),
}


def _number_shape(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    code, number = facts.invoice.invoice_code, facts.invoice.invoice_number
    fits = (
        bool(_FISCAL_CODE.fullmatch(code) and _FISCAL_NUMBER.fullmatch(number))
        or bool(_VAT_CODE.fullmatch(code) and _VAT_NUMBER.fullmatch(number))
        or (not code and bool(_TAX_NUMBER.fullmatch(number)))
    )
    if fits:
        return ()
    lengths = {"code_length": len(code), "number_length": len(number)}
    return (Finding(lengths, evidence=lengths),)


def _check_code(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Only a fiscal bill has a check code of six; an absent one is a missing element."""
    invoice = facts.invoice
    is_fiscal = _FISCAL_CODE.fullmatch(invoice.invoice_code)
    if not is_fiscal or not invoice.check_code or _CHECK_CODE.fullmatch(invoice.check_code):
        return ()
    length = {"length": len(invoice.check_code)}
    return (Finding(length, evidence=length),)


def _missing_elements(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    invoice = facts.invoice
    has_code = len(invoice.invoice_number) != 20  # a digital tax invoice has neither code
    absent = {
        "code": has_code and not invoice.invoice_code,
        "number": not invoice.invoice_number,
        "check-code": has_code and not invoice.check_code,
        "amount": invoice.total_fen == 0,
        "payer": not invoice.payer_name.strip(),
    }
    missing = [name for name in params["elements"] if absent[name]]
    if not missing:
        return ()
    names = Text(
        "、".join(_ELEMENTS[name].zh for name in missing),
        ", ".join(_ELEMENTS[name].en for name in missing),
    )
    return (Finding({"missing": names}, evidence={"missing": missing}),)


def _unreadable_line(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """``items`` means the marks that are left where a character was lost."""
    return [
        Finding({}, index, {"name": bill.lines[index].name})
        for index in bill.meant(params["items"])
    ]


def _incomplete_line(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    found: list[Finding] = []
    for index, line in enumerate(bill.lines):
        if line.name.strip() and line.quantity_e4 and line.amount_e4:
            continue
        missing = [
            name
            for name, is_absent in (
                ("name", not line.name.strip()),
                ("quantity", line.quantity_e4 == 0),
                ("amount", line.amount_e4 == 0),
            )
            if is_absent
        ]
        words = {"name": Text("名称", "name"), "quantity": Text("数量", "quantity"),
                 "amount": Text("金额", "amount")}  # fmt: skip
        names = Text(
            "、".join(words[name].zh for name in missing),
            ", ".join(words[name].en for name in missing),
        )
        found.append(Finding({"missing": names}, index, {"missing": missing}))
    return found


def _negative_line(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """A refunded line on a blue bill: the refund belongs on a red bill and a new bill."""
    if facts.invoice.is_red:
        return ()
    return [
        Finding({}, index, {"quantity_e4": line.quantity_e4, "amount_e4": line.amount_e4})
        for index, line in enumerate(bill.lines)
        if line.amount_e4 < 0 or line.quantity_e4 < 0
    ]


def _no_diagnosis(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    return () if facts.invoice.diagnosis_code else (Finding(),)


def _bad_diagnosis(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The code has not the shape of ICD-10, or its letter is none of the list in force."""
    code = facts.invoice.diagnosis_code
    if not code:
        return NO_DIAGNOSIS
    if _DIAGNOSIS.fullmatch(code) and code[0] in params["letters"]:
        return ()
    return (Finding({"diagnosis": code}, evidence={"diagnosis": code}),)


def _dates_swapped(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    begins, ends = facts.invoice.admitted_on, facts.invoice.discharged_on
    if begins is None or ends is None or begins <= ends:
        return ()
    days = {"admitted": begins.isoformat(), "discharged": ends.isoformat()}
    return (Finding(days, evidence=days),)


def _future_date(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    invoice = facts.invoice
    dates = (invoice.issued_on, invoice.visit_on, invoice.admitted_on, invoice.discharged_on)
    late = [day for day in dates if day is not None and day > facts.submitted_on]
    if not late:
        return ()
    days = {"date": max(late).isoformat(), "submitted": facts.submitted_on.isoformat()}
    return (Finding(days, evidence=days),)


def _line_outside_visit(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """A line's day before the first or after the last day of the visit."""
    invoice = facts.invoice
    first = invoice.admitted_on or invoice.visit_on
    last = invoice.discharged_on or invoice.issued_on
    if first is None:
        return Unjudged(
            "no-visit-date", "票据没有就诊或入院日期，无法判断", "the bill has no day of visit"
        )
    if not any(line.occurred_at for line in bill.lines):
        return NO_LINE_DAYS
    outside = {day for day in set(bill.days) if day is not None and not first <= day <= last}
    if not outside:
        return ()
    visit = {"first": first.isoformat(), "last": last.isoformat()}
    return [
        Finding({"day": day.isoformat(), **visit}, index, {"day": day.isoformat(), **visit})
        for index, day in enumerate(bill.days)
        if day in outside and day is not None
    ]


CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("number-shape", _number_shape, values=("code_length", "number_length")),
    claim_check("check-code", _check_code, values=("length",)),
    claim_check(
        "missing-elements",
        _missing_elements,
        (texts("elements", *_ELEMENTS),),
        ("missing",),
    ),
    line_check("unreadable-line", _unreadable_line, (ITEMS,)),
    line_check("incomplete-line", _incomplete_line, values=("missing",)),
    line_check("negative-line", _negative_line),
    claim_check("no-diagnosis", _no_diagnosis),
    claim_check("bad-diagnosis", _bad_diagnosis, (texts("letters"),), ("diagnosis",)),
    claim_check("dates-swapped", _dates_swapped, values=("admitted", "discharged")),
    claim_check("future-date", _future_date, values=("date", "submitted")),
    line_check("line-outside-visit", _line_outside_visit, values=("day", "first", "last")),
)
