"""参保地确认: another person decides on the claim. No claim from outside is decided without.

The pend reason ``outside-bill`` is raised for every claim on such a bill, whatever the rules say;
only this step resolves it. ``claims.decide`` refuses a machine's decision besides.
"""

from __future__ import annotations

from typing import Any

from backend.domain.claim import ClaimState
from backend.domain.pend_reasons import REVIEWER
from backend.service_layer.claims.decide import REFUSED_MARK
from backend.service_layer.claims.records import FROM_OUTSIDE, Claim
from backend.service_layer.outside.errors import StepRefusedError
from backend.service_layer.outside.hands import (
    add_step,
    require_new_hand,
    require_signed,
    sign_as,
)
from backend.service_layer.outside.records import StepKind
from backend.service_layer.outside.services import OutsideServices


def sign_for_insured_place(
    deps: Any, work: Any, claim: Claim, by: str, reason: str, *, approves: bool
) -> None:
    """Record the decision of the insured place on a claim from outside; nothing for another.

    Raises StepRefusedError for the hand that did another step of the bill.
    """
    if claim.origin != FROM_OUTSIDE:
        return
    bill = work.outside.of_invoice(claim.invoice_id)
    if bill is None:
        raise StepRefusedError(
            "no-outside-bill",
            "找不到这笔申请的外来票据，不能确认",
            "the bill from outside of this claim is not here; it cannot be confirmed",
        )
    require_signed(by, reason)
    require_new_hand(work, bill, StepKind.INSURED_PLACE, by)
    outcome = "approved" if approves else "refused"
    add_step(
        deps, work, bill, StepKind.INSURED_PLACE, outcome, by=by, reason=reason,
        content={"claim": claim.number},
    )  # fmt: skip


def confirm_claim(
    deps: OutsideServices, bill_id: str, by: str, reason: str, *, approves: bool
) -> Claim:
    """Confirm, or refuse, the claim on an accepted bill. Other open reasons stay for review.

    Raises StepRefusedError while the claim is not lodged yet, and for the wrong hand.
    """
    with deps.work() as work:
        by = sign_as(work, by, reason, REVIEWER)
        bill = work.outside.get(bill_id)
        live = None if bill.invoice_id is None else work.claims.live_on(bill.invoice_id)
        if live is None:
            raise StepRefusedError(
                "no-claim", "这张票据现在没有在办的申请", "no claim on this bill is open"
            )
        claim: Claim = work.claims.get(live.id, lock=True)
        if claim.state is not ClaimState.PENDED:
            raise StepRefusedError(
                "not-pended",
                f"申请 {claim.number} 还不能确认（状态 {claim.state}），登记完成后再试",
                f"claim {claim.number} cannot be confirmed now (state {claim.state})",
            )
        sign_for_insured_place(deps, work, claim, by, reason, approves=approves)
        now = deps.clock.now()
        if approves:
            work.outside.resolve_outside_pend(claim.id, by.strip(), reason.strip(), now)
        else:
            work.claims.resolve_pends(claim.id, by.strip(), REFUSED_MARK + reason.strip(), now)
        is_open = any(pend.resolved_at is None for pend in work.claims.pends_of(claim.id))
        if not is_open:
            work.claims.update(
                claim.id, claim.state, now, state=ClaimState.LODGED, waiting_for=None
            )
            _close_cases(deps, work, claim, "approved" if approves else "refused")
        confirmed: Claim = work.claims.get(claim.id)
        work.commit()
    return confirmed


def _close_cases(deps: Any, work: Any, claim: Claim, outcome: str) -> None:
    """The review case that was opened for the reason is over."""
    from backend.service_layer.review.cases import close_cases_of

    close_cases_of(deps, work, claim.id, outcome)
