"""The chain follower: a durable cursor of (block, hash), events, reorganisations.

Polling by block range survives restarts and lost connections, and seeing an event twice is
harmless (reference T19). Each pass first checks that the newest followed block is still there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import TransactionState
from backend.service_layer.anchoring.outcomes import forget_block, note_mined
from backend.service_layer.failpoints import reach
from backend.service_layer.ports import BlockStamp, LedgerUnavailableError

_logger = logging.getLogger(__name__)
BLOCKS_A_PASS: Final = 2_000
HASHES_A_READ: Final = 500
_STAMPS_CHECKED: Final = 10_000
_NOTED: Final = (TransactionState.MINED, TransactionState.FINAL)


def follow(deps: Anchoring) -> int:
    """Read new blocks once; returns how many were followed."""
    head = deps.node.head()
    with deps.work(write=False) as work:
        cursor = work.chain.cursor()
    if cursor is not None and not _is_on_chain(deps, cursor):
        if head.number < cursor.number and _is_followed(deps, head):
            return 0  # the node lags on our own chain: what it lacks is unknown, not gone
        cursor = _reorganised(deps, cursor)
    first = deps.node.deployment().block_number if cursor is None else cursor.number + 1
    if first > head.number:
        return 0
    last = min(head.number, first + BLOCKS_A_PASS - 1)
    stamp = head if last == head.number else deps.node.block(last)
    reach("follow.before-logs")
    events = deps.node.events(first, last)
    if stamp is None or not _is_on_chain(deps, stamp):
        return 0  # reorganised while reading; the next pass starts from what is true
    _note_ours(deps, list(dict.fromkeys(event.tx_hash for event in events)))
    reach("follow.before-commit")
    with deps.work() as work:
        work.chain.add_cursor(stamp)
        work.commit()
    reach("follow.after-commit")
    return last - first + 1


def _is_on_chain(deps: Anchoring, stamp: BlockStamp) -> bool:
    block = deps.node.block(stamp.number)
    return block is not None and block.hash == stamp.hash


def _is_followed(deps: Anchoring, head: BlockStamp) -> bool:
    """Whether the newest followed block at or below a node's head is on the node's chain, as far
    as one was followed there: the node is on our network, which was checked."""
    with deps.work(write=False) as work:
        known = work.chain.stamps_below(head.number + 1, 1)
    return not known or _is_on_chain(deps, known[0])


def _note_ours(deps: Anchoring, tx_hashes: Sequence[bytes]) -> None:
    """Record what our transactions among these did; raises when a receipt cannot be had, so that
    their blocks are followed again."""
    for start in range(0, len(tx_hashes), HASHES_A_READ):
        with deps.work(write=False) as work:
            known = work.transactions.find_by_hashes(tx_hashes[start : start + HASHES_A_READ])
        records = [record for record in known if record.state not in _NOTED]
        if records and len(note_mined(deps, records)) < len(records):
            raise LedgerUnavailableError("账本节点没有给出收据", "the node gives no receipt")


def _reorganised(deps: Anchoring, cursor: BlockStamp) -> BlockStamp | None:
    """Go back to the newest followed block that is still on the chain; returns it.

    Everything above it is evaluated again. What had been final is an incident: money may have
    been sent on the strength of it.
    """
    with deps.work(write=False) as work:
        older = work.chain.stamps_below(cursor.number, _STAMPS_CHECKED)
    ancestor = next((stamp for stamp in older if _is_on_chain(deps, stamp)), None)
    height = -1 if ancestor is None else ancestor.number
    with deps.work() as work:
        lost = [
            record
            for record in work.transactions.mined_above(height)
            if record.block_hash is not None
            and not _is_on_chain(
                deps, BlockStamp(record.block_number or 0, record.block_hash, record.created_at)
            )
        ]
        were_final = [record.id for record in lost if forget_block(work, record)]
        work.chain.forget_above(height)
        work.alarms.raise_alarm(
            "reorganisation",
            f"block:{cursor.number}",
            f"the chain left block {cursor.number}; followed again from {height}; "
            f"{len(lost)} transactions are looked up anew",
        )
        if were_final:
            work.alarms.raise_alarm(
                "final-reorganisation",
                f"block:{cursor.number}",
                f"{len(were_final)} transactions had been final: hold payouts and check "
                f"{', '.join(were_final[:20])}",
            )
        work.commit()
    _logger.warning("the chain was reorganised above block %s", height)
    return ancestor
