"""Stays: split admission, short-interval readmission, overlap, stretched and hanging stays.

分解住院, 短期再入院 (T10), 挂床住院 (T12). All of it is judgement: a person looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_DIAGNOSIS,
    NO_LINE_DAYS,
    NO_OTHERS,
    NO_STAY_DATES,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    Values,
    claim_check,
    texts,
    whole,
)
from backend.domain.audit.checks.duplicates import references
from backend.domain.audit.facts import AuditFacts, OtherBill
from backend.domain.invoice import VisitKind

CATEGORY_LENGTH: Final = 3
"""An ICD-10 category: a letter and two digits."""


def _gap_days(facts: AuditFacts, other: OtherBill) -> int | None:
    """Days between the end of one stay and the beginning of the other, whichever is first; None
    when they overlap, or when a date is missing."""
    begins, ends = facts.invoice.admitted_on, facts.invoice.discharged_on
    if not (begins and ends and other.admitted_on and other.discharged_on):
        return None
    if other.discharged_on <= begins:
        return (begins - other.discharged_on).days
    if ends <= other.admitted_on:
        return (other.admitted_on - ends).days
    return None


def _stays(facts: AuditFacts) -> list[OtherBill]:
    return [one for one in facts.others or () if one.visit_kind is VisitKind.INPATIENT]


def _readmission(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Another stay of the person close to this one. ``same_diagnosis`` 1 asks for the same main
    diagnosis (category), ``same_hospital`` 1 for the same hospital."""
    if not bill.is_inpatient:
        return ()
    if bill.stay_days is None:
        return NO_STAY_DATES
    if facts.others is None:
        return NO_OTHERS
    near = []
    for other in _stays(facts):
        gap = _gap_days(facts, other)
        if gap is not None and gap <= params["days"]:
            near.append((gap, other))
    if params["same_hospital"]:
        own = facts.invoice.institution_code
        near = [(gap, one) for gap, one in near if one.institution_code == own]
    if params["same_diagnosis"] and near:
        category = facts.invoice.diagnosis_code[:CATEGORY_LENGTH].upper()
        if not category or any(not one.diagnosis_code for _, one in near):
            return NO_DIAGNOSIS
        near = [
            (gap, one)
            for gap, one in near
            if one.diagnosis_code[:CATEGORY_LENGTH].upper() == category
        ]
    if not near:
        return ()
    gap = min(gap for gap, _ in near)
    evidence = {"gap_days": gap, "bills": references(one for _, one in near)}
    return (Finding({"days": gap, "limit": params["days"]}, evidence=evidence),)


def _overlap(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Care elsewhere during a stay: another stay, or an outpatient bill between the first and the
    last day."""
    begins, ends = facts.invoice.admitted_on, facts.invoice.discharged_on
    if not bill.is_inpatient:
        return ()
    if begins is None or ends is None or bill.stay_days is None:
        return NO_STAY_DATES
    if facts.others is None:
        return NO_OTHERS
    during = []
    for other in facts.others:
        if other.admitted_on and other.discharged_on:
            if other.admitted_on < ends and begins < other.discharged_on:
                during.append(other)
        elif begins < other.service_on < ends:
            during.append(other)
    if not during:
        return ()
    values: Values = {"count": len(during), "from": begins.isoformat(), "to": ends.isoformat()}
    return (Finding(values, evidence={"bills": references(during)}),)


def _long_stay(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    if not bill.is_inpatient:
        return ()
    if bill.stay_days is None:
        return NO_STAY_DATES
    if bill.stay_days <= params["days"]:
        return ()
    values: Values = {"days": bill.stay_days, "limit": params["days"]}
    return (Finding(values, evidence=values),)


def _idle_days(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Hanging bed: too small a share of the days has anything but what ``items`` means (bed,
    nursing and the like)."""
    days = bill.stay_days
    if not bill.is_inpatient:
        return ()
    if days is None:
        return NO_STAY_DATES
    if days < params["days_min"]:
        return ()
    if not any(line.occurred_at for line in bill.lines):
        return NO_LINE_DAYS
    routine = set(bill.meant(params["items"]))
    active = {
        day for index, day in enumerate(bill.days) if day is not None and index not in routine
    }
    if len(active) * 100 >= params["active_percent"] * days:
        return ()
    values: Values = {"active": len(active), "days": days}
    return (Finding(values, evidence=values),)


def _tests_only(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """A short stay that consists of examinations: the share of the amount that ``items`` means."""
    days, total = bill.stay_days, facts.invoice.total_fen
    if not bill.is_inpatient or total <= 0:
        return ()
    if days is None:
        return NO_STAY_DATES
    if days > params["days_max"]:
        return ()
    tests_fen = bill.amount_fen(bill.meant(params["items"]))
    if tests_fen * 100 < params["percent"] * total:
        return ()
    values: Values = {"percent": tests_fen * 100 // total, "days": days}
    return (Finding(values, evidence={"tests_fen": tests_fen, "total_fen": total}),)


def _printed_days(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Days printed on the bill against its dates; hospitals count the last day or do not."""
    printed, days = facts.invoice.hospital_days.strip(), bill.stay_days
    if not bill.is_inpatient:
        return ()
    if days is None:
        return NO_STAY_DATES
    if not (printed.isascii() and printed.isdecimal()) or len(printed) > 5:
        return Unjudged(
            "no-printed-days", "票据没有写住院天数，无法核对", "the bill prints no number of days"
        )
    if abs(int(printed) - days) <= params["tolerance_days"]:
        return ()
    values: Values = {"printed": int(printed), "days": days}
    return (Finding(values, evidence=values),)


def _severe_but_short(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Up-coding hint: a grave main diagnosis on a short and cheap stay."""
    code, days = facts.invoice.diagnosis_code.upper(), bill.stay_days
    if not bill.is_inpatient:
        return ()
    if not code:
        return NO_DIAGNOSIS
    if days is None:
        return NO_STAY_DATES
    is_grave = code.startswith(params["diagnoses"])
    if not is_grave or days > params["days_max"] or facts.invoice.total_fen > params["total_fen"]:
        return ()
    values: Values = {"diagnosis": code, "days": days}
    return (Finding(values, evidence={**values, "total_fen": facts.invoice.total_fen}),)


CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check(
        "readmission",
        _readmission,
        (whole("days", 0, 60), whole("same_hospital", 0, 1), whole("same_diagnosis", 0, 1)),
        ("days", "limit"),
    ),
    claim_check("overlapping-stay", _overlap, values=("count", "from", "to")),
    claim_check("long-stay", _long_stay, (whole("days", 1, 3_650),), ("days", "limit")),
    claim_check(
        "idle-days",
        _idle_days,
        (ITEMS, whole("days_min", 1, 365), whole("active_percent", 1, 100)),
        ("active", "days"),
    ),
    claim_check(
        "tests-only",
        _tests_only,
        (ITEMS, whole("days_max", 1, 30), whole("percent", 50, 100)),
        ("percent", "days"),
    ),
    claim_check(
        "printed-days", _printed_days, (whole("tolerance_days", 0, 10),), ("printed", "days")
    ),
    claim_check(
        "severe-but-short",
        _severe_but_short,
        (texts("diagnoses"), whole("days_max", 1, 30), whole("total_fen", 1)),
        ("diagnosis", "days"),
    ),
)
