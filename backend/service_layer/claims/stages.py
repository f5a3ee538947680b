"""What every step of a claim writes: its stages, its pend reasons and what it waits for."""

from __future__ import annotations

import datetime as dt

from backend.domain.claim import StageOutcome
from backend.domain.policy import PolicyError
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import (
    Claim,
    PendReason,
    Reason,
    StageResult,
    StageRow,
)


def keep_waiting(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    result: StageResult,
    started: dt.datetime,
) -> bool:
    """Store once that the stage waits and for what, and commit; the claim stays where it is."""
    changed = store_stage(deps, work, claim, result, started)
    if changed or claim.waiting_for != result.waiting_for:
        work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for=result.waiting_for)
        work.commit()
        return True
    return False


def no_rule_reason(error: PolicyError) -> Reason:
    """Why a person has to look: the policy has no rule for this person, bill or hospital."""
    return Reason(
        "no-rule",
        f"{error.zh.rstrip('。')}；由工作人员核定，不用您再操作",
        f"the policy has no rule for this claim, a person works it out: {error.en}",
    )


def store_stage(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    result: StageResult,
    started: dt.datetime,
) -> bool:
    """Insert a stage row, unless it only repeats that the stage still waits. True: inserted."""
    rows = work.claims.stages_of(claim.id, result.stage)
    if (
        result.outcome is StageOutcome.WAITING
        and rows
        and rows[-1].outcome is StageOutcome.WAITING
        and rows[-1].reasons == result.reasons
    ):
        return False
    work.claims.add_stage(
        StageRow(
            id=deps.ids.new_id("stg"),
            claim_id=claim.id,
            stage=result.stage,
            attempt=1 + max((row.attempt for row in rows), default=0),
            outcome=result.outcome,
            inputs=result.inputs,
            reasons=result.reasons,
            started_at=started,
            finished_at=deps.clock.now(),
        )
    )
    return True


def raise_pends(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    reasons: tuple[Reason, ...],
    *,
    again: bool = False,
) -> None:
    """Raise reasons; ``again``: also those that were resolved before."""
    for reason in reasons:
        work.claims.add_pend(
            PendReason(
                id=deps.ids.new_id("pnd"),
                claim_id=claim.id,
                code=reason.code,
                line_index=reason.line_index,
                zh=reason.zh,
                en=reason.en,
                raised_at=deps.clock.now(),
                priority=reason.priority,
                queue=reason.queue,
                role=reason.role,
                rule_code=reason.rule_code,
                severity=reason.severity,
                reattach=reason.reattach,
            ),
            again=again,
        )


def wait_for(deps: ClaimServices, claim: Claim, what: str | None) -> bool:
    """Say on the claim what it waits for (None: no longer); writes only when that changes."""
    if claim.waiting_for == what:
        return False
    with deps.work() as work:
        changed = work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for=what)
        work.commit()
    return changed
