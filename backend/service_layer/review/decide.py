"""What the person of a step may do: resolve reasons, preview, approve or refuse.

Nobody types an amount. A reviewer rules on facts of lines and the system computes; the preview
shows the explanation under the proposed rulings before anything is decided. Whatever right is
missing, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.errors import ConflictError, DomainError, ForbiddenError
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.explanation import Outcome as Benefit
from backend.domain.pend_reasons import REVIEWER, SUPERVISOR
from backend.domain.person import History
from backend.domain.policy import PolicyError
from backend.domain.review import CaseKind, CaseState, Outcome, covers, next_step
from backend.domain.ruling import LineRuling, RulingKind, in_order
from backend.service_layer.claims.benefits import (
    adjudicate_claim,
    history_in_effect,
    history_of_cause,
)
from backend.service_layer.claims.no_rule import adjudicated_without_rules
from backend.service_layer.claims.records import Claim, PendReason
from backend.service_layer.claims.red_bills import PARTLY_REVERSED
from backend.service_layer.review.assignment import require_holder, take_named
from backend.service_layer.review.cases import (
    conclude_case,
    open_claim_case,
    open_pends,
    open_step,
)
from backend.service_layer.review.ports import ReviewServices, ReviewWork
from backend.service_layer.review.records import Case, Conclusion, Resolution, StepFinding

NAME_MAX: Final = 60
REASON_MAX: Final = 500
_UNKNOWN_LINES: Final = frozenset({"unknown-code", "restricted-unconfirmed"})
RULED_ON_REVIEW: Final = "Ruled by a reviewer on the facts of this line"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person finds in a step. ``rulings`` None: as proposed so far."""

    outcome: Outcome
    reason: str
    rulings: tuple[LineRuling, ...] | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """Some of the open reasons resolved, with rulings on their lines."""

    pend_ids: tuple[str, ...]
    reason: str
    rulings: tuple[LineRuling, ...] = ()


class ReviewRefusedError(DomainError):
    """A review that names nobody, gives no reason, or rules on what cannot be ruled on."""

    code = "review-refused"


class RightMissingError(ForbiddenError):
    """One of the reasons needs another role; nothing was changed."""

    code = "review-right-missing"

    def __init__(self, codes: Sequence[str]) -> None:
        names = "、".join(sorted(set(codes)))
        super().__init__(
            f"您没有处理这些事项的权限：{names}。什么都没有改动",
            f"you may not resolve: {names}. Nothing was changed",
        )


def require_signed(reviewer: str, reason: str) -> None:
    """Raises :class:`ReviewRefusedError` unless somebody is named and gives a reason."""
    named = reviewer.strip() and len(reviewer) <= NAME_MAX
    reasoned = reason.strip() and len(reason) <= REASON_MAX
    if not named or not reasoned or "\x00" in reviewer + reason:
        raise ReviewRefusedError(
            "请写明复核人（60 字内）和理由（500 字内）",
            "give the reviewer's name (up to 60) and a reason (up to 500 characters)",
        )


def lock_case(work: ReviewWork, case_id: str) -> tuple[Case, Claim]:
    """Lock person, claim and case, in the order that every step of a claim takes them."""
    claim_id = work.reviews.get_case(case_id).claim_id
    work.people.lock(work.claims.get(claim_id).person_id)
    claim = work.claims.get(claim_id, lock=True)
    return work.reviews.get_case(case_id, lock=True), claim


