"""Money that arrives on an account of ours.

A real bank sees it arrive. The simulated bank has nobody who could pay in, so it is told what is
booked as having arrived: it then stands on its statement as it would on a real one's.
"""

from __future__ import annotations

from typing import Any


def simulate_arrival(deps: Any, region: str, reference: str, amount_fen: int) -> None:
    """Tell a simulated bank; with a real one nothing is done. The same reference arrives once, so
    that a transaction which is repeated after a crash finds it there."""
    if not deps.bank.is_simulated:
        return
    account = deps.settings.payout.account_of(region)
    if account is not None:
        deps.bank.pay_in(account.number, reference, amount_fen)
