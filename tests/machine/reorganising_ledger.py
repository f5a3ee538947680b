"""The fake ledger with blocks that are not final yet, that can be lost, and with another payer."""

from __future__ import annotations

import dataclasses
from typing import Any

from backend.domain.ledger import IntentState, LedgerIntent, SlotState
from tests.integration.claims.world import FakeLedger, World

RIVAL = 2


class ReorganisingLedger(FakeLedger):
    """Reads are of the newest block. What was mined last can be taken back until it is final."""

    def __init__(self) -> None:
        super().__init__()
        self.mined: list[tuple[str, dict[bytes, SlotState]]] = []
        """Intents in blocks that are not final, each with the slots before it."""

    def mine(self, world: World, count: int) -> int:
        """Put some waiting intents into blocks, the oldest first; none of it is final."""
        with world.services.work() as work:
            lost = list(work.outbox.in_states(IntentState.SENT))
            waiting = [*lost, *work.outbox.queued(held=True)][:count]
            for intent in waiting:
                before = dict(self.slots)
                outcome, detail = self.carry_out(intent)
                self.mined.append((intent.id, before))
                self._note(work, intent, outcome, detail)
            work.commit()
        return len(waiting)

    def _note(self, work: Any, intent: LedgerIntent, outcome: str, detail: dict[str, Any]) -> None:
        block = self.block.to_bytes(32, "big")
        values = {
            "outcome": outcome,
            "tx_hash": block,
            "block_number": self.block,
            "block_hash": block,
            "block_at": self.head().at,
            "log_index": 0,
            "outcome_detail": detail,
        }
        work.outbox.record_outcomes([(intent.id, values)])

    def finalise(self, world: World) -> int:
        ids = [intent_id for intent_id, _ in self.mined]
        with world.services.work() as work:
            work.outbox.set_state(ids, IntentState.FINAL)
            work.commit()
        self.mined.clear()
        return len(ids)

    def reorganise(self, world: World, depth: int) -> int:
        """Lose the newest blocks: their transactions wait again, with no outcome."""
        lost = self.mined[-depth:]
        if not lost:
            return 0
        del self.mined[-depth:]
        self.slots = lost[0][1]
        with world.services.work() as work:
            work.outbox.set_state(
                [intent_id for intent_id, _ in lost],
                IntentState.SENT,
                outcome=None,
                outcome_detail=None,
                tx_hash=None,
                block_number=None,
                block_hash=None,
                log_index=None,
                block_at=None,
            )
            work.commit()
        return len(lost)

    def rival(self, key: bytes, total_fen: int, act: str, amount: int) -> None:
        """Another payer locks, settles or gives back a bill, in a block that is final at once."""
        if self.mined:
            return  # its block would stand between ours, and a reorganisation must not drop it
        slot = self.slots.get(key, SlotState.decode(0))
        if act == "lodge" and not slot.open_payer and not slot.has_settled(RIVAL):
            self.slots[key] = dataclasses.replace(
                slot, total_fen=total_fen, open_payer=RIVAL, lodge_counter=slot.lodge_counter + 1
            )
        elif act == "settle" and slot.open_payer == RIVAL:
            self.slots[key] = dataclasses.replace(
                slot,
                paid_fen=min(total_fen, slot.paid_fen + amount),
                open_payer=0,
                settled_payers=slot.settled_payers | 1 << (RIVAL - 1),
            )
        elif act == "release" and slot.open_payer == RIVAL:
            self.slots[key] = dataclasses.replace(slot, open_payer=0)
