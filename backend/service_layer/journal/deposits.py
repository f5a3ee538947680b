"""Money that comes into a fund: a deposit at the bank, for one layer, under the bank's number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Any, Final, Protocol

from backend.domain.journal import (
    Account,
    Entry,
    Fund,
    JournalConflictError,
    JournalError,
    Layer,
    LayerAmounts,
    Occasion,
    funded,
)
from backend.domain.local_time import SHANGHAI, local_day
from backend.domain.money import format_yuan
from backend.service_layer.claims.ports import ClaimSettings
from backend.service_layer.journal.arrival import simulate_arrival
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.movements import left_of_credit
from backend.service_layer.journal.ports import JournalWork
from backend.service_layer.journal.regions import require_region
from backend.service_layer.ports import Clock, Transaction

SOURCE_TYPES: Final = ("deposit", *(f"deposit-{letter}" for letter in ascii_lowercase[1:]))
"""The source of the first deposit under a reference, and of further ones: of another layer or fund
out of the same movement, or after one was reversed. The reference stays the bank's own, and each
booking is an event of its own."""


class DepositWork(JournalWork, Transaction, Protocol):
    """A transaction with the journal, the adjustments and the bank's statements."""

    @property
    def adjustments(self) -> Any: ...
    @property
    def bank_statements(self) -> Any: ...


class DepositServices(Protocol):
    @property
    def settings(self) -> ClaimSettings: ...
    @property
    def clock(self) -> Clock: ...
    def work(self, *, write: bool = True) -> DepositWork: ...


def deposit(
    deps: DepositServices,
    fund: Fund,
    layer: Layer,
    amount_fen: int,
    *,
    reference: str,
    by: str,
    reason: str,
    is_simulated: bool = False,
    on: dt.date | None = None,
) -> bool:
    """Book a deposit; False when the bank's ``reference`` is booked already for this layer, the
    same. One movement at the bank may be deposits of several layers. A deposit that two people have
    reversed leaves its place to the right one. ``on`` is for money that was there before the first
    statement of the bank (期初建账), and books it at the end of that day.

    Raises :class:`JournalError` when nobody signs it, or for a region that has no account and no
    books; JournalConflictError when it is known otherwise, or is more than the bank's statement
    leaves; and what :func:`book` raises.
    """
    if not by.strip() or not reason.strip():
        raise JournalError("请写明登记人和理由", "give who records it and a reason")
    occasion = Occasion(
        source_type=SOURCE_TYPES[0],
        source_id=reference,
        fund=fund,
        claim_id=None,
        booked_at=deps.clock.now() if on is None else _end_of(deps, on),
        recorded_by=by.strip(),
        is_simulated=is_simulated,
        text=reason.strip(),
    )
    with deps.work() as work:
        require_region(deps, work, fund.region)
        if on is not None:
            _require_before_statements(work, fund.region, occasion.booked_at)
        place = (fund.region, fund.insurance_type, layer)
        booked = bookings_of(work, reference)
        stands = {place_of(one): one for one in standing(work, booked)}
        has_others = any(one != place and one[0] == fund.region for one in stands)
        occasion = replace(occasion, source_type=_source_type(booked, stands.get(place)))
        if has_others and place not in stands:
            _require_left(work, fund.region, reference, amount_fen)
        try:
            is_new = book(work, funded(occasion, LayerAmounts.of(layer, amount_fen)))
        except JournalConflictError as error:
            raise _known_otherwise(reference) from error
        if is_simulated:
            part = f"{fund.insurance_type}-{layer}" if has_others else ""
            simulate_arrival(deps, fund.region, reference, amount_fen, part)
        work.commit()
    return is_new


def _end_of(deps: DepositServices, day: dt.date) -> dt.datetime:
    at = dt.datetime.combine(day, dt.time(23, 59, 59), SHANGHAI).astimezone(dt.UTC)
    if at >= deps.clock.now():
        raise JournalError(
            "--on 应为今天以前的日期", "the day of an opening balance is before today"
        )
    return at


def _require_before_statements(work: DepositWork, region: str, at: dt.datetime) -> None:
    """What moved in a statement's period stands on it under the bank's own reference."""
    first = min((one.from_at for one in work.bank_statements.periods(region)), default=None)
    if first is not None and at >= first:
        raise JournalError(
            f"银行对账单从 {local_day(first)} 开始：--on 只用于这之前就有的钱（期初建账）",
            f"the bank's statements begin on {local_day(first)}: --on is for money that was there "
            "before",
        )


def bookings_of(work: DepositWork, reference: str) -> list[Entry]:
    """What was ever booked as deposits under a reference of the bank, in its order."""
    ids = work.adjustments.sourced(SOURCE_TYPES, reference)
    found = work.journal.find(ids)
    return [found[one] for one in ids]


def standing(work: DepositWork, booked: Sequence[Entry]) -> list[Entry]:
    """Those that nobody has reversed: at most one for each layer of a fund."""
    return [one for one in booked if work.adjustments.corrected_by(one.id) is None]


def place_of(entry: Entry) -> tuple[str, str, Layer | None]:
    """Whose money a deposit is: region, insurance type and layer."""
    fund = entry.occasion.fund
    layer = Account.parse(entry.transfers[0].credit).layer
    return fund.region, fund.insurance_type, layer


def _known_otherwise(reference: str) -> JournalConflictError:
    return JournalConflictError(
        f"回单号 {reference} 已经登记过，内容不同：没有再记。原来登记错的，先用 "
        "yichu journal adjust propose --kind deposit-reversed 冲销（两个人），再用同一回单号登记",
        f"the deposit {reference} is booked already, with another content: nothing was booked. If "
        "that one is wrong, reverse it (`yichu journal adjust propose --kind deposit-reversed`, "
        "two people) and book the right one under the same reference",
    )


def _require_left(work: DepositWork, region: str, reference: str, amount_fen: int) -> None:
    left = left_of_credit(work, region, reference)
    if left is not None and amount_fen > left:
        raise JournalConflictError(
            f"对账单上 {reference} 只剩 {format_yuan(left)} 元没有记账：没有再记",
            f"{format_yuan(left)} yuan of {reference} on the bank's statement are not booked yet: "
            "nothing was booked",
        )


def _source_type(booked: Sequence[Entry], same: Entry | None) -> str:
    if same is not None:
        return same.occasion.source_type
    if len(booked) == len(SOURCE_TYPES):
        raise JournalError(
            "这个回单号下登记和冲销的次数过多",
            "too many deposits were booked and reversed under this reference",
        )
    return SOURCE_TYPES[len(booked)]
