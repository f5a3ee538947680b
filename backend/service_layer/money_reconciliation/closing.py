"""The monthly close (数据清零): a month that takes no entry any more, by two people.

One proposes it with what is open, another one confirms what is still the same: the books' own
statement by its digest, and what the bank's statement and the reconciliation leave open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from backend.domain.errors import ConflictError
from backend.domain.journal import JournalError
from backend.domain.local_time import SHANGHAI, local_day
from backend.domain.two_people import signature
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.deposits import DepositServices
from backend.service_layer.journal.month_statement import (
    MonthStatement,
    month_end,
    month_statement,
)
from backend.service_layer.journal.records import CloseProposal, JournalClose
from backend.service_layer.journal.regions import require_region
from backend.service_layer.money_reconciliation.balance_statement import read_balance_reaching
from backend.service_layer.ports import IdSource

OF_THE_MONTH: Final = frozenset({"R16", "R18", "R19"})
"""Rules whose open cases keep a month open: the funds, the journal itself, the bank's statement."""

_ENDS_WITHIN: Final = dt.timedelta(seconds=1)
"""A bank's day ends at midnight, or is said to end at 23:59:59."""


class CloseServices(DepositServices, Protocol):
    @property
    def ids(self) -> IdSource: ...


class OpenItemsError(ConflictError):
    """The month has open items and nobody said that they are carried forward."""

    code = "open-items"


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """What else keeps a month open than balances: ``name`` is stored, words are shown."""

    name: str
    zh: str
    en: str


def propose_close(
    deps: CloseServices, region: str, month: str, *, by: str, reason: str, carry_forward: bool
) -> tuple[CloseProposal, MonthStatement]:
    """One person proposes to close a month that is over, and every month before it. Nothing is
    closed; a newer proposal stands for the older ones, the same again by the same person is one.

    Raises :class:`OpenItemsError` with open items or points unless they are carried forward, and
    :class:`JournalError` for a month that is not over, closed already, of a region that is not kept
    here, or a journal with faults; NotAtWorkError for a name by which nobody acts.
    """
    last = _require_over(deps, month)
    _require_words(by, reason)
    with deps.work() as transaction:
        work: Any = transaction
        statement = _statement(deps, work, region, month, last)
        points = open_points(work, region, last)
        if (statement.items or points) and not carry_forward:
            raise _open(month, statement, points)
        known: list[CloseProposal] = work.journal.close_proposals(region, month)
        proposal = CloseProposal(
            region=region,
            month=month,
            ordinal=len(known) + 1,
            by=acting(work, by),
            reason=reason.strip(),
            digest=statement.digest,
            carried="\n".join(one.name for one in points),
            at=deps.clock.now(),
        )
        if known and replace(known[-1], ordinal=len(known) + 1, at=proposal.at) == proposal:
            return known[-1], statement
        work.journal.propose_close(proposal)
        work.commit()
    return proposal, statement


def confirm_close(
    deps: CloseServices, region: str, month: str, *, by: str, reason: str
) -> tuple[JournalClose, MonthStatement]:
    """Another person confirms the newest proposal: no entry is booked to the month again.

    Raises what :func:`propose_close` raises, SamePersonError, and ConflictError when nothing was
    proposed or the month is not what was proposed any more.
    """
    last = _require_over(deps, month)
    _require_words(by, reason)
    with deps.work() as transaction:
        work: Any = transaction
        statement = _statement(deps, work, region, month, last)
        proposed = work.journal.close_proposals(region, month)
        if not proposed:
            raise ConflictError(
                f"还没有人提出 {month} 结账：先由一个人提出，再由另一个人确认",
                f"nobody has proposed to close {month}: one person proposes, another confirms",
            )
        asked: CloseProposal = proposed[-1]
        by = acting(work, by)
        require_other_person(work, asked.by, by)
        points = {one.name for one in open_points(work, region, last)}
        if asked.digest != statement.digest or not points <= set(asked.carried.splitlines()):
            raise ConflictError(
                f"{month} 与提出结账时不同了：请重新提出",
                f"{month} is not what it was when it was proposed: propose it again",
            )
        close = JournalClose(
            id=deps.ids.new_id("jcl"),
            region=region,
            month=month,
            open_count=len(statement.items),
            open_fen=statement.open_fen,
            statement=statement.text,
            digest=statement.digest,
            closed_by=by,
            reason=reason.strip(),
            closed_at=deps.clock.now(),
        )
        work.journal.close_month(close)
        work.commit()
    return close, statement


