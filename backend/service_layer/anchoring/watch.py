"""Watching what cannot be repaired from here: a chain or an account that stands still, a node that
fails. Each condition raises an alarm, which is cleared when the condition has ended.

Nothing is done about it beyond the alarm: the same bytes go on being sent, and no work is lost.
Nothing counts as standing still unless transactions of ours wait, because some networks make no
empty blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import TransactionRecord, TransactionState
from backend.service_layer.ports import LedgerUnavailableError

CHAIN: Final = "chain-stalled"
ACCOUNT: Final = "nonce-stalled"
NODE: Final = "node-failing"
_CODES: Final = (CHAIN, ACCOUNT, NODE)
_WAITING: Final = (TransactionState.SIGNED, TransactionState.SENT)


@dataclass
class Watch:
    """What one worker has seen; a restart begins to count anew.

    ``stall_seconds``: no new block for so long while we wait is a stalled chain (T16).
    ``stall_blocks``: so many blocks without a used nonce is a stalled account (T7).
    """

    stall_seconds: float
    stall_blocks: int
    head: int | None = None
    head_since: float = 0
    #: By account: its next nonce on the ledger, and the block at which that was first seen.
    nonces: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: (code, subject) of the open alarms of these codes; None before the first look.
    open: set[tuple[str, str]] | None = None


def watch(deps: Anchoring, seen: Watch) -> int:
    """One look at the nodes, the chain, and the accounts with waiting transactions."""
    holding: dict[tuple[str, str], str] = {}
    with deps.work(write=False) as work:
        waiting = work.transactions.in_states(*_WAITING)
        is_waiting = bool(waiting or work.transactions.in_states(TransactionState.MINED))
    try:
        head: int | None = deps.node.head().number
        _see_accounts(deps, seen, waiting, head or 0)
    except LedgerUnavailableError:
        head = seen.head  # a ledger that does not answer does not move either
    for account, (count, since) in seen.nonces.items():
        stood = (head or 0) - since
        if stood >= seen.stall_blocks:
            detail = f"nonce {count} was not used in {stood} blocks while transactions wait"
            holding[ACCOUNT, account] = detail
    now = deps.clock.now().timestamp()
    if head != seen.head or not is_waiting:
        seen.head, seen.head_since = head, now
    if now - seen.head_since >= seen.stall_seconds:
        stood_seconds = now - seen.head_since
        holding[CHAIN, "chain"] = (
            f"no block after {head} for {stood_seconds:.0f} s; {len(waiting)} transactions wait"
        )
    holding |= {(NODE, label): why for label, why in deps.node.troubles().items()}
    _tell(deps, seen, holding)
    return 0


def _see_accounts(
    deps: Anchoring, seen: Watch, waiting: Sequence[TransactionRecord], head: int
) -> None:
    accounts = {record.account for record in waiting}
    for account in set(seen.nonces) - accounts:
        del seen.nonces[account]
    for account, count in deps.node.transaction_counts(sorted(accounts)).items():
        before, since = seen.nonces.get(account, (count, head))
        seen.nonces[account] = (count, since if before == count and since <= head else head)


def _tell(deps: Anchoring, seen: Watch, holding: dict[tuple[str, str], str]) -> None:
    """Open the alarms of what holds now, and close those of what does not."""
    if seen.open is None:
        with deps.work(write=False) as work:
            alarms = work.alarms.open_alarms()
        seen.open = {(alarm.code, alarm.subject) for alarm in alarms if alarm.code in _CODES}
    if seen.open == set(holding):
        return
    with deps.work() as work:
        for code, subject in sorted(seen.open - set(holding)):
            work.alarms.clear(code, subject)
        for code, subject in sorted(set(holding) - seen.open):
            work.alarms.raise_alarm(code, subject, holding[code, subject])
        work.commit()
    seen.open = set(holding)
