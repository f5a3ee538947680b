"""Over-quantity: units a day, units a visit, days of supply, purchases over all hospitals (T16).

The limits are data of each rule: which items, how many units, and over how many days.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    NO_OTHERS,
    NO_STAY_DATES,
    Answer,
    CheckSpec,
    Finding,
    Kind,
    Param,
    Values,
    claim_check,
    line_check,
    whole,
)
from backend.domain.audit.checks.duplicates import references
from backend.domain.audit.facts import AuditFacts, OtherBill
from backend.domain.audit.items import ItemLimit
from backend.domain.invoice import VisitKind

_E4: Final = 10_000
_LIMITS: Final = Param("limits", Kind.ITEM_LIMITS)


def _a_day(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """More units on one day than the limit; the last line of that day is named. Lines of a stay
    that carry no day are held against the whole stay."""
    limits: tuple[ItemLimit, ...] = params["limits"]
    found: list[Finding] = []
    for limit in limits:
        for day, places in bill.by_day(bill.meant(limit.items)).items():
            days = 1
            if day is None:
                if bill.stay_days is None:
                    return NO_STAY_DATES
                days = bill.stay_days + 1
            units_e4 = bill.quantity_e4(places)
            if units_e4 > limit.maximum * days * _E4:
                found.append(_over(limit, units_e4, limit.maximum * days, places[-1]))
    return found


def _a_visit(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """More units on the bill than the limit."""
    limits: tuple[ItemLimit, ...] = params["limits"]
    found: list[Finding] = []
    for limit in limits:
        places = bill.meant(limit.items)
        units_e4 = bill.quantity_e4(places) if places else 0
        if units_e4 > limit.maximum * _E4:
            found.append(_over(limit, units_e4, limit.maximum, places[-1]))
    return found


def _over(limit: ItemLimit, units_e4: int, allowed: int, place: int) -> Finding:
    return Finding(
        {"label": limit.label, "units": _units(units_e4), "allowed": allowed},
        place,
        {"units_e4": units_e4, "allowed": allowed, "limit": limit.label.en},
    )


def _units(units_e4: int) -> str:
    whole_units, part = divmod(units_e4, _E4)
    return f"{whole_units}.{part:04d}".rstrip("0").rstrip(".")


def _by_item(bill: BillIndex, limit: ItemLimit) -> dict[str, list[int]]:
    """The lines that the limit counts, by code (or name), in order."""
    found: dict[str, list[int]] = defaultdict(list)
    for index in bill.meant(limit.items):
        line = bill.lines[index]
        if not limit.unit or line.unit == limit.unit:
            found[line.catalogue_code or line.name].append(index)
    return found


def _days_of_supply(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Outpatient drugs for more days than one prescription may cover; ``days`` of a limit is how
    long one unit lasts at the usual dose, ``maximum`` the days allowed. Each drug by itself."""
    limits: tuple[ItemLimit, ...] = params["limits"]
    if bill.is_inpatient:
        return ()
    found: list[Finding] = []
    for limit in limits:
        for places in _by_item(bill, limit).values():
            days_e4 = bill.quantity_e4(places) * limit.days
            if days_e4 > limit.maximum * _E4:
                values: Values = {
                    "label": limit.label,
                    "days": days_e4 // _E4,
                    "allowed": limit.maximum,
                }
                evidence = {"days_e4": days_e4, "allowed": limit.maximum, "limit": limit.label.en}
                found.append(Finding(values, places[-1], evidence))
    return found


def _over_hospitals(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Units of one item on this outpatient bill and on the person's outpatient bills of the last
    ``days``, at all hospitals. What was used up during a stay was not bought."""
    limits: tuple[ItemLimit, ...] = params["limits"]
    if bill.is_inpatient:
        return ()
    if facts.others is None:
        return NO_OTHERS
    found: list[Finding] = []
    for limit in limits:
        for code, places in _by_item(bill, limit).items():
            earlier, bills = _bought(facts, facts.others, limit, code)
            units_e4 = bill.quantity_e4(places) + earlier
            if earlier and units_e4 > limit.maximum * _E4:
                values: Values = {
                    "label": limit.label,
                    "units": _units(units_e4),
                    "days": limit.days,
                    "allowed": limit.maximum,
                }
                evidence = {
                    "units_e4": units_e4,
                    "earlier_e4": earlier,
                    "bills": references(bills),
                    "limit": limit.label.en,
                }
                found.append(Finding(values, places[-1], evidence))
    return found


def _bought(
    facts: AuditFacts, others: Sequence[OtherBill], limit: ItemLimit, code: str
) -> tuple[int, list[OtherBill]]:
    """How much of the item the other bills charge within the window, and which of them."""
    since = facts.service_on - dt.timedelta(days=limit.days - 1)
    total, bills = 0, []
    for other in others:
        if other.visit_kind is VisitKind.INPATIENT or not since <= other.service_on:
            continue
        if other.service_on > facts.service_on:
            continue
        bought = sum(
            one.quantity_e4
            for one in other.purchases
            if (one.code or one.name) == code and (not limit.unit or one.unit == limit.unit)
        )
        if bought:
            total += bought
            bills.append(other)
    return total, bills


def _many_drugs(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """More kinds of drug on one outpatient bill than one prescription may hold."""
    kinds = {
        line.catalogue_code or line.name
        for line in bill.lines
        if line.category_code in ("09", "11")
    }
    if bill.is_inpatient or len(kinds) <= params["kinds_max"]:
        return ()
    values: Values = {"kinds": len(kinds), "allowed": params["kinds_max"]}
    return (Finding(values, evidence=values),)


_UNITS: Final = ("label", "units", "allowed")

CHECKS: Final[tuple[CheckSpec, ...]] = (
    line_check("over-day", _a_day, (_LIMITS,), _UNITS),
    line_check("over-visit", _a_visit, (_LIMITS,), _UNITS),
    line_check("days-of-supply", _days_of_supply, (_LIMITS,), ("label", "days", "allowed")),
    line_check("over-hospitals", _over_hospitals, (_LIMITS,), (*_UNITS, "days")),
    claim_check("many-drugs", _many_drugs, (whole("kinds_max", 1, 100),), ("kinds", "allowed")),
)
