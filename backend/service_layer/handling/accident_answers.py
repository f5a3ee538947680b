"""What people do about an accident claim: declare, correct its kind, exclude it by a code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from backend.domain.accident import APPEAL_ZH, EXCLUSIONS, Accident, Excuse
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.policy import PolicyError
from backend.service_layer.audit_rules.audit_claim import claim_facts
from backend.service_layer.claims.accident import (
    DECLARATION,
    MAY_ANSWER,
    accident_of,
    add_declaration,
    may_declare,
    store_accident,
)
from backend.service_layer.claims.benefits import pick_pack
from backend.service_layer.claims.clocks import move_case_clock
from backend.service_layer.claims.declaration_records import BY_CITIZEN, Declaration, Subject
from backend.service_layer.claims.records import ACCIDENT, ORDINARY, Claim
from backend.service_layer.handling.ask_again import ask_again
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.screen_step import too_late_reason
from backend.service_layer.review.decide import require_signed

if TYPE_CHECKING:
    from backend.service_layer.review.records import Case

REVIEWER_WAITS: Final = "reviewer"
KINDS: Final = (ORDINARY, ACCIDENT)


class DeclarationClosedError(ConflictError):
    """The claim takes no declaration (any more), or its kind can no longer be corrected."""

    code = "declaration-closed"


class UnknownCodeError(DomainError):
    """No such kind of claim, or no such exclusion."""

    code = "accident-code-unknown"


def declare(
    deps: HandlingServices,
    person_id: str,
    claim_id: str,
    accident: Accident,
    *,
    by: str = BY_CITIZEN,
) -> Declaration:
    """Store the declaration of an accident claim and let the claim go on.

    ``by`` is ``citizen`` or names who acts for them. Sent twice it is one declaration; a changed
    one is the next version. Raises NotFoundError for somebody else's claim and
    :class:`DeclarationClosedError` once it is decided.
    """
    with deps.work() as work:
        work.people.lock(person_id)
        claim = work.claims.get(claim_id, lock=True)
        if claim.person_id != person_id:
            raise NotFoundError("没有这笔申请", "there is no such claim")
        if not may_declare(claim):
            raise _closed(claim, "受伤经过的说明", "declaration of the accident")
        before, known = claim_facts(work, claim), accident_of(work, claim.id)
        stored = store_accident(deps, work, claim, accident, by)
        if claim.waiting_for == DECLARATION:
            what = REVIEWER_WAITS if claim.state is ClaimState.PENDED else None
            work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for=what)
        move_case_clock(deps, work, claim)
        if stored != known:
            ask_again(deps, work, claim, before, stored)
        work.commit()
    return stored


def excuse_later(
    deps: HandlingServices, person_id: str, claim_id: str, excuse: Excuse, *, by: str = BY_CITIZEN
) -> Declaration:
    """Store why a claim was filed late, after it was sent, and ask the rules again.

    The same excuse twice is one; another one is the next version. Raises NotFoundError for
    somebody else's claim, :class:`DeclarationClosedError` for one that is decided or was in time.
    """
    with deps.work() as work:
        work.people.lock(person_id)
        claim = work.claims.get(claim_id, lock=True)
        if claim.person_id != person_id:
            raise NotFoundError("没有这笔申请", "there is no such claim")
        if claim.state not in MAY_ANSWER:
            raise _closed(claim, "逾期的理由", "excuse of a late filing")
        if not _is_late(deps, work, claim):
            raise DeclarationClosedError(
                "这笔申请没有过报销期限，不用说明理由", "this claim was not filed late"
            )
        content = {"code": excuse.code, "text": excuse.text}
        known = work.declarations.of_claim(claim.id, Subject.LATE)
        if known and known[-1].content == content:
            return known[-1]
        before = claim_facts(work, claim)
        stored = add_declaration(deps, work, claim, Subject.LATE, content, by=by)
        ask_again(deps, work, claim, before, stored)
        work.commit()
    return stored


def _is_late(deps: HandlingServices, work: HandlingWork, claim: Claim) -> bool:
    """Past the limit of its pack, or found late by a rule."""
    if any(hit.rule_code.startswith("late-") for hit in work.audit_rules.hits_of(claim.id)):
        return True
    try:
        pack = pick_pack(deps.packs, deps.settings.region, claim.service_on)
    except PolicyError:  # no policy, no limit
        return False
    return too_late_reason(pack, claim) is not None


def _closed(claim: Claim, what_zh: str, what_en: str) -> DeclarationClosedError:
    """What comes after the decision is a matter of an appeal: nothing decided changes silently."""
    if claim.state in MAY_ANSWER:
        return DeclarationClosedError(
            f"这笔申请现在不用{what_zh}", f"no {what_en} is asked for on this claim now"
        )
    return DeclarationClosedError(
        f"这笔申请已经有结果，不再收{what_zh}；有新的情况，请在这笔申请的页面申请复核，"
        "理由选“我有新的材料”",
        f"the claim is decided or over and takes no {what_en}: appeal on its page, with the reason "
        "that there is new material",
    )


def correct_kind(deps: HandlingServices, number: str, kind: str, by: str, reason: str) -> Claim:
    """A person says that the claim is, or is not, an accident claim; who, when and why are kept.

    A claim that becomes one asks its person for the declaration and goes to a person for the check
    of third parties. Of one that no longer is, this check stays for the reviewer to resolve. The
    audit rules are asked again, as after a declaration.
    """
    require_signed(by, reason)
    with deps.work() as work:
        work.people.lock(work.claims.by_number(number).person_id)
        claim = work.claims.get(work.claims.by_number(number).id, lock=True)
        corrected = correct_locked(deps, work, claim, (kind, reason), by=by)
        work.commit()
    return corrected


def correct_locked(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    kind_and_reason: tuple[str, str],
    *,
    by: str,
) -> Claim:
    """:func:`correct_kind` of a locked claim; the caller commits."""
    kind, reason = kind_and_reason
    if kind not in KINDS:
        raise UnknownCodeError(f"没有“{kind}”这种申请", f"there is no kind of claim {kind}")
    if claim.kind == kind:
        return claim
    if not may_declare(replace(claim, kind=ACCIDENT)):
        raise DeclarationClosedError(
            f"{claim.number} 已经核定或结束，不能再改类型", f"{claim.number} is decided or over"
        )
    content = {"from": claim.kind, "to": kind, "reason": reason.strip()}
    before = claim_facts(work, claim)
    stored = add_declaration(deps, work, claim, Subject.KIND, content, by=by.strip())
    corrected = replace(claim, kind=kind)
    waits = claim.waiting_for
    if kind == ACCIDENT and claim.state is ClaimState.PENDED and waits == REVIEWER_WAITS:
        waits = DECLARATION if accident_of(work, claim.id) is None else waits
    elif kind == ORDINARY and waits == DECLARATION:
        waits = REVIEWER_WAITS if claim.state is ClaimState.PENDED else None
    work.claims.update(claim.id, claim.state, deps.clock.now(), kind=kind, waiting_for=waits)
    move_case_clock(deps, work, replace(corrected, waiting_for=waits))
    ask_again(deps, work, replace(corrected, waiting_for=waits), before, stored)
    return replace(corrected, waiting_for=waits)


def exclude(deps: HandlingServices, number: str, code: str, by: str, reason: str) -> Case:
    """Finish the open step of review with a refusal for a coded reason, the way to appeal said.

    To pay a part, approve with rulings that limit or exclude lines instead.
    """
    from backend.service_layer.handling.review import refuse_pended

    words = exclusion_words(code, by, reason)
    return refuse_pended(deps, number, by, words)


def exclusion_words(code: str, by: str, reason: str) -> str:
    """The reason that the citizen reads: code, its words, the reviewer's, the way to appeal.

    Raises :class:`UnknownCodeError` and :class:`ReviewRefusedError`.
    """
    if code not in EXCLUSIONS:
        raise UnknownCodeError(
            f"没有不予支付的理由“{code}”，可用：{'、'.join(EXCLUSIONS)}",
            f"no exclusion {code}; one of {', '.join(EXCLUSIONS)}",
        )
    require_signed(by, reason)
    return f"{code} {EXCLUSIONS[code][0]}：{reason.strip()}。{APPEAL_ZH}"
