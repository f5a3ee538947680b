"""A recovery that the ledger knows and a restored database does not.

Its number derives from the claim's number and the order's place, so that it is found again. What
the ledger says came back is believed: it fills the order that is here, or the order is made anew.
Where the claim is not here, or the fund bears less of it, a case is kept for a person.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.claim import IN_EFFECT_STATES
from backend.domain.journal import recovered as recovered_entry
from backend.domain.local_time import local_day
from backend.domain.recovery import (
    ORDINALS_MAX,
    Cause,
    Receipt,
    Recovery,
    ledger_number,
    order_id,
    share,
)
from backend.service_layer.anchoring.adopt import (
    Line,
    add_adopted,
    describe,
    resolve_case,
)
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.claims.records import Claim
from backend.service_layer.journal.booking import book
from backend.service_layer.recovery.closing import recover_intent
from backend.service_layer.recovery.opening import (
    RECEIPT,
    SYSTEM,
    Ground,
    borne_of,
    occasion,
    order_recovery,
    receipt_source,
)
from backend.service_layer.recovery.ports import RecoveryServices, RecoveryWork

FROM_LEDGER: Final = "ledger"
_CASES: Final = "recover:"  # what the id of such a case begins with


def adopt_recovery(
    deps: RecoveryServices, work: RecoveryWork, event: LedgerEvent, at: dt.datetime
) -> Line | None:
    """The line of an adopted recovery; None when it cannot be shown to be one of ours."""
    claim = _claim_of(work, event)
    ordinal = None if claim is None else _ordinal(deps, claim, event.values["recovery_number"])
    if claim is None or ordinal is None:
        return None
    amount = event.values["value"]
    orders = {one.order.ordinal: one for one in work.recoveries.of_claim(claim.id)}
    found = orders.get(ordinal)
    if found is None:
        found = _made_again(deps, work, claim, event, known=len(orders) + 1 == ordinal)
    if found is None or not 0 <= amount - found.received_fen <= found.left_fen:
        return None
    _fill(deps, work, claim, found, Incoming(amount - found.received_fen, local_day(at)))
    add_adopted(work, recover_intent(deps, work, claim, found.order, amount), event, at)
    return Line("adopted", describe(event), f"{found.order.id}: {amount} fen came back")


def _claim_of(work: RecoveryWork, event: LedgerEvent) -> Claim | None:
    for claim_id in work.reconciliation.live_claims_on_key(event.key):
        work.people.lock(work.claims.get(claim_id).person_id)
        claim: Claim = work.claims.get(claim_id, lock=True)
        if claim.state in IN_EFFECT_STATES and claim.payer_number == event.values["payer"]:
            return claim
    return None


def _ordinal(deps: RecoveryServices, claim: Claim, number: bytes) -> int | None:
    for ordinal in range(1, ORDINALS_MAX + 1):
        if ledger_number(deps.network_key, order_id(claim.number, ordinal)) == number:
            return ordinal
    return None


def _made_again(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, event: LedgerEvent, *, known: bool
) -> Recovery | None:
    """The order that was lost, for what came back; in its place, and within what is borne."""
    borne, amount = borne_of(work, claim.id), event.values["value"]
    if not known or amount > borne.total_fen:
        return None
    number = event.values["recovery_number"].hex()
    ground = Ground(Cause.LEDGER, number, "按账本恢复 / found on the ledger")
    return order_recovery(deps, work, claim, share(borne, amount), ground)


@dataclass(frozen=True, slots=True)
class Incoming:
    """What the ledger says came back beyond what is known here, and on which day."""

    amount_fen: int
    received_on: dt.date


def _fill(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, found: Recovery, money: Incoming
) -> None:
    if not money.amount_fen:
        return
    name = found.order.id
    reference = f"{FROM_LEDGER}:{name}"
    work.recoveries.add_receipt(
        Receipt(
            reference=reference,
            order_id=name,
            amount_fen=money.amount_fen,
            received_on=money.received_on,
            source=FROM_LEDGER,
            is_simulated=deps.bank.is_simulated,
            recorded_by=SYSTEM,
            recorded_at=deps.clock.now(),
        )
    )
    said = occasion(deps, work, claim, (RECEIPT, receipt_source(name, reference)))
    book(work, recovered_entry(said, money.amount_fen))


def retry_recoveries(deps: RecoveryServices) -> list[Line]:
    """Try the open cases of unknown recoveries again: their claims may be paid here by now."""
    with deps.work(write=False) as work:
        cases = [one for one in work.reconciliation.open_cases() if one.id.startswith(_CASES)]
    lines = []
    for case in cases:
        event, at = _event_of(case.detail)
        with deps.work() as work:
            line = adopt_recovery(deps, work, event, at)
            if line is not None:
                resolve_case(work, case.id, "reconcile", "adopted")
                work.commit()
                lines.append(line)
    return lines


def _event_of(detail: dict[str, Any]) -> tuple[LedgerEvent, dt.datetime]:
    values = {
        name: bytes.fromhex(value) if name == "recovery_number" else value
        for name, value in detail["values"].items()
    }
    event = LedgerEvent(
        call=detail["call"],
        outcome=detail["outcome"],
        item_index=detail["item_index"],
        key=bytes.fromhex(detail["key"]),
        values=values,
        tx_hash=bytes.fromhex(detail["tx_hash"]),
        block_number=detail["block_number"],
        block_hash=bytes.fromhex(detail["block_hash"]),
        log_index=detail["log_index"],
    )
    return event, dt.datetime.fromisoformat(detail["at"])
