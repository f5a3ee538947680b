"""The citizen withdraws a claim before its decision takes effect (撤回), or has a clerk do it.

The lock on the ledger is given back first, then the bill can be claimed again under a new number.
Withdrawing and deciding take the same locks, so that exactly one of the two happens.
"""

from __future__ import annotations

from typing import Final

from backend.domain.claim import WITHDRAWABLE_STATES, ClaimState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.explanation import Outcome
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.domain.revision import TEXT_MAX
from backend.service_layer.claims.holds import are_payouts_held
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.revision_records import WITHDRAWN, ClaimEvent
from backend.service_layer.claims.stages import wait_for
from backend.service_layer.failpoints import reach
from backend.service_layer.handling.closing import enqueue_release
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.year_totals import recalculate_year
from backend.service_layer.review.cases import close_cases_of
from backend.service_layer.review.decide import display_name, require_signed

REASON_WITHDRAWN: Final = 0  # ReleaseReason.Withdrawn of the contract
BY_CITIZEN: Final = "citizen"
_GONE: Final = (ClaimState.WITHDRAWING, ClaimState.WITHDRAWN)
_LOCKED: Final = (ClaimState.LODGED, ClaimState.PENDED, ClaimState.DECIDED)


class WithdrawRefusedError(ConflictError):
    """The claim can no longer be withdrawn; nothing was changed."""

    code = "withdraw-refused"


def withdraw(deps: HandlingServices, person_id: str, claim_id: str, text: str = "") -> Claim:
    """Withdraw a claim of this person; the same again changes nothing.

    Raises :class:`WithdrawRefusedError` once a decision is on the ledger or on its way there, for
    a refusal, and while the ledger is known to disagree with this database.
    """
    return _withdraw_locked(deps, person_id, claim_id, text, BY_CITIZEN)


def withdraw_on_request(deps: HandlingServices, number: str, clerk: str, text: str) -> Claim:
    """Withdraw a claim for a citizen who asked at the window or by telephone.

    The name of the clerk is kept with it; where staff are registered it is that of one of them.
    Raises :class:`ReviewRefusedError` without a name or words, else as :func:`withdraw`.
    """
    require_signed(clerk, text)
    with deps.work(write=False) as work:
        claim = work.claims.by_number(number)
        active = [one for one in work.staff.find(clerk.strip()) if one.is_active]
        if work.staff.all() and len(active) != 1:
            raise WithdrawRefusedError(
                f"没有唯一的在职工作人员“{clerk}”，请写用户名",
                f"there is no one active member of staff called {clerk}: give the username",
            )
        by = display_name(work, active[0].id) if active else clerk.strip()
    return _withdraw_locked(deps, claim.person_id, claim.id, text, by)


def _withdraw_locked(
    deps: HandlingServices, person_id: str, claim_id: str, text: str, by: str
) -> Claim:
    if len(text) > TEXT_MAX:
        raise DomainError(
            f"说明不能超过 {TEXT_MAX} 字",
            f"the reason has more than {TEXT_MAX} characters",
            code="withdraw-refused",
        )
    with deps.work() as work:
        work.people.lock(person_id)
        claim = work.claims.get(claim_id, lock=True)
        if claim.person_id != person_id:
            raise NotFoundError("没有这笔申请", "there is no such claim")
        if claim.state in _GONE:
            return claim
        _require_withdrawable(work, claim)
        _withdraw(deps, work, claim, text.strip(), by)
        work.commit()
    reach("claims.withdraw-asked")
    with deps.work(write=False) as work:
        return work.claims.get(claim_id)


def can_withdraw(work: HandlingWork, claim: Claim) -> bool:
    """Whether the page offers it."""
    decision = work.decisions.latest(claim.id)
    is_refusal = decision is not None and decision.outcome == Outcome.REFUSED
    return claim.state in WITHDRAWABLE_STATES and not (
        claim.state is ClaimState.DECIDED and is_refusal
    )


