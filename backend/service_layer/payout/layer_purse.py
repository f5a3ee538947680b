"""专款专用: what each layer of a fund still has for what is to be paid out of it.

A layer bears a payment from the moment at which it is approved. One that is not below zero has
enough for all that is approved and not paid. Of one that is overdrawn as much can be paid as it
has without its open payables, oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.domain.journal import Account, AccountKind, EventKind, Fund
from backend.service_layer.claims.records import Payout
from backend.service_layer.payout.ports import PayoutWork

Draws = Sequence[tuple[str, int]]
"""(account of a layer, fen that it bears); below zero where a layer gets a part back."""


def draws_of(work: PayoutWork, payout: Payout) -> Draws:
    """What each layer bears of a payable, by its entry in the journal; the caller has booked it."""
    found: dict[str, int] = {}
    for entry in work.journal.entries_of(payout.claim_id):
        occasion = entry.occasion
        if (entry.kind, occasion.source_id) != (EventKind.APPROVED, payout.id):
            continue
        for one in entry.transfers:
            for code, fen in ((one.debit, one.amount_fen), (one.credit, -one.amount_fen)):
                if Account.parse(code).kind is AccountKind.FUND:
                    found[code] = found.get(code, 0) + fen
    return sorted(found.items())


class LayerPurse:
    """Asked under the lock of the lanes, as the purse of the whole fund is."""

    def __init__(self, work: PayoutWork) -> None:
        self._work = work
        self._left: dict[tuple[str, str], int | None] = {}  # None: enough for all that is open
        self._open: dict[tuple[str, str], dict[str, int]] = {}

    def lacks(self, fund: Fund, draws: Draws) -> tuple[str, int] | None:
        """The first layer that has not as much as it is to bear, by its name, and what it has."""
        for code, fen in draws:
            left = self._of(fund, code)
            if fen > 0 and left is not None and fen > left:
                return str(Account.parse(code).layer), left
        return None

    def take(self, fund: Fund, draws: Draws) -> None:
        """Set what the layers bear aside."""
        for code, fen in draws:
            left = self._of(fund, code)
            if left is not None:
                self._left[code, fund.insurance_type] = left - fen

    def _of(self, fund: Fund, code: str) -> int | None:
        key = (code, fund.insurance_type)
        if key not in self._left:
            position = self._work.journal.balance(code, insurance_type=fund.insurance_type)
            self._left[key] = None if position >= 0 else position + self._open_of(fund, code)
        return self._left[key]

    def _open_of(self, fund: Fund, code: str) -> int:
        book = (fund.region, fund.insurance_type)
        if book not in self._open:
            self._open[book] = dict(self._work.journal.open_draws(*book))
        return self._open[book].get(code, 0)
