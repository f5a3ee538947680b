"""What a citizen may see of their own claims, ready for a page; nothing of anybody else's."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import (
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


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a claim. ``block`` is set only for an event of the ledger: that is a stamp."""

    label: str
    at: dt.datetime | None
    block: int | None = None
    note: str = ""

    @property
    def kind(self) -> str:
        if self.block is not None:
            return "stamped"
        return "done" if self.at is not None else "open"


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

    @property
    def paid_fen(self) -> int:
        return int(self.explanation["paid_fen"]) if self.explanation else 0

    @property
    def has_amount(self) -> bool:
        """Whether an amount may be shown: there is one, and it is not that of a refused claim."""
        return bool(self.explanation) and not self.is_refused

    @property
    def is_refused(self) -> bool:
        return self.claim.state in (ClaimState.REFUSED, ClaimState.RELEASING)

    @property
    def open_pends(self) -> tuple[PendReason, ...]:
        return tuple(pend for pend in self.pends if pend.resolved_at is None)


def _effective(work: ClaimWork, claim_id: str, kind: IntentKind) -> LedgerIntent | None:
    """The newest intent of the kind that the ledger carried out for good."""
    found = [i for i in work.outbox.of_subject(claim_id, kind) if i.is_final and i.took_effect]
    return found[-1] if found else None


def view_claim(deps: ClaimServices, work: ClaimWork, person_id: str, claim_id: str) -> ClaimView:
    """The view of one claim of this person; anybody else's is not found."""
    claim = work.claims.get(claim_id)
    if claim.person_id != person_id:
        raise NotFoundError("没有这笔申请", "there is no such claim")
    return _view(work, claim)


def view_submission(
    deps: ClaimServices, work: ClaimWork, person_id: str, submission_id: str
) -> tuple[Submission, list[ClaimView]]:
    submission = work.claims.submission(submission_id)
    if submission is None or submission.person_id != person_id:
        raise NotFoundError("没有这次申请", "there is no such submission")
    return submission, [_view(work, claim) for claim in work.claims.of_submission(submission_id)]


def view_all(work: ClaimWork, person_id: str) -> list[ClaimView]:
    """The person's claims, newest first."""
    return [
        _view(work, claim)
        for submission in work.claims.submissions_of(person_id)
        for claim in work.claims.of_submission(submission.id)
    ]


def _view(work: ClaimWork, claim: Claim) -> ClaimView:
    submission = work.claims.submission(claim.submission_id)
    assert submission is not None, "a claim belongs to a submission"
    decision = work.decisions.latest(claim.id)
    calculation = work.decisions.latest_calculation(claim.id)
    text = decision.explanation if decision else calculation.explanation if calculation else "{}"
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
        is_decided=decision is not None,
        decision=decision,
        payout=payout,
        answer=answer,
        steps=tuple(_steps(work, claim, submission, decision, answer)),
        refusals=_refusals(stages, decision),
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


def _refusals(stages: tuple[StageRow, ...], decision: Decision | None) -> tuple[Reason, ...]:
    if decision is not None and decision.outcome == "refused":
        return (Reason("refused", decision.reason, decision.reason),)
    refused = [row for row in stages if row.outcome is StageOutcome.REFUSED]
    return refused[-1].reasons if refused else ()


def _steps(
    work: ClaimWork,
    claim: Claim,
    submission: Submission,
    decision: Decision | None,
    answer: PayoutAnswer | None,
) -> list[Step]:
    anchor = work.batches.anchor_of(claim.version_id)
    lodge = _effective(work, claim.id, IntentKind.LODGE)
    settle = _effective(work, claim.id, IntentKind.SETTLE)
    release = _effective(work, claim.id, IntentKind.RELEASE)
    is_final = anchor is not None and anchor.is_final
    steps = [
        _stamped("医院上传并盖戳", anchor if is_final else None, "正在盖戳"),
        Step("您提交申请", submission.accepted_at),
    ]
    if claim.state is ClaimState.REFUSED and lodge is None:
        return [*steps, Step("核对后停止办理", claim.updated_at)]
    steps.append(_stamped("核对指纹，锁定票据", lodge, "正在核对"))
    if release is not None or claim.state is ClaimState.RELEASING:
        return [*steps, _stamped("不予报销，放开票据", release, "正在登记结果")]
    note = "" if decision is None else "依据当时有效的政策"
    steps.append(_stamped("核定金额并盖戳", settle, "还没有核定", note))
    paid_at = answer.answered_at if answer and answer.outcome == "paid" else None
    if claim.state is ClaimState.PAID and answer is None:
        steps.append(Step("金额为 0，不用打款", claim.updated_at))
    else:
        waiting = "已发出，等银行回执" if claim.state is ClaimState.PAYING else "核定后打款"
        bank = "模拟银行回执" if answer and answer.simulated else ""
        steps.append(Step("银行打款", paid_at, None, bank if paid_at else waiting))
    return steps


def _stamped(label: str, intent: LedgerIntent | None, waiting: str, note: str = "") -> Step:
    if intent is None:
        return Step(label, None, None, waiting)
    return Step(label, intent.block_at, intent.block_number, note)
