"""Closing a case by hand: one person says what was found, another one confirms it.

Nothing is changed by a proposal. A later proposal takes the place of the one before; whoever
confirms answers the newest. The database refuses a confirmation by the same person.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import ConflictError, DomainError
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.anchoring.adopt import open_case
from backend.service_layer.anchoring.model import Case, CaseEvent
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.claims.holds import (
    ADOPTED,
    BOOKS,
    HOLDING_ALARMS,
    LOST_CLAIM,
    show_held_payouts,
)
from backend.service_layer.claims.ports import ClaimServices

ALARM: Final = "alarm"
OVERDUE: Final = "money-case-overdue"
MISMATCH: Final = "money-mismatch"
BANK_FILE: Final = "bank-file"
"""Kind of the case of a file of the bank of which nothing was booked; its id names the message."""
CONTRADICTED: Final = "payment-contradicted"
"""The bank says of what is booked as rejected that it carried it out; the subject is its file."""
FILE_ALARMS: Final = ("bank-file-refused", "bank-file-repeated", CONTRADICTED)
_MISTAKEN: Final = 4  # ReleaseReason.Mistaken of the contract


class CaseOutcome(StrEnum):
    """What two people say of a case. ``ACCEPTED``: the figures stay different for a reason that
    was found, and payments go on. ``CORRECTED``: one side was put right; payments go on when a
    report shows that all sides agree."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"


def propose_closing(
    deps: ClaimServices, case_id: str, by: str, reason: str, outcome: CaseOutcome | None = None
) -> CaseEvent:
    """One person has dealt with a case and says how it ends. Raises DomainError when there is no
    such open case, for a mismatch of money without ``outcome``, and as :func:`acting`."""
    with deps.work() as transaction:
        work: Any = transaction
        case = _open_case(deps, work, case_id, opens_alarm=True)
        if case.kind == MISMATCH and outcome is None:
            raise DomainError(
                "请写明结果：accepted（差异有据，可以付款）"
                "或 corrected（已更正，等下次对账一致再付款）",
                "say how it ends: accepted (explained: payments go on) or corrected (put right: "
                "payments wait until a report agrees)",
                code="outcome-missing",
            )
        if case.kind != MISMATCH and outcome is CaseOutcome.CORRECTED:
            raise DomainError(
                "只有对账差异可以 corrected：别的事项没有规则会再查",
                "only a mismatch can be corrected: nothing asks again about this one",
                code="outcome-missing",
            )
        event: CaseEvent = work.reconciliation.add_event(
            case.id,
            "proposed",
            by=acting(work, by),
            text=reason.strip(),
            outcome=str(outcome or CaseOutcome.ACCEPTED),
        )
        work.commit()
    return event


def confirm_closing(deps: ClaimServices, case_id: str, by: str, reason: str) -> str:
    """Another person confirms the newest proposal, and the case is closed. Our open lock that no
    claim holds is given back; an alarm that holds payouts is closed. Returns what was done.

    Raises DomainError when there is no such open case or nothing was proposed, and
    :class:`SamePersonError`.
    """
    done = "closed"
    with deps.work() as transaction:
        work: Any = transaction
        case = _open_case(deps, work, case_id, opens_alarm=False)
        asked = _proposal(work, case.id)
        by = acting(work, by)
        require_other_person(work, asked.by, by)
        if case.kind == LOST_CLAIM and _is_locked(deps, case):
            _give_back(deps, work, case, deps.settings.payer_number)
            done = "closed; the lock is given back"
        if case.kind == ALARM:
            work.alarms.clear(case.detail["code"], case.detail["subject"])
        ends_hold = case.kind == ALARM or _held_by_books(work, case.id)
        close_by_two(work, case.id, asked, by, reason)
        work.commit()
    if ends_hold:
        show_held_payouts(deps)
    return done


def close_by_two(work: Any, case_id: str, asked: CaseEvent, by: str, reason: str) -> None:
    """Confirm a proposal and close its case with its alarms, in the caller's transaction."""
    name = by.strip()
    work.reconciliation.add_event(
        case_id,
        "confirmed",
        by=name,
        text=reason.strip(),
        outcome=asked.outcome,
        answers=asked.ordinal,
    )
    work.reconciliation.end_case(
        case_id, name, f"{asked.by}: {asked.text}\n{name}: {reason.strip()}"
    )
    work.alarms.clear("reconcile-case", case_id)
    work.alarms.clear(OVERDUE, case_id)
    kind, _, subject = case_id.partition(":")
    if kind == BANK_FILE:
        for code in FILE_ALARMS:
            work.alarms.clear(code, subject)
    if asked.outcome == CaseOutcome.ACCEPTED and _held_by_books(work, case_id):
        work.alarms.clear(BOOKS, figures_of(case_id))


