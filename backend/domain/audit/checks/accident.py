"""Accidents and third-party liability: work injuries, traffic and third parties pay first.

Injury visits (med_type 22 or 81, or ICD S, T, V-Y) need a declaration that nobody else answers for
the accident (domain reference 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_DIAGNOSIS,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    claim_check,
    texts,
)
from backend.domain.audit.facts import AuditFacts, ClaimKind, Liability


def _is_declared(facts: AuditFacts) -> bool:
    return facts.claim.kind is ClaimKind.ACCIDENT or facts.claim.accident is not None


def _injury_diagnosis(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    code = facts.invoice.diagnosis_code.upper()
    if _is_declared(facts):
        return ()
    if not code:
        return NO_DIAGNOSIS
    if not code.startswith(params["diagnoses"]):
        return ()
    return (Finding({"diagnosis": code}, evidence={"diagnosis": code}),)


def _injury_visit(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    kind = facts.invoice.medical_type
    if _is_declared(facts):
        return ()
    if not kind:
        return Unjudged(
            "no-medical-type", "票据没有医疗类别，无法判断", "the bill has no medical category"
        )
    if kind not in params["medical_types"]:
        return ()
    return (Finding({"medical_type": kind}, evidence={"medical_type": kind}),)


def _injury_words(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Words of an injury in the diagnosis, the remarks or the department."""
    invoice = facts.invoice
    if _is_declared(facts):
        return ()
    text = " ".join((invoice.diagnosis_name, invoice.remark, invoice.department))
    words = [word for word in params["words"] if word in text]
    if not words:
        return ()
    return (Finding({"word": words[0]}, evidence={"words": words}),)


def _injury_items(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Items that are mostly charged after injuries, such as tetanus antitoxin."""
    places = bill.meant(params["items"])
    if _is_declared(facts) or not places:
        return ()
    names = sorted({bill.lines[index].name for index in places})
    return (Finding({"item": names[0]}, evidence={"lines": places[:20]}),)


def _no_undertaking(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An accident claim without a signed undertaking (承诺书)."""
    if facts.claim.kind is not ClaimKind.ACCIDENT:
        return ()
    declaration = facts.claim.accident
    if declaration is not None and declaration.is_signed:
        return ()
    return (Finding(evidence={"declared": 0 if declaration is None else 1}),)


def _liable(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The declaration names somebody who answers for the accident."""
    declaration = facts.claim.accident
    if declaration is None or str(declaration.liability) not in params["liabilities"]:
        return ()
    evidence = {"liability": str(declaration.liability)}
    return (Finding(evidence=evidence),)


def _accident_after_visit(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The declared day of the accident is after the care that it is said to have caused."""
    declaration = facts.claim.accident
    if declaration is None:
        return ()
    happened = declaration.happened_on
    if happened is None:
        return Unjudged(
            "no-accident-date", "声明没有写受伤日期，无法核对", "the declaration names no day"
        )
    first = facts.invoice.admitted_on or facts.invoice.visit_on or facts.service_on
    if happened <= first:
        return ()
    days = {"happened": happened.isoformat(), "visit": first.isoformat()}
    return (Finding(days, evidence=days),)


_LIABILITIES: Final = tuple(str(one) for one in Liability)

CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("injury-diagnosis", _injury_diagnosis, (texts("diagnoses"),), ("diagnosis",)),
    claim_check("injury-visit", _injury_visit, (texts("medical_types"),), ("medical_type",)),
    claim_check("injury-words", _injury_words, (texts("words"),), ("word",)),
    claim_check("injury-items", _injury_items, (ITEMS,), ("item",)),
    claim_check("no-undertaking", _no_undertaking),
    claim_check("liable", _liable, (texts("liabilities", *_LIABILITIES),)),
    claim_check("accident-after-visit", _accident_after_visit, values=("happened", "visit")),
)
