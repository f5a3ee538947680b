"""A bill for which the policy has no rule, laid out so that a person can refuse it.

No amount is worked out: every line is submitted in full and nothing of it is in scope. Only
``decision_record.refuse`` makes a decision of it; an approval waits until the policy has a rule.
"""

from __future__ import annotations

from backend.domain.bill import BillForBenefit
from backend.domain.decision_record import refusal_reason
from backend.domain.explanation import (
    Adjustment,
    ExplanationOfBenefits,
    LineExplanation,
    Outcome,
)
from backend.domain.money import allot_fen
from backend.domain.person import History, PersonSnapshot
from backend.domain.policy import PolicyPack
from backend.domain.summary import build_summary

_NO_RULE = refusal_reason(
    "no-rule",
    "政策里没有适用的规则，由工作人员核定",
    "The policy has no rule for this case; a person decides",
)


def explain_without_rules(
    pack: PolicyPack, bill: BillForBenefit, person: PersonSnapshot, history: History
) -> ExplanationOfBenefits:
    """The bill with nothing in scope. Raises :class:`MoneyError` when lines are not the total."""
    amounts = allot_fen(bill.total_fen, [line.amount_e4 for line in bill.lines])
    lines = tuple(
        LineExplanation(
            index=line.index,
            catalogue_code=line.catalogue_code,
            name=line.name,
            submitted_fen=amount,
            fulamt_ownpay_fen=amount,
            overlmt_fen=0,
            preselfpay_fen=0,
            inscp_fen=0,
            pool_fen=0,
            layer2_fen=0,
            adjustments=(Adjustment(_NO_RULE, amount),) if amount else (),
        )
        for line, amount in zip(bill.lines, amounts, strict=True)
    )
    return ExplanationOfBenefits(
        policy_id=pack.pack_id,
        policy_hash=pack.policy_hash,
        person_digest=person.digest(),
        history_digest=history.digest(),
        service_on=bill.visit_date,
        visit_kind=bill.visit_kind,
        hospital_code=bill.hospital_code,
        hospital_level=bill.hospital_level,
        remote_status=bill.remote_status,
        insurance_type=person.insurance_type,
        person_type=person.person_type,
        submitted_fen=bill.total_fen,
        borne_fen=bill.borne_fen,
        fulamt_ownpay_fen=bill.total_fen,
        overlmt_fen=0,
        preselfpay_fen=0,
        inscp_fen=0,
        deductible_fen=0,
        pool_ratio="",
        pool_paid_fen=0,
        layer2_fund="",
        layer2_base_fen=0,
        layer2_paid_fen=0,
        outcome=Outcome.PARTIAL,
        lines=lines,
        summary=build_summary(bill.total_fen, 0, [cut for one in lines for cut in one.adjustments]),
        admitted_on=bill.admitted_on,
        discharged_on=bill.discharged_on,
        stay_number=bill.stay_number,
    )
