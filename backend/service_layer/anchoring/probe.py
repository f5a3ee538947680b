"""The start-up probe: a no-op must be mined before real work is sent (reference T11).

Nodes drop what is under their minimum price without a word. A no-op from a key that may do nothing
shows that transactions made the way we make them are mined; until then new work waits in its queue,
where nothing can be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import Call, Purpose, TransactionState
from backend.service_layer.anchoring.send import commit_signed, forward, take_lease

ALARM: Final = "probe-not-included"
#: Where blocks are made for transactions alone, blocks cannot be counted.
PATIENCE_SECONDS: Final = 30.0
_GAS_TRANSFER: Final = 21_000
_logger = logging.getLogger(__name__)


@dataclass
class InclusionProbe:
    """One worker's probe. ``account`` gives the key's account; ``blocks`` is how many may pass,
    0 switches the probe off."""

    account: Callable[[], str]
    blocks: int
    tx_hash: bytes | None = None
    since_block: int = 0
    since: float = 0
    refusal: str = ""
    is_passed: bool = False

    @property
    def lets_work_through(self) -> bool:
        return self.is_passed or self.blocks == 0


def probe(deps: Anchoring, state: InclusionProbe) -> int:
    """Send the no-op once, then look for its receipt; returns 1 when it has been found."""
    if state.lets_work_through:
        return 0
    if state.tx_hash is None:
        _send(deps, state)
    assert state.tx_hash is not None, "it has been sent"
    if deps.node.receipt(state.tx_hash) is not None:
        state.is_passed = True
        with deps.work() as work:
            work.alarms.clear(ALARM, "probe")
            work.commit()
        _logger.info("the start-up probe was mined: work may be sent")
        return 1
    passed = deps.node.head().number - state.since_block
    waited = deps.clock.now().timestamp() - state.since
    if passed >= state.blocks or waited >= PATIENCE_SECONDS:
        refusal = f"; the node says: {state.refusal}" if state.refusal else ""
        with deps.work() as work:
            work.alarms.raise_alarm(
                ALARM,
                "probe",
                f"a no-op was not mined in {passed} blocks and {waited:.0f} s, so nothing is sent: "
                f"compare YICHU_FEE_MODE with the node's minimum gas price{refusal}",
            )
            work.commit()
    return 0


def _send(deps: Anchoring, state: InclusionProbe) -> None:
    account = state.account()
    head = deps.node.head().number
    with deps.work(write=False) as work:
        waiting = work.transactions.in_states(
            TransactionState.SIGNED, TransactionState.SENT, account=account
        )
    if waiting:  # an earlier worker's: it is sent again like every other transaction
        record = waiting[0]
    else:
        lease = take_lease(deps, account)
        call = Call(account, b"", _GAS_TRANSFER)
        record = commit_signed(deps, lease, account, call, (), purpose=Purpose.PROBE)
        state.refusal = forward(deps, record)
    state.tx_hash = record.tx_hash
    state.since_block = head
    state.since = deps.clock.now().timestamp()
