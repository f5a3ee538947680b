"""The slots of bills for which money may leave, as design/ledger protocol 5 asks for them.

Each is read in the newest final block and in the newest block of one node, which has the block that
was followed last on its chain. Money leaves only when both allow it: the final block cannot be
taken back, and the newest one may hold what a hospital declared a moment ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self

from backend.domain.ledger import LedgerIntent
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerReader, Transaction


class FollowedChain(Protocol):
    def cursor(self) -> BlockStamp | None:
        """The newest block that was followed."""
        ...


class FollowingWork(Transaction, Protocol):
    def __enter__(self) -> Self: ...

    @property
    def chain(self) -> FollowedChain: ...


class FollowingServices(Protocol):
    def work(self, *, write: bool = True) -> FollowingWork: ...

    @property
    def ledger(self) -> LedgerReader: ...


def read_final_slots(
    deps: FollowingServices, invoice_keys: Sequence[bytes]
) -> Mapping[bytes, FinalSlot]:
    """Slots in the newest final and the newest block; raises LedgerUnavailableError when no node
    can tell, one that lags or is on a fork among them."""
    with deps.work(write=False) as work:
        followed = work.chain.cursor()
    return deps.ledger.final_slots(invoice_keys, followed)


def is_behind(slot: FinalSlot, in_effect: Iterable[LedgerIntent]) -> bool:
    """Whether the final block that was read is older than one in which these calls are known to be
    final: then it proves nothing about them."""
    return any((intent.block_number or 0) > slot.number for intent in in_effect)
