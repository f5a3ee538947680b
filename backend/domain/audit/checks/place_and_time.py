"""Where and when: care out of the area, late filing, weekend check-ups.

A late filing with an accepted excuse goes to a person who looks at the proof; without one it goes
to a person as well, since the limit differs by city (domain reference 4.1, unverified).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    Values,
    claim_check,
    texts,
    whole,
)
from backend.domain.audit.facts import AuditFacts
from backend.domain.remote_care import is_in_area

_NO_REGION: Final = Unjudged(
    "no-area",
    "不知道参保地或医院所在地，无法判断",
    "the insured area or the hospital's area is not known",
)


def _unfiled(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Care outside the insured area with a status that nobody filed."""
    region, area = facts.person.region, facts.hospital_area
    if not region or not area:
        return _NO_REGION
    if is_in_area(region, area):
        return ()
    status = facts.person.remote_status
    if status is None:
        return Unjudged(
            "no-remote-status", "没有查到异地就医备案，无法判断", "the filing was not looked up"
        )
    if status not in params["statuses"]:
        return ()
    values: Values = {"area": area, "region": region}
    return (Finding(values, evidence={**values, "status": status}),)


def _unproved_emergency(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Counted as an emergency, though the medical category is none of those of an emergency."""
    if facts.person.remote_status not in params["statuses"]:
        return ()
    kind = facts.invoice.medical_type
    if not kind:
        return Unjudged(
            "no-medical-type", "票据没有医疗类别，无法判断", "the bill has no medical category"
        )
    if kind in params["medical_types"]:
        return ()
    return (Finding({"medical_type": kind}, evidence={"medical_type": kind}),)


def _late(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Handed in more than ``days`` after the care, without one of the excuses."""
    days = (facts.submitted_on - facts.service_on).days
    if days <= params["days"] or facts.claim.excuse_code in params["excuses"]:
        return ()
    values: Values = {"days": days, "limit": params["days"]}
    return (Finding(values, evidence={**values, "excuse": facts.claim.excuse_code}),)


def _excused(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """As :func:`_late`, with an excuse that a person has to look at."""
    days, excuse = (facts.submitted_on - facts.service_on).days, facts.claim.excuse_code
    if days <= params["days"] or excuse not in params["excuses"]:
        return ()
    values: Values = {"days": days, "limit": params["days"], "excuse": excuse}
    return (Finding(values, evidence=values),)


def _rest_day_check_up(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An outpatient bill of nothing but many tests on a day off: a check-up billed as care."""
    if bill.is_inpatient or not bill.lines:
        return ()
    tests = len(bill.meant(params["items"]))
    if tests < params["lines_min"] or tests * 100 < params["percent"] * len(bill.lines):
        return ()
    if facts.is_rest_day is None:
        return Unjudged(
            "no-calendar", "日历没有这一天，无法判断", "the calendar does not know that day"
        )
    if not facts.is_rest_day:
        return ()
    values: Values = {"day": facts.service_on.isoformat(), "tests": tests}
    return (Finding(values, evidence=values),)


_LATE: Final = (whole("days", 1, 3_650), texts("excuses"))

CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("unfiled", _unfiled, (texts("statuses"),), ("area", "region")),
    claim_check(
        "unproved-emergency",
        _unproved_emergency,
        (texts("statuses"), texts("medical_types")),
        ("medical_type",),
    ),
    claim_check("late", _late, _LATE, ("days", "limit")),
    claim_check("excused", _excused, _LATE, ("days", "limit", "excuse")),
    claim_check(
        "rest-day-check-up",
        _rest_day_check_up,
        (ITEMS, whole("lines_min", 1, 1_000), whole("percent", 50, 100)),
        ("day", "tests"),
    ),
)