def _require_withdrawable(work: HandlingWork, claim: Claim) -> None:
    if not can_withdraw(work, claim):
        raise WithdrawRefusedError(
            f"{claim.number} 已经核定并登记，不能再撤回。对结果有不同意见，可以申请复核。",
            f"{claim.number} is decided on the ledger; it can be appealed, not withdrawn",
        )
    if are_payouts_held(work):
        raise WithdrawRefusedError(
            "系统正在与账本核对，现在不能撤回，请稍后再试。申请没有变化。",
            "the ledger is being reconciled; withdraw later, nothing was changed",
        )


def _withdraw(deps: HandlingServices, work: HandlingWork, claim: Claim, text: str, by: str) -> None:
    now = deps.clock.now()
    note_withdrawal(deps, work, claim, text, by)
    work.claims.resolve_pends(claim.id, by, "申请人撤回", now)
    close_cases_of(deps, work, claim.id)
    if claim.state in _LOCKED or holds_lock(work, claim):
        _give_back(deps, work, claim)
    elif claim.state is ClaimState.LODGING:
        # The lock may be on its way: its outcome is awaited, then it is given back.
        work.claims.update(
            claim.id, claim.state, now, state=ClaimState.WITHDRAWING, waiting_for=None
        )
        recalculate_year(deps, work, claim)
    else:
        _close(deps, work, claim)


def note_withdrawal(
    deps: HandlingServices, work: HandlingWork, claim: Claim, text: str, by: str
) -> None:
    """Keep that the claim was withdrawn, from which state and with which words."""
    work.revisions.add_event(
        ClaimEvent(
            id=deps.ids.new_id("evt"),
            claim_id=claim.id,
            kind=WITHDRAWN,
            decision_version=claim.decision_version,
            state_before=str(claim.state),
            code="asked",
            text=text,
            by=by,
            at=deps.clock.now(),
        )
    )


def holds_lock(work: HandlingWork, claim: Claim) -> bool:
    """Whether the ledger has carried out the lodge of the claim's present counter."""
    lodge = _of_counter(work, claim, IntentKind.LODGE)
    return lodge is not None and lodge.is_final and lodge.took_effect


def _of_counter(work: HandlingWork, claim: Claim, kind: IntentKind) -> LedgerIntent | None:
    found = [
        intent
        for intent in work.outbox.of_subject(claim.id, kind)
        if claim.lodge_counter is not None and intent.payload["counter"] == claim.lodge_counter
    ]
    return found[-1] if found else None


def _give_back(deps: HandlingServices, work: HandlingWork, claim: Claim) -> None:
    enqueue_release(deps, work, claim, REASON_WITHDRAWN, None, state=ClaimState.WITHDRAWING)


def _close(deps: HandlingServices, work: HandlingWork, claim: Claim) -> None:
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        state=ClaimState.WITHDRAWN,
        live_invoice_id=None,
        waiting_for=None,
    )
    recalculate_year(deps, work, claim)


def advance_withdrawal(deps: HandlingServices, claim: Claim) -> bool:
    """withdrawing -> withdrawn once nothing of the claim is locked on the ledger any more."""
    with deps.work(write=False) as work:
        lodge = _of_counter(work, claim, IntentKind.LODGE)
        release = _of_counter(work, claim, IntentKind.RELEASE)
    awaited = release or lodge
    if awaited is not None and not awaited.is_final:
        is_stuck = awaited.state is IntentState.QUARANTINED
        return wait_for(deps, claim, "operator") if is_stuck else False
    if release is not None and not release.took_effect and release.outcome != "stale":
        with deps.work() as work:
            work.alarms.raise_alarm("release-refused", claim.id, f"{release.outcome}")
            work.commit()
        return wait_for(deps, claim, "operator")
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        if release is None and lodge is not None and lodge.took_effect:
            _give_back(deps, work, claim)
        else:
            _close(deps, work, claim)
        work.commit()
    reach("claims.withdrawn")
    return True
