"""Two people and a payment file that the bank has rejected as a whole, in one step each.

A file that the bank cannot read, or that names a wrong account of ours, leaves every one of its
payments with the desk for one and the same reason. What is written is a step of each claim, as
if it had been stopped and released by itself: attempts, rules and the database's own know no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.domain.errors import ConflictError, NotFoundError
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.payout.holding import DESK, waiting_after_failure
from backend.service_layer.payout.manual import hold, release, require_words
from backend.service_layer.payout.ports import PayoutServices, PayoutWork
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.payout.stored import StoredFile, Tried


@dataclass(frozen=True, slots=True)
class FileSteps:
    """Numbers of claims: what was done, and what was left as it is by this step."""

    done: tuple[str, ...]
    left: tuple[str, ...]


def hold_file(deps: PayoutServices, name: str, by: str, reason: str) -> FileSteps:
    """Stop the claims whose payment of this file the bank has rejected for a reason that only the
    agency can mend, in the name of who asks the bank. Cut short, it is run again: what is stopped
    already is left, also what somebody has stopped for another reason.

    Raises NotFoundError, ConflictError when nothing of the file waits for that, and DomainError
    without a name or a reason.
    """
    text = _words(name, by, reason)
    with deps.work(write=False) as work:
        waiting = _rejected(work, _file(work, name))
    if not waiting:
        raise ConflictError(
            f"付款文件 {name} 里没有被银行退票、等经办处理的打款",
            f"no payment of {name} was rejected and waits for the desk",
        )
    return _each(waiting, lambda number: hold(deps, number, by, text))


def release_file(deps: PayoutServices, name: str, by: str, reason: str) -> FileSteps:
    """Let go on what :func:`hold_file` has stopped of this file: another person than who did.
    What was stopped by itself, before or since, stays stopped.

    Raises NotFoundError, ConflictError when nothing of the file is stopped by it, SamePersonError,
    and DomainError without a name or a reason.
    """
    text = _words(name, by, reason)
    with deps.work(write=False) as work:
        stopped = []
        for number in _rejected(work, _file(work, name)):
            last = work.payments.last_hold(work.claims.by_number(number).id)
            if last is None or last.action != "hold" or not last.reason.startswith(_mark(name)):
                continue
            require_other_person(work, last.by, acting(work, by))
            stopped.append(number)
    if not stopped:
        raise ConflictError(
            f"付款文件 {name} 没有整批暂停的打款：先由一个人用 hold --file 暂停",
            f"nothing of {name} is stopped as a whole: one person stops it with hold --file",
        )
    mark = _mark(name)
    return _each(stopped, lambda number: release(deps, number, by, text, stopped_with=mark))


def _each(numbers: list[str], act: Callable[[str], None]) -> FileSteps:
    done, left = [], []
    for number in numbers:
        try:
            act(number)
        except ConflictError:  # somebody has stopped it, or let it go, by itself
            left.append(number)
        else:
            done.append(number)
    return FileSteps(tuple(done), tuple(left))


def _rejected(work: PayoutWork, file: StoredFile) -> list[str]:
    """The numbers of the claims whose newest attempt is in the file and was rejected to the
    desk."""
    found = []
    for one in work.payments.of_file(file.id):
        newest = work.payments.tried(one.attempt.payout_id)[-1]
        if newest.attempt.id == one.attempt.id and _is_for_the_desk(one):
            found.append(work.claims.get(one.attempt.claim_id).number)
    return sorted(set(found))


def _is_for_the_desk(one: Tried) -> bool:
    answer = one.answer
    return (
        answer is not None
        and answer.status is AnswerStatus.REJECTED
        and waiting_after_failure(answer.reason_code) == DESK
    )


def _file(work: PayoutWork, name: str) -> StoredFile:
    found = work.payments.file_by_message(name.removesuffix(".xml"))
    if found is None:
        raise NotFoundError(f"没有付款文件 {name}", f"there is no payment file {name}")
    return found


def _mark(name: str) -> str:
    """Begins the reason of each step that was done for a whole file."""
    return f"{name.removesuffix('.xml')}: "


def _words(name: str, by: str, reason: str) -> str:
    text = _mark(name) + reason.strip()
    require_words(by, reason)
    require_words(by, text)
    return text
