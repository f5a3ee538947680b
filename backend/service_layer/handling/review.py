"""A named person resolves a pended claim at the command line: approve or refuse, with a reason.

The same cases, steps and findings as in the staff's API (``service_layer.review``): where a case
needs four people, this is the step of one of them.
"""

from __future__ import annotations

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.review import CaseKind, Outcome
from backend.domain.ruling import LineRuling
from backend.service_layer.claims.records import Claim, PendReason
from backend.service_layer.handling.ports import HandlingServices
from backend.service_layer.review.decide import (
    ReviewRefusedError,
    Verdict,
    find_by_name,
    require_signed,
)
from backend.service_layer.review.records import Case

__all__ = ["ReviewRefusedError", "approve_pended", "list_pended", "refuse_pended"]


def list_pended(deps: HandlingServices) -> list[tuple[Claim, list[PendReason]]]:
    """Claims that wait for a person, oldest first, each with its open reasons."""
    with deps.work(write=False) as work:
        return [
            (claim, [p for p in work.claims.pends_of(claim.id) if p.resolved_at is None])
            for claim in work.claims.pended()
        ]


def approve_pended(
    deps: HandlingServices,
    number: str,
    reviewer: str,
    reason: str,
    rulings: tuple[LineRuling, ...] | None = None,
) -> Case:
    """Finish the open step with an approval. When the case is decided by it, all its reasons are
    resolved and the claim is compared with the ledger again, then decided. ``rulings`` None: as
    proposed so far."""
    return find_by_name(deps, number, reviewer, Verdict(Outcome.APPROVE, reason, rulings))


def refuse_pended(deps: HandlingServices, number: str, reviewer: str, reason: str) -> Case:
    """Finish the open step with a refusal; a case decided by it ends with nothing paid."""
    require_signed(reviewer, reason)
    with deps.work(write=False) as work:
        claim = work.claims.by_number(number)
        others = [c for c in work.reviews.live_cases_of(claim.id) if c.kind is not CaseKind.CLAIM]
    if claim.state is not ClaimState.PENDED and not others:
        raise ConflictError(
            f"{number} 还不能由人决定（状态 {claim.state}），登记完成后再试",
            f"{number} cannot be decided by a person now (state {claim.state})",
        )
    return find_by_name(deps, number, reviewer, Verdict(Outcome.REFUSE, reason))
