"""A nonce that no transaction of ours will use freezes everything behind it (reference T4, T6).

Ours are sent again until they are mined; a gap opens only where a nonce was counted as used by a
stranger's transaction, or by a block, that then left the chain. It is filled by a no-op.
"""

from __future__ import annotations

from typing import Final

from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import (
    Call,
    LeaseHeldError,
    LeaseLostError,
    Purpose,
    TransactionRecord,
    TransactionState,
)
from backend.service_layer.anchoring.send import build_unsigned, forward, sign_record, take_lease

FILLED_A_PASS: Final = 64
_GAS_TRANSFER: Final = 21_000
_TAKEN: Final = (TransactionState.MINED, TransactionState.FINAL)


def fill_gaps(deps: Anchoring) -> int:
    """Fill the nonces between the ledger's count and our lowest waiting one; returns how many."""
    with deps.work(write=False) as work:
        waiting = work.transactions.in_states(TransactionState.SIGNED, TransactionState.SENT)
        cursor = work.chain.cursor()
    lowest: dict[str, int] = {}
    for record in waiting:
        lowest[record.account] = min(record.nonce, lowest.get(record.account, record.nonce))
    counts = deps.node.transaction_counts(sorted(lowest))
    gaps = {account: n for account, n in counts.items() if n < lowest[account]}
    if not gaps or (cursor is not None and deps.node.head().number < cursor.number):
        return 0  # a node that lags knows too few nonces
    return sum(_fill(deps, account, count, lowest[account]) for account, count in gaps.items())


def _fill(deps: Anchoring, account: str, first: int, end: int) -> int:
    if not deps.signer.holds(account):
        _alarm(deps, account, first, "its key is not here: the institution must use that nonce")
        return 0
    filled = 0
    for nonce in range(first, min(end, first + FILLED_A_PASS)):
        with deps.work(write=False) as work:
            candidates = work.transactions.of_nonce(account, nonce)
        if any(candidate.state in _TAKEN for candidate in candidates):
            return filled  # the follower has yet to notice that its block is gone
        try:
            forward(deps, _commit_no_op(deps, account, nonce))
        except (LeaseHeldError, LeaseLostError):
            return filled
        filled += 1
    return filled


def _commit_no_op(deps: Anchoring, account: str, nonce: int) -> TransactionRecord:
    lease = take_lease(deps, account)
    call = Call(account, b"", _GAS_TRANSFER)
    chain_id = deps.node.deployment().chain_id
    unsigned = build_unsigned(chain_id, nonce, call, deps.node.fees())
    record = sign_record(deps, lease, account, unsigned, Purpose.FILL)
    assert record.tx_hash is not None, "it has just been signed"
    with deps.work() as work:
        work.accounts.confirm(lease, deps.lease_seconds)
        known = work.transactions.find_by_hash(record.tx_hash)
        if known is None:
            work.transactions.add(record, [])
        else:  # signatures are deterministic: it is the no-op of an earlier time
            work.transactions.update(known.id, TransactionState.SIGNED, sent_at=None)
        work.alarms.raise_alarm(
            "nonce-gap", f"{account}:{nonce}", "nothing of ours had this nonce: a no-op fills it"
        )
        work.commit()
    return record if known is None else known


def _alarm(deps: Anchoring, account: str, nonce: int, why: str) -> None:
    with deps.work() as work:
        work.alarms.raise_alarm("nonce-gap", f"{account}:{nonce}", why)
        work.commit()
