"""When nothing is left: the ledger's ``recover``, once an order, with what really came back."""

from __future__ import annotations

from typing import Final

from backend.domain.ledger import IntentKind, LedgerIntent
from backend.domain.local_time import local_day
from backend.domain.recovery import Debtor, Order, Recovery
from backend.service_layer.claims.records import Claim
from backend.service_layer.recovery.notices import announce_end
from backend.service_layer.recovery.ports import RecoveryServices, RecoveryWork

OVERDUE: Final = "recovery-overdue"
REFUSED: Final = "recovery-refused"
WAIVER_ASKED: Final = "recovery-waiver-asked"


def dedupe_key(order_id: str) -> str:
    """The key under which an order's event is enqueued once."""
    return f"recover:{order_id}"


def recover_intent(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, order: Order, amount_fen: int
) -> LedgerIntent:
    """The ledger's call for an order."""
    bill = work.claims.bill_of_version(claim.version_id)
    return LedgerIntent(
        id=deps.ids.new_id("int"),
        kind=IntentKind.RECOVER,
        account=work.claims.payer_account(claim.payer_number) or "",
        held=True,
        dedupe_key=dedupe_key(order.id),
        subject_id=claim.id,
        payload={
            "invoice_key": bill.invoice_key.hex(),
            "payer": claim.payer_number,
            "amount": amount_fen,
            "recovery_number": order.number.hex(),
        },
    )


def close_when_over(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, order_id: str
) -> Recovery:
    """Once nothing is left, say on the ledger what came back, and tell the person. Of an order
    that was waived before anything came back the ledger hears nothing. The caller commits."""
    found: Recovery = work.recoveries.get(order_id)
    if not found.is_overdue(local_day(deps.clock.now())):
        work.alarms.clear(OVERDUE, order_id)
    if not found.state.is_over:
        return found
    work.alarms.clear(WAIVER_ASKED, order_id)
    if found.received_fen:
        work.outbox.add(recover_intent(deps, work, claim, found.order, found.received_fen))
    if found.order.debtor is Debtor.PERSON:
        announce_end(deps, work, found)
    return found
