"""Batches at their largest: within 128 KB a transaction, as nodes and the contract demand.

Besu, geth and the ledger contract refuse a transaction or calldata of more than 128 KB, so a batch
must be smaller by construction, whatever it holds.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from backend.adapters.ledger.transactions import encode_intents, sign
from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent
from backend.service_layer.anchoring.groups import GAS_MAX, ITEMS_MAX, Group, by_kind, pack
from backend.service_layer.anchoring.model import Call, UnsignedTransaction
from verifier.commitment.batch import BatchLeaf, RecordKind

LEDGER = str(to_checksum_address("0x" + "c5" * 20))
TRANSACTION_BYTES = 128 * 1024
WITH_PROOFS = ("lodge", "supersede", "void", "reverse", "exchange", "return")
DEEPEST = 10  # siblings in a tree of 1,024 leaves, the most that a batch may have


def word(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def position(number: int) -> dict[str, Any]:
    """The largest: two keys, the longest code, the deepest proof, and a batch of its own."""
    leaf = BatchLeaf(
        institution_code="H" * 16, kind=RecordKind.CLAIMABLE, key_version=2**16 - 1,
        invoice_key=word("key", number), second_key=word("second", number),
        fingerprint=word("print", number), total_fen=2**40 - 1, borne_fen=2**40 - 1,
    )  # fmt: skip
    proof = tuple(word("node", number, depth) for depth in range(DEEPEST))
    return LeafPosition(
        65_535, 2**22 - 1 - number, word("head", number), word("root", number), 1_024, 1_023,
        leaf.encode(), proof,
    ).to_payload()  # fmt: skip


def payload(kind: IntentKind, number: int) -> dict[str, Any]:
    """What any batch call takes, at its largest."""
    place = position(number)
    fields: dict[str, Any] = {
        "position": place, "original": place, "old": place, "new": position(1_000 + number),
        "payer": 64, "counter": 65_535, "deadline": 2**32 - 1, "amount": 2**40 - 1,
        "paid_before": 2**40 - 1, "reason": 255, "decision_fingerprint": "ff" * 32,
        "decision_version": 2**16 - 1, "policy_hash": "ff" * 32, "number": 2**16 - 1,
        "paper_key": "ee" * 32, "recovery_number": "dd" * 32,
    }  # fmt: skip
    if kind not in WITH_PROOFS:
        fields["invoice_key"] = word("key", number).hex()
    return fields


def intents(kind: IntentKind, count: int) -> list[LedgerIntent]:
    return [
        LedgerIntent(f"int_{n}", kind, "0x" + "11" * 20, True, str(n), "x", payload(kind, n))
        for n in range(count)
    ]


class Node:
    """Takes every call."""

    def encode(self, kind: IntentKind, payloads: list[dict[str, Any]]) -> Call:
        return encode_intents(kind, payloads, LEDGER)

    def check(self, account: str, call: Call) -> None:
        pass


def raw_size(call: Call) -> int:
    unsigned = UnsignedTransaction(
        chain_id=2**31 - 1, nonce=2**32 - 1, to=call.to, data=call.data, gas=call.gas, gas_price=0
    )
    return len(sign(unsigned, b"\x01" * 32).raw)


BATCHED = [kind for kind in IntentKind if kind not in (IntentKind.ANCHOR, IntentKind.RULE)]


@pytest.mark.parametrize("kind", BATCHED)
def test_every_batch_of_the_largest_items_fits_a_transaction(kind: IntentKind) -> None:
    (run,) = by_kind(intents(kind, ITEMS_MAX))
    groups = list(pack(Node(), "0x" + "11" * 20, run))  # type: ignore[arg-type]
    assert all(isinstance(group, Group) for group in groups)
    kept = [intent.id for group in groups for intent in group.intents]  # type: ignore[union-attr]
    assert kept == [intent.id for intent in run]  # none lost, none doubled, in order
    for group in groups:
        assert isinstance(group, Group)
        assert raw_size(group.call) <= TRANSACTION_BYTES
        assert group.call.gas <= GAS_MAX


def test_a_hundred_lodges_of_a_hundred_batches_with_the_deepest_proofs_go_in_one() -> None:
    (run,) = by_kind(intents(IntentKind.LODGE, ITEMS_MAX))
    (group,) = pack(Node(), "0x" + "11" * 20, run)  # type: ignore[arg-type]
    assert isinstance(group, Group)
    # 100 x (leaf 8, batch, index, counter, deadline, proof offset, length, 10 nodes, item offset)
    # + 100 x 5 words of batches + 4 + a selector.
    assert len(group.call.data) == 4 + 32 * (100 * (8 + 5 + 1 + 10 + 1) + 100 * 5 + 4)


def test_supersedes_of_two_proofs_each_are_halved() -> None:
    (run,) = by_kind(intents(IntentKind.SUPERSEDE, ITEMS_MAX))
    groups = list(pack(Node(), "0x" + "11" * 20, run))  # type: ignore[arg-type]
    assert len(groups) > 1


def test_more_than_a_hundred_items_are_another_batch() -> None:
    assert [len(run) for run in by_kind(intents(IntentKind.LODGE, 250))] == [100, 100, 50]