def adjudicate_under(
    deps: ReviewServices, work: ReviewWork, case: Case, rulings: Sequence[LineRuling]
) -> ExplanationOfBenefits:
    """The benefit of the case's claim under these rulings, together with those in force on other
    lines: on the year's totals on which it will be decided, so that what is previewed is what is
    done.

    Raises :class:`ReviewRefusedError` for a code that the catalogue did not have on the day of
    service, :class:`RulingError` for rulings that contradict each other.
    """
    claim = work.claims.get(case.claim_id)
    bill = work.claims.bill_of_version(claim.version_id)
    for ruling in rulings:
        if ruling.kind is RulingKind.MATCH and (
            deps.catalogue.find(ruling.catalogue_code, claim.service_on) is None
        ):
            raise ReviewRefusedError(
                f"目录里没有编码 {ruling.catalogue_code}（按就诊日期）",
                f"the catalogue had no code {ruling.catalogue_code} on the day of service",
            )
    ruled = {ruling.line_index for ruling in rulings}
    kept = [one for one in work.claims.rulings_of(claim.id) if one.line_index not in ruled]
    in_order([*kept, *rulings], bill.line_count)
    try:
        history = history_of_case(work, claim, case)
        return adjudicate_claim(deps, work, claim, bill, history, rulings=(*kept, *rulings))[0]
    except PolicyError:  # an approval waits for a rule; a refusal is written on the bill as it is
        return adjudicated_without_rules(deps, work, claim, bill)[0]


def preview(
    deps: ReviewServices, case_id: str, staff_id: str, rulings: Sequence[LineRuling]
) -> ExplanationOfBenefits:
    """What the claim would come to; nothing is changed. Only for who holds the step."""
    with deps.work(write=False) as work:
        case = work.reviews.get_case(case_id)
        require_holder(work, case, staff_id)
        drafted = {ruling.line_index for ruling in rulings}
        before = [one for one in proposed_rulings(work, case) if one.line_index not in drafted]
        return adjudicate_under(deps, work, case, [*before, *rulings])


def proposed_rulings(work: ReviewWork, case: Case) -> tuple[LineRuling, ...]:
    """What stands as proposed: the last finding's rulings, then what the open step has resolved,
    which replaces whatever was said of the same line."""
    findings = work.reviews.findings_of(case.id)
    found: dict[int, list[LineRuling]] = {}
    for ruling in findings[-1].rulings if findings else ():
        found.setdefault(ruling.line_index, []).append(ruling)
    done = {finding.step for finding in findings}
    for resolution in work.reviews.resolutions_of(case.id):
        if resolution.step in done:
            continue
        fresh: dict[int, list[LineRuling]] = {}
        for ruling in resolution.rulings:
            fresh.setdefault(ruling.line_index, []).append(ruling)
        found.update(fresh)
    return tuple(ruling for index in sorted(found) for ruling in found[index])


def _require_rights(work: ReviewWork, staff_id: str, pends: Sequence[PendReason]) -> None:
    """A name at the command line of an installation without staff has an operator's rights."""
    person = work.staff.get(staff_id)
    role = person.role if person is not None else SUPERVISOR
    missing = [pend.code for pend in pends if not covers(role, pend.role or REVIEWER)]
    if missing:
        raise RightMissingError(missing)


def _require_not_waiting(case: Case) -> None:
    if case.state is CaseState.WAITING:
        raise ConflictError(
            "正在等申请人补充材料，收到或到期后再办", "the case waits for the citizen's material"
        )


def resolve(
    deps: ReviewServices, case_id: str, staff_id: str, partial: Partial
) -> list[PendReason]:
    """Resolve some of the open reasons, with rulings on their lines; returns those still left.

    A reason resolved before in this step with the same words stays as it is; other words are
    refused. The reasons take effect when the case is decided.
    """
    reason, rulings = partial.reason, partial.rulings
    pend_ids = tuple(dict.fromkeys(partial.pend_ids))
    require_signed(staff_id, reason)
    with deps.work() as work:
        case, claim = lock_case(work, case_id)
        step = require_holder(work, case, staff_id)
        _require_not_waiting(case)
        pends = open_pends(work, claim.id)
        known = {pend.id: pend for pend in pends}
        if not pend_ids or any(pend_id not in known for pend_id in pend_ids):
            raise ReviewRefusedError(
                "所选事项不在待核对的事项里", "not one of the open reasons of this case"
            )
        _require_rights(work, staff_id, [known[pend_id] for pend_id in pend_ids])
        adjudicate_under(deps, work, case, rulings)
        done = {
            one.pend_id: one
            for one in work.reviews.resolutions_of(case.id)
            if one.step is step.step
        }
        for position, pend_id in enumerate(pend_ids):
            wanted = rulings if position == 0 else ()
            if pend_id in done:
                if (done[pend_id].resolution, done[pend_id].rulings) != (reason.strip(), wanted):
                    raise ConflictError(
                        "这一事项在本环节已处理过", "this reason was resolved in this step already"
                    )
                continue
            work.reviews.add_resolution(
                Resolution(
                    case_id=case.id,
                    step=step.step,
                    pend_id=pend_id,
                    staff_id=staff_id,
                    resolution=reason.strip(),
                    rulings=wanted,
                    resolved_at=deps.clock.now(),
                )
            )
            done[pend_id] = work.reviews.resolutions_of(case.id)[-1]
        work.commit()
    return [pend for pend in pends if pend.id not in done]


