"""What a citizen may see of their own claims, ready for a page; nothing of anybody else's."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.errors import NotFoundError
from backend.domain.revision import CAUSE_ZH, Cause, RequestKind
from backend.service_layer.claims.clocks import ClaimClocks, clocks_of
from backend.service_layer.claims.records import (
    MACHINE,
    Claim,
    Decision,
    Payout,
    PayoutAnswer,
    PendReason,
    Reason,
    StageRow,
    StoredBill,
    Submission,
)
from backend.service_layer.claims.revision_records import Revision, RevisionRequest
from backend.service_layer.handling.appeals import AppealChance, appeal_chance
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.steps import Step, steps_of
from backend.service_layer.handling.withdraw import can_withdraw


@dataclass(frozen=True, slots=True)
class Version:
    """One decision version as the citizen may see it. ``by_person`` names nobody."""

    version: int
    at: dt.datetime
    cause_zh: str
    outcome: str
    paid_fen: int
    by_person: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim with everything its page shows."""

    claim: Claim
    submission: Submission
    bill: StoredBill
    stages: tuple[StageRow, ...]
    pends: tuple[PendReason, ...]
    explanation: dict[str, Any]
    is_decided: bool
    decision: Decision | None
    payout: Payout | None
    answer: PayoutAnswer | None
    steps: tuple[Step, ...]
    refusals: tuple[Reason, ...]
    versions: tuple[Version, ...]
    revisions: tuple[Revision, ...]
    can_withdraw: bool
    appeal: AppealChance
    clocks: ClaimClocks

    @property
    def paid_fen(self) -> int:
        return int(self.explanation["paid_fen"]) if self.explanation else 0

    @property
    def has_amount(self) -> bool:
        """Whether an amount may be shown: there is one, and it is not that of a refused claim."""
        return bool(self.explanation) and not self.is_refused and not self.is_withdrawn

    @property
    def is_refused(self) -> bool:
        return self.claim.state in (ClaimState.REFUSED, ClaimState.RELEASING)

    @property
    def is_withdrawn(self) -> bool:
        return self.claim.state in (ClaimState.WITHDRAWING, ClaimState.WITHDRAWN)

    @property
    def asked(self) -> tuple[Revision, ...]:
        """Appeals and reopenings; what the system found by itself is for the staff first."""
        return tuple(one for one in self.revisions if one.request.kind is not RequestKind.REVISION)

    @property
    def rising(self) -> tuple[RevisionRequest, ...]:
        """What the system found to be too little, while people still have to approve it."""
        return tuple(
            one.request
            for one in self.revisions
            if one.is_open
            and one.request.kind is RequestKind.REVISION
            and (one.request.amount_after_fen or 0) > one.request.amount_before_fen
        )[-1:]

    @property
    def open_pends(self) -> tuple[PendReason, ...]:
        return tuple(pend for pend in self.pends if pend.resolved_at is None)


def view_claim(
    deps: HandlingServices, work: HandlingWork, person_id: str, claim_id: str
) -> ClaimView:
    """The view of one claim of this person; anybody else's is not found."""
    claim = work.claims.get(claim_id)
    if claim.person_id != person_id:
        raise NotFoundError("没有这笔申请", "there is no such claim")
    return _view(deps, work, claim)


def view_submission(
    deps: HandlingServices, work: HandlingWork, person_id: str, submission_id: str
) -> tuple[Submission, list[ClaimView]]:
    submission = work.claims.submission(submission_id)
    if submission is None or submission.person_id != person_id:
        raise NotFoundError("没有这次申请", "there is no such submission")
    return submission, [
        _view(deps, work, claim) for claim in work.claims.of_submission(submission_id)
    ]


def view_all(deps: HandlingServices, work: HandlingWork, person_id: str) -> list[ClaimView]:
    """The person's claims, newest first."""
    return [
        _view(deps, work, claim)
        for submission in work.claims.submissions_of(person_id)
        for claim in work.claims.of_submission(submission.id)
    ]


def _view(deps: HandlingServices, work: HandlingWork, claim: Claim) -> ClaimView:
    submission = work.claims.submission(claim.submission_id)
    assert submission is not None, "a claim belongs to a submission"
    decision = work.decisions.latest(claim.id)
    calculation = work.decisions.latest_calculation(claim.id)
    is_decided = decision is not None and not claim.is_undecided
    shown = decision if is_decided else calculation
    text = "{}" if shown is None else shown.explanation
    payout = work.payouts.of_claim(claim.id)
    answer = work.payouts.answer_of(payout.id) if payout else None
    stages = tuple(work.claims.stages_of(claim.id))
    return ClaimView(
        claim=claim,
        submission=submission,
        bill=work.claims.bill_of_version(claim.version_id),
        stages=stages,
        pends=tuple(work.claims.pends_of(claim.id)),
        explanation=_readable(text),
        is_decided=is_decided,
        decision=decision,
        payout=payout,
        answer=answer,
        steps=tuple(steps_of(work, claim, submission)),
        refusals=_refusals(stages, decision),
        versions=_versions(work, claim),
        revisions=tuple(work.revisions.of_claim(claim.id)),
        can_withdraw=can_withdraw(work, claim),
        appeal=appeal_chance(deps, work, claim),
        clocks=clocks_of(deps, work, claim, submission),
    )


def _readable(text: str) -> dict[str, Any]:
    """The stored explanation; empty when it was changed so that it is none, never an error: one
    damaged claim must not hide the person's others."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    needed = ("paid_fen", "summary", "lines")
    return found if isinstance(found, dict) and all(name in found for name in needed) else {}


def _versions(work: HandlingWork, claim: Claim) -> tuple[Version, ...]:
    causes = work.revisions.causes_of(claim.id)
    return tuple(
        Version(
            version=decision.version,
            at=decision.decided_at,
            cause_zh=CAUSE_ZH[causes.get(decision.version, Cause.FIRST)],
            outcome=decision.outcome,
            paid_fen=decision.paid_fen,
            by_person=decision.decided_by not in (MACHINE, Cause.LEDGER),
            reason=decision.reason,
        )
        for decision in work.decisions.all_of(claim.id)
    )


def _refusals(stages: tuple[StageRow, ...], decision: Decision | None) -> tuple[Reason, ...]:
    """Why the claim was refused last: by its decision, or by a check after that one."""
    refused = [row for row in stages if row.outcome is StageOutcome.REFUSED]
    is_by_decision = (
        decision is not None
        and decision.outcome == "refused"
        and not (refused and refused[-1].finished_at > decision.decided_at)
    )
    if decision is not None and is_by_decision:
        return (Reason("refused", decision.reason, decision.reason),)
    return refused[-1].reasons if refused else ()
