"""A person resolves a pended claim: approve or refuse, with a name and a reason."""

from __future__ import annotations

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError
from backend.service_layer.claims.decide import REFUSED_MARK
from backend.service_layer.claims.ports import ClaimServices
from backend.service_layer.claims.records import Claim, PendReason


class ReviewRefusedError(DomainError):
    """A review that names nobody or gives no reason."""

    code = "review-refused"


def _require_signed(reviewer: str, reason: str) -> None:
    if not reviewer.strip() or len(reviewer) > 60 or not reason.strip() or len(reason) > 500:
        raise ReviewRefusedError(
            "请写明复核人（60 字内）和理由（500 字内）",
            "give the reviewer's name (up to 60) and a reason (up to 500 characters)",
        )


def list_pended(deps: ClaimServices) -> list[tuple[Claim, list[PendReason]]]:
    """Claims that wait for a person, oldest first, each with its open reasons."""
    with deps.work(write=False) as work:
        return [
            (claim, [p for p in work.claims.pends_of(claim.id) if p.resolved_at is None])
            for claim in work.claims.pended()
        ]


def approve_pended(deps: ClaimServices, number: str, reviewer: str, reason: str) -> None:
    """Resolve all open reasons; the claim is compared with the ledger again, then decided."""
    _require_signed(reviewer, reason)
    with deps.work() as work:
        claim = work.claims.get(work.claims.by_number(number).id, lock=True)
        now = deps.clock.now()
        if work.claims.resolve_pends(claim.id, reviewer, reason, now) == 0:
            raise ConflictError(
                f"{number} 没有待核对的事项", f"{number} has nothing that waits for a person"
            )
        if claim.state is ClaimState.PENDED:
            work.claims.update(
                claim.id, claim.state, now, state=ClaimState.LODGED, waiting_for=None
            )
        work.commit()


def refuse_pended(deps: ClaimServices, number: str, reviewer: str, reason: str) -> None:
    """Refuse: the claim is compared with the ledger again, then decided with nothing paid."""
    _require_signed(reviewer, reason)
    with deps.work() as work:
        claim = work.claims.get(work.claims.by_number(number).id, lock=True)
        if claim.state is not ClaimState.PENDED:
            raise ConflictError(
                f"{number} 还不能由人决定（状态 {claim.state}），登记完成后再试",
                f"{number} cannot be decided by a person now (state {claim.state})",
            )
        now = deps.clock.now()
        work.claims.resolve_pends(claim.id, reviewer, REFUSED_MARK + reason, now)
        work.claims.update(claim.id, claim.state, now, state=ClaimState.LODGED, waiting_for=None)
        work.commit()
