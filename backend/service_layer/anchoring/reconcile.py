"""Every nonce that we allocated ends mined, by one of its recorded candidates.

Decisions rest on state (receipt, account nonce, whether a node knows the hash); refusal texts
differ from node to node and are only a hint (reference T3).
"""

from __future__ import annotations

import logging

from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import (
    Call,
    LeaseHeldError,
    LeaseLostError,
    Purpose,
    TransactionRecord,
    TransactionState,
)
from backend.service_layer.anchoring.outcomes import (
    CLOSED_A_COMMIT,
    finish_all,
    forget_block,
    note_mined,
    queue_again,
)
from backend.service_layer.anchoring.send import (
    build_unsigned,
    forward,
    new_record,
    sign_record,
    take_lease,
)
from backend.service_layer.failpoints import reach
from backend.service_layer.ports import BlockStamp

_logger = logging.getLogger(__name__)
_GAS_TRANSFER = 21_000


def settle_nonces(deps: Anchoring) -> int:
    """Look up, or send again, every transaction that is not mined; returns how many were found
    mined."""
    with deps.work(write=False) as work:
        records = work.transactions.in_states(TransactionState.SIGNED, TransactionState.SENT)
    # By nonce, then by age: what was replaced is looked up, and its newest candidate sent again.
    newest = {(record.account, record.nonce): record.id for record in records}
    accounts = dict.fromkeys(record.account for record in records)
    counts = deps.node.transaction_counts(list(accounts))
    used = [record for record in records if record.nonce < counts[record.account]]
    has_receipt = note_mined(deps, used) if used else {}
    for record in used:
        if has_receipt.get(record.id) is False:
            _explain_nonce(deps, record)
    for record in records:
        is_open = record.nonce >= counts[record.account]
        if is_open and newest[record.account, record.nonce] == record.id:
            _send_again(deps, record, is_next=record.nonce == counts[record.account])
    return sum(has_receipt.values())


def _explain_nonce(deps: Anchoring, record: TransactionRecord) -> None:
    """The nonce is used, but not by this candidate: by another of ours, or by a stranger."""
    with deps.work(write=False) as work:
        candidates = work.transactions.of_nonce(record.account, record.nonce)
    mined = (TransactionState.MINED, TransactionState.FINAL)
    if any(candidate.state in mined for candidate in candidates):
        return
    final_count = deps.node.transaction_count(record.account, deps.node.final_number())
    if record.nonce >= final_count or any(
        # A node that has not indexed its receipts yet knows the transaction all the same.
        c.tx_hash is not None and (deps.node.receipt(c.tx_hash) or deps.node.knows(c.tx_hash))
        for c in candidates
    ):
        return
    with deps.work() as work:
        work.alarms.raise_alarm(
            "nonce-taken",
            f"{record.account}:{record.nonce}",
            "a transaction that is not ours took this nonce: the key was used elsewhere",
        )
        work.transactions.update(record.id, TransactionState.REPLACED)
        for intent in work.transactions.items(record.id):
            if intent.tx_hash == record.tx_hash:
                queue_again(work, intent, "a foreign transaction took its nonce")
        work.commit()


def _send_again(deps: Anchoring, record: TransactionRecord, *, is_next: bool) -> None:
    now = deps.clock.now()
    if record.sent_at is not None:
        waited = (now - record.sent_at).total_seconds()
        if 0 <= waited < deps.resend_seconds:
            return
    refusal = forward(deps, record)
    if not refusal or not is_next or record.send_count + 1 < deps.sends_before_fill:
        return
    assert record.tx_hash is not None, "only signed transactions are sent"
    if deps.node.knows(record.tx_hash):
        return
    try:
        _fill(deps, record, refusal)
    except (LeaseHeldError, LeaseLostError) as error:
        _logger.info("nonce %s is left to another worker: %s", record.nonce, error.en)


