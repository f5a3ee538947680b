"""The fake ledger with blocks that are not final yet, that can be lost, and with another payer."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from backend.domain.ledger import IntentKind, IntentState, LeafPosition, LedgerIntent, SlotState
from tests.integration.claims.world import NOW, FakeLedger, World
from verifier.commitment.batch import batch_head

RIVAL = 2
INSTITUTION = 1
_PLACE = ("tx_hash", "block_number", "block_hash", "log_index", "block_at")
_GONE = dict.fromkeys(("outcome", "outcome_detail", *_PLACE))


@dataclasses.dataclass(frozen=True)
class Mined:
    """An intent in a block that is not final, with the slots before it."""

    intent: LedgerIntent
    before: dict[bytes, SlotState]


class ReorganisingLedger(FakeLedger):
    """Reads are of the newest block. What was mined last can be taken back until it is final."""

    def __init__(self) -> None:
        super().__init__()
        self.mined: list[Mined] = []
        self.anchored: set[int] = set()
        """Sequences of batches whose anchor is final."""
        self._lost: list[str] = []
        """Intents of lost blocks, in the order of their nonces."""

    # --- blocks ---------------------------------------------------------------------------

    def mine(self, world: World, count: int, *kinds: IntentKind) -> int:
        """Put some waiting intents into blocks, the oldest first; none of it is final. Nothing
        goes out and nothing is read while the ledger is down."""
        mined = 0
        if self.is_down:
            return mined
        with world.services.work() as work:
            for intent in self._waiting(work):
                if mined == count:
                    break
                if (kinds and intent.kind not in kinds) or not self._is_ready(intent):
                    continue
                before = dict(self.slots)
                outcome, detail = self.carry_out(intent)
                self.mined.append(Mined(intent, before))
                self._note(work, intent, outcome, detail)
                mined += 1
            work.commit()
        return mined

    def _waiting(self, work: Any) -> list[LedgerIntent]:
        lost = {intent.id: intent for intent in work.outbox.in_states(IntentState.SENT)}
        assert set(lost) == set(self._lost), "what a block lost is sent again"
        again = [lost[intent_id] for intent_id in self._lost]
        return [*again, *work.outbox.queued(held=False), *work.outbox.queued(held=True)]

    def _is_ready(self, intent: LedgerIntent) -> bool:
        """A call that names a leaf waits until the anchor of its batch is final."""
        places = [intent.payload[name] for name in ("position", "old", "new")
                  if name in intent.payload]  # fmt: skip
        return all(place["sequence"] in self.anchored for place in places)

    def _note(self, work: Any, intent: LedgerIntent, outcome: str, detail: dict[str, Any]) -> None:
        block = self.block.to_bytes(32, "big")
        values = {
            "outcome": outcome,
            "tx_hash": block,
            "block_number": self.block,
            "block_hash": block,
            "block_at": NOW,
            "log_index": 0,
            "outcome_detail": detail,
        }
        work.outbox.record_outcomes([(intent.id, values)])
        if intent.id in self._lost:
            self._lost.remove(intent.id)

    def finalise(self, world: World, *kinds: IntentKind) -> int:
        """Make what was mined final, of these kinds or all of it."""
        if self.is_down:
            return 0
        ending = [one for one in self.mined if not kinds or one.intent.kind in kinds]
        with world.services.work() as work:
            work.outbox.set_state([one.intent.id for one in ending], IntentState.FINAL)
            work.commit()
        self.mined = [one for one in self.mined if one not in ending]
        self.anchored |= {
            one.intent.payload["sequence"] for one in ending if one.intent.kind is IntentKind.ANCHOR
        }
        return len(ending)

    def reorganise(self, world: World, depth: int) -> Counter[str]:
        """Lose the newest blocks: their transactions wait again, with no outcome. Says how many
        of each kind that had had an effect."""
        lost = self.mined[-depth:]
        if self.is_down or not lost:
            return Counter()
        del self.mined[-depth:]
        self.slots = lost[0].before
        for one in lost:
            if one.intent.kind is IntentKind.ANCHOR:
                del self.heads[(INSTITUTION, one.intent.payload["sequence"])]
        ids = [one.intent.id for one in lost]
        self._lost = ids + self._lost
        with world.services.work() as work:
            stored = [work.outbox.get(intent_id) for intent_id in ids]
            work.outbox.set_state(ids, IntentState.SENT, **_GONE)
            work.commit()
        return Counter(str(intent.kind) for intent in stored if intent.took_effect)

    # --- what the contract does besides -----------------------------------------------------

    def _anchor(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        sequence = payload["sequence"]
        previous = bytes.fromhex(payload["previous_head"])
        if previous != self.heads.get((INSTITUTION, sequence - 1), bytes(32)):
            return "stale", {}
        self.heads[(INSTITUTION, sequence)] = batch_head(
            INSTITUTION, sequence, previous, bytes.fromhex(payload["root"]), payload["size"]
        )
        return "done", {}

    def _supersede(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        old, new = (LeafPosition.from_payload(payload[name]) for name in ("old", "new"))
        key = new.leaf[20:52]
        slot = self.slots.get(key, SlotState.decode(0))
        if slot.leaf_reference == new.reference and slot.flags & SlotState.PINNED:
            return "repeated", {}
        if slot.open_payer:
            return "locked", {"holder_payer": slot.open_payer, "holder_counter": slot.lodge_counter}
        if slot.settled_payers:
            return "settled", {}
        if slot.leaf_reference not in (0, old.reference):
            return "bound-elsewhere", {}
        self.slots[key] = dataclasses.replace(
            slot, leaf_reference=new.reference, flags=slot.flags | SlotState.PINNED
        )
        return "done", {}

    def _lodge(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        position = LeafPosition.from_payload(payload["position"])
        slot = self.slots.get(position.leaf[20:52], SlotState.decode(0))
        if slot.leaf_reference not in (0, position.reference) and not slot.open_payer:
            return "bound-elsewhere", {}
        return super()._lodge(payload)

    def _release(self, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = bytes.fromhex(payload["invoice_key"])
        before = self.slots[key]
        answer = super()._release(payload)
        if before.flags & SlotState.PINNED:
            self.slots[key] = dataclasses.replace(
                self.slots[key], leaf_reference=before.leaf_reference
            )
        return answer

    def rival(self, key: bytes, total_fen: int, act: str, amount: int) -> bool:
        """Another payer locks, settles or gives back a bill, in a block that is final at once.
        False: the contract would refuse."""
        if self.mined:
            return (
                False  # its block would stand between ours, and a reorganisation must not drop it
            )
        slot = self.slots.get(key, SlotState.decode(0))
        if act == "lodge" and not slot.open_payer and not slot.has_settled(RIVAL):
            slot = dataclasses.replace(
                slot, total_fen=total_fen, open_payer=RIVAL, lodge_counter=slot.lodge_counter + 1
            )
        elif act == "settle" and slot.open_payer == RIVAL:
            slot = dataclasses.replace(
                slot,
                paid_fen=min(total_fen, slot.paid_fen + amount),
                open_payer=0,
                settled_payers=slot.settled_payers | 1 << (RIVAL - 1),
            )
        elif act == "release" and slot.open_payer == RIVAL:
            slot = dataclasses.replace(slot, open_payer=0)
        else:
            return False
        self.slots[key] = slot
        return True
