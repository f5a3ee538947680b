"""What people do about an accident claim: declare, correct its kind, exclude it by a code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from backend.domain.accident import APPEAL_ZH, EXCLUSIONS, Accident
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.service_layer.claims.accident import (
    DECLARATION,
    accident_of,
    add_declaration,
    check_reason,
    may_declare,
    store_accident,
)
from backend.service_layer.claims.declaration_records import BY_CITIZEN, Declaration, Subject
from backend.service_layer.claims.ports import ClaimServices
from backend.service_layer.claims.records import ACCIDENT, ORDINARY, Claim
from backend.service_layer.claims.screen_step import raise_pends
from backend.service_layer.review.decide import require_signed

if TYPE_CHECKING:
    from backend.service_layer.review.ports import ReviewServices
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
    deps: ClaimServices,
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
            raise DeclarationClosedError(
                "这笔申请现在不用说明受伤经过", "no declaration is asked for on this claim now"
            )
        stored = store_accident(deps, work, claim, accident, by)
        if claim.waiting_for == DECLARATION:
            what = REVIEWER_WAITS if claim.state is ClaimState.PENDED else None
            work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for=what)
        work.commit()
    return stored


def correct_kind(deps: ClaimServices, number: str, kind: str, by: str, reason: str) -> Claim:
    """A person says that the claim is, or is not, an accident claim; who, when and why are kept.

    A claim that becomes one asks its person for the declaration and goes to a person for the check
    of third parties. Of one that no longer is, open reasons stay for the reviewer to resolve.
    """
    require_signed(by, reason)
    if kind not in KINDS:
        raise UnknownCodeError(f"没有“{kind}”这种申请", f"there is no kind of claim {kind}")
    with deps.work() as work:
        work.people.lock(work.claims.by_number(number).person_id)
        claim = work.claims.get(work.claims.by_number(number).id, lock=True)
        if claim.kind == kind:
            return claim
        if not may_declare(replace(claim, kind=ACCIDENT)):
            raise DeclarationClosedError(
                f"{number} 已经核定或结束，不能再改类型", f"{number} is decided or over"
            )
        content = {"from": claim.kind, "to": kind, "reason": reason.strip()}
        add_declaration(deps, work, claim, Subject.KIND, content, by=by.strip())
        corrected = replace(claim, kind=kind)
        if kind == ACCIDENT and claim.state is not ClaimState.SUBMITTED:
            raise_pends(deps, work, corrected, (check_reason(work, corrected),))
        waits = claim.waiting_for
        if kind == ACCIDENT and claim.state is ClaimState.PENDED and waits == REVIEWER_WAITS:
            waits = DECLARATION if accident_of(work, claim.id) is None else waits
        elif kind == ORDINARY and waits == DECLARATION:
            waits = REVIEWER_WAITS if claim.state is ClaimState.PENDED else None
        work.claims.update(claim.id, claim.state, deps.clock.now(), kind=kind, waiting_for=waits)
        work.commit()
        return replace(corrected, waiting_for=waits)


def exclude(deps: ReviewServices, number: str, code: str, by: str, reason: str) -> Case:
    """Finish the open step of review with a refusal for a coded reason, the way to appeal said.

    To pay a part, approve with rulings that limit or exclude lines instead.
    """
    from backend.service_layer.claims.review import refuse_pended

    if code not in EXCLUSIONS:
        raise UnknownCodeError(
            f"没有不予支付的理由“{code}”，可用：{'、'.join(EXCLUSIONS)}",
            f"no exclusion {code}; one of {', '.join(EXCLUSIONS)}",
        )
    require_signed(by, reason)
    zh, _ = EXCLUSIONS[code]
    return refuse_pended(deps, number, by, f"{code} {zh}：{reason.strip()}。{APPEAL_ZH}")
