"""Storing what is asked of a decision, with its clocks, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from backend.domain.revision import RequestKind, RequestOutcome
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.revision_records import RevisionOutcome, RevisionRequest
from backend.service_layer.claims.submit import working_days_after


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a decision. ``code`` is the coded reason, of a revision its cause;
    ``amount_after_fen`` and ``explanation`` say what a revision would come to."""

    kind: RequestKind
    code: str
    text: str
    named_by: str
    seconded_by: str = ""
    source_reference: str = ""
    amount_before_fen: int = 0
    amount_after_fen: int | None = None
    explanation: str = "{}"


@dataclass(frozen=True, slots=True)
class Ending:
    """What people said to a request: ``by`` names them, ``reason`` is told to the citizen."""

    outcome: RequestOutcome
    by: str
    reason: str


def add_request(
    deps: ClaimServices, work: ClaimWork, claim: Claim, asked: Asked
) -> RevisionRequest:
    """Insert a request on the claim's present decision version, due by the settings' clocks."""
    now = deps.clock.now()
    earlier = [
        one
        for one in work.revisions.of_claim(claim.id)
        if one.request.kind is asked.kind and one.request.decision_version == claim.decision_version
    ]
    request = RevisionRequest(
        id=deps.ids.new_id("req"),
        claim_id=claim.id,
        kind=asked.kind,
        decision_version=claim.decision_version,
        number=len(earlier) + 1,
        code=asked.code,
        text=asked.text,
        source_reference=asked.source_reference,
        named_by=asked.named_by,
        seconded_by=asked.seconded_by,
        amount_before_fen=asked.amount_before_fen,
        amount_after_fen=asked.amount_after_fen,
        explanation=asked.explanation,
        filed_at=now,
        promised_on=working_days_after(deps, now, deps.settings.appeal_promise_working_days),
        legal_limit_on=working_days_after(deps, now, deps.settings.appeal_legal_working_days),
    )
    work.revisions.add(request)
    return request


def conclude_request(
    deps: ClaimServices,
    work: ClaimWork,
    request: RevisionRequest,
    ending: Ending,
    effect: str,
    *,
    version: int | None,
) -> None:
    """Insert how a request ended; there is one outcome a request."""
    work.revisions.conclude(
        RevisionOutcome(
            request_id=request.id,
            outcome=ending.outcome,
            reason=ending.reason,
            decided_by=ending.by,
            decided_at=deps.clock.now(),
            effect=effect,
            version=version,
        )
    )
