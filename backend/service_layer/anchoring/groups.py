"""Packing of intents into calls, with poison items isolated by bisection (reference T8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.anchoring.model import Call, CallRefusedError
from backend.service_layer.anchoring.ports import LedgerNode

ITEMS_MAX: Final = 100  # MAX_BATCH_ITEMS of the contract
CALLDATA_BYTES_MAX: Final = 128 * 1024 - 1024  # below MAX_CALLDATA_BYTES
GAS_MAX: Final = 20_000_000  # two thirds of the block gas of the smallest supported network
_SINGLE: Final = frozenset((IntentKind.ANCHOR, IntentKind.RULE))


@dataclass(frozen=True, slots=True)
class Group:
    """Intents of one kind and the call that carries them, in order."""

    intents: tuple[LedgerIntent, ...]
    call: Call


@dataclass(frozen=True, slots=True)
class Poison:
    """An intent that cannot be sent alone either, and why."""

    intent: LedgerIntent
    reason: str


def by_kind(intents: Sequence[LedgerIntent]) -> Iterator[list[LedgerIntent]]:
    """Runs of one kind, at most as long as one call takes; anchors and rulings go alone."""
    order = list(dict.fromkeys(intent.kind for intent in intents))
    ordered = sorted(intents, key=lambda intent: order.index(intent.kind))
    for kind, run in groupby(ordered, key=lambda intent: intent.kind):
        same = list(run)
        step = 1 if kind in _SINGLE else ITEMS_MAX
        for start in range(0, len(same), step):
            yield same[start : start + step]


def pack(
    node: LedgerNode, account: str, intents: Sequence[LedgerIntent]
) -> Iterator[Group | Poison]:
    """Groups that the node would accept now; a refused group is halved down to its poison.

    Raises LedgerUnavailableError when the node does not answer: then nothing is poison.
    """
    try:
        call = node.encode(intents[0].kind, [intent.payload for intent in intents])
        if len(call.data) <= CALLDATA_BYTES_MAX and call.gas <= GAS_MAX:
            node.check(account, call)
            yield Group(tuple(intents), call)
            return
        reason = "the call is too large"
    except CallRefusedError as error:
        reason = error.en
    if len(intents) == 1:
        yield Poison(intents[0], reason)
        return
    middle = len(intents) // 2
    yield from pack(node, account, intents[:middle])
    yield from pack(node, account, intents[middle:])
