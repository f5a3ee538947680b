"""Appeals by the citizen and reopenings by staff: asked for, reviewed by people, then concluded.

Both are reviewed as cases of their own by people who had no part in what was decided before
(service_layer.review keeps them out), and end in :func:`versions.conclude_revision`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.local_time import local_day
from backend.domain.pend_reasons import GENERAL, PRIORITY_USUAL
from backend.domain.review import CaseKind, Outcome
from backend.domain.revision import (
    APPEAL_REASONS,
    MAX_REOPENINGS,
    REOPEN_REASONS,
    SOURCE_MAX,
    TEXT_MAX,
    TEXT_MIN,
    RequestKind,
    RequestOutcome,
    last_appeal_day,
)
from backend.service_layer.audit_rules.outcomes import record_refusal_review
from backend.service_layer.claims.records import Claim, Decision
from backend.service_layer.claims.requests import Asked, Ending, add_request
from backend.service_layer.claims.revision_records import RevisionRequest
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.revisions import conclude_revision
from backend.service_layer.review.assignment import person_id_of
from backend.service_layer.review.cases import Opening, open_case
from backend.service_layer.review.records import Case, Conclusion

_SETTLED: Final = (
    ClaimState.SETTLED,
    ClaimState.PAYING,
    ClaimState.PAID,
    ClaimState.SUPPLEMENTING,
)
_OPEN_TO_REVIEW: Final = (*_SETTLED, ClaimState.REFUSED)


class AppealRefusedError(ConflictError):
    """An appeal or a reopening that cannot be taken; nothing was stored."""

    code = "appeal-refused"


@dataclass(frozen=True, slots=True)
class AppealChance:
    """Whether the citizen may appeal now. ``until`` is the last day, ``bar`` why not (zh, en)."""

    until: dt.date | None
    bar: tuple[str, str] | None

    @property
    def is_open(self) -> bool:
        return self.bar is None


def appeal_chance(deps: HandlingServices, work: HandlingWork, claim: Claim) -> AppealChance:
    """Whether the present outcome of a claim can be appealed, and until when."""
    decided_at = _decided_at(work, claim)
    if claim.state not in _OPEN_TO_REVIEW or decided_at is None:
        return AppealChance(
            None, ("结果还没有出来，出来后可以申请复核", "there is no outcome to appeal yet")
        )
    until = last_appeal_day(local_day(decided_at), deps.settings.appeal_days)
    return AppealChance(until, _bar(deps, work, claim, until))


def _bar(
    deps: HandlingServices, work: HandlingWork, claim: Claim, until: dt.date
) -> tuple[str, str] | None:
    requests = work.revisions.of_claim(claim.id)
    if any(one.is_open and one.request.kind is not RequestKind.REVISION for one in requests):
        return "已经在复核，请等结果", "a review of this claim is open already"
    appealed = {
        one.request.decision_version for one in requests if one.request.kind is RequestKind.APPEAL
    }
    if claim.decision_version in appealed:
        return "这个结果已经复核过一次", "this outcome was appealed once already"
    if local_day(deps.clock.now()) > until:
        return (
            f"申请复核的期限是 {until.isoformat()}，已经过了",
            f"the time for an appeal ended on {until.isoformat()}",
        )
    decision = work.decisions.latest(claim.id)
    bill = work.claims.bill_of_version(claim.version_id)
    if claim.state in _SETTLED and decision and decision.paid_fen >= bill.total_fen:
        return "这张票据已经全额报销", "the bill was paid in full"
    return None


def _decided_at(work: HandlingWork, claim: Claim) -> dt.datetime | None:
    """When the present outcome was found: the last decision or the last refusing stage."""
    decision = work.decisions.latest(claim.id)
    found = [decision.decided_at] if decision else []
    if claim.state is ClaimState.REFUSED:
        found += [
            row.finished_at
            for row in work.claims.stages_of(claim.id)
            if row.outcome is StageOutcome.REFUSED
        ]
    return max(found, default=None)


def file_appeal(
    deps: HandlingServices, person_id: str, claim_id: str, code: str, text: str
) -> RevisionRequest:
    """Take the citizen's appeal (复核) against the present outcome and open its case.

    Once a decision version, within the time that the settings give. Raises
    :class:`AppealRefusedError` saying which of these does not hold.
    """
    words = _require_words(code, text, APPEAL_REASONS)
    with deps.work() as work:
        work.people.lock(person_id)
        claim = work.claims.get(claim_id, lock=True)
        if claim.person_id != person_id:
            raise NotFoundError("没有这笔申请", "there is no such claim")
        chance = appeal_chance(deps, work, claim)
        if chance.bar is not None:
            raise AppealRefusedError(f"不能申请复核：{chance.bar[0]}", chance.bar[1])
        asked = Asked(
            kind=RequestKind.APPEAL,
            code=code,
            text=words,
            named_by="citizen",
            amount_before_fen=_amount(work.decisions.latest(claim.id)),
        )
        request = _open(deps, work, claim, asked)
        work.commit()
    return request


@dataclass(frozen=True, slots=True)
class Reopening:
    """Why staff reopen a claim: coded reason, words, and what it is based on."""

    code: str
    text: str
    source_reference: str


def checked(why: Reopening) -> Reopening:
    """The reopening as it is stored. Raises :class:`AppealRefusedError` for another code, too few
    or too many words, or nothing that it is based on."""
    words = _require_words(why.code, why.text, REOPEN_REASONS)
    source = why.source_reference.strip()
    if not 0 < len(source) <= SOURCE_MAX or "\x00" in source:
        raise _refused(
            f"请写明依据的文号或来源（{SOURCE_MAX} 字内）",
            f"say what it is based on (up to {SOURCE_MAX} characters)",
        )
    return Reopening(why.code, words, source)


def open_reopening(
    deps: HandlingServices, work: HandlingWork, claim: Claim, why: Reopening, names: tuple[str, str]
) -> RevisionRequest:
    """Reopen a closed and locked claim for two people; opens a case that neither of them may
    review. The caller has seen that they are two (``reopening.confirm_reopening``) and commits.

    At most ``MAX_REOPENINGS`` times a claim. Raises :class:`AppealRefusedError`.
    """
    require_reopenable(work, claim)
    asked = Asked(
        kind=RequestKind.REOPEN,
        code=why.code,
        text=why.text,
        named_by=names[0],
        seconded_by=names[1],
        source_reference=why.source_reference,
        amount_before_fen=_amount(work.decisions.latest(claim.id)),
    )
    return _open(deps, work, claim, asked)


def require_reopenable(work: HandlingWork, claim: Claim) -> None:
    """Raises :class:`AppealRefusedError` for a claim that is not closed, is under review, or was
    reopened as often as it may be."""
    if claim.state not in _OPEN_TO_REVIEW:
        raise _refused(
            f"{claim.number} 还没有办结（状态 {claim.state}）",
            f"{claim.number} is not closed (state {claim.state})",
        )
    requests = work.revisions.of_claim(claim.id)
    if any(one.is_open and one.request.kind is not RequestKind.REVISION for one in requests):
        raise _refused(f"{claim.number} 已经在复核", f"{claim.number} is under review already")
    reopened = sum(one.request.kind is RequestKind.REOPEN for one in requests)
    if reopened >= MAX_REOPENINGS:
        raise _refused(
            f"{claim.number} 已经重新核定过 {reopened} 次，不能再开",
            f"{claim.number} was reopened {reopened} times, which is the limit",
        )


def _require_words(code: str, text: str, codes: dict[str, str]) -> str:
    if code not in codes:
        raise _refused(
            "请选择一个理由：" + "、".join(codes.values()),
            f"the reason must be one of: {', '.join(codes)}",
        )
    words = text.strip()
    if not TEXT_MIN <= len(words) <= TEXT_MAX or "\x00" in words:
        raise _refused(
            f"请用 {TEXT_MIN} 到 {TEXT_MAX} 个字说明",
            f"say why in {TEXT_MIN} to {TEXT_MAX} characters",
        )
    return words


def _refused(zh: str, en: str) -> DomainError:
    return AppealRefusedError(zh, en)


def _amount(decision: Decision | None) -> int:
    return 0 if decision is None else decision.paid_fen


def _open(
    deps: HandlingServices, work: HandlingWork, claim: Claim, asked: Asked
) -> RevisionRequest:
    request = add_request(deps, work, claim, asked)
    calculation = work.decisions.latest_calculation(claim.id)
    at_stake = 0 if calculation is None else calculation.paid_fen
    open_case(
        deps,
        work,
        claim,
        Opening(
            kind=CaseKind(asked.kind),
            subject_id=request.id,
            queue=GENERAL,
            priority=PRIORITY_USUAL,
            amount_fen=max(at_stake, asked.amount_before_fen),
            raised_by=tuple(
                person_id_of(work, name)
                for name in (asked.named_by, asked.seconded_by)
                if name and asked.kind is RequestKind.REOPEN
            ),
            due_on=request.promised_on,
            legal_limit_on=request.legal_limit_on,
        ),
    )
    return request


# --- how their cases end -----------------------------------------------------------------------


def conclude_request_case(
    deps: HandlingServices, work: HandlingWork, case: Case, conclusion: Conclusion
) -> None:
    """What a decided case of an appeal, a reopening or a difference does: the rulings are in
    force where it is upheld, and the claim gets what follows."""
    is_upheld = conclusion.outcome is Outcome.APPROVE
    if is_upheld:
        work.reviews.add_rulings(case, conclusion.rulings, conclusion.by, deps.clock.now())
    record_refusal_review(deps, work, case.claim_id, conclusion.by, is_overruled=is_upheld)
    ending = Ending(
        RequestOutcome.UPHELD if is_upheld else RequestOutcome.REJECTED,
        by=conclusion.by,
        reason=conclusion.reason,
    )
    conclude_revision(deps, work, case.claim_id, RequestKind(case.kind), ending)
