"""Operations and what belongs to them; items that another fund pays.

An operation without anaesthesia or tests, an implant without an operation: what invented
operations look like (T15, 虚构手术记录).
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
    Kind,
    Param,
    Unjudged,
    claim_check,
    line_check,
    texts,
)
from backend.domain.audit.facts import AuditFacts

_WITH: Final = Param("companions", Kind.ITEMS)


def _lonely_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """``items`` are charged, and none of ``companions`` anywhere on the bill."""
    places = bill.meant(params["items"])
    if not places or bill.meant(params["companions"]):
        return ()
    return [Finding({}, index, {"code": bill.lines[index].catalogue_code}) for index in places]


def _other_fund_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Items that another fund pays, or none (maternity, check-up, cosmetic care)."""
    return [
        Finding({}, index, {"code": bill.lines[index].catalogue_code})
        for index in bill.meant(params["items"])
    ]


def _other_fund_visit(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    kind = facts.invoice.medical_type
    if not kind:
        return Unjudged(
            "no-medical-type", "票据没有医疗类别，无法判断", "the bill has no medical category"
        )
    if kind not in params["medical_types"]:
        return ()
    return (Finding({"medical_type": kind}, evidence={"medical_type": kind}),)


CHECKS: Final[tuple[CheckSpec, ...]] = (
    line_check("lonely-item", _lonely_item, (ITEMS, _WITH)),
    line_check("other-fund-item", _other_fund_item, (ITEMS,)),
    claim_check(
        "other-fund-visit", _other_fund_visit, (texts("medical_types"),), ("medical_type",)
    ),
)
