"""A plain bill that no rule objects to, and short ways to change one thing about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Final

from backend.domain.audit.facts import (
    AuditFacts,
    AuditPerson,
    ClaimFacts,
    Gender,
    GroupExample,
    GroupStatistics,
    InstitutionFacts,
    OtherBill,
    Purchase,
)
from backend.domain.catalogue import Catalogue, CatalogueItem
from backend.domain.invoice import ExpenseLine, FeeItem, Invoice, VisitKind

DAY: Final = dt.date(2026, 5, 13)
ADMITTED: Final = dt.date(2026, 5, 6)
HOSPITAL: Final = "H33080200001"
ELSEWHERE: Final = "H33080300002"


def day(month: int, of_month: int, year: int = 2026) -> dt.date:
    return dt.date(year, month, of_month)


def line(
    name: str = "奥美拉唑肠溶胶囊",
    category: str = "09",
    *,
    code: str = "",
    quantity: int = 1,
    fen: int = 1_000,
    on: dt.date | None = None,
    **more: Any,
) -> ExpenseLine:
    """``quantity`` units at ``fen`` each; the code is the name where none is given."""
    values: dict[str, Any] = {
        "name": name,
        "quantity_e4": quantity * 10_000,
        "price_e6": fen * 10_000,
        "amount_e4": quantity * fen * 100,
        "catalogue_code": code or f"T-{name}",
        "category_code": category,
        "unit": "盒",
        "occurred_at": on.isoformat() if on else "",
        "doctor_code": "D330802000001",
    }
    return ExpenseLine(**(values | more))


def in_all_fen(lines: tuple[ExpenseLine, ...]) -> int:
    return (sum(entry.amount_e4 for entry in lines) + 50) // 100


def outpatient(*lines: ExpenseLine, **header: Any) -> Invoice:
    """One visit on ``DAY``, paid in cash."""
    used = lines or (line(),)
    total = in_all_fen(used)
    values: dict[str, Any] = {
        "institution_code": HOSPITAL,
        "institution_name": "示例市第一医院",
        "invoice_code": "33060126",
        "invoice_number": "0010000001",
        "check_code": "135790",
        "total_fen": total,
        "own_pay_fen": total,
        "issued_on": DAY,
        "visit_on": DAY,
        "payer_name": "测试甲",
        "gender": "女",
        "age": "46",
        "cashier": "收费员01",
        "checker": "复核员01",
        "patient_number": "MZ1",
        "diagnosis_code": "I10.x00",
        "medical_type": "11",
        "self_payment_fen": 0,
        "lines": used,
        "items": (FeeItem("09", "西药费", total),),
    }
    return Invoice(**(values | header))


def inpatient(*lines: ExpenseLine, **header: Any) -> Invoice:
    """A stay of seven days, from ``ADMITTED`` to ``DAY``."""
    return outpatient(
        *lines,
        **(
            {
                "visit_on": None,
                "admitted_on": ADMITTED,
                "discharged_on": DAY,
                "patient_number": "",
                "hospitalization_number": "ZY1",
                "hospital_days": "7",
                "medical_type": "21",
            }
            | header
        ),
    )


WOMAN: Final = AuditPerson("测试甲", Gender.FEMALE, dt.date(1980, 3, 1), "330800", "local")
MAN: Final = replace(WOMAN, gender=Gender.MALE)


def aged(years: int, person: AuditPerson = WOMAN) -> AuditPerson:
    return replace(person, birth_on=dt.date(DAY.year - years, 3, 1))


def group(size: int = 40, median_fen: int = 10_000) -> GroupStatistics:
    example = GroupExample("inv-9", day(4, 2), 9_500)
    return GroupStatistics(3, VisitKind.OUTPATIENT, "I10", size, median_fen, (example,))


CATALOGUE: Final = Catalogue(
    "test",
    tuple(
        CatalogueItem(
            code=code,
            name=name,
            name_en="",
            unit="瓶",
            price_fen=100,
            level="02",
            category_code="09",
            valid_from=dt.date(2020, 1, 1),
            valid_to=dt.date(2030, 12, 31),
            restricted=restricted,
        )
        for code, name, restricted in (("R1", "限制药", True), ("U1", "普通药", False))
    ),
)


def facts(invoice: Invoice | None = None, **known: Any) -> AuditFacts:
    """Everything is known, and nothing is wrong, unless said otherwise."""
    bill = invoice or outpatient()
    values: dict[str, Any] = {
        "invoice": bill,
        "service_on": bill.service_on,
        "submitted_on": day(5, 20),
        "hospital_level": 3,
        "hospital_area": "330802",
        "institution": InstitutionFacts(True, dt.date(2024, 1, 1), dt.date(2027, 12, 31)),
        "person": WOMAN,
        "claim": ClaimFacts(),
        "catalogue": CATALOGUE,
        "others": (),
        "twins": (),
        "group": group(median_fen=max(1, abs(bill.total_fen))),
        "is_rest_day": False,
    }
    return AuditFacts(**(values | known))


def other(invoice: Invoice | None = None, reference: str = "inv-2", **values: Any) -> OtherBill:
    """Another bill: by default as the plain one, under another number."""
    from backend.domain.audit.bill_index import lines_digest

    bill = invoice or outpatient()
    base: dict[str, Any] = {
        "reference": reference,
        "institution_code": bill.institution_code,
        "invoice_code": bill.invoice_code,
        "invoice_number": "0010000002",
        "service_on": bill.service_on,
        "issued_on": bill.issued_on,
        "visit_kind": bill.visit_kind,
        "total_fen": bill.total_fen,
        "lines_digest": lines_digest(bill.lines),
        "admitted_on": bill.admitted_on,
        "discharged_on": bill.discharged_on,
        "visit_number": "another",
        "diagnosis_code": bill.diagnosis_code,
        "purchases": tuple(
            Purchase(one.catalogue_code, one.name, one.quantity_e4, one.unit) for one in bill.lines
        ),
    }
    return OtherBill(**(base | values))


def stay(begins: dt.date, ends: dt.date, reference: str = "inv-2", **values: Any) -> OtherBill:
    """Another stay of the person."""
    bill = inpatient(admitted_on=begins, discharged_on=ends, issued_on=ends)
    return other(bill, reference, **values)
