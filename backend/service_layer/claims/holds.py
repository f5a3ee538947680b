"""When no money leaves: while the ledger is known to disagree with this database.

Nothing is lost by it: a held claim keeps its state, its page says that it waits, and it goes on by
itself when the alarm is closed.
"""

from __future__ import annotations

from typing import Final

from backend.domain.claim import ClaimState
from backend.service_layer.anchoring.behind import BEHIND
from backend.service_layer.claims.ports import ClaimServices, ClaimWork

BANK_AHEAD: Final = "bank-ahead"
LAPSED: Final = "reconcile-lapsed"
BOOKS: Final = "books-disagree"
RECORDS_LOST: Final = "records-lost"
HOLDING_ALARMS: Final = frozenset(
    {BEHIND, BANK_AHEAD, LAPSED, BOOKS, RECORDS_LOST, "final-reorganisation", "final-block-changed"}
)
"""Alarms while which nothing is paid: chain or bank is ahead, nobody has compared them for too
long, the journal itself is wrong, what counted as final has left the chain, or the database was
restored and nobody has looked for what it lacks."""

ADOPTED: Final = frozenset({BEHIND, BANK_AHEAD, LAPSED, BOOKS})
"""Those that ``yichu reconcile`` closes; the others are closed by two people (``--close``)."""

WAITING: Final = "reconcile"
NEXT_RUN: Final = "payout-run"  # it goes with the next daily run
_AT_THE_BANK: Final = (ClaimState.SETTLED, ClaimState.PAYING)


def are_payouts_held(work: ClaimWork) -> bool:
    """Whether an alarm is open that holds every payout."""
    return bool(HOLDING_ALARMS & set(work.alarms.open_counts()))


def show_held_payouts(deps: ClaimServices) -> int:
    """Say on each claim that only waits for its money whether it is held; returns how many
    changed. Called where no worker moves claims: when it refuses to start, and afterwards."""
    changed = 0
    with deps.work() as work:
        wanted = WAITING if are_payouts_held(work) else None
        for claim_id, _ in work.claims.open_ids(limit=100_000):
            claim = work.claims.get(claim_id)
            before = (None, NEXT_RUN) if wanted else (WAITING,)
            if claim.state in _AT_THE_BANK and claim.waiting_for in before:
                now = deps.clock.now()
                changed += work.claims.update(claim.id, claim.state, now, waiting_for=wanted)
        work.commit()
    return changed


LOST_CLAIM: Final = "claim-lost"
