"""Restricted items (限制使用): diagnosis, approval of the hospital, prescription.

hosp_appr_flag on a restricted item: 1 payable, 0 or 2 self-paid (domain reference 2.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_CATALOGUE,
    NO_DIAGNOSIS,
    Answer,
    CheckSpec,
    Finding,
    Kind,
    Param,
    claim_check,
    line_check,
)
from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.items import DiagnosisLimit
from backend.domain.invoice import AttachmentType, ExpenseLine

_APPROVED: Final = "1"


def _is_restricted(facts: AuditFacts, line: ExpenseLine) -> bool | None:
    """Whether the catalogue restricts the item that day; None when it does not know the code."""
    assert facts.catalogue is not None
    item = facts.catalogue.find(line.catalogue_code, facts.service_on)
    return None if item is None else item.restricted


def _unapproved(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """A restricted item without any flag. With 0 or 2 the hospital has said: self-paid."""
    if facts.catalogue is None:
        return NO_CATALOGUE
    return [
        Finding({}, index, {"code": line.catalogue_code})
        for index, line in enumerate(bill.lines)
        if not line.approval_flag and line.catalogue_code and _is_restricted(facts, line)
    ]


def _needless_approval(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Flag 1 on an item that the catalogue does not restrict: a mapping may be wrong."""
    if facts.catalogue is None:
        return NO_CATALOGUE
    return [
        Finding({}, index, {"code": line.catalogue_code})
        for index, line in enumerate(bill.lines)
        if line.approval_flag == _APPROVED
        and line.catalogue_code
        and _is_restricted(facts, line) is False
    ]


def _other_diagnosis(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An item whose payment is bound to diagnoses, with another main diagnosis."""
    limits: tuple[DiagnosisLimit, ...] = params["limits"]
    code = facts.invoice.diagnosis_code.upper()
    found: list[Finding] = []
    for limit in limits:
        places = bill.meant(limit.items)
        if not places:
            continue
        if not code:
            return NO_DIAGNOSIS
        if not code.startswith(limit.diagnoses):
            found.extend(
                Finding({"label": limit.label, "diagnosis": code}, index, {"diagnosis": code})
                for index in places
            )
    return found


def _no_prescription(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Special drugs (特药, 双通道) on a bill without the digest of a prescription."""
    places = bill.meant(params["items"])
    kinds = {attachment.type for attachment in facts.invoice.attachments}
    if not places or AttachmentType.PRESCRIPTION in kinds:
        return ()
    evidence = {"lines": places[:20]}
    return (Finding({"count": len(places)}, evidence=evidence),)


CHECKS: Final[tuple[CheckSpec, ...]] = (
    line_check("unapproved", _unapproved),
    line_check("needless-approval", _needless_approval),
    line_check(
        "other-diagnosis",
        _other_diagnosis,
        (Param("limits", Kind.DIAGNOSIS_LIMITS),),
        ("label", "diagnosis"),
    ),
    claim_check("no-prescription", _no_prescription, (ITEMS,), ("count",)),
)
