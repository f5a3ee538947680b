"""Money that comes into a fund: a deposit at the bank, for one layer, under the bank's number."""

from __future__ import annotations

from typing import Protocol

from backend.domain.journal import Fund, JournalError, Layer, LayerAmounts, Occasion, funded
from backend.service_layer.claims.ports import ClaimSettings
from backend.service_layer.journal.arrival import simulate_arrival
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.ports import JournalWork
from backend.service_layer.ports import Clock, Transaction

SOURCE_TYPE = "deposit"


class DepositWork(JournalWork, Transaction, Protocol):
    """A transaction with the journal."""


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
    """Book a deposit; False when the bank's ``reference`` is booked already, the same.

    Raises :class:`JournalError` when nobody signs it, and what :func:`book` raises.
    """
    if not by.strip() or not reason.strip():
        raise JournalError("请写明登记人和理由", "give who records it and a reason")
    occasion = Occasion(
        source_type=SOURCE_TYPE,
        source_id=reference,
        fund=fund,
        claim_id=None,
        booked_at=deps.clock.now(),
        recorded_by=by.strip(),
        is_simulated=is_simulated,
        text=reason.strip(),
    )
    with deps.work() as work:
        is_new = book(work, funded(occasion, LayerAmounts.of(layer, amount_fen)))
        if is_simulated:
            simulate_arrival(deps, fund.region, reference, amount_fen)
        work.commit()
    return is_new
