"""Decision versions: insert-only rows, each committed with a secret of its own."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.claim import ClaimState
from backend.domain.decision_record import refusal_reason, refuse
from backend.domain.explanation import DecisionContext, ExplanationOfBenefits, Outcome
from backend.domain.person import History, PersonSnapshot
from backend.domain.policy import PolicyPack
from backend.domain.revision import Cause
from backend.service_layer.claims.outside_gate import require_confirmation
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Decision, StoredBill
from backend.service_layer.claims.revision_records import RETURNED, ClaimEvent
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint

REFUSED_MARK: Final = "不予批准："
"""Begins the resolution of a pend reason by which a person refused the claim."""

Adjudicated = tuple[ExplanationOfBenefits, PersonSnapshot, History, PolicyPack]


def decision_record(
    eob: ExplanationOfBenefits, claim: Claim, bill: StoredBill, version: int
) -> dict[str, Any]:
    """The explanation of benefits as it is committed (verifier/SPEC.md B3)."""
    return eob.to_record(
        DecisionContext(
            invoice_fingerprint=bill.fingerprint,
            claim_number=claim.number,
            payer_number=claim.payer_number,
            lodge_counter=claim.lodge_counter or 0,
            decision_version=version,
        )
    )


def as_decided(eob: ExplanationOfBenefits, outcome: str, reason: str) -> ExplanationOfBenefits:
    """What was adjudicated, or the same bill refused as a whole by a person."""
    if outcome != Outcome.REFUSED or eob.outcome is Outcome.REFUSED:
        return eob
    why = refusal_reason("reviewer-refused", f"整笔申请不予报销：{reason}", "refused on review")
    return refuse(eob, why)


def insert_decision(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    adjudicated: Adjudicated,
    *,
    outcome: str,
    decided_by: str,
    reason: str,
    cause: Cause,
) -> Decision:
    """Insert the next decision version with its cause; the claim's row is the caller's."""
    eob, snapshot, history, pack = adjudicated
    bill = work.claims.bill_of_version(claim.version_id)
    require_confirmation(work, bill)
    version = claim.decision_version + 1
    record = decision_record(as_decided(eob, outcome, reason), claim, bill, version)
    secret = deps.ids.new_secret()
    decision_id = deps.ids.new_id("dec")
    now = deps.clock.now()
    keep_rules(deps, work, pack)
    decision = Decision(
        id=decision_id,
        claim_id=claim.id,
        version=version,
        outcome=outcome,
        paid_fen=record["paid_fen"],
        explanation=canonical_bytes(record).decode(),
        fingerprint=compute_fingerprint(record, secret),
        wrapped_secret=deps.secret_box.wrap(secret, decision_id),
        policy_hash=eob.policy_hash,
        person_snapshot=canonical_bytes(snapshot.to_record()).decode(),
        history_snapshot=canonical_bytes(history.to_record()).decode(),
        decided_by=decided_by,
        reason=reason,
        decided_at=now,
    )
    work.decisions.add(decision)
    work.revisions.add_cause(decision_id, claim.id, version, cause, now)
    return decision


def last_return(work: ClaimWork, claim: Claim) -> ClaimEvent | None:
    """How the claim came back after its last decision, None where it did not."""
    returns = [
        event
        for event in work.revisions.events_of(claim.id)
        if event.kind == RETURNED and event.decision_version == claim.decision_version
    ]
    return returns[-1] if returns else None


def keep_rules(deps: ClaimServices, work: ClaimWork, pack: PolicyPack) -> None:
    """Keep the texts of the pack and of its catalogue, so that the decision can be replayed
    after both have left the release."""
    now = deps.clock.now()
    if not work.decisions.is_policy_kept(pack.policy_hash):
        text = deps.rule_documents.pack_text(pack.policy_hash)
        if text is not None:
            work.decisions.add_policy(
                pack.policy_hash, pack.pack_id, pack.effective_from, text, now
            )
    digest = pack.catalogue_digest
    if digest is not None and not work.register.is_catalogue_kept(digest):
        text = deps.rule_documents.catalogue_text(digest)
        if text is not None:
            work.register.add_catalogue(digest, pack.catalogue_file, text, now)


def next_cause(work: ClaimWork, claim: Claim) -> Cause:
    """Why the claim is decided now: for the first time, or since it came back after a refusal."""
    returned = last_return(work, claim)
    return Cause.FIRST if returned is None else Cause(returned.code)


def store_decision(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    adjudicated: Adjudicated,
    *,
    outcome: str,
    decided_by: str,
    reason: str,
) -> Decision:
    """Insert the next decision version and move the claim to *decided*."""
    decision = insert_decision(
        deps,
        work,
        claim,
        adjudicated,
        outcome=outcome,
        decided_by=decided_by,
        reason=reason,
        cause=next_cause(work, claim),
    )
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        state=ClaimState.DECIDED,
        decision_version=decision.version,
        waiting_for=None,
    )
    return decision
