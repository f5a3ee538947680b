"""Red bills: a bill of its own that declares another one reversed (冲红).

A red bill may arrive before its original. The ledger's ``reverse`` is enqueued as soon as both
leaves stand in batches; it names the original's leaf and wins in every state of the slot.
"""

from __future__ import annotations

from backend.domain.invoice import Invoice
from backend.domain.ledger import IntentKind
from backend.service_layer.intake.errors import RedBillError
from backend.service_layer.intake.intents import enqueue
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.intake.records import InvoiceState, StoredInvoice

AMOUNT_ALARM = "red-amount-differs"


def original_of(work: IntakeWork, red: Invoice) -> StoredInvoice | None:
    """The bill that a red bill reverses, None when it has not arrived yet.

    Raises RedBillError when it cannot be reversed by this red bill.
    """
    original = work.invoices.find(
        red.institution_code, red.related_invoice_code, red.related_invoice_number
    )
    if original is None:
        return None
    if original.state == InvoiceState.REVERSED:
        raise RedBillError(
            "原票已经冲红，不能再次冲红", "the original was reversed by another red bill before"
        )
    if original.state == InvoiceState.VOID:
        raise RedBillError("原票已作废，不能冲红", "the original is void and cannot be reversed")
    total = work.invoices.current_version(original).total_fen
    if total < 0:
        raise RedBillError("原票本身是红字票据", "the original is a red bill itself")
    if total + red.total_fen != 0:
        raise RedBillError(
            "红字金额与原票不能相抵（财政票据只能全额冲红，部分退费请全额冲红后另开蓝票）",
            "the red amount does not cancel the original: fiscal bills are reversed in full; for a "
            "partial refund reverse the whole and issue a new bill for the rest",
        )
    return original


def reverse_original(deps: IntakeServices, work: IntakeWork, original: StoredInvoice) -> None:
    """Mark the original reversed and tell the ledger as soon as it can be told."""
    work.invoices.set_state(original.id, InvoiceState.REVERSED)
    enqueue_reverse(deps, work, original.id)


def apply_waiting_reds(deps: IntakeServices, work: IntakeWork, original: StoredInvoice) -> None:
    """An original has arrived after the red bill that names it."""
    reds = work.invoices.waiting_reds(
        original.institution_code, original.invoice_code, original.invoice_number
    )
    for red in reds:
        work.invoices.link_original(red.id, original.id)
        amounts = (work.invoices.current_version(bill).total_fen for bill in (red, original))
        if sum(amounts) != 0:
            # Both papers exist, so neither is refused; nothing is paid on the original.
            work.alarms.raise_alarm(
                AMOUNT_ALARM, original.id, f"red bill {red.id} does not cancel its original"
            )
    if reds:
        reverse_original(deps, work, original)


def enqueue_reverse(deps: IntakeServices, work: IntakeWork, original_id: str) -> None:
    """Enqueue ``reverse`` when the leaves of the original and of a red bill are in batches."""
    original = work.invoices.get(original_id)
    if original.state != InvoiceState.REVERSED:
        return
    position = work.batches.position_of(work.invoices.current_version(original).id)
    if position is None:
        return
    for red in work.invoices.reds_of(original.id):
        red_position = work.batches.position_of(work.invoices.current_version(red).id)
        if red_position is not None:
            payload = {"original": position.to_payload(), "red": red_position.to_payload()}
            enqueue(
                deps,
                work,
                original,
                IntentKind.REVERSE,
                dedupe_key=f"reverse:{original.id}",
                payload=payload,
            )
            return
