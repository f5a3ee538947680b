"""Repeated and split charging within a bill and over the bills of a person (T9).

重复收费: what is charged once a day is charged again. 分解收费: one visit or stay on several bills,
or a package beside its parts. By-the-day items are held against the days of the stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_LINE_DAYS,
    NO_OTHERS,
    NO_STAY_DATES,
    Answer,
    CheckSpec,
    Finding,
    Kind,
    Param,
    Unjudged,
    Values,
    claim_check,
    line_check,
    whole,
)
from backend.domain.audit.checks.duplicates import references
from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.items import ItemPair


def _repeated_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The same once-a-day item a second time on one day. Stays whose lines carry no day are held
    against the days of the stay instead: more lines than days. Where those are not known either,
    a second line without a day says nothing."""
    seen: dict[tuple[object, ...], int] = defaultdict(int)
    stay_days = bill.stay_days
    found: list[Finding] = []
    is_unknown = False
    for index in bill.meant(params["items"]):
        line, day = bill.lines[index], bill.days[index]
        key = (line.catalogue_code or line.name, day)
        seen[key] += 1
        if day is not None:
            allowed = 1
        elif stay_days is not None:
            allowed = stay_days + 1
        else:
            is_unknown = is_unknown or seen[key] > 1
            continue
        if seen[key] > allowed:
            words = day.isoformat() if day else facts.service_on.isoformat()
            found.append(Finding({"day": words}, index, {"day": words, "times": seen[key]}))
    return NO_STAY_DATES if is_unknown and not found else found


def _exclusive_items(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Two kinds that do not go together, on one day (a package and its part). Of lines without a
    day nothing can be said."""
    pairs: tuple[ItemPair, ...] = params["pairs"]
    found: list[Finding] = []
    is_undated = False
    for pair in pairs:
        first, second = bill.meant(pair.first), bill.meant(pair.second)
        if not first or not second:
            continue
        days = {bill.days[index] for index in first}
        is_undated = is_undated or None in days or any(bill.days[one] is None for one in second)
        found.extend(
            Finding({"pair": pair.label}, index, {"pair": pair.label.en})
            for index in second
            if bill.days[index] is not None and bill.days[index] in days
        )
    return NO_LINE_DAYS if is_undated and not found else found


def _beyond_stay(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """More units of a by-the-day item than the stay has days (day of discharge counted)."""
    places = bill.meant(params["items"])
    if not places or not bill.is_inpatient:
        return ()
    days = bill.stay_days
    if days is None:
        return NO_STAY_DATES
    allowed = days + 1
    units_e4 = bill.quantity_e4(places)
    if units_e4 <= allowed * 10_000:
        return ()
    evidence = {"units_e4": units_e4, "days": allowed, "lines": places[:20]}
    return (Finding({"units": units_e4 // 10_000, "days": allowed}, evidence=evidence),)


def _several_bills(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Several bills of one kind from one hospital on one day; a red bill is none."""
    if facts.others is None:
        return NO_OTHERS
    same = [
        other
        for other in facts.others
        if other.institution_code == facts.invoice.institution_code
        and other.total_fen > 0
        and other.service_on == facts.service_on
        and other.visit_kind is bill.visit_kind
    ]
    if len(same) + 1 < params["bills"]:
        return ()
    values: Values = {"count": len(same) + 1, "day": facts.service_on.isoformat()}
    return (Finding(values, evidence={"bills": references(same)}),)


def _one_visit_several_bills(
    facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]
) -> Answer:
    """The number of this stay (or visit) is on another bill of the same hospital."""
    invoice = facts.invoice
    number = invoice.hospitalization_number or invoice.patient_number
    if facts.others is None:
        return NO_OTHERS
    if not number:
        return Unjudged(
            "no-visit-number", "票据没有住院号或门诊号，无法判断", "the bill has no visit number"
        )
    same = [
        other
        for other in facts.others
        if other.institution_code == invoice.institution_code
        and other.visit_number == number
        and other.visit_kind is bill.visit_kind
    ]
    if not same:
        return ()
    return (Finding({"count": len(same) + 1}, evidence={"bills": references(same)}),)


CHECKS: Final[tuple[CheckSpec, ...]] = (
    line_check("repeated-item", _repeated_item, (ITEMS,), ("day",)),
    line_check("exclusive-items", _exclusive_items, (Param("pairs", Kind.ITEM_PAIRS),), ("pair",)),
    claim_check("beyond-stay", _beyond_stay, (ITEMS,), ("units", "days")),
    claim_check("several-bills", _several_bills, (whole("bills", 2, 20),), ("count", "day")),
    claim_check("one-visit-several-bills", _one_visit_several_bills, values=("count",)),
)
