"""Red bills: a bill of its own that declares another one reversed (冲红).

A red bill may arrive before its original. Its lines are compared with those of the original
(identity 5 of domain reference 2.2): only what cancels the whole reverses by itself. The ledger's
``reverse`` is enqueued as soon as both leaves stand in batches; it names the original's leaf and
wins in every state of the slot.
"""

from __future__ import annotations

from backend.domain.invoice import Invoice
from backend.domain.ledger import IntentKind
from backend.domain.red_bill import RedMatch, is_reversible_in_part, match_red_lines
from backend.service_layer.intake.errors import RedBillError
from backend.service_layer.intake.intents import enqueue
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.intake.records import InvoiceState, StoredInvoice

AMOUNT_ALARM = "red-amount-differs"
LINES_ALARM = "red-lines-differ"
PART_ALARM = "red-after-decision"
LINES_NAMED = 20
_DECIDED = frozenset(
    {"decided", "settling", "settled", "paying", "paid", "supplementing", "releasing"}
)
"""States of a claim in which nobody looks at the lines of its bill any more."""


def original_of(work: IntakeWork, red: Invoice) -> StoredInvoice | None:
    """The bill that a red bill reverses, None when it has not arrived yet.

    Raises RedBillError when it cannot be reversed by this red bill: it has ended, is a red bill,
    or the amounts are no reversal of its kind. Lines that differ refuse nothing.
    """
    original = work.invoices.find(
        red.institution_code, red.related_invoice_code, red.related_invoice_number
    )
    if original is None:
        return None
    work.invoices.lock_keys(original.keys)  # two red bills at once are taken one after the other
    original = work.invoices.get(original.id)
    if original.state == InvoiceState.REVERSED:
        raise RedBillError(
            "原票已经冲红，不能再次冲红", "the original was reversed by another red bill before"
        )
    if original.state == InvoiceState.VOID:
        raise RedBillError("原票已作废，不能冲红", "the original is void and cannot be reversed")
    invoice = _invoice(work, original)
    if invoice.is_red:
        raise RedBillError("原票本身是红字票据", "the original is a red bill itself")
    left_fen = _match(work, original, invoice).left_fen + red.total_fen
    if left_fen < 0:
        raise RedBillError(
            "红字金额超过原票剩下的金额", "the red amount is beyond what is left of the original"
        )
    if left_fen and not is_reversible_in_part(invoice):
        raise RedBillError(
            "红字金额与原票不能相抵（财政票据只能全额冲红，部分退费请全额冲红后另开蓝票）",
            "the red amount does not cancel the original: fiscal bills are reversed in full; for a "
            "partial refund reverse the whole and issue a new bill for the rest",
        )
    return original


def _invoice(work: IntakeWork, stored: StoredInvoice) -> Invoice:
    return Invoice.from_record(work.invoices.record_of(work.invoices.current_version(stored).id))


def _match(work: IntakeWork, original: StoredInvoice, invoice: Invoice) -> RedMatch:
    """What the red bills that are stored cancel of the original."""
    return match_red_lines(
        invoice, [_invoice(work, red) for red in work.invoices.reds_of(original.id)]
    )


def apply_reds(deps: IntakeServices, work: IntakeWork, original: StoredInvoice) -> None:
    """What the red bills of an original come to: reversed when their lines cancel the whole.

    Where they cancel a part, or lines are not those of the original, it is not reversed: its claim
    is for a person to look at (``claims.red_bills``), and the alarm names the lines.
    """
    match = _match(work, original, _invoice(work, original))
    if match.faults:
        work.alarms.raise_alarm(LINES_ALARM, original.id, _lines_said(work, original, match))
    if match.is_full:
        reverse_original(deps, work, original)
    elif match.cancelled and work.invoices.live_claim_state(original.id) in _DECIDED:
        said = ", ".join(str(index + 1) for index in sorted(match.cancelled)[:LINES_NAMED])
        work.alarms.raise_alarm(PART_ALARM, original.id, f"taken back of lines {said}")


def _lines_said(work: IntakeWork, original: StoredInvoice, match: RedMatch) -> str:
    """Which lines of which red bill differ, without a word of what they say."""
    reds = work.invoices.reds_of(original.id)
    parts = []
    for position, faults in match.faults.items():
        named = ", ".join(f"{one.line_index + 1} {one.why}" for one in faults[:LINES_NAMED])
        parts.append(f"red bill {reds[position].id}: line {named}")
    return "; ".join(parts)


def reverse_original(deps: IntakeServices, work: IntakeWork, original: StoredInvoice) -> None:
    """Mark the original reversed and tell the ledger as soon as it can be told."""
    work.invoices.set_state(original.id, InvoiceState.REVERSED)
    enqueue_reverse(deps, work, original.id)


def apply_waiting_reds(deps: IntakeServices, work: IntakeWork, original: StoredInvoice) -> None:
    """An original has arrived after the red bill that names it."""
    reds = work.invoices.waiting_reds(
        original.institution_code, original.invoice_code, original.invoice_number
    )
    if not reds:
        return
    for red in reds:
        work.invoices.link_original(red.id, original.id)
    invoice = _invoice(work, original)
    amounts = [work.invoices.current_version(red).total_fen for red in reds]
    is_part = invoice.total_fen + sum(amounts) >= 0 and is_reversible_in_part(invoice)
    if invoice.total_fen + sum(amounts) == 0 or is_part:
        apply_reds(deps, work, original)
        return
    for red in reds:
        # Both papers exist, so neither is refused; nothing is paid on the original.
        work.alarms.raise_alarm(
            AMOUNT_ALARM, original.id, f"red bill {red.id} does not cancel its original"
        )
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
