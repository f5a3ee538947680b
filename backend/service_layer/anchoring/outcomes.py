"""From a receipt to the outcomes of the intents that its transaction carried.

An outcome is believed by hash, receipt and event, and for an anchor by the root that was emitted:
a receipt alone says only that something was mined (reference T17).
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.anchoring.dependencies import TRIES_MAX, Anchoring
from backend.service_layer.anchoring.model import (
    LedgerEvent,
    Purpose,
    Receipt,
    TransactionRecord,
    TransactionState,
)
from backend.service_layer.anchoring.ports import AnchoringWork
from backend.service_layer.failpoints import reach

#: Outcomes that pass by themselves: the intent is sent again.
PASSING: Final = frozenset(("paused", "suspended", "before-agreement"))
_NO_PLACE: Final[dict[str, Any]] = {
    "outcome": None,
    "outcome_detail": None,
    "block_number": None,
    "block_hash": None,
    "log_index": None,
    "block_at": None,
}
_SETTLEMENT: Final = ("counter", "decision_version")


def record_mined(deps: Anchoring, record: TransactionRecord, receipt: Receipt) -> None:
    """Write what a mined transaction did. Doing it again changes nothing."""
    stamp = deps.node.block(receipt.block_number)
    if stamp is None or stamp.hash != receipt.block_hash:
        return  # reorganised in this moment; the next pass sees the truth
    with deps.work(write=False) as work:
        items = work.transactions.items(record.id)
    results = [_result(deps, intent, receipt, i) for i, intent in enumerate(items)]
    reach("outcome.before-commit")
    with deps.work() as work:
        work.transactions.update(
            record.id,
            TransactionState.MINED,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            gas_used=receipt.gas_used,
        )
        for intent, event in zip(items, results, strict=True):
            if event is not None:
                _write_outcome(work, intent, event, stamp.at)
            elif receipt.succeeded and record.purpose is Purpose.CALL:
                work.alarms.raise_alarm(
                    "outcome-missing", intent.id, "mined, but the ledger emitted no such event"
                )
        work.commit()
    reach("outcome.after-commit")


def _result(
    deps: Anchoring, intent: LedgerIntent, receipt: Receipt, index: int
) -> LedgerEvent | None:
    for event in receipt.events:
        if event.item_index == index and _is_about(event, intent):
            if event.outcome == "already-settled":
                return _compare_settlement(deps, intent, event)
            return event
    return None


def _is_about(event: LedgerEvent, intent: LedgerIntent) -> bool:
    if event.call != str(intent.kind):
        return False
    if intent.kind is IntentKind.ANCHOR:
        named = (intent.payload["root"], intent.payload["sequence"])
        return (event.key.hex(), event.values["sequence"]) == named
    return bool(event.key == intent_key(intent))


def intent_key(intent: LedgerIntent) -> bytes:
    """The invoice key of an intent; the key stands at bytes 20 to 52 of a leaf (SPEC.md A6)."""
    payload = intent.payload
    if "invoice_key" in payload:
        return bytes.fromhex(payload["invoice_key"])
    for name in ("position", "new", "original"):
        if name in payload:
            return bytes.fromhex(payload[name]["leaf"])[20:52]
    return b""


def _compare_settlement(
    deps: Anchoring, intent: LedgerIntent, event: LedgerEvent
) -> LedgerEvent | None:
    """A settle of a bill that this payer has settled is a repetition when the first event says
    exactly what this intent wanted, else it stays *already settled*."""
    first = deps.node.first_settlement(event.key, event.values["payer"])
    if first is None:
        return event
    wanted, values = intent.payload, first.values
    is_same = (
        all(values[name] == wanted[name] for name in _SETTLEMENT)
        and values["value"] == wanted["amount"]
        and values["decision_fingerprint"].hex() == wanted["decision_fingerprint"]
        and values["policy_hash"].hex() == wanted["policy_hash"]
    )
    if not is_same:
        return event
    return LedgerEvent(
        call=event.call,
        outcome="repeated",
        item_index=event.item_index,
        key=event.key,
        values=event.values,
        tx_hash=event.tx_hash,
        block_number=event.block_number,
        block_hash=event.block_hash,
        log_index=event.log_index,
    )


def _write_outcome(
    work: AnchoringWork, intent: LedgerIntent, event: LedgerEvent, at: dt.datetime
) -> None:
    if intent.state is IntentState.FINAL and intent.block_hash == event.block_hash:
        return
    work.outbox.set_state(
        [intent.id],
        IntentState.MINED,
        outcome=event.outcome,
        outcome_detail={k: v.hex() if isinstance(v, bytes) else v for k, v in event.values.items()},
        tx_hash=event.tx_hash,
        block_number=event.block_number,
        block_hash=event.block_hash,
        log_index=event.log_index,
        block_at=at,
    )


def forget_block(work: AnchoringWork, record: TransactionRecord) -> bool:
    """Take a transaction whose block has left the chain back to *sent*; its bytes go out again.

    Returns whether it had been final.
    """
    was_final = record.state is TransactionState.FINAL
    work.transactions.update(
        record.id,
        TransactionState.SENT,
        block_number=None,
        block_hash=None,
        gas_used=None,
        sent_at=None,
    )
    carried = [i.id for i in work.transactions.items(record.id) if i.tx_hash == record.tx_hash]
    work.outbox.set_state(carried, IntentState.SENT, **_NO_PLACE)
    return was_final


def finish(work: AnchoringWork, record: TransactionRecord, *, succeeded: bool) -> None:
    """A transaction's block is final: close its nonce and its intents.

    Intents of a candidate that lost the nonce, of a reverted transaction, and those with an
    outcome that passes by itself, are queued again; too many tries end in quarantine.
    """
    work.transactions.update(record.id, TransactionState.FINAL)
    items = list(work.transactions.items(record.id))
    for other in work.transactions.of_nonce(record.account, record.nonce):
        if other.id != record.id and other.state is not TransactionState.REPLACED:
            work.transactions.update(other.id, TransactionState.REPLACED)
            known = {item.id for item in items}
            items += [i for i in work.transactions.items(other.id) if i.id not in known]
    for intent in items:
        if intent.state is IntentState.FINAL:
            continue
        is_done = intent.state is IntentState.MINED and intent.tx_hash == record.tx_hash
        if is_done and succeeded and intent.outcome not in PASSING:
            work.outbox.set_state([intent.id], IntentState.FINAL)
            _alarm_refused_anchor(work, intent)
        else:
            queue_again(work, intent, "its transaction had no effect")


def queue_again(work: AnchoringWork, intent: LedgerIntent, why: str) -> None:
    """Put an intent back into the queue, or into quarantine after too many tries."""
    work.outbox.count_tries([intent.id])
    if intent.tries + 1 >= TRIES_MAX and intent.outcome not in PASSING:
        work.outbox.set_state([intent.id], IntentState.QUARANTINED, **_NO_PLACE)
        work.alarms.raise_alarm("intent-quarantined", intent.id, f"{intent.kind}: {why}")
    else:
        work.outbox.set_state([intent.id], IntentState.QUEUED, tx_hash=None, **_NO_PLACE)


def _alarm_refused_anchor(work: AnchoringWork, intent: LedgerIntent) -> None:
    if intent.kind is IntentKind.ANCHOR and not intent.took_effect:
        work.alarms.raise_alarm(
            "anchor-refused", intent.subject_id, f"the ledger refused the anchor: {intent.outcome}"
        )
