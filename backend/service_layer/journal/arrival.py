"""Money that arrives on an account of ours.

A real bank sees it arrive. The simulated bank has nobody who could pay in, so it is told what is
booked as having arrived: it then stands on its statement as it would on a real one's.
"""

from __future__ import annotations

from typing import Any


def simulate_arrival(
    deps: Any, region: str, reference: str, amount_fen: int, part: str = ""
) -> None:
    """Tell a simulated bank; with a real one nothing is done. The same reference arrives once, so
    that a transaction which is repeated after a crash finds it there; ``part`` names a further
    part of what arrived under it."""
    if not deps.bank.is_simulated:
        return
    account = deps.settings.payout.account_of(region)
    if account is not None:
        more = (part,) if part else ()
        deps.bank.pay_in(account.number, reference, amount_fen, *more)


def simulate_earlier_arrivals(deps: Any) -> None:
    """Before its first statement a simulated bank is told what an earlier release has booked as
    having arrived, when it kept no account yet."""
    if not deps.bank.is_simulated:
        return
    with deps.work(write=False) as work:
        if work.bank_statements.regions():
            return
        arrived = work.bank_statements.simulated_arrivals()
    for region, reference, amount_fen in arrived:
        simulate_arrival(deps, region, reference, amount_fen)
