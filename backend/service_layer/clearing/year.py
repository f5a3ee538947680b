"""What one person's year comes to: read from the database, worked out by ``domain.clearing``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.clearing import ClearedYear, Finding, Inputs, YearClaim, clear_year
from backend.domain.errors import DomainError
from backend.domain.policy import PolicyError
from backend.domain.revision import RequestKind
from backend.service_layer.claims.benefits import (
    DAMAGE,
    benefit_view,
    history_entry,
    pick_pack,
    snapshot_of,
)
from backend.service_layer.claims.records import Claim, StoredBill
from backend.service_layer.clearing.ports import ClearingServices, ClearingWork
from backend.service_layer.clearing.records import CLEARED, DEFERRED, UNREADABLE
from backend.service_layer.clearing.taken import lowered
from backend.service_layer.journal.funds import layer_amounts

SETTLED: Final = (
    ClaimState.SETTLED,
    ClaimState.PAYING,
    ClaimState.PAID,
    ClaimState.SUPPLEMENTING,
)
"""The decision is final on the ledger, or the one before the newest is."""

_DROPPED: Final = (ClaimState.RELEASING, ClaimState.WITHDRAWING, ClaimState.REVERSED)
_ACTIVE: Final = "active"
_ASKED: Final = (RequestKind.APPEAL, RequestKind.REOPEN)


@dataclass(frozen=True, slots=True)
class PersonYear:
    """``outcome`` is cleared, deferred or unreadable; ``year`` None unless it is cleared.
    ``claims`` are those that counted, by number; ``bills`` their bills."""

    outcome: str
    detail: str
    claims: dict[str, Claim]
    year: ClearedYear | None


def work_out(deps: ClearingServices, work: ClearingWork, person_id: str, year: int) -> PersonYear:
    """A person's year as known now; writes nothing.

    It is left for a later run while a claim of it is open or about to be decided again. What was
    refused or given back counts for nothing, and neither does a bill that is void or reversed:
    its money comes back whole.
    """
    live = [c for c in work.claims.live_of_year(person_id, year) if c.state not in _DROPPED]
    open_ones = [claim.number for claim in live if claim.state not in SETTLED]
    asked = [claim.number for claim in live if _is_asked_about(work, claim)]
    if open_ones or asked:
        what = f"open: {', '.join((open_ones or asked)[:5])}"
        return PersonYear(DEFERRED, what, {}, None)
    counted: dict[str, Claim] = {}
    claims: list[YearClaim] = []
    for claim in live:
        try:
            found = _year_claim(deps, work, claim)
        except (DomainError, *DAMAGE) as error:
            what = getattr(error, "code", type(error).__name__)
            return PersonYear(UNREADABLE, f"{claim.number}: {what}", {}, None)
        if found is not None:
            claims.append(found)
            counted[claim.number] = claim
    try:
        by_day = work.clearings.is_ordered_by_day(person_id, year)
        cleared = clear_year(claims, by_day=by_day)
    except (DomainError, *DAMAGE) as error:
        what = getattr(error, "code", type(error).__name__)
        return PersonYear(UNREADABLE, str(what), {}, None)
    unpaid = [
        one.claim.number
        for one in cleared.differences
        if one.finding is Finding.LESS and counted[one.claim.number].state is not ClaimState.PAID
    ]
    if unpaid:  # what is still on its way to the person is not asked back
        return PersonYear(DEFERRED, f"payment under way: {', '.join(unpaid[:5])}", {}, None)
    return PersonYear(CLEARED, "", counted, cleared)


def _is_asked_about(work: ClearingWork, claim: Claim) -> bool:
    return any(
        one.is_open and one.request.kind in _ASKED for one in work.revisions.of_claim(claim.id)
    )


def _year_claim(deps: ClearingServices, work: ClearingWork, claim: Claim) -> YearClaim | None:
    decision = work.decisions.latest(claim.id)
    assert decision is not None, "a settled claim has a decision"
    bill = work.claims.bill_of_version(claim.version_id)
    if bill.state != _ACTIVE:
        return None
    return YearClaim(
        number=claim.number,
        service_on=claim.service_on,
        invoice_key=bill.invoice_key,
        decided=layer_amounts(decision),
        entry=history_entry(claim, decision.explanation),
        inputs=_inputs(deps, work, claim, bill),
        taken=lowered(work, claim.id),
    )


def _inputs(
    deps: ClearingServices, work: ClearingWork, claim: Claim, bill: StoredBill
) -> Inputs | None:
    try:
        snapshot = snapshot_of(deps, work, claim.person_id, claim.service_on)
        pack = pick_pack(deps.packs, deps.settings.region, claim.service_on)
        view = benefit_view(work, bill, pack, snapshot)
    except PolicyError:
        return None
    return Inputs(pack, view, snapshot, work.claims.rulings_of(claim.id))