def _fill(deps: Anchoring, record: TransactionRecord, refusal: str) -> None:
    """No node takes the bytes and they block the account: use the nonce for a no-op transfer.

    The intents stay with the refused candidate until one of the two is final, since it may yet
    be mined. A self-custody key signs for itself: its transaction is offered again.
    """
    with deps.work(write=False) as work:
        candidates = work.transactions.of_nonce(record.account, record.nonce)
        items = work.transactions.items(record.id)
    if any(candidate.purpose is Purpose.FILL for candidate in candidates):
        return
    if items and not items[0].held:
        _offer_again(deps, record)
        return
    lease = take_lease(deps, record.account)
    call = Call(record.account, b"", _GAS_TRANSFER)
    unsigned = build_unsigned(record.chain_id, record.nonce, call, deps.node.fees())
    filling = sign_record(deps, lease, record.account, unsigned, Purpose.FILL)
    with deps.work() as work:
        work.accounts.confirm(lease, deps.lease_seconds)
        work.transactions.add(filling, [])
        work.alarms.raise_alarm(
            "nonce-filled", f"{record.account}:{record.nonce}", f"no node took it: {refusal}"
        )
        work.commit()
    forward(deps, filling)


def _offer_again(deps: Anchoring, record: TransactionRecord) -> None:
    offer = new_record(
        deps,
        record.account,
        record.unsigned,
        purpose=Purpose.CALL,
        state=TransactionState.OFFERED,
        fencing_token=record.fencing_token,
    )
    with deps.work() as work:
        if any(
            c.state is TransactionState.OFFERED
            for c in work.transactions.of_nonce(record.account, record.nonce)
        ):
            return
        intents = [intent.id for intent in work.transactions.items(record.id)]
        work.transactions.add(offer, intents)
        work.outbox.set_state(intents, IntentState.OFFERED)
        work.commit()


def advance_finality(deps: Anchoring) -> int:
    """Close mined transactions whose block is final; returns how many were closed.

    A block hash is compared again before anything is believed for good (reference T15).
    """
    with deps.work(write=False) as work:
        records = work.transactions.in_states(TransactionState.MINED)
    if not records:
        return 0
    final, head = deps.node.final_number(), deps.node.head().number
    numbers = sorted({_block_of(record).number for record in records})
    hashes = {block.number: block.hash for block in deps.node.blocks(numbers) if block is not None}
    standing = [r for r in records if hashes.get(_block_of(r).number) == _block_of(r).hash]
    closing = [record for record in standing if _block_of(record).number <= final]
    receipts = deps.node.receipts([_hash_of(record) for record in closing]) if closing else {}
    final_now = [
        (record, receipt.succeeded)
        for record in closing
        if (receipt := receipts.get(_hash_of(record))) is not None
        and receipt.block_hash == record.block_hash
    ]
    for start in range(0, len(final_now), CLOSED_A_COMMIT):
        reach("finality.before-commit")
        with deps.work() as work:
            finish_all(work, final_now[start : start + CLOSED_A_COMMIT])
            work.commit()
        reach("finality.after-commit")
    closed = {record.id for record, _ in final_now}
    doubtful = [r for r in records if r.id not in closed and (r in closing or r not in standing)]
    for record in doubtful:
        receipt = deps.node.receipt(_hash_of(record))
        if receipt is None and head < _block_of(record).number:
            continue  # a node that lags does not have the block yet
        if receipt is None or receipt.block_hash != record.block_hash:
            _leave_block(deps, record)
    return len(closed)


def _block_of(record: TransactionRecord) -> BlockStamp:
    assert record.block_number is not None and record.block_hash is not None, "it is mined"
    return BlockStamp(record.block_number, record.block_hash, record.created_at)


def _hash_of(record: TransactionRecord) -> bytes:
    assert record.tx_hash is not None, "it is signed"
    return record.tx_hash


def _leave_block(deps: Anchoring, record: TransactionRecord) -> None:
    with deps.work() as work:
        forget_block(work, record)
        work.alarms.raise_alarm(
            "reorganisation",
            f"block:{record.block_number}",
            "a block that held a transaction of ours has left the chain",
        )
        work.commit()
