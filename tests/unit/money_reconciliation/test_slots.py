"""R5 by itself: what the slots of final and newest block say of what was settled."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.ledger import SlotState
from backend.service_layer.money_reconciliation import rules
from backend.service_layer.money_reconciliation.ports import Settled
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerUnavailableError

KEY = bytes(range(32))
FOLLOWED = BlockStamp(50, bytes(32), dt.datetime(2026, 11, 20, tzinfo=dt.UTC))


def slot(paid: int, settled: int = 1) -> SlotState:
    return SlotState(10_000, paid, 1, 0, 0, 1, 0, settled)


def found(final: SlotState, newest: SlotState, *, number: int = 50, **changes: Any) -> list[str]:
    claim = {"since_block": 50, "is_changing": False} | changes
    settled = [Settled("clm_1", "2026", 1, KEY, 6_000, **claim)]
    read = FinalSlot(number, final, newest)
    ledger = SimpleNamespace(final_slots=lambda keys, followed: dict.fromkeys(keys, read))
    deps: Any = SimpleNamespace(ledger=ledger)
    return [f"{one.rule}: {one.there}" for one in rules._slots(deps, settled, FOLLOWED)]


@pytest.mark.parametrize(
    ("final", "newest", "said"),
    [
        (slot(6_000), slot(6_000), []),
        (slot(6_000), slot(5_999), ["R5: slot 5999 fen"]),
        (slot(5_999), slot(6_000), ["R5: slot 5999 fen"]),
        (slot(6_001), slot(6_000), ["R5: slot 6001 fen"]),
        (slot(6_000), slot(6_000, settled=0), ["R5: no settlement of ours"]),
        (slot(6_000, settled=0), slot(6_000), ["R5: no settlement of ours"]),
        (slot(9_000, settled=3), slot(9_000, settled=3), []),  # another payer has settled too
        (slot(6_000), slot(9_000, settled=3), []),
        (slot(5_999, settled=3), slot(9_000, settled=3), ["R5: slot 5999 fen"]),
    ],
)
def test_either_block_can_disagree(final: SlotState, newest: SlotState, said: list[str]) -> None:
    assert found(final, newest) == said


def test_a_supplement_on_its_way_may_be_in_the_newest_block_only() -> None:
    assert found(slot(6_000), slot(8_000), is_changing=True) == []


def test_a_node_whose_final_block_is_older_than_the_settlement_cannot_tell() -> None:
    with pytest.raises(LedgerUnavailableError, match="block 50 is not final for it"):
        found(slot(0, settled=0), slot(6_000), number=49)


def test_a_settlement_in_a_block_that_was_never_followed_is_a_mismatch() -> None:
    said = found(slot(0, settled=0), slot(6_000), number=49, since_block=51)
    assert said == ["R5: no settlement of ours"]
