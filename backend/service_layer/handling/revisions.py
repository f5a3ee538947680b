"""What follows when people have decided an appeal, a reopening or a difference."""

from __future__ import annotations

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.revision import Cause, RequestKind, RequestOutcome
from backend.service_layer.claims.benefits import (
    adjudicate_again,
    adjudicate_claim,
    history_of_cause,
)
from backend.service_layer.claims.records import MACHINE, Claim
from backend.service_layer.claims.requests import Ending, conclude_request
from backend.service_layer.claims.revision_records import (
    Revision,
    RevisionRequest,
)
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.versions import Grounds, return_claim
from backend.service_layer.handling.year_totals import revise


def conclude_revision(
    deps: HandlingServices,
    work: HandlingWork,
    claim_id: str,
    kind: RequestKind,
    ending: Ending,
) -> Revision:
    """People have decided an appeal, a reopening or a difference. Their rulings are stored.

    Upheld: a refused claim comes back; one in effect is worked out again and gets a version when
    that gives more. An upheld difference that lowers the amount stays on record, and is proposed to
    two people as a recovery. Rejected: recorded, with the reason. The caller commits. Raises
    ConflictError when nothing of that kind is open on the claim.
    """
    work.people.lock(work.claims.get(claim_id).person_id)
    claim = work.claims.get(claim_id, lock=True)
    found = [
        one for one in work.revisions.of_claim(claim_id) if one.request.kind is kind and one.is_open
    ]
    if not found:
        raise ConflictError(
            f"{claim.number} 没有未办结的复核", f"{claim.number} has no open {kind} to conclude"
        )
    effect, version = "none", None
    if ending.outcome is RequestOutcome.UPHELD:
        asked = found[-1].request
        if kind is RequestKind.REVISION:
            effect, version = _carry_out_revision(deps, work, claim, asked, ending)
        else:
            effect, version = _carry_out(deps, work, claim, kind, ending)
    for one in found:
        conclude_request(deps, work, one.request, ending, effect, version=version)
    concluded = work.revisions.get(found[-1].request.id)
    assert concluded is not None, "the request was read in this transaction"
    return concluded


def _carry_out(
    deps: HandlingServices, work: HandlingWork, claim: Claim, kind: RequestKind, ending: Ending
) -> tuple[str, int | None]:
    """(effect, new version) of an appeal or a reopening that people have upheld."""
    cause = Cause.APPEAL if kind is RequestKind.APPEAL else Cause.REOPENED
    if claim.state is ClaimState.REFUSED:
        came_back = return_claim(deps, work, claim, Grounds(cause, ending.by, ending.reason))
        return ("returned" if came_back else "bill-held"), None
    adjudicated = adjudicate_again(deps, work, claim)
    before = work.decisions.latest(claim.id)
    decision = revise(
        deps,
        work,
        claim,
        adjudicated,
        cause=cause,
        decided_by=ending.by,
        reason=ending.reason,
    )
    if decision is not None:
        return "version", decision.version
    is_lower = before is not None and adjudicated[0].paid_fen < before.paid_fen
    return ("lower" if is_lower else "unchanged"), None


def _carry_out_revision(
    deps: HandlingServices, work: HandlingWork, claim: Claim, asked: RevisionRequest, ending: Ending
) -> tuple[str, int | None]:
    """(effect, new version) of a difference that people have upheld: more, up to what they were
    asked about, is a version in their name. What it has risen to since is asked about anew."""
    if asked.amount_after_fen is None or asked.amount_after_fen <= asked.amount_before_fen:
        return "lower", None
    cause = Cause(asked.code)
    if claim.state is ClaimState.REFUSED:
        came_back = return_claim(deps, work, claim, Grounds(cause, ending.by, ending.reason))
        return ("returned" if came_back else "bill-held"), None
    bill = work.claims.bill_of_version(claim.version_id)
    history = history_of_cause(work, claim, cause)
    adjudicated = adjudicate_claim(deps, work, claim, bill, history)
    is_as_asked = adjudicated[0].paid_fen <= asked.amount_after_fen
    decision = revise(
        deps,
        work,
        claim,
        adjudicated,
        cause=cause,
        decided_by=ending.by if is_as_asked else MACHINE,
        reason=ending.reason,
    )
    return ("unchanged", None) if decision is None else ("version", decision.version)
