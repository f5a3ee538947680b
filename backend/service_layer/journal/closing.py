"""The monthly close (数据清零): a month with nothing open, which takes no entry any more."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from backend.domain.errors import ConflictError
from backend.domain.journal import JournalError
from backend.domain.local_time import local_day
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.deposits import DepositServices
from backend.service_layer.journal.month_statement import (
    MonthStatement,
    month_end,
    month_statement,
)
from backend.service_layer.journal.records import JournalClose
from backend.service_layer.journal.regions import require_region
from backend.service_layer.ports import IdSource


class CloseServices(DepositServices, Protocol):
    @property
    def ids(self) -> IdSource: ...


class OpenItemsError(ConflictError):
    """The month has open items and nobody said that they are carried forward."""

    code = "open-items"


def close_month(
    deps: CloseServices, region: str, month: str, *, by: str, reason: str, carry_forward: bool
) -> tuple[JournalClose, MonthStatement]:
    """Close a month that is over, and every month before it: no entry is booked to it again.

    Raises :class:`OpenItemsError` with open items unless they are carried forward, and
    :class:`JournalError` for a month that is not over, closed already, of a region that is not kept
    here, or a journal with faults.
    """
    last = _require_over(deps, month)
    if not by.strip() or not reason.strip():
        raise JournalError("请写明结账人和理由", "give who closes the month and a reason")
    with deps.work() as work:
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
        statement = month_statement(
            work, region, last, earlier[-1].digest if earlier else bytes(32)
        )
        if statement.items and not carry_forward:
            raise OpenItemsError(
                f"{month} 还有 {len(statement.items)} 项未清：办结后再结账，或写明结转",
                f"{month} has {len(statement.items)} open items: settle them, or carry them "
                "forward by name",
            )
        close = JournalClose(
            id=deps.ids.new_id("jcl"),
            region=region,
            month=month,
            open_count=len(statement.items),
            open_fen=statement.open_fen,
            statement=statement.text,
            digest=statement.digest,
            closed_by=by.strip(),
            reason=reason.strip(),
            closed_at=deps.clock.now(),
        )
        work.journal.close_month(close)
        work.commit()
    return close, statement


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
