"""The institution and its staff: known issuer, live agreement, level against item, two people.

T6 (unknown issuer), T20 (expired agreement), H8 (two people confirm at source).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_LEVEL,
    NO_REGISTER,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    claim_check,
    line_check,
    texts,
    whole,
)
from backend.domain.audit.facts import AuditFacts


def _unknown_issuer(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    if facts.institution is None:
        return NO_REGISTER
    if facts.institution.is_known:
        return ()
    code = facts.invoice.institution_code
    return (Finding({"code": code}, evidence={"institution": code}),)


def _outside_agreement(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Issued before the agreement began or after it ended."""
    register = facts.institution
    if register is None or not register.is_known:
        return NO_REGISTER
    begins, ends = register.agreement_from, register.agreement_until
    if begins is None or ends is None:
        return Unjudged(
            "no-agreement",
            "没有查到机构的协议期限，无法判断",
            "the agreement's dates are not known",
        )
    day = facts.invoice.issued_on
    if begins <= day <= ends:
        return ()
    days = {"issued": day.isoformat(), "from": begins.isoformat(), "to": ends.isoformat()}
    return (Finding(days, evidence=days),)


def _level_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An item that hospitals below ``level_min`` do not usually perform."""
    places = bill.meant(params["items"])
    if not places:
        return ()
    level = facts.hospital_level
    if level is None:
        return NO_LEVEL
    if level >= params["level_min"]:
        return ()
    return [Finding({"level": level}, index, {"level": level}) for index in places]


def _one_person(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Cashier and checker of the bill are one person."""
    cashier, checker = facts.invoice.cashier.strip(), facts.invoice.checker.strip()
    if not cashier or not checker:
        return Unjudged(
            "no-staff", "票据没有写收费员或复核员，无法判断", "the bill does not name both"
        )
    return (Finding(),) if cashier == checker else ()


def _doctor_is_cashier(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The ordering doctor of a line also took the money or checked it."""
    if not any(line.doctor_code for line in bill.lines):
        return Unjudged(
            "no-doctor", "明细没有开单医生编码，无法判断", "the lines do not name a doctor"
        )
    staff = {facts.invoice.cashier.strip(), facts.invoice.checker.strip()} - {""}
    return [
        Finding({}, index, {"doctor": line.doctor_code})
        for index, line in enumerate(bill.lines)
        if line.doctor_code in staff
    ]


def _settled_online(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """Basic insurance has paid at the counter; only supplementary reasons may go on."""
    if not facts.invoice.is_settled_online or facts.claim.manual_reason in params["reasons"]:
        return ()
    evidence = {
        "fund_pay_fen": facts.invoice.fund_pay_fen,
        "has_settlement": 1 if facts.invoice.settlement_number else 0,
    }
    return (Finding(evidence=evidence),)


CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("unknown-issuer", _unknown_issuer, values=("code",)),
    claim_check("outside-agreement", _outside_agreement, values=("issued", "from", "to")),
    line_check("level-item", _level_item, (ITEMS, whole("level_min", 2, 3)), ("level",)),
    claim_check("one-person", _one_person),
    line_check("doctor-is-cashier", _doctor_is_cashier),
    claim_check("settled-online", _settled_online, (texts("reasons"),)),
)
