"""From a receipt to the outcomes of the intents that its transaction carried.

An outcome is believed by hash, receipt and event, and for an anchor by the root that was emitted:
a receipt alone says only that something was mined (reference T17).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
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

#: Transactions (of at most 100 items each) that one database transaction closes, so that uploads
#: never wait long for SQLite's one writer.
CLOSED_A_COMMIT: Final = 20
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


def note_mined(deps: Anchoring, records: Sequence[TransactionRecord]) -> Mapping[str, bool]:
    """Look for the receipts of signed transactions and write what the mined ones did.

    Returns by transaction id whether there is a receipt; one that is left out is unknown.
    """
    reach("outcome.before-receipt")
    hashes = {record.tx_hash: record for record in records if record.tx_hash is not None}
    receipts = deps.node.receipts(list(hashes))
    mined = [(hashes[h], receipt) for h, receipt in receipts.items() if receipt is not None]
    for start in range(0, len(mined), CLOSED_A_COMMIT):
        _record(deps, mined[start : start + CLOSED_A_COMMIT])
    return {hashes[h].id: receipt is not None for h, receipt in receipts.items()}


def record_mined(deps: Anchoring, record: TransactionRecord, receipt: Receipt) -> None:
    """Write what a mined transaction did. Doing it again changes nothing."""
    _record(deps, [(record, receipt)])


def _record(deps: Anchoring, mined: Sequence[tuple[TransactionRecord, Receipt]]) -> None:
    numbers = sorted({receipt.block_number for _, receipt in mined})
    stamps = dict(zip(numbers, deps.node.blocks(numbers), strict=True))
    # What was reorganised in this moment is left out; the next pass sees the truth.
    standing = []
    for record, receipt in mined:
        stamp = stamps[receipt.block_number]
        if stamp is not None and stamp.hash == receipt.block_hash:
            standing.append((record, receipt, stamp.at))
    if not standing:
        return
    with deps.work(write=False) as work:
        items = work.transactions.items_of([record.id for record, _, _ in standing])
    outcomes: list[tuple[str, dict[str, Any]]] = []
    missing: list[LedgerIntent] = []
    for record, receipt, at in standing:
        for intent, event in _results(deps, items[record.id], receipt):
            if event is None and receipt.succeeded and record.purpose is Purpose.CALL:
                missing.append(intent)
            elif event is not None and not _is_known(intent, event):
                outcomes.append((intent.id, _outcome(event, at)))
    reach("outcome.before-commit")
    with deps.work() as work:
        work.transactions.record_mined([(record.id, receipt) for record, receipt, _ in standing])
        work.outbox.record_outcomes(outcomes)
        for intent in missing:
            work.alarms.raise_alarm(
                "outcome-missing", intent.id, "mined, but the ledger emitted no such event"
            )
        work.commit()
    reach("outcome.after-commit")


def _results(
    deps: Anchoring, items: Sequence[LedgerIntent], receipt: Receipt
) -> Iterator[tuple[LedgerIntent, LedgerEvent | None]]:
    by_index: dict[int, list[LedgerEvent]] = {}
    for event in receipt.events:
        by_index.setdefault(event.item_index, []).append(event)
    for index, intent in enumerate(items):
        yield intent, _result(deps, intent, by_index.get(index, []))


def _result(
    deps: Anchoring, intent: LedgerIntent, events: Sequence[LedgerEvent]
) -> LedgerEvent | None:
    for event in events:
        if _is_about(event, intent):
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


def _is_known(intent: LedgerIntent, event: LedgerEvent) -> bool:
    return intent.state is IntentState.FINAL and intent.block_hash == event.block_hash


def _outcome(event: LedgerEvent, at: dt.datetime) -> dict[str, Any]:
    detail = {k: v.hex() if isinstance(v, bytes) else v for k, v in event.values.items()}
    return {
        "outcome": event.outcome,
        "outcome_detail": detail,
        "tx_hash": event.tx_hash,
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "log_index": event.log_index,
        "block_at": at,
    }


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
    """A transaction's block is final: close its nonce and its intents."""
    finish_all(work, [(record, succeeded)])


def finish_all(work: AnchoringWork, closing: Sequence[tuple[TransactionRecord, bool]]) -> None:
    """Blocks are final: close the nonces and the intents of these transactions, each given with
    whether it succeeded.

    Intents of a candidate that lost the nonce, of a reverted transaction, and those with an
    outcome that passes by itself, are queued again; too many tries end in quarantine.
    """
    ids = [record.id for record, _ in closing]
    rivals = work.transactions.rivals_of(ids)
    lost = [rival.id for group in rivals.values() for rival in group]
    items = work.transactions.items_of([*ids, *lost])
    work.transactions.set_state(ids, TransactionState.FINAL)
    work.transactions.set_state(lost, TransactionState.REPLACED)
    done: dict[str, LedgerIntent] = {}
    undone: dict[str, LedgerIntent] = {}
    for record, succeeded in closing:
        carriers = [record.id, *(rival.id for rival in rivals.get(record.id, ()))]
        for intent in (intent for carrier in carriers for intent in items[carrier]):
            if intent.state is IntentState.FINAL:
                continue
            is_done = intent.state is IntentState.MINED and intent.tx_hash == record.tx_hash
            if is_done and succeeded and intent.outcome not in PASSING:
                done[intent.id] = intent
            else:
                undone[intent.id] = intent
    work.outbox.set_state(list(done), IntentState.FINAL)
    for intent in done.values():
        _alarm_refused_anchor(work, intent)
    for intent_id, intent in undone.items():
        if intent_id not in done:
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
