"""Who may do a step: nobody does two of them on one bill.

The one exception is that whoever hands a picture in at the window may type it as well; another
person compares, another checks the document, another confirms.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from backend.domain.review import covers
from backend.service_layer.claims.records import FROM_OUTSIDE, Claim
from backend.service_layer.outside.errors import StepRefusedError
from backend.service_layer.outside.records import (
    CITIZEN,
    OutsideBill,
    OutsideState,
    OutsideStep,
    StepKind,
)
from backend.service_layer.outside.services import OutsideServices

NAME_MAX: Final = 60
REASON_MAX: Final = 500
_MAY_BE_ONE: Final = frozenset({StepKind.UPLOAD, StepKind.TYPE})
_NOBODY: Final = frozenset({CITIZEN, "machine", "system"})


def same_person(one: str, other: str) -> bool:
    """Whether two names are one: width, case and spaces tell nobody apart."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def require_signed(by: str, reason: str) -> None:
    """A step names a person and gives a reason. Raises StepRefusedError."""
    is_person = _plain(by) not in _NOBODY and 0 < len(by.strip()) <= NAME_MAX
    if not is_person or not 0 < len(reason.strip()) <= REASON_MAX:
        raise StepRefusedError(
            "not-signed",
            f"请写明经办人姓名（{NAME_MAX} 字内）和理由（{REASON_MAX} 字内）；机器不能办这一步",
            f"name the person (up to {NAME_MAX}) and the reason (up to {REASON_MAX} characters); "
            "no machine takes this step",
        )


def sign_as(work: Any, by: str, reason: str, role: str = "") -> str:
    """The name that a step is signed with. Where staff are registered it is that of one of them,
    who has the role (empty: any); on an installation without any, the name itself.

    Raises StepRefusedError.
    """
    require_signed(by, reason)
    if not work.staff.all():
        return by.strip()
    known = work.staff.find(by.strip())
    if len(known) != 1 or (role and not covers(known[0].role, role)):
        raise StepRefusedError(
            "not-staff",
            f"工作人员里没有能办这一步的“{by}”，请写用户名",
            f"no one member of staff called {by} may do this step: give the username",
        )
    return shown_name(known[0])


def shown_name(person: Any) -> str:
    """A member of staff as named in steps and decisions (review.decide.display_name)."""
    return f"{person.name}（{person.username}）"[:NAME_MAX]


def hands_of(work: Any, claim: Any) -> tuple[str, ...]:
    """The members of staff who did a step of the claim's bill from outside, as review knows them:
    they may not review it. Empty for any other claim."""
    bill = work.outside.of_invoice(claim.invoice_id) if claim.origin == FROM_OUTSIDE else None
    if bill is None:
        return ()
    names = {
        step.by
        for step in work.outside.steps_of(bill.id)
        if step.step is not StepKind.LOOK and _plain(step.by) not in _NOBODY
    }
    staff = {shown_name(person): person.id for person in work.staff.all()}
    return tuple(sorted(staff.get(name, f"name:{name}"[:60]) for name in names))


def require_new_hand(work: Any, bill: OutsideBill, step: StepKind, by: str) -> None:
    """Raise StepRefusedError when the person has done another step of this bill."""
    for done in work.outside.steps_of(bill.id):
        if done.step is StepKind.LOOK or not same_person(done.by, by):
            continue
        if {done.step, step} <= _MAY_BE_ONE:
            continue
        raise StepRefusedError(
            "same-person",
            f"{by} 已办过这张票据的“{STEP_TITLES[done.step][0]}”，这一步要由另一个人办",
            f"{by} has done the step {done.step} of this bill; another person takes this one",
        )


def require_state(bill: OutsideBill, *states: OutsideState) -> None:
    """Raise StepRefusedError when the bill is not where the step begins."""
    if bill.state in states:
        return
    title = STATE_TITLES[bill.state]
    raise StepRefusedError(
        "wrong-state",
        f"外来票据 {bill.number} 现在是“{title[0]}”，不能办这一步",
        f"bill {bill.number} is {title[1]}: this step is not possible now",
    )


def add_step(
    deps: OutsideServices,
    work: Any,
    bill: OutsideBill,
    step: StepKind,
    outcome: str,
    *,
    by: str,
    reason: str = "",
    content: dict[str, Any] | None = None,
) -> None:
    """Record, for ever, what one person did."""
    work.outside.add_step(
        OutsideStep(
            id=deps.ids.new_id("ost"),
            bill_id=bill.id,
            step=step,
            outcome=outcome,
            by=by.strip(),
            reason=reason.strip(),
            content=content or {},
            at=deps.clock.now(),
        )
    )


STEP_TITLES: Final = {
    StepKind.UPLOAD: ("交件", "handed in"),
    StepKind.TYPE: ("录入", "typed"),
    StepKind.COMPARE: ("复录比对", "compared"),
    StepKind.CARE_PLACE: ("就医地审核", "checked at the place of care"),
    StepKind.INSURED_PLACE: ("参保地确认", "confirmed at the insured place"),
    StepKind.SYSTEM: ("系统", "by itself"),
    StepKind.WITHDRAW: ("撤回", "withdrawn"),
    StepKind.LOOK: ("查看文件", "took a file"),
}

STATE_TITLES: Final = {
    OutsideState.TYPING: ("等待录入", "waiting to be typed"),
    OutsideState.COMPARING: ("等待复录比对", "waiting to be compared"),
    OutsideState.CHECKING: ("等待就医地审核", "waiting for the check at the place of care"),
    OutsideState.ANCHORING: ("已审核，正在上链", "checked, being anchored by the agency"),
    OutsideState.ACCEPTED: ("已受理", "a claim"),
    OutsideState.MATCHED: ("医院已上传", "the hospital's own record is here"),
    OutsideState.REFUSED: ("没有收下", "refused"),
    OutsideState.WITHDRAWN: ("已撤回", "withdrawn"),
}


def sign_for_insured_place(
    deps: Any, work: Any, claim: Claim, by: str, reason: str, *, approves: bool
) -> None:
    """Record the decision of the insured place on a claim from outside; nothing for another.

    Raises StepRefusedError for the hand that did another step of the bill.
    """
    if claim.origin != FROM_OUTSIDE:
        return
    bill = work.outside.of_invoice(claim.invoice_id)
    if bill is None:
        raise StepRefusedError(
            "no-outside-bill",
            "找不到这笔申请的外来票据，不能确认",
            "the bill from outside of this claim is not here; it cannot be confirmed",
        )
    require_signed(by, reason)
    require_new_hand(work, bill, StepKind.INSURED_PLACE, by)
    outcome = "approved" if approves else "refused"
    add_step(
        deps, work, bill, StepKind.INSURED_PLACE, outcome, by=by, reason=reason,
        content={"claim": claim.number},
    )  # fmt: skip
