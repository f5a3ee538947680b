"""Which queued intents may be sent now.

An intent that names a leaf waits until the anchor of that leaf's batch is final; an anchor waits
until its predecessor is on its way; intake calls wait while intake is paused; a lodge waits while
its number is disputed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.ports import AnchoringWork
from verifier.commitment.batch import BatchLeaf
from verifier.errors import VerificationError

INTAKE_KINDS: Final = frozenset(
    (IntentKind.ANCHOR, IntentKind.LODGE, IntentKind.SUPERSEDE, IntentKind.EXPIRE)
)
_UNDER_WAY: Final = frozenset(
    (IntentState.SIGNED, IntentState.SENT, IntentState.MINED, IntentState.FINAL)
)
_POSITION_NAMES: Final = ("position", "old", "new", "original", "red", "leaf")


def leaf_places(payload: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """(institution number, sequence) of every leaf that a payload names."""
    for name in _POSITION_NAMES:
        position = payload.get(name)
        if isinstance(position, dict):
            yield position["institution"], position["sequence"]


class Readiness:
    """Answers for one pass; what was read once in a pass is not read again."""

    def __init__(self, deps: Anchoring, account: str) -> None:
        self._deps = deps
        self._account = account
        self._anchored: dict[tuple[int, int], bool] = {}
        self._paused: bool | None = None
        self._bar: str | None = None
        self._disputed: set[bytes] | None = None

    def ready(self, work: AnchoringWork, intents: Sequence[LedgerIntent]) -> list[LedgerIntent]:
        return [intent for intent in intents if self.is_ready(work, intent)]

    def is_ready(self, work: AnchoringWork, intent: LedgerIntent) -> bool:
        now = self._deps.clock.now().timestamp()
        if self._deps.retry_at.get(intent.id, 0) > now:
            return False
        if intent.kind in INTAKE_KINDS and self._is_paused():
            return False
        if intent.kind is IntentKind.ANCHOR:
            return not self._anchor_bar(work) and self._predecessor_is_under_way(work, intent)
        if intent.kind is IntentKind.LODGE and self._is_disputed(work, intent):
            return False
        return all(self._is_anchored(work, place) for place in leaf_places(intent.payload))

    def _is_disputed(self, work: AnchoringWork, intent: LedgerIntent) -> bool:
        if self._disputed is None:
            self._disputed = {dispute.invoice_key for dispute in work.disputes.unsettled()}
        if not self._disputed:
            return False
        try:
            leaf = BatchLeaf.decode(bytes.fromhex(intent.payload["position"]["leaf"]))
        except (VerificationError, ValueError, KeyError, TypeError):
            return False  # not a lodge at all: encoding it says so and isolates it
        return leaf.invoice_key in self._disputed

    def _is_paused(self) -> bool:
        if self._paused is None:
            self._paused = self._deps.node.is_intake_paused()
        return self._paused

    def _anchor_bar(self, work: AnchoringWork) -> str:
        if self._bar is None:
            self._bar = self._deps.node.anchor_bar(self._account)
        return self._bar

    @property
    def bar(self) -> str:
        """Why the account may not anchor, empty when it may or was not asked."""
        return self._bar or ""

    def _predecessor_is_under_way(self, work: AnchoringWork, intent: LedgerIntent) -> bool:
        if intent.payload["sequence"] == 1:
            return True
        before = work.batches.anchor_before(intent.subject_id)
        if before is None:
            return True  # anchored before this database knew it; the ledger will tell
        return before.state in _UNDER_WAY and (before.outcome is None or before.took_effect)

    def _is_anchored(self, work: AnchoringWork, place: tuple[int, int]) -> bool:
        if place not in self._anchored:
            anchor = work.batches.anchor_at(*place)
            if anchor is not None:
                self._anchored[place] = anchor.is_final and anchor.took_effect
            else:
                self._anchored[place] = self._deps.node.batch_head(*place) != bytes(32)
        return self._anchored[place]