def open_points(work: Any, region: str, last: dt.date) -> list[OpenPoint]:
    """What the bank and the reconciliation leave open of a month that ends with ``last``."""
    return [*_at_the_bank(work, region, last), *_cases(work)]


def _at_the_bank(work: Any, region: str, last: dt.date) -> Iterator[OpenPoint]:
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), SHANGHAI)
    moved = work.bank_statements.first_moves().get(region)
    if moved is None or moved >= end:
        return
    found = read_balance_reaching(work, region, end - _ENDS_WITHIN)
    if found is None:
        yield OpenPoint(
            "no-bank-statement",
            f"没有到 {last} 为止的银行对账单：请向银行索取",
            f"no statement of the bank reaches {last}: ask the bank for it",
        )
    elif not found.agrees:
        yield OpenPoint(
            f"bank-differs {found.statement_id}",
            f"银行存款余额调节表不符（对账单 {found.statement_id}）："
            "请运行 yichu money bank-statement",
            f"the balance statement of {found.statement_id} does not agree: "
            "run `yichu money bank-statement`",
        )


def _cases(work: Any) -> Iterator[OpenPoint]:
    for case in work.reconciliation.open_cases():
        if case.detail.get("rule") in OF_THE_MONTH:
            yield OpenPoint(
                f"case {case.id}", f"对账差异未结：{case.id}", f"a mismatch is open: {case.id}"
            )


def _statement(
    deps: CloseServices, work: Any, region: str, month: str, last: dt.date
) -> MonthStatement:
    """What the month ends with, if its books can be closed; nobody books meanwhile."""
    require_region(deps, work, region)
    closed = work.journal.lock_months(region, to_close=True)
    if closed >= month:
        raise JournalError(
            f"{closed} 及以前的月份已经结账", f"the months up to {closed} are closed already"
        )
    faults = check_journal(work)
    if faults:
        raise JournalError(
            f"账有 {len(faults)} 处不符，不能结账：请运行 yichu journal check",
            f"the journal has {len(faults)} faults: run `yichu journal check`",
        )
    earlier = work.journal.closes(region)
    return month_statement(work, region, last, earlier[-1].digest if earlier else bytes(32))


def _open(month: str, statement: MonthStatement, points: Sequence[OpenPoint]) -> OpenItemsError:
    zh = [f"{len(statement.items)} 项未清"] if statement.items else []
    en = [f"{len(statement.items)} open items"] if statement.items else []
    zh += [one.zh for one in points]
    en += [one.en for one in points]
    return OpenItemsError(
        f"{month} 还有{'；'.join(zh)}。办结后再结账，或写明结转",
        f"{month} has {'; '.join(en)}. Settle them, or carry them forward by name",
    )


def _require_words(by: str, reason: str) -> None:
    if not signature(by) or not reason.strip():
        raise JournalError("请写明结账人和理由", "give who closes the month and a reason")


def _require_over(deps: CloseServices, month: str) -> dt.date:
    try:
        last = month_end(month)
    except ValueError as error:
        raise JournalError("月份要写成 2026-11 的样子", "write a month like 2026-11") from error
    if local_day(deps.clock.now()) <= last:
        raise JournalError(
            f"{month} 还没有过完，不能结账", f"{month} is not over yet and cannot be closed"
        )
    return last
