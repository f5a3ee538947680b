"""Keeping our locks: an open claim's lock is renewed well before its deadline.

A claim may be pended for longer than a lock lasts, and a lock that has run out can be ended by
anybody. Deadlines are judged by the ledger's time, which may differ from ours. What is near its
deadline is found from the intents that set it, so that the ledger is only asked for those.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.lodging import LOCK
from backend.service_layer.handling.ports import HandlingServices, HandlingWork

RENEW_BEFORE: Final = dt.timedelta(days=60)
"""More than the 30 working days in which the law wants a claim decided: a lock never lasts
shorter than a claim that begins its legal clock now."""

NOT_RENEWED: Final = "lock-not-renewed"
CLAIMS_A_PASS: Final = 100_000
_LOCKED: Final = (
    ClaimState.LODGED,
    ClaimState.PENDED,
    ClaimState.DECIDED,
    ClaimState.SETTLING,
    ClaimState.RELEASING,
    ClaimState.WITHDRAWING,
)


def renew_locks(deps: HandlingServices) -> int:
    """Ask for a later deadline where ours is near; returns how many renewals were enqueued."""
    with deps.work(write=False) as work:
        claims = [work.claims.get(i) for i, _ in work.claims.open_ids(limit=CLAIMS_A_PASS)]
        locked = [claim for claim in claims if claim.state in _LOCKED]
        known = [(claim, *_deadline(work, claim)) for claim in locked]
    if not known:
        return 0
    now = deps.ledger.head().at
    renewed = 0
    for claim, deadline, refused in known:
        if refused is not None:
            _tell(deps, claim, refused)
        elif deadline is not None and deadline - now < RENEW_BEFORE:
            renewed += _renew(deps, claim, deadline, now + LOCK)
    return renewed


def _deadline(work: HandlingWork, claim: Claim) -> tuple[dt.datetime | None, LedgerIntent | None]:
    """The newest deadline that is set or asked for, None when there is none to move; and the
    renewal that the ledger has refused, if that is the last word."""
    lodges = work.outbox.of_subject(claim.id, IntentKind.LODGE)
    renewals = work.outbox.of_subject(claim.id, IntentKind.RENEW)
    asked = [i for i in (*lodges, *renewals) if i.payload["counter"] == claim.lodge_counter]
    if asked and asked[-1].is_final and not asked[-1].took_effect:
        last = asked[-1]
        return None, last if last.kind is IntentKind.RENEW else None
    deadlines = [intent.payload["deadline"] for intent in asked]
    if not deadlines:
        return None, None
    return dt.datetime.fromtimestamp(max(deadlines), dt.UTC), None


def _renew(
    deps: HandlingServices, claim: Claim, deadline: dt.datetime, wanted: dt.datetime
) -> bool:
    with deps.work(write=False) as work:
        bill = work.claims.bill_of_version(claim.version_id)
    slot = deps.ledger.slot(bill.invoice_key)
    if (slot.open_payer, slot.lodge_counter) != (claim.payer_number, claim.lodge_counter):
        return False  # settled or released in this moment, or lost: the claim's own step says so
    with deps.work() as work:
        account = work.claims.payer_account(claim.payer_number)
        if account is None or work.claims.get(claim.id, lock=True).state not in _LOCKED:
            return False
        is_new = work.outbox.add(
            LedgerIntent(
                id=deps.ids.new_id("int"),
                kind=IntentKind.RENEW,
                account=account,
                held=True,
                # One renewal a deadline, however often this runs before it is mined.
                dedupe_key=f"renew:{claim.id}:{claim.lodge_counter}:{int(deadline.timestamp())}",
                subject_id=claim.id,
                payload={
                    "invoice_key": bill.invoice_key.hex(),
                    "payer": claim.payer_number,
                    "counter": claim.lodge_counter,
                    "deadline": int(wanted.timestamp()),
                },
            )
        )
        work.commit()
    return is_new


def _tell(deps: HandlingServices, claim: Claim, refused: LedgerIntent) -> None:
    with deps.work() as work:
        work.alarms.raise_alarm(NOT_RENEWED, claim.id, f"{claim.number}: {refused.outcome}")
        work.commit()