def find(deps: ReviewServices, case_id: str, staff_id: str, verdict: Verdict) -> Case:
    """Finish the step that this person holds: approve or refuse, resolving every reason at once.

    The next step is opened, or the case is decided. The same finding again by the same person
    changes nothing.
    """
    require_signed(staff_id, verdict.reason)
    with deps.work() as work:
        case, claim = lock_case(work, case_id)
        if _is_repeated(work, case, staff_id, verdict):
            return case
        case = _finish_step(deps, work, (case, claim), staff_id, verdict)
        work.commit()
    return case


def _is_repeated(work: ReviewWork, case: Case, staff_id: str, verdict: Verdict) -> bool:
    mine = [one for one in work.reviews.findings_of(case.id) if one.staff_id == staff_id]
    said = (verdict.outcome, verdict.reason.strip())
    return any(
        (one.outcome, one.reason) == said and verdict.rulings in (None, one.rulings) for one in mine
    )


def _finish_step(
    deps: ReviewServices,
    work: ReviewWork,
    locked: tuple[Case, Claim],
    staff_id: str,
    verdict: Verdict,
) -> Case:
    case, claim = locked
    step = require_holder(work, case, staff_id)
    _require_not_waiting(case)
    _require_rights(work, staff_id, open_pends(work, claim.id))
    settled = verdict.rulings
    if settled is None:
        settled = proposed_rulings(work, case)
    eob = adjudicate_under(deps, work, case, settled)
    if verdict.outcome is Outcome.APPROVE:
        ruled = {one.line_index for one in (*work.claims.rulings_of(claim.id), *settled)}
        _require_ruled(eob, [p for p in open_pends(work, claim.id) if p.line_index not in ruled])
    now = deps.clock.now()
    work.reviews.add_finding(
        StepFinding(
            case_id=case.id,
            step=step.step,
            staff_id=staff_id,
            outcome=verdict.outcome,
            reason=verdict.reason.strip(),
            rulings=settled,
            paid_fen=eob.paid_fen,
            found_at=now,
        )
    )
    work.reviews.update_step(case.id, step.step, finished_at=now, held_until=None)
    findings = work.reviews.findings_of(case.id)
    at_stake = max(case.amount_fen, *(one.paid_fen for one in findings))
    following = next_step(
        case.risk, [one.finding for one in findings], at_stake, deps.settings.review
    )
    if following is not None:
        open_step(deps, work, case, following, step.position + 1)
        return case
    by = display_name(work, staff_id)
    conclusion = Conclusion(verdict.outcome, settled, by, verdict.reason.strip())
    return conclude_case(deps, work, case, conclusion)


