"""A node is believed about the slots that money rests on only with the chain that was followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from backend.adapters.ledger.client import LedgerClient
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerUnavailableError
from tests.unit.adapters.test_ledger_bill import KEY, SLOT, client

AT = dt.datetime.fromtimestamp(0x65000000, dt.UTC)
FOLLOWED = BlockStamp(40, bytes.fromhex("40" * 32), AT)


def block(number: int, name: str = "") -> dict[str, str]:
    digest = "0x" + (name or f"{number:02d}") * 32
    return {"number": hex(number), "hash": digest, "timestamp": "0x65000000"}


def asking(*answers: Any, final: int = 42) -> tuple[LedgerClient, list[Any]]:
    """A client of a node that gives these answers, for which this block is final."""
    ledger, _ = client()
    asked: list[Any] = []

    def batch(
        calls: Sequence[tuple[str, Sequence[Any]]],
        believe: Callable[[list[Any]], None],
    ) -> list[Any]:
        asked.append(calls)
        believe(list(answers))
        return list(answers)

    ledger.rpc.batch = batch  # type: ignore[assignment, method-assign]
    ledger.final_number = lambda: final  # type: ignore[method-assign]
    return ledger, asked


NONE = "0x" + "00" * 32


def test_both_slots_are_asked_between_the_same_blocks() -> None:
    stamps = (block(42), block(40))
    ledger, asked = asking(*stamps, NONE, SLOT, *stamps)
    found = ledger.final_slots([KEY], FOLLOWED)[KEY]
    assert isinstance(found, FinalSlot)
    assert (found.number, found.final.paid_fen, found.newest.paid_fen) == (42, 0, 3)
    (calls,) = asked
    assert [(name, list(given)[-1]) for name, given in calls] == [
        ("eth_getBlockByNumber", False), ("eth_getBlockByNumber", False),
        ("eth_call", "0x2a"), ("eth_call", "latest"),
        ("eth_getBlockByNumber", False), ("eth_getBlockByNumber", False),
    ]  # fmt: skip
    assert [next(iter(given)) for name, given in calls if name != "eth_call"] == [
        "0x2a",
        "0x28",
    ] * 2


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((None, block(40), SLOT, SLOT, None, block(40)), "does not have block 42 yet"),
        ((block(42), None, SLOT, SLOT, block(42), None), "does not have block 40 yet"),
        ((block(42), block(40, "ff"), SLOT, SLOT, block(42), block(40, "ff")), "is on a fork"),
        ((block(42), block(40), SLOT, SLOT, block(42, "ff"), block(40)), "being reorganised"),
        ((block(42), block(40), SLOT, SLOT, block(42), block(40, "ff")), "being reorganised"),
        ((block(42), block(40), SLOT, SLOT, block(42), None), "being reorganised"),
        ((block(41), block(40), SLOT, SLOT, block(41), block(40)), "being reorganised"),
        ((block(42), block(40), "0x", SLOT, block(42), block(40)), "no state to read"),
        ((block(42), block(40), SLOT, None, block(42), block(40)), "no state to read"),
        ((block(42), block(40), "0x12", SLOT, block(42), block(40)), "cannot be read"),
        (({"number": "0x2a"}, block(40), SLOT, SLOT, block(42), block(40)), "cannot be read"),
    ],
)
def test_what_cannot_be_told_is_not_concluded(answers: tuple[Any, ...], message: str) -> None:
    ledger, _ = asking(*answers)
    with pytest.raises(LedgerUnavailableError, match=message):
        ledger.final_slots([KEY], FOLLOWED)


def test_without_a_followed_block_the_final_one_is_enough() -> None:
    ledger, asked = asking(block(42), SLOT, SLOT, block(42))
    assert ledger.final_slots([KEY], None)[KEY].final.paid_fen == 3
    assert len(asked[0]) == 4


def test_no_key_is_no_question() -> None:
    ledger, asked = asking()
    assert ledger.final_slots([], FOLLOWED) == {} and asked == []


@pytest.mark.parametrize("size", [0, 31, 33])
def test_what_is_no_key_is_refused_before_anything_is_asked(size: int) -> None:
    ledger, asked = asking()
    with pytest.raises(ValueError, match="an invoice key has 32 bytes"):
        ledger.final_slots([KEY, bytes(size)], FOLLOWED)
    assert asked == []
