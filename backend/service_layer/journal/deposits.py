"""Money that comes into a fund: a deposit at the bank, for one layer, under the bank's number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Protocol

from backend.domain.journal import (
    Entry,
    Fund,
    JournalConflictError,
    JournalError,
    Layer,
    LayerAmounts,
    Occasion,
    funded,
)
from backend.service_layer.claims.ports import ClaimSettings
from backend.service_layer.journal.arrival import simulate_arrival
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.ports import JournalWork
from backend.service_layer.journal.regions import require_region
from backend.service_layer.ports import Clock, Transaction

SOURCE_TYPES: Final = ("deposit", *(f"deposit-{letter}" for letter in "bcdefghijk"))
"""The source of a deposit, and of the ones under the same reference after it was reversed: the
reference stays the bank's own, and each booking is an event of its own."""


class DepositWork(JournalWork, Transaction, Protocol):
    """A transaction with the journal and the adjustments."""

    @property
    def adjustments(self) -> Any: ...


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
) -> bool:
    """Book a deposit; False when the bank's ``reference`` is booked already, the same. One that
    two people have reversed leaves its reference to the right one.

    Raises :class:`JournalError` when nobody signs it, or for a region that has no account and no
    books; and what :func:`book` raises.
    """
    if not by.strip() or not reason.strip():
        raise JournalError("请写明登记人和理由", "give who records it and a reason")
    occasion = Occasion(
        source_type=SOURCE_TYPES[0],
        source_id=reference,
        fund=fund,
        claim_id=None,
        booked_at=deps.clock.now(),
        recorded_by=by.strip(),
        is_simulated=is_simulated,
        text=reason.strip(),
    )
    with deps.work() as work:
        require_region(deps, work, fund.region)
        occasion = replace(occasion, source_type=_source_type(work, occasion))
        try:
            is_new = book(work, funded(occasion, LayerAmounts.of(layer, amount_fen)))
        except JournalConflictError as error:
            raise _known_otherwise(reference) from error
        if is_simulated:
            simulate_arrival(deps, fund.region, reference, amount_fen)
        work.commit()
    return is_new


def bookings_of(work: DepositWork, reference: str) -> list[Entry]:
    """What was ever booked as deposits under a reference of the bank, in its order: at most the
    last of them stands."""
    ids = work.adjustments.sourced(SOURCE_TYPES, reference)
    found = work.journal.find(ids)
    return [found[one] for one in ids]


def _known_otherwise(reference: str) -> JournalConflictError:
    return JournalConflictError(
        f"回单号 {reference} 已经登记过，内容不同：没有再记。原来登记错的，先用 "
        "yichu journal adjust propose --kind deposit-reversed 冲销（两个人），再用同一回单号登记",
        f"the deposit {reference} is booked already, with another content: nothing was booked. If "
        "that one is wrong, reverse it (`yichu journal adjust propose --kind deposit-reversed`, "
        "two people) and book the right one under the same reference",
    )


def _source_type(work: DepositWork, occasion: Occasion) -> str:
    booked = bookings_of(work, occasion.source_id)
    if not booked:
        return SOURCE_TYPES[0]
    if work.adjustments.corrected_by(booked[-1].id) is None:
        return booked[-1].occasion.source_type
    if len(booked) == len(SOURCE_TYPES):
        raise JournalError(
            "这个回单号冲销次数过多", "the deposit of this reference was reversed too often"
        )
    return SOURCE_TYPES[len(booked)]
