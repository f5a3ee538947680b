"""The worker's pass over insurers' claims: what has ended is kept, locks without a right to them
are given back.

A lock is given back when its consent was taken back or ran out and nothing is under way, and when
the bill no longer stands. A lock past its deadline, by the
ledger's time, is expired. Each is one transaction and may run twice.
"""

from __future__ import annotations

from typing import Final

from backend.domain.second_payer import Phase, Standing, standing_of
from backend.service_layer.ports import LedgerUnavailableError
from backend.service_layer.second_payers.calls import enqueue_expiry, enqueue_release
from backend.service_layer.second_payers.consent import live_consent
from backend.service_layer.second_payers.ports import PayerServices, PayerWork, calls_of
from backend.service_layer.second_payers.records import PayerClaim

_HELD: Final = (Phase.LODGED, Phase.LAPSED)


def second_payer_pass(deps: PayerServices) -> int:
    """One look at every open claim; returns how many moved."""
    with deps.work(write=False) as work:
        claims = work.second_payers.open_claims()
    return sum(_look(deps, claim) for claim in claims)


def _look(deps: PayerServices, claim: PayerClaim) -> bool:
    now = deps.clock.now()
    with deps.work(write=False) as work:
        standing = standing_of(calls_of(work, claim), now)
        is_held = standing.phase in _HELD
        may_move = standing.is_over or (is_held and _has_no_right(deps, work, claim))
    is_past = standing.phase is Phase.LAPSED and _is_past(deps, claim)
    if not may_move and not is_past:
        return False
    with deps.work() as work:
        work.people.lock(claim.person_id)
        standing = standing_of(calls_of(work, claim), now)
        moved = _move(deps, work, claim, standing, is_past=is_past)
        if moved:
            work.commit()
    return moved


def _move(
    deps: PayerServices, work: PayerWork, claim: PayerClaim, standing: Standing, *, is_past: bool
) -> bool:
    if standing.is_over:
        return work.second_payers.close(claim.id, standing.phase, deps.clock.now())
    if standing.phase not in _HELD:
        return False
    if is_past:
        return enqueue_expiry(deps, work, claim)
    if _has_no_right(deps, work, claim):
        enqueue_release(deps, work, claim, None)
        return True
    return False


def _has_no_right(deps: PayerServices, work: PayerWork, claim: PayerClaim) -> bool:
    consent = live_consent(work, claim.payer_number, claim.invoice_id, deps.clock.now())
    if consent is None:
        return True
    bill = work.claims.bill_of_version(claim.version_id)
    return bill.state in ("void", "reversed")


def _is_past(deps: PayerServices, claim: PayerClaim) -> bool:
    """Whether the lock has run out by the ledger's own time; unknown while it is silent."""
    try:
        found = deps.ledger.bill(claim.invoice_key)
    except LedgerUnavailableError:
        return False
    is_ours = (found.slot.open_payer, found.slot.lodge_counter) == (
        claim.payer_number,
        claim.lodge_counter,
    )
    return is_ours and found.slot.deadline < found.head.at.timestamp()
