"""参保地确认: another person decides on the claim. No claim from outside is decided without.

The pend reason ``outside-bill`` is raised for every claim on such a bill, whatever the rules say;
only this step resolves it. ``claims.decide`` refuses a machine's decision besides.
"""

from __future__ import annotations

from typing import Any

from backend.domain.claim import ClaimState
from backend.domain.pend_reasons import REVIEWER
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.outside.errors import StepRefusedError
from backend.service_layer.outside.hands import (
    require_new_hand,
    sign_as,
)
from backend.service_layer.outside.records import OutsideBill, StepKind
from backend.service_layer.outside.services import OutsideServices


def confirm_claim(
    deps: OutsideServices, bill_id: str, by: str, reason: str, *, approves: bool
) -> Claim:
    """Confirm, or refuse, the claim on an accepted bill: the person's step of its review case.

    The case decides on every reason that is open, and is the confirmation when it ends; one of
    high risk waits for its next person. Raises StepRefusedError while the claim is not lodged
    yet and for the wrong hand, and what review raises for a step that is somebody else's.
    """
    with deps.work(write=False) as work:
        name = sign_as(work, by, reason, REVIEWER)
        bill = work.outside.get(bill_id)
        claim = _pended_claim(work, bill)
        require_new_hand(work, bill, StepKind.INSURED_PLACE, name)
    find = approve_pended if approves else refuse_pended
    services: Any = deps
    find(services, claim.number, by.strip(), reason.strip())
    with deps.work(write=False) as work:
        decided: Claim = work.claims.get(claim.id)
    return decided


def _pended_claim(work: Any, bill: OutsideBill) -> Claim:
    live = None if bill.invoice_id is None else work.claims.live_on(bill.invoice_id)
    if live is None:
        raise StepRefusedError(
            "no-claim", "这张票据现在没有在办的申请", "no claim on this bill is open"
        )
    claim: Claim = work.claims.get(live.id)
    if claim.state is not ClaimState.PENDED:
        raise StepRefusedError(
            "not-pended",
            f"申请 {claim.number} 还不能确认（状态 {claim.state}），登记完成后再试",
            f"claim {claim.number} cannot be confirmed now (state {claim.state})",
        )
    return claim
