"""Whether those who approved a claim were enough people for the amount that it comes to now.

Between the approval and the decision the year's totals or the register may have moved. What one
person approved below the second approver's amount does not become a decision above it.
"""

from __future__ import annotations

from typing import Any, Final

from backend.domain.pend_reasons import POLICY, Routing
from backend.domain.review import (
    CaseKind,
    Finding,
    Outcome,
    ReviewLimits,
    Risk,
    StepName,
    classify,
    next_step,
)
from backend.service_layer.claims.records import Claim, Reason

CODE: Final = "amount-above-approval"
_APPROVING: Final = (CaseKind.CLAIM, CaseKind.APPEAL, CaseKind.REOPEN)
_ROUTING: Final = Routing(2, POLICY, reattach=True)


def beyond_approval(deps: Any, work: Any, claim: Claim, paid_fen: int) -> Reason | None:
    """Why more people have to look before ``paid_fen`` is decided; None for a claim that the
    machine approves, and where the last approving case had everybody that the amount asks for."""
    approved = [
        case
        for case in work.reviews.cases_of(claim.id)
        if case.kind in _APPROVING and case.outcome == Outcome.APPROVE
    ]
    if not approved:
        return None
    case, limits = approved[-1], deps.settings.review
    findings = [one.finding for one in work.reviews.findings_of(case.id)]
    if not findings:  # nobody's amount: a case that ended without a finding approved none
        return None
    is_riskier = case.risk is Risk.LOW and classify((), paid_fen, limits) is Risk.HIGH
    if not is_riskier and next_step(case.risk, findings, paid_fen, limits) is None:
        return None
    return Reason(
        CODE,
        "批准以后金额有变化，超过了原批准人数可以批的数额，需要再由其他人员审核",
        "the amount rose after the approval, above what so few people may approve: others look",
        routing=_ROUTING,
    )


def needs_second_approver(paid_fen: int, limits: ReviewLimits) -> bool:
    """Whether an approval of this amount takes more than one person. Then the machine alone does
    not raise a decision to it either (``claims.versions``)."""
    alone = (Finding(StepName.SINGLE, Outcome.APPROVE, paid_fen),)
    return next_step(classify((), paid_fen, limits), alone, paid_fen, limits) is not None
