"""Moves open claims one step at a time, in the order of the ledger protocol, section 5.

Each step is one database transaction and may run twice: the state is changed by compare-and-swap,
intents carry a dedupe key, payout ids are derived. The ledger is read before the transaction
begins, so that a slow node never holds the database's write lock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.service_layer.claims import supplement
from backend.service_layer.claims.benefits import DAMAGE
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.stages import wait_for
from backend.service_layer.handling import closing, lodging, screen_step, withdraw
from backend.service_layer.handling.ports import HandlingServices
from backend.service_layer.handling.versions import return_freed
from backend.service_layer.payout.approve import approve
from backend.service_layer.payout.run import payout_pass
from backend.service_layer.ports import LedgerUnavailableError
from verifier.errors import VerificationError

Step = Callable[[HandlingServices, Claim], bool]

_STEPS: dict[ClaimState, Step] = {
    ClaimState.SUBMITTED: screen_step.screen,
    ClaimState.SCREENED: screen_step.calculate,
    ClaimState.CALCULATED: lodging.enqueue_lodge,
    ClaimState.LODGING: lodging.read_lodge,
    ClaimState.LODGED: lodging.decide,
    ClaimState.DECIDED: closing.enqueue_closing,
    ClaimState.SETTLING: closing.read_settlement,
    ClaimState.SETTLED: approve,
    ClaimState.RELEASING: closing.read_release,
    ClaimState.SUPPLEMENTING: supplement.advance_supplement,
    ClaimState.WITHDRAWING: withdraw.advance_withdrawal,
}
"""``PENDED`` is missing: only a person moves a pended claim on (review); so is ``PAYING``: money
goes in files of many claims (``payout_pass``)."""


_AT_ONCE: Final = (ClaimState.SUBMITTED, ClaimState.SCREENED, ClaimState.CALCULATED)
"""Where a step that has moved a claim leaves nothing to wait for: the next one follows."""


CLAIMS_A_PASS: Final = 500


class Turns:
    """Whose turn it is in a pass: the next claims that a step is known for, those that have not
    changed longest first, and from the beginning again after the last. What cannot move now, for
    days maybe, keeps nobody else from its step."""

    def __init__(self) -> None:
        self._after: tuple[dt.datetime, str] | None = None

    def take(self, deps: HandlingServices) -> list[str]:
        """Ids of the claims of this pass."""
        with deps.work(write=False) as work:
            found = work.claims.due(list(_STEPS), self._after, CLAIMS_A_PASS)
            if not found and self._after is not None:
                found = work.claims.due(list(_STEPS), None, CLAIMS_A_PASS)
        self._after = found[-1] if len(found) == CLAIMS_A_PASS else None
        return [claim_id for _, claim_id in found]


def _nothing() -> int:
    return 0


def advance_claims(
    deps: HandlingServices,
    *,
    at_once: bool = False,
    between: Callable[[], int] = _nothing,
    with_payouts: bool = True,
    turns: Turns | None = None,
) -> int:
    """Give open claims one step, ``CLAIMS_A_PASS`` at most; returns how many moved. Where there may
    be more, ``turns`` is kept from pass to pass.

    ``at_once``: a new claim goes on in the same pass until its lodge is asked for, a transaction
    a step as always, so that the citizen sees the amount soon. ``between`` is called after each
    claim: what must not wait until all of them had their step. Unless ``with_payouts`` is False,
    a pass over the payouts follows.

    A claim whose step fails on data of its own raises an alarm and stays where it is; the others
    go on.
    """
    claim_ids = (turns or Turns()).take(deps)
    moved = return_freed(deps)
    for claim_id in claim_ids:
        has_moved = advance_one(deps, claim_id)
        moved += has_moved
        if at_once and has_moved:
            _follow_up(deps, claim_id)
        moved += between()
    return moved + (payout_pass(deps) if with_payouts else 0)


class NewClaims:
    """Takes a claim through its local steps as soon as it is there, between other work.

    A person is looking at the page meanwhile. Which claims are new is told by their ids: what it
    misses has its steps in the next pass over all open claims, and nothing rests on it.
    """

    def __init__(self, deps: HandlingServices) -> None:
        self._deps = deps
        self._last: str | None = None

    def advance(self) -> int:
        """Advance the claims that were made since the last call; returns how many moved."""
        with self._deps.work(write=False) as work:
            if self._last is None:
                self._last = work.claims.newest()
                return 0
            new_ids = work.claims.newer_than(self._last)
        moved = 0
        for claim_id in new_ids:
            self._last = claim_id  # before its step: one that fails must not come up again here
            if advance_one(self._deps, claim_id):
                moved += 1
                _follow_up(self._deps, claim_id)
        return moved


def _follow_up(deps: HandlingServices, claim_id: str) -> None:
    """Let the next local steps follow, as long as the claim moves through them."""
    for _ in _AT_ONCE:
        with deps.work(write=False) as work:
            state = work.claims.get(claim_id).state
        if state not in _AT_ONCE or not advance_one(deps, claim_id):
            return


def advance_one(deps: HandlingServices, claim_id: str) -> bool:
    """One step of one claim; True when something changed."""
    state = "unread"
    try:
        with deps.work(write=False) as work:
            claim = work.claims.get(claim_id)
        state = str(claim.state)
        step = _STEPS.get(claim.state)
        if step is None:
            return False
        try:
            return step(deps, claim)
        except LedgerUnavailableError:
            return wait_for(deps, claim, "ledger")
    except (DomainError, VerificationError, AssertionError, *DAMAGE) as error:
        # Stored values that were changed can break any reader; one claim must not stop the rest.
        what = getattr(error, "code", type(error).__name__)
        with deps.work() as work:
            work.alarms.raise_alarm("claim-step-failed", claim_id, f"{state}: {what}")
            work.commit()
        return False
