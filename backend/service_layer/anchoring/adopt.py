"""Adopting what the chain knows into a database that was restored from an older backup.

Transaction by transaction, oldest first, each in one database transaction: the ledger's events
become outcomes of intents that are still open here, batches whose rows were lost, and (through
the callbacks) states of claims and bills. An adopted transaction is stored by its hash, so that
doing all of it again changes nothing, and being stopped anywhere loses nothing. Only final blocks
are adopted. Nothing is signed or sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.anchoring.behind import concerns, is_known
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import (
    KnownBatch,
    LedgerEvent,
    MinedTransaction,
    Parties,
    Purpose,
    TransactionRecord,
    TransactionState,
)
from backend.service_layer.anchoring.outcomes import finish, intent_key
from backend.service_layer.anchoring.ports import AnchoringWork
from backend.service_layer.anchoring.send import take_lease
from backend.service_layer.ports import LedgerUnavailableError

CASE_OVERDUE: Final = "money-case-overdue"
"""The alarm of a case whose deadline has passed."""

_OPEN: Final = tuple(state for state in IntentState if state is not IntentState.FINAL)
_CLAIM_CALLS: Final = frozenset(("lodge", "settle", "release", "renew"))
_PAYER_CALLS: Final = _CLAIM_CALLS | {"supplement", "recover"}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of what ``yichu reconcile`` prints. ``verdict`` is agrees, adopted, case, or another
    one for which it has a word. ``words``: what people read instead of ``detail``, Chinese and
    English; programs go on reading that."""

    verdict: str
    what: str
    detail: str
    words: tuple[str, str] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Adopters:
    """What other parts of the system make of an event that no intent here has asked for. The
    first argument is the open unit of work."""

    claim: Callable[[Any, LedgerEvent, dt.datetime], Line]
    bill: Callable[[Any, LedgerEvent], Line]


def adopt_chain(
    deps: Anchoring, parties: Parties, adopters: Adopters, first: int, last: int
) -> list[Line]:
    """Adopt every unknown transaction of ours in blocks ``first`` to ``last``."""
    if first > last:
        return []
    lines: list[Line] = []
    events = deps.node.events(first, last)
    for tx_hash, group in groupby(events, key=lambda event: event.tx_hash):
        ours = [event for event in group if concerns(event, parties)]
        if not ours:
            continue
        with deps.work(write=False) as work:
            if is_known(work, tx_hash):
                continue
        lines += _adopt_transaction(deps, parties, adopters, ours)
    return lines


def _adopt_transaction(
    deps: Anchoring, parties: Parties, adopters: Adopters, events: Sequence[LedgerEvent]
) -> list[Line]:
    place = events[0]
    mined = deps.node.transaction(place.tx_hash)
    stamp = deps.node.block(place.block_number)
    receipt = deps.node.receipt(place.tx_hash)
    if mined is None or stamp is None or receipt is None or stamp.hash != place.block_hash:
        raise LedgerUnavailableError(
            "节点没有给出已入块的交易，请换一个节点再试",
            f"the node does not return the mined transaction {place.tx_hash.hex()}; ask another",
        )
    with deps.work() as work:
        if is_known(work, place.tx_hash):
            return []
        intents = [_open_intent(work, event) for event in events]
        record = _record(deps, place, mined, receipt.gas_used)
        work.transactions.add(record, list(dict.fromkeys(i.id for i in intents if i is not None)))
        work.transactions.update(
            record.id,
            TransactionState.MINED,
            block_number=place.block_number,
            block_hash=place.block_hash,
            gas_used=receipt.gas_used,
        )
        lines = [
            _adopt_event(deps, work, event, intent, parties=parties, adopters=adopters, at=stamp.at)
            for event, intent in zip(events, intents, strict=True)
        ]
        finish(work, record, succeeded=receipt.succeeded)
        work.commit()
    return lines


