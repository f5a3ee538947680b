"""What people do with payments: stop one, let it go on, note a bank file as dealt with.

What lets money go, or closes an alarm about money, takes two people.
"""

from __future__ import annotations

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.claims.case_closing import (
    BANK_FILE,
    CaseOutcome,
    close_by_two,
    newest_proposal,
)
from backend.service_layer.claims.holds import NEXT_RUN
from backend.service_layer.payout.desk import is_proposed
from backend.service_layer.payout.holding import STOPPED
from backend.service_layer.payout.ports import PayoutServices
from backend.service_layer.payout.records import Verdict
from backend.service_layer.payout.stored import Hold, Reading

WORDS_MAX = 500
CASE_KIND = BANK_FILE


def hold(deps: PayoutServices, claim_number: str, by: str, reason: str) -> None:
    """Stop every payment of a claim that is not in a file yet. What is in one has left.

    Raises DomainError for an unknown claim, without a name or a reason, or when it is stopped.
    """
    _act(deps, claim_number, "hold", by, reason)


def propose_release(deps: PayoutServices, claim_number: str, by: str, reason: str) -> None:
    """One person says that a stopped claim's payments may go on. It stays stopped, in that
    person's name from now on (another row *hold*), until another person releases it.

    Raises ConflictError when nothing is stopped.
    """
    _act(deps, claim_number, "propose", by, reason)


def release(
    deps: PayoutServices, claim_number: str, by: str, reason: str, *, stopped_with: str = ""
) -> None:
    """Let a stopped claim's payments go on: another person than the one who stopped them, or who
    proposed it last; what the program itself has stopped needs somebody who does. After a rejection
    or a return it also allows one more attempt to the same account: one person stops it and asks
    the bank, another one releases it. ``stopped_with``: how the reason of the stop must begin.

    Raises ConflictError when nothing is stopped, or not so, and SamePersonError.
    """
    _act(deps, claim_number, "release", by, reason, stopped_with=stopped_with)


def release_proposed(deps: PayoutServices, claim_number: str, by: str, reason: str) -> None:
    """Let go on what another person has proposed to release, as the desk asks for it. A stop that
    is newer than the proposal, also one of this very moment, takes another proposal.

    Raises what :func:`release` raises, and ConflictError when nobody has proposed it.
    """
    _act(deps, claim_number, "release", by, reason, needs_proposal=True)


def _act(
    deps: PayoutServices,
    claim_number: str,
    action: str,
    by: str,
    reason: str,
    *,
    needs_proposal: bool = False,
    stopped_with: str = "",
) -> None:
    require_words(by, reason)
    with deps.work() as work:
        claim = work.claims.get(work.claims.by_number(claim_number).id, lock=True)
        last = work.payments.last_hold(claim.id)
        is_stopped = last is not None and last.action == "hold"
        by = acting(work, by)
        if is_stopped and action == "hold":
            raise ConflictError("这笔打款已经暂停", "its payments are stopped already")
        if action != "hold":
            if last is None or not is_stopped:
                raise ConflictError(
                    "这笔打款没有暂停。要再付一次：先由一个人暂停并写明理由，再由另一个人恢复",
                    "nothing is stopped. To have it tried once more one person stops it and says "
                    "why, and another one releases it",
                )
            if not last.reason.startswith(stopped_with):
                raise ConflictError(
                    "这笔打款是因为别的原因暂停的", "it is stopped for another reason"
                )
            if needs_proposal and not is_proposed(work, claim.id):
                raise ConflictError(
                    "还没有人提出恢复：先由一个人提出，再由另一个人确认",
                    "nobody has proposed to release it: one person proposes, another confirms",
                )
            if action == "release":
                require_other_person(work, last.by, by)
        ordinal = 1 if last is None else last.ordinal + 1
        now = deps.clock.now()
        kept = "release" if action == "release" else "hold"
        work.payments.add_hold(Hold(claim.id, ordinal, kept, by, reason, now))
        work.alarms.clear("payout-unwritable", claim.id)
        if claim.state is ClaimState.PAYING:
            wanted = NEXT_RUN if action == "release" else STOPPED
            if not any(
                one.is_open
                for payable in work.payments.payables_of(claim.id)
                for one in work.payments.tried(payable.id)
            ):
                work.claims.update(claim.id, claim.state, now, waiting_for=wanted)
        work.commit()


def read_content(deps: PayoutServices, message_id: str, by: str, reason: str) -> bytes:
    """The bytes of a bank file, which hold names and account numbers. Who reads them and why is
    kept before anything is shown. Raises NotFoundError, and DomainError without name or reason."""
    require_words(by, reason)
    with deps.work() as work:
        message = work.payments.message_by_id(message_id)
        if message is None:
            raise NotFoundError("没有这个银行文件", "there is no such bank file")
        work.payments.add_reading(
            Reading(
                deps.ids.new_id("brd"),
                message_id,
                acting(work, by),
                reason.strip(),
                deps.clock.now(),
            )
        )
        work.commit()
    return deps.secret_box.unwrap(message.wrapped_content, message.id)


def acknowledge(deps: PayoutServices, message_id: str, by: str, reason: str) -> None:
    """A person has dealt with a bank file of which nothing was booked and says so; its alarm stays
    until another person confirms. Raises DomainError when there is nothing to note."""
    require_words(by, reason)
    with deps.work() as work:
        message = work.payments.message_by_id(message_id)
        if message is None:
            raise NotFoundError("没有这个银行文件", "there is no such bank file")
        if message.verdict in (Verdict.BOOKED, Verdict.FILED):
            raise ConflictError("这个文件已入账，不用处理", "the file was booked: nothing to do")
        case_id = f"{CASE_KIND}:{message_id}"
        work.reconciliation.put_case(case_id, CASE_KIND, {"name": message.name})
        if not work.reconciliation.lock_open(case_id):
            raise _is_dealt_with()
        work.reconciliation.add_event(
            case_id,
            "proposed",
            by=acting(work, by),
            text=reason.strip(),
            outcome=CaseOutcome.ACCEPTED,
        )
        work.commit()


def confirm_acknowledged(deps: PayoutServices, message_id: str, by: str, reason: str) -> None:
    """Another person confirms that a bank file was dealt with: its alarm is closed. Raises
    ConflictError when nobody has said so yet, and SamePersonError."""
    require_words(by, reason)
    case_id = f"{CASE_KIND}:{message_id}"
    with deps.work() as work:
        is_open = work.reconciliation.lock_open(case_id)
        if not is_open and work.reconciliation.case(case_id) is not None:
            raise _is_dealt_with()
        asked = newest_proposal(work, case_id) if is_open else None
        if asked is None:
            raise ConflictError(
                "还没有人说处理过这个文件：先由一个人登记，再由另一个人确认",
                "nobody has dealt with the file yet: one person says so, another confirms",
            )
        by = acting(work, by)
        require_other_person(work, asked.by, by)
        close_by_two(work, case_id, asked, by, reason)
        work.commit()


def _is_dealt_with() -> ConflictError:
    return ConflictError("这个文件已处理过", "the file was dealt with already")


def require_words(by: str, reason: str) -> None:
    """Raises DomainError without a name or a reason, or where one does not fit into a row."""
    if not 1 <= len(by.strip()) <= 60 or not 1 <= len(reason.strip()) <= WORDS_MAX:
        raise DomainError(
            f"要写明经办人（最多 60 字）和理由（最多 {WORDS_MAX} 字）",
            f"say who (at most 60 characters) and why (at most {WORDS_MAX})",
            code="words-missing",
        )