def _require_ruled(eob: ExplanationOfBenefits, unruled: Sequence[PendReason]) -> None:
    """An approval that leaves the whole bill unpaid, because nobody ruled on what is not known of
    its lines, would be a refusal under the word approved. A claim without a rule is not meant: it
    waits for one after its approval."""
    codes = {pend.code for pend in unruled}
    if PARTLY_REVERSED in codes:
        raise ReviewRefusedError(
            "红票退了一部分的项目还没有逐行裁定，批准会多报。请先逐行裁定（limit 按余额，"
            "exclude 全部退了），或选择不批准并写明理由",
            "a red bill took back part of lines that have no ruling yet, too much would be paid: "
            "rule on them (limit to what is left, exclude) or refuse with a reason",
        )
    if eob.outcome is Benefit.REFUSED and codes & _UNKNOWN_LINES and "no-rule" not in codes:
        raise ReviewRefusedError(
            "没有识别的项目还没有逐行裁定，批准后一分不报。请先逐行裁定（match、confirm、exclude），"
            "或选择不批准并写明理由",
            "nothing would be paid, as the lines that are not known have no ruling yet: rule on "
            "them (match, confirm, exclude) or refuse with a reason",
        )


def display_name(work: ReviewWork, staff_id: str) -> str:
    """The name that stands in decisions: of a member of staff, with the username that tells
    people of one name apart; else the name given at the command line."""
    person = work.staff.get(staff_id)
    if person is None:
        return staff_id.removeprefix("name:")
    return f"{person.name}（{person.username}）"[:NAME_MAX]


def find_by_name(deps: ReviewServices, number: str, reviewer: str, verdict: Verdict) -> Case:
    """Finish the open step of a claim's case for a person who is named at the command line. The
    open reasons of a claim come before an appeal or another case about it.

    Raises :class:`ConflictError` when nothing of the claim waits for a person, and what
    :func:`backend.service_layer.review.assignment.take_named` raises.
    """
    require_signed(reviewer, verdict.reason)
    with deps.work() as work:
        claim = work.claims.by_number(number)
        work.people.lock(claim.person_id)
        claim = work.claims.get(claim.id, lock=True)
        live = work.reviews.live_cases_of(claim.id)
        if not live or open_pends(work, claim.id):
            live = [open_claim_case(deps, work, claim)]
        case = work.reviews.get_case(live[0].id, lock=True)
        staff_id = take_named(deps, work, case, reviewer.strip())
        case = _finish_step(deps, work, (case, claim), staff_id, verdict)
        work.commit()
    return case


def ruling_of(entry: dict[str, Any]) -> LineRuling:
    """A ruling as a reviewer states it: line, kind, what belongs to the kind, and the basis in
    Chinese; the system adds under which rule it stands. Raises :class:`ReviewRefusedError`."""
    known = {"line_index", "kind", "catalogue_code", "limit_fen", "basis_zh", "basis_en"}
    index, limit = entry.get("line_index"), entry.get("limit_fen")
    texts = [entry.get(name, "") for name in ("kind", "catalogue_code", "basis_zh", "basis_en")]
    is_whole = (
        set(entry) <= known
        and type(index) is int
        and (limit is None or type(limit) is int)
        and all(
            isinstance(text, str) and len(text) <= REASON_MAX and "\x00" not in text
            for text in texts
        )
        and texts[0] in set(RulingKind)
        and texts[2].strip()
    )
    if not is_whole or not isinstance(index, int):
        raise ReviewRefusedError(
            "逐行裁定要写明行号、种类和依据",
            "a ruling has line_index, kind (match, confirm, exclude, limit) and basis_zh; "
            "match has catalogue_code, limit has limit_fen",
        )
    kind, code, zh, en = texts
    return LineRuling(
        line_index=index,
        kind=RulingKind(kind),
        rule_id=f"review-{kind}",
        basis_zh=zh.strip(),
        basis_en=en.strip() or RULED_ON_REVIEW,
        catalogue_code=code.strip(),
        limit_fen=limit,
    )


def history_of_case(work: Any, claim: Claim, case: Case) -> History | None:
    """The year's totals on which the people of a case decide."""
    if case.kind is CaseKind.REVISION and case.subject_id is not None:
        found = work.revisions.get(case.subject_id)
        if found is not None:
            return history_of_cause(work, claim, found.request.code)
    return history_in_effect(work, claim)