def _record(
    deps: Anchoring, place: LedgerEvent, mined: MinedTransaction, gas_used: int
) -> TransactionRecord:
    return TransactionRecord(
        id=deps.ids.new_id("tx"),
        account=mined.sender,
        nonce=mined.unsigned.nonce,
        chain_id=mined.unsigned.chain_id,
        purpose=Purpose.ADOPTED,
        raw=None,
        unsigned=mined.unsigned,
        tx_hash=place.tx_hash,
        fencing_token=0,
        state=TransactionState.MINED,
        block_number=place.block_number,
        block_hash=place.block_hash,
        gas_used=gas_used,
        created_at=deps.clock.now(),
        sent_at=None,
        send_count=0,
    )


def _open_intent(work: AnchoringWork, event: LedgerEvent) -> LedgerIntent | None:
    """The intent here that wanted what the event says, and does not know its outcome yet."""
    if event.call == "anchor":
        anchor = work.batches.anchor_at(event.values["institution"], event.values["sequence"])
        is_same = anchor is not None and anchor.payload["root"] == event.key.hex()
        return anchor if is_same and anchor and not anchor.is_final else None
    for intent in work.outbox.in_states(*_OPEN, kind=IntentKind(event.call)):
        if intent_key(intent) == event.key and _is_same_call(event, intent):
            return intent
    return None


def _is_same_call(event: LedgerEvent, intent: LedgerIntent) -> bool:
    wanted, values = intent.payload, event.values
    if event.call == "supplement":
        return _is_same_decision(event, intent) or event.outcome != "done"
    if event.call == "recover":
        said = (values["recovery_number"].hex(), values["value"])
        return said == (wanted["recovery_number"], wanted["amount"])
    if event.call not in _CLAIM_CALLS:
        return True
    if (wanted["payer"], wanted["counter"]) != (values["payer"], values["counter"]):
        return False
    if event.call != "settle" or event.outcome != "done":
        return True
    return _is_same_decision(event, intent)


def _is_same_decision(event: LedgerEvent, intent: LedgerIntent) -> bool:
    """Whether a settlement or a supplement carries the amount and decision that are wanted."""
    wanted, values = intent.payload, event.values
    said = (
        values["value"],
        values["decision_version"],
        values["decision_fingerprint"].hex(),
        values["policy_hash"].hex(),
    )
    names = ("amount", "decision_version", "decision_fingerprint", "policy_hash")
    return said == tuple(wanted[name] for name in names)


def _adopt_event(
    deps: Anchoring,
    work: AnchoringWork,
    event: LedgerEvent,
    intent: LedgerIntent | None,
    *,
    parties: Parties,
    adopters: Adopters,
    at: dt.datetime,
) -> Line:
    if intent is not None:
        work.outbox.set_state([intent.id], IntentState.MINED, **outcome_values(event, at))
        return Line("adopted", describe(event), f"outcome of {intent.id}")
    if event.outcome != "done":
        return Line("agrees", describe(event), "it changed nothing")
    if event.call == "anchor":
        return _adopt_batch(deps, work, parties, event, at)
    if event.call in _PAYER_CALLS:
        return adopters.claim(work, event, at)
    return adopters.bill(work, event)


def outcome_values(event: LedgerEvent, at: dt.datetime) -> dict[str, Any]:
    """The columns of an intent that say what became of it."""
    return {
        "outcome": event.outcome,
        "outcome_detail": {
            k: v.hex() if isinstance(v, bytes) else v for k, v in event.values.items()
        },
        "tx_hash": event.tx_hash,
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "log_index": event.log_index,
        "block_at": at,
    }


def add_adopted(
    work: Any, intent: LedgerIntent, event: LedgerEvent, at: dt.datetime
) -> LedgerIntent:
    """Store an intent together with the outcome that the chain shows."""
    work.outbox.add(intent)
    kept: LedgerIntent = work.outbox.find(intent.dedupe_key)
    work.outbox.set_state([kept.id], IntentState.FINAL, **outcome_values(event, at))
    return kept