def figures_of(case_id: str) -> str:
    """The name of a mismatch's figures, the same for each case of them."""
    return case_id.rpartition("#")[0]


def _held_by_books(work: Any, case_id: str) -> bool:
    is_open = BOOKS in work.alarms.open_counts()
    return is_open and (BOOKS, figures_of(case_id)) in work.reconciliation.holding_alarms([BOOKS])


def newest_proposal(work: Any, case_id: str) -> CaseEvent | None:
    """What was proposed last for a case, if anything."""
    proposed = [one for one in work.reconciliation.events_of(case_id) if one.kind == "proposed"]
    return proposed[-1] if proposed else None


def add_note(deps: ClaimServices, case_id: str, by: str, text: str) -> None:
    """Keep what somebody found out about a case, open or closed."""
    with deps.work() as transaction:
        work: Any = transaction
        if work.reconciliation.case(case_id) is None:
            raise _no_such_case(case_id)
        work.reconciliation.add_event(case_id, "note", by=acting(work, by), text=text.strip())
        work.commit()


def assign(deps: ClaimServices, case_id: str, to: str, by: str) -> None:
    """Say who looks into an open case, by a name as :func:`acting` takes it."""
    with deps.work() as transaction:
        work: Any = transaction
        case = _open_case(deps, work, case_id, opens_alarm=False)
        work.reconciliation.add_event(
            case.id, "assigned", by=acting(work, by), text=acting(work, to)
        )
        work.commit()


def _open_case(deps: ClaimServices, work: Any, case_id: str, *, opens_alarm: bool) -> Case:
    if case_id.startswith(f"{ALARM}:"):
        return _case_of_alarm(deps, work, case_id, opens=opens_alarm)
    # Nobody else closes it until we commit, so what is read of it stays true.
    if not work.reconciliation.lock_open(case_id):
        raise _no_such_case(case_id)
    case: Case = work.reconciliation.case(case_id)
    return case


def _case_of_alarm(deps: ClaimServices, work: Any, case_id: str, *, opens: bool) -> Case:
    """The open case of an alarm that holds payouts. A later alarm of the same words is another
    incident: each is kept with its time."""
    code, _, subject = case_id.removeprefix(f"{ALARM}:").partition(":")
    # Two people who find it at one moment open one case.
    work.reconciliation.lock_alarm(code, subject)
    for known in work.reconciliation.cases_of(ALARM):
        name, _, _ = known.id.rpartition(":")
        is_meant = known.resolved_at is None and case_id in (known.id, name)
        if is_meant and work.reconciliation.lock_open(known.id):
            case: Case = known
            return case
    held = work.reconciliation.holding_alarms(sorted(HOLDING_ALARMS - ADOPTED))
    if not opens or (code, subject) not in held:
        raise _no_such_case(case_id)
    kept = f"{case_id}:{deps.clock.now():%Y%m%dT%H%M%S}"
    open_case(work, kept, ALARM, {"code": code, "subject": subject})
    opened: Case = work.reconciliation.case(kept)
    return opened


def _proposal(work: Any, case_id: str) -> CaseEvent:
    asked = newest_proposal(work, case_id)
    if asked is None:
        raise ConflictError(
            "还没有人提出结案：先由一个人提出，再由另一个人确认",
            "nobody has proposed to close it: one person proposes, another confirms",
        )
    return asked


def _no_such_case(case_id: str) -> DomainError:
    return DomainError("没有这条待办", f"there is no open case {case_id}", code="no-such-case")


def _is_locked(deps: ClaimServices, case: Case) -> bool:
    slot = deps.ledger.slot(bytes.fromhex(case.detail["key"]))
    return (slot.open_payer, slot.lodge_counter) == (
        deps.settings.payer_number,
        case.detail["counter"],
    )


def _give_back(deps: ClaimServices, work: Any, case: Case, payer: int) -> None:
    work.outbox.add(
        LedgerIntent(
            id=deps.ids.new_id("int"),
            kind=IntentKind.RELEASE,
            account=work.claims.payer_account(payer) or "",
            held=True,
            dedupe_key=f"release:{case.detail['key'][:40]}:{case.detail['counter']}:{_MISTAKEN}",
            subject_id=case.detail["key"][:40],
            payload={
                "invoice_key": case.detail["key"],
                "payer": payer,
                "counter": case.detail["counter"],
                "reason": _MISTAKEN,
                "decision_fingerprint": bytes(32).hex(),
                "decision_version": 0,
                "policy_hash": bytes(32).hex(),
            },
            state=IntentState.QUEUED,
        )
    )
