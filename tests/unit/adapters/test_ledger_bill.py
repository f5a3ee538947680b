"""What the ledger says of a bill is asked of one node at once, and a half answer is none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from backend.adapters.ledger.client import LedgerClient
from backend.adapters.ledger.rpc import RPCError
from backend.service_layer.anchoring.model import CallRefusedError, Deployment
from backend.service_layer.ports import LedgerUnavailableError

KEY = bytes(range(32))
BLOCK = {"number": "0x2a", "hash": "0x" + "ab" * 32, "timestamp": "0x65000000"}
# 5 fen in all and 3 paid: 40 bits each, the lowest of the word (design: ledger protocol 4).
SLOT = "0x" + (3 << 40 | 5).to_bytes(32, "big").hex()
HEAD = "0x" + "cd" * 32


class Wire:
    """Stands for the connection: keeps what was asked, gives what it was told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.asked: list[Sequence[tuple[str, Sequence[Any]]]] = []

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], **_: Any) -> list[Any]:
        self.asked.append(calls)
        if isinstance(self.answers[0], Exception):
            raise self.answers[0]
        return list(self.answers[: len(calls)])


def client(*answers: Any) -> tuple[LedgerClient, Wire]:
    deployment = Deployment(
        chain_id=1,
        genesis_hash=bytes(32),
        registry="0x" + "22" * 20,
        registry_code_hash=bytes(32),
        invoice_ledger="0x" + "44" * 20,
        invoice_ledger_code_hash=bytes(32),
        block_number=1,
    )
    made = LedgerClient(["http://127.0.0.1:1"], lambda: deployment, 1)
    wire = Wire(*answers)
    made.rpc.batch = wire.batch  # type: ignore[assignment, method-assign]
    return made, wire


def test_block_slot_and_batch_are_one_exchange() -> None:
    ledger, wire = client(BLOCK, SLOT, HEAD)
    found = ledger.bill(KEY, (7, 3))
    assert [[name for name, _ in calls] for calls in wire.asked] == [
        ["eth_getBlockByNumber", "eth_call", "eth_call"]
    ]
    block, slot, head = (list(given) for _, given in wire.asked[0])
    assert block == ["latest", False]
    assert slot[0]["data"].endswith(KEY.hex())
    assert head[0]["data"].endswith((7).to_bytes(32, "big").hex() + (3).to_bytes(32, "big").hex())
    assert slot[1] == head[1] == "latest"
    assert found.head.number == 42
    assert found.head.at == dt.datetime.fromtimestamp(0x65000000, dt.UTC)
    assert (found.slot.total_fen, found.slot.paid_fen, found.slot.open_payer) == (5, 3, 0)
    assert found.batch_head == bytes.fromhex("cd" * 32)


def test_without_a_batch_none_is_asked_about() -> None:
    ledger, wire = client(BLOCK, SLOT)
    assert ledger.bill(KEY).batch_head is None
    assert len(wire.asked[0]) == 2


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((None, SLOT, HEAD), "no latest block"),
        ((BLOCK, "0x", HEAD), "no state to read"),
        ((BLOCK, SLOT, None), "no state to read"),
        ((BLOCK, "0x12", HEAD), "cannot be read"),
        (({"number": "0x1"}, SLOT, HEAD), "cannot be read"),
        ((RPCError(-32000, "header not found"),), "cannot read the ledger: header not found"),
    ],
)
def test_a_half_answer_is_none(answers: tuple[Any, ...], message: str) -> None:
    ledger, _ = client(*answers)
    with pytest.raises(LedgerUnavailableError, match=message):
        ledger.bill(KEY, (7, 3))


def test_a_contracts_refusal_is_not_silence() -> None:
    ledger, _ = client(RPCError(3, "execution reverted", "0x"))
    with pytest.raises(CallRefusedError):
        ledger.bill(KEY, (7, 3))
