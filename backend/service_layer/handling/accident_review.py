"""What the holder of a step does about an accident claim: its kind, the declaration, exclusions."""

from __future__ import annotations

from dataclasses import replace

from backend.domain.accident import EXCLUSIONS, UNDERTAKING
from backend.domain.errors import ConflictError
from backend.domain.review import Outcome
from backend.domain.ruling import LineRuling, RulingKind
from backend.service_layer.claims.accident import DECLARATION, accident_of, may_declare
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.revision_records import ASKED_TO_DECLARE, ClaimEvent
from backend.service_layer.handling.accident_answers import (
    DeclarationClosedError,
    correct_locked,
    exclusion_words,
)
from backend.service_layer.handling.ports import HandlingServices
from backend.service_layer.review.assignment import require_holder
from backend.service_layer.review.decide import (
    ReviewRefusedError,
    Verdict,
    display_name,
    find,
    lock_case,
    proposed_rulings,
    require_signed,
)
from backend.service_layer.review.records import Case


def set_kind(deps: HandlingServices, case_id: str, staff_id: str, kind: str, reason: str) -> Claim:
    """Correct whether the claim of a case is an accident claim; only for who holds the step.

    Raises NotYoursError, TwoStepsError and what ``accident_answers.correct_kind`` raises.
    """
    require_signed(staff_id, reason)
    with deps.work() as work:
        case, claim = lock_case(work, case_id)
        require_holder(work, case, staff_id)
        by = display_name(work, staff_id)
        corrected = correct_locked(deps, work, claim, (kind, reason), by=by)
        work.commit()
    return corrected


def ask_to_declare(deps: HandlingServices, case_id: str, staff_id: str, reason: str) -> Claim:
    """Ask the citizen for the declaration with the undertaking that is in force; the claim's page
    shows the form, and the case stays with its reviewer. Asked for already, nothing changes.

    Raises NotYoursError, :class:`DeclarationClosedError` for a claim that takes no declaration and
    ConflictError where this undertaking was signed.
    """
    require_signed(staff_id, reason)
    with deps.work() as work:
        case, claim = lock_case(work, case_id)
        require_holder(work, case, staff_id)
        if not may_declare(claim):
            raise DeclarationClosedError(
                "这笔申请不是意外伤害或已有结果，没有发出要求；是意外伤害的，先改类型",
                "it is no accident claim or is decided, and nothing was asked: where it is one, "
                "correct its kind first",
            )
        declared = accident_of(work, claim.id)
        if declared is not None and declared.undertaking_version == UNDERTAKING.version:
            raise ConflictError(
                f"承诺书第 {UNDERTAKING.version} 版已经签过，没有再要求；要别的材料请用补充材料",
                f"undertaking {UNDERTAKING.version} is signed and nothing was asked: ask for other "
                "material with a request for material",
            )
        if claim.waiting_for == DECLARATION:
            return claim
        now = deps.clock.now()
        work.claims.update(claim.id, claim.state, now, waiting_for=DECLARATION)
        work.revisions.add_event(
            ClaimEvent(
                id=deps.ids.new_id("evt"),
                claim_id=claim.id,
                kind=ASKED_TO_DECLARE,
                decision_version=claim.decision_version,
                state_before=str(claim.state),
                code="",
                text=reason.strip(),
                by=display_name(work, staff_id),
                at=now,
            )
        )
        work.commit()
    return replace(claim, waiting_for=DECLARATION)


def exclude_in_case(
    deps: HandlingServices,
    case_id: str,
    staff_id: str,
    coded: tuple[str, str],
    lines: tuple[int, ...] = (),
) -> Case:
    """Finish the step that this person holds for a coded reason (code, words): without ``lines``
    nothing of the claim is paid, with them these lines are excluded and the rest is approved as
    proposed so far. The same again changes nothing.

    Raises UnknownCodeError for the code and what ``decide.find`` raises.
    """
    code, reason = coded
    words = exclusion_words(code, staff_id, reason)
    if not lines:
        return find(deps, case_id, staff_id, Verdict(Outcome.REFUSE, words))
    if len(set(lines)) != len(lines) or min(lines) < 0:
        raise ReviewRefusedError("行号不能重复，从 0 起", "lines count from 0 and stand once each")
    zh, en = EXCLUSIONS[code]
    excluded = tuple(
        LineRuling(
            line_index=line,
            kind=RulingKind.EXCLUDE,
            rule_id="review-exclude",
            basis_zh=f"{code} {zh}：{reason.strip()}",
            basis_en=f"{code}: {en}",
        )
        for line in sorted(lines)
    )
    with deps.work(write=False) as work:
        before = proposed_rulings(work, work.reviews.get_case(case_id))
    kept = tuple(one for one in before if one.line_index not in set(lines))
    rulings = tuple(sorted((*kept, *excluded), key=lambda one: one.line_index))
    return find(deps, case_id, staff_id, Verdict(Outcome.APPROVE, words, rulings))