def describe(event: LedgerEvent) -> str:
    """An event in a few words for the table."""
    if event.call == "anchor":
        return f"batch {event.values['institution']}/{event.values['sequence']}"
    return f"{event.call} {event.key.hex()[:16]}/{event.values['counter']}: {event.outcome}"


def _adopt_batch(
    deps: Anchoring, work: AnchoringWork, parties: Parties, event: LedgerEvent, at: dt.datetime
) -> Line:
    """Keep the head, so that the sequence goes on; the leaves are looked for later."""
    values = event.values
    code, _ = parties.institutions[values["institution"]]
    here = work.reconciliation.batch_at(code, values["sequence"])
    if here is not None and here.head == values["head"]:
        return Line("agrees", describe(event), "the same batch")
    if here is not None:
        detail = {"institution": code, "sequence": values["sequence"], "head": values["head"].hex()}
        case_id = f"batch:{code}:{values['sequence']}"
        open_case(work, case_id, "batch-differs", detail)
        return Line("case", describe(event), "another batch of this sequence is stored here")
    known = KnownBatch(
        id=deps.ids.new_id("bat"),
        institution_code=code,
        sequence=values["sequence"],
        previous_head=values["previous_head"],
        root=event.key,
        size=values["size"],
        head=values["head"],
    )
    work.reconciliation.add_batch(known)
    intent = LedgerIntent(
        id=deps.ids.new_id("int"),
        kind=IntentKind.ANCHOR,
        account=values["account"],
        held=work.reconciliation.custody_of(code) == "custodial",
        dedupe_key=f"anchor:{known.id}",
        subject_id=known.id,
        payload={
            "sequence": known.sequence,
            "previous_head": known.previous_head.hex(),
            "root": known.root.hex(),
            "size": known.size,
        },
    )
    add_adopted(work, intent, event, at)
    detail = {"institution": code, "sequence": known.sequence, "first": 0, "last": known.size - 1}
    open_case(work, leaves_case(known), "leaves-lost", detail)
    return Line("adopted", describe(event), f"head kept; {known.size} leaves to be found")


def leaves_case(known: KnownBatch) -> str:
    """The case of a batch whose leaves were lost."""
    return f"leaves:{known.institution_code}:{known.sequence}"


def open_case(
    work: Any, case_id: str, kind: str, detail: dict[str, Any], due_at: dt.datetime | None = None
) -> None:
    """Keep a case until it is resolved, and count it among the alarms."""
    work.reconciliation.put_case(case_id, kind, detail, due_at)
    work.alarms.raise_alarm("reconcile-case", case_id, kind)


def case_deadline(deps: Any) -> dt.datetime:
    """By when a case that is opened now is to be dealt with (``YICHU_CASE_HOURS``)."""
    due_at: dt.datetime = deps.clock.now() + dt.timedelta(hours=deps.settings.case_hours)
    return due_at


def resolve_case(work: Any, case_id: str, by: str, resolution: str) -> bool:
    """Close a case and its alarms; False when there is no such open case."""
    work.alarms.clear("reconcile-case", case_id)
    work.alarms.clear(CASE_OVERDUE, case_id)
    return bool(work.reconciliation.resolve_case(case_id, by, resolution))


def adopt_nonces(deps: Anchoring, parties: Parties) -> list[Line]:
    """Take the next nonce of each account from the chain where the chain is ahead."""
    lines = []
    for account in parties.accounts:
        if not deps.signer.holds(account):
            continue
        there = deps.node.transaction_count(account)
        with deps.work(write=False) as work:
            here = work.accounts.next_nonce(account)
        if there <= (here or 0):
            lines.append(Line("agrees", f"nonce {account}", str(here or 0)))
            continue
        lease = take_lease(deps, account)
        with deps.work() as work:
            work.accounts.confirm(lease, deps.lease_seconds)
            work.accounts.set_nonce(account, here, there, lease.fencing_token)
            work.accounts.release(lease)
            work.commit()
        lines.append(Line("adopted", f"nonce {account}", f"{here or 0} -> {there}"))
    return lines
