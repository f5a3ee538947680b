"""Ruling a dispute: which institution's bill under a number is the genuine one.

Where the ledger has bound another leaf to the key, the registrar's ``rule`` clears it first.
A lock of our own claim on the bill that loses is given back by that claim, which clears it too.
"""

from __future__ import annotations

import hashlib

from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.service_layer.intake.errors import DisputeError
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.intake.records import Dispute, DisputeState

RULE_ALARM = "dispute-rule-refused"
DISPUTE_ALARM = "invoice-number-disputed"
_CLEARED = ("done", "repeated")
_RELEASES = frozenset({"lodged", "pended", "decided", "releasing"})
"""States of a claim that holds a lock and gives it back once the ruling is against its bill."""


def rule_dispute(
    deps: IntakeServices,
    dispute_id: str,
    *,
    upheld_invoice_id: str | None,
    by: str,
    reason: str,
    registrar: str,
) -> Dispute:
    """Uphold one bill, or none. Every other bill under the number stays held for ever.

    ``registrar`` is the ledger account that may rule. Raises NotFoundError, DisputeError when the
    ledger shows a lock or a settlement, LedgerUnavailableError when it cannot be asked.
    """
    with deps.work(write=False) as work:
        dispute = work.disputes.get(dispute_id)
    slot = deps.ledger.slot(dispute.invoice_key)
    with deps.work() as work:
        dispute = work.disputes.get(dispute_id)
        if dispute.state != DisputeState.OPEN:
            raise DisputeError("这个争议已裁定", "this dispute has been ruled already")
        reference = _upheld_reference(work, dispute, upheld_invoice_id)
        bound = slot.leaf_reference not in (0, reference)
        is_locked = bool(slot.open_payer or slot.settled_payers)
        if is_locked and bound and not _will_release(work, dispute, slot, upheld_invoice_id):
            raise DisputeError(
                "账本上这张票据正被占用或已结算，不能裁定",
                "the ledger shows a lock or a settlement under this number; it cannot be ruled now",
            )
        if bound and not is_locked:
            digest = hashlib.sha256(reason.encode()).hexdigest()
            work.outbox.add(
                LedgerIntent(
                    id=deps.ids.new_id("int"),
                    kind=IntentKind.RULE,
                    account=registrar,
                    held=True,
                    dedupe_key=f"rule:{dispute.id}:{slot.leaf_reference}",
                    subject_id=dispute.id,
                    payload={
                        "invoice_key": dispute.invoice_key.hex(), "leaf": None, "reason": digest,
                    },
                )
            )  # fmt: skip
        work.disputes.set_state(
            dispute.id,
            DisputeState.RULING if bound else DisputeState.RULED,
            upheld_invoice_id=upheld_invoice_id,
            ruled_by=by,
            ruled_at=deps.clock.now(),
            reason=reason,
        )
        ruled = work.disputes.get(dispute.id)
        work.commit()
    return ruled


def _upheld_reference(work: IntakeWork, dispute: Dispute, invoice_id: str | None) -> int:
    if invoice_id is None:
        return 0
    parties = {bill.id: bill for bill in work.invoices.with_keys([dispute.invoice_key])}
    if invoice_id not in parties:
        raise NotFoundError("这张票据不在争议之中", "that bill is no party to this dispute")
    version = work.invoices.current_version(parties[invoice_id])
    position = work.batches.position_of(version.id)
    return 0 if position is None else position.reference


def _will_release(
    work: IntakeWork, dispute: Dispute, slot: SlotState, upheld_invoice_id: str | None
) -> bool:
    """Whether the lock is our own claim's on a losing bill, and nothing stays when it goes."""
    if slot.settled_payers or slot.flags & SlotState.PINNED:
        return False
    return _loser_holds(work, dispute, upheld_invoice_id)


def _loser_holds(work: IntakeWork, dispute: Dispute, upheld_invoice_id: str | None) -> bool:
    return any(
        bill.id != upheld_invoice_id and work.invoices.live_claim_state(bill.id) in _RELEASES
        for bill in work.invoices.with_keys([dispute.invoice_key])
    )


def finish_rulings(deps: IntakeServices, work: IntakeWork) -> int:
    """Close the disputes of which the ledger holds nothing any more that was ruled against;
    returns how many."""
    closed = 0
    for dispute in work.disputes.unsettled():
        if dispute.state != DisputeState.RULING:
            continue
        intents = work.outbox.of_subject(dispute.id, IntentKind.RULE)
        if not intents:
            if not _loser_holds(work, dispute, dispute.upheld_invoice_id):
                work.disputes.set_state(dispute.id, DisputeState.RULED)
                closed += 1
            continue
        if intents[-1].state is not IntentState.FINAL:
            continue
        if intents[-1].outcome in _CLEARED:
            work.disputes.set_state(dispute.id, DisputeState.RULED)
            closed += 1
        else:
            work.alarms.raise_alarm(RULE_ALARM, dispute.id, str(intents[-1].outcome))
            work.disputes.set_state(dispute.id, DisputeState.OPEN)
    return closed
