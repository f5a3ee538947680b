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
from backend.domain.catalogue import Catalogue
from backend.domain.invoice import AttachmentType

_APPROVED: Final = "1"
_Known = dict[str, bool | None]


def _restrictions(facts: AuditFacts, catalogue: Catalogue, flags: tuple[str, ...]) -> _Known:
    """For each code of a line with one of the flags: whether the catalogue restricts the item
    that day; None when it does not know the code."""
    known: _Known = {"": None}
    for line in facts.invoice.lines:
        code = line.catalogue_code
        if line.approval_flag in flags and code not in known:
            item = catalogue.find(code, facts.service_on)
            known[code] = None if item is None else item.restricted
    return known


def _unapproved(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """A restricted item without any flag. With 0 or 2 the hospital has said: self-paid."""
    if facts.catalogue is None:
        return NO_CATALOGUE
    known = _restrictions(facts, facts.catalogue, ("",))
    return [
        Finding({}, index, {"code": line.catalogue_code})
        for index, line in enumerate(bill.lines)
        if not line.approval_flag and known[line.catalogue_code]
    ]


def _needless_approval(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Flag 1 on an item that the catalogue does not restrict: a mapping may be wrong."""
    if facts.catalogue is None:
        return NO_CATALOGUE
    known = _restrictions(facts, facts.catalogue, (_APPROVED,))
    return [
        Finding({}, index, {"code": line.catalogue_code})
        for index, line in enumerate(bill.lines)
        if line.approval_flag == _APPROVED and known[line.catalogue_code] is False
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
