"""A filed statement that the bank has got wrong is withdrawn by two people.

Nothing stored is changed: the statement, its movements and its file stay, and from then on nothing
is compared with them. What the bank has sent since and was refused because this one stood there is
taken in by the same commit.
"""

from __future__ import annotations

from typing import Any, Final

from backend.domain.errors import ConflictError, NotFoundError
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.payout.manual import CASE_KIND, require_words
from backend.service_layer.payout.ports import BadStatusFileError
from backend.service_layer.payout.records import Lane
from backend.service_layer.payout.statements import (
    REFUSED,
    StoredStatement,
    WithdrawalStep,
    fault_of,
    file_statement,
)
from backend.service_layer.payout.stored import BankMessage

PROPOSE, CONFIRM, REFUSE = "proposed", "confirmed", "refused"
LOOKED_AT_MAX: Final = 500
"""Refused files that are looked at once more when a statement is withdrawn."""
BY_ITSELF: Final = "reconcile"


def propose_withdrawal(deps: Any, stored_id: str, by: str, reason: str) -> None:
    """One person says that a filed statement is wrong. It counts until another one confirms it. The
    same said again by the same person is one.

    Raises NotFoundError, ConflictError when it is withdrawn already, and DomainError without a name
    or a reason.
    """
    require_words(by, reason)
    with deps.work() as work:
        stored, steps = _standing(work, stored_id)
        by = acting(work, by)
        said = (PROPOSE, by, reason.strip())
        if steps and (steps[-1].action, steps[-1].by, steps[-1].reason) == said:
            return
        _add(deps, work, stored, steps, PROPOSE, by, reason)
        work.commit()


def confirm_withdrawal(deps: Any, stored_id: str, by: str, reason: str) -> list[str]:
    """Another person confirms it: nothing is compared with the statement any more, and each refused
    statement of its account that came after it is filed if nothing is against it now. Returns the
    names of those.

    Raises what :func:`propose_withdrawal` raises, ConflictError when nobody has proposed it, and
    SamePersonError.
    """
    require_words(by, reason)
    with deps.work() as work:
        work.payments.take_turn(Lane.DAILY)
        stored, steps = _standing(work, stored_id)
        # Nobody books a correction of its movements until we commit.
        work.journal.lock_months(stored.region, to_close=True)
        asked = _asked(steps)
        by = acting(work, by)
        require_other_person(work, asked.by, by)
        _add(deps, work, stored, steps, CONFIRM, by, reason)
        filed = _take_in_refused(deps, work, stored)
        work.commit()
    return filed


def refuse_withdrawal(deps: Any, stored_id: str, by: str, reason: str) -> None:
    """The proposal falls away and the statement stands; its own proposer may say so too."""
    require_words(by, reason)
    with deps.work() as work:
        stored, steps = _standing(work, stored_id)
        _asked(steps)
        _add(deps, work, stored, steps, REFUSE, acting(work, by), reason)
        work.commit()


def is_withdrawn(steps: list[WithdrawalStep]) -> bool:
    return bool(steps) and steps[-1].action == CONFIRM


def _standing(work: Any, stored_id: str) -> tuple[StoredStatement, list[WithdrawalStep]]:
    stored: StoredStatement | None = work.bank_statements.filed(stored_id)
    if stored is None:
        raise NotFoundError("没有这张对账单", "there is no such statement")
    steps: list[WithdrawalStep] = work.bank_statements.steps_of(stored_id)
    if is_withdrawn(steps):
        raise ConflictError("这张对账单已经撤下", "the statement is withdrawn already")
    return stored, steps


def _asked(steps: list[WithdrawalStep]) -> WithdrawalStep:
    if not steps or steps[-1].action != PROPOSE:
        raise ConflictError(
            "还没有人提出撤下：先由一个人提出，再由另一个人确认",
            "nobody has proposed to withdraw it: one person proposes, another confirms",
        )
    return steps[-1]


def _add(  # noqa: PLR0917
    deps: Any,
    work: Any,
    stored: StoredStatement,
    steps: list[WithdrawalStep],
    action: str,
    by: str,
    reason: str,
) -> None:
    work.bank_statements.add_step(
        WithdrawalStep(stored.id, len(steps) + 1, action, by, reason.strip(), deps.clock.now())
    )


def _take_in_refused(deps: Any, work: Any, withdrawn: StoredStatement) -> list[str]:
    since = work.payments.message_by_id(withdrawn.message_id).received_at
    filed = []
    for message in work.payments.refused_since(since, LOOKED_AT_MAX):
        statement = _read(deps, message)
        if statement is None or statement.account != withdrawn.account:
            continue
        if work.bank_statements.filed_of(message.id) is not None:
            continue
        if work.bank_statements.find(statement.account, statement.statement_id) is not None:
            continue
        if fault_of(deps, work, statement, message.digest):
            continue
        file_statement(deps, work, statement, message.id)
        work.alarms.clear(REFUSED, message.id)
        said = f"filed when statement {withdrawn.statement_id} was withdrawn"
        work.reconciliation.resolve_case(f"{CASE_KIND}:{message.id}", BY_ITSELF, said)
        filed.append(statement.statement_id)
    return filed


def _read(deps: Any, message: BankMessage) -> Any:
    """The statement in a kept file; None for any other file."""
    content = deps.secret_box.unwrap(message.wrapped_content, message.id)
    try:
        return deps.payment_format.read_statement(content)
    except BadStatusFileError:
        return None
