"""What must hold of the slots for which money leaves, on whichever node it is tried.

Each case takes a network with contracts, puts a settled bill on it and asks a client of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.adapters.ledger.client import SLOTS_A_REQUEST, LedgerClient
from backend.domain.ledger import IntentKind, LeafPosition, SlotState
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerUnavailableError
from tests.integration.anchoring.faulty_node import FaultyNode, faulty_node
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf

TOTAL, PAID = 10_000, 3_000
POLICY = hashlib.sha256(b"policy").digest().hex()
KEY = leaf(CUSTODIAL, 1)[20:52]


@contextlib.contextmanager
def reader(network: TestNetwork, *urls: str, blocks: int = 1) -> Iterator[LedgerClient]:
    """A client of these nodes (else of the network's own) for which so many blocks are final."""
    deployment = network.services.ledger.deployment()
    client = LedgerClient(urls or (network.url,), lambda: deployment, blocks)
    try:
        yield client
    finally:
        client.close()


def settled_bill(network: TestNetwork) -> LeafPosition:
    """A bill that payer 1 has settled in the newest block; every outcome is known."""
    _, (place,) = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1, TOTAL)])
    network.run()
    network.want_lodge(place)
    network.run()
    settlement = {
        "invoice_key": KEY.hex(), "payer": 1, "counter": 1, "amount": PAID,
        "decision_fingerprint": "ab" * 32, "decision_version": 1, "policy_hash": POLICY,
    }  # fmt: skip
    wanted = network.want(IntentKind.SETTLE, settlement, network.payer_account(1), "settle:1")
    network.run()
    assert network.intent(wanted).outcome == "done"
    return place


def followed(network: TestNetwork) -> BlockStamp:
    with network.services.work(write=False) as work:
        cursor = work.chain.cursor()
    assert cursor is not None
    return cursor


def ask(client: LedgerClient, cursor: BlockStamp | None) -> FinalSlot:
    return client.final_slots([KEY], cursor)[KEY]


def settled_and_paid(slot: SlotState) -> tuple[bool, int]:
    return slot.has_settled(1), slot.paid_fen


def height(network: TestNetwork) -> int:
    return int(network.rpc("eth_blockNumber"), 16)


def a_settlement_counts_when_it_is_final(network: TestNetwork) -> None:
    settled_bill(network)
    cursor, head = followed(network), height(network)
    with reader(network, blocks=3) as client:
        early = ask(client, cursor)
        network.rpc("evm_mine")
        network.rpc("evm_mine")
        late = ask(client, cursor)
    assert (early.number, late.number) == (head - 2, head)
    assert settled_and_paid(early.final) == (False, 0)
    assert settled_and_paid(early.newest) == (True, PAID)
    assert settled_and_paid(late.final) == settled_and_paid(late.newest) == (True, PAID)


def what_a_hospital_declares_shows_before_it_is_final(network: TestNetwork) -> None:
    place = settled_bill(network)
    network.rpc("evm_mine")
    void = {"position": place.to_payload(), "reason": 1}
    network.want(IntentKind.VOID, void, network.account_of(CUSTODIAL), "void:1")
    network.run()
    with reader(network, blocks=2) as client:
        found = ask(client, followed(network))
    assert (found.final.flags & SlotState.VOID, found.newest.flags & SlotState.VOID) == (0, 2)


def a_node_that_lags_is_not_believed(network: TestNetwork) -> None:
    settled_bill(network)
    cursor = followed(network)
    with faulty_node(network.url) as lagging:
        lagging.stop_at(cursor.number - 1)
        missing = rf"does not have block {cursor.number}"
        refused = pytest.raises(LedgerUnavailableError, match=missing)
        with reader(network, lagging.url) as client, refused:
            ask(client, cursor)
        with reader(network, lagging.url, network.url) as client:
            assert settled_and_paid(ask(client, cursor).final) == (False, 0)
            assert settled_and_paid(ask(client, cursor).newest) == (True, PAID)


def a_node_on_a_fork_is_not_believed(network: TestNetwork) -> None:
    before = network.rpc("evm_snapshot")
    settled_bill(network)
    cursor = followed(network)
    network.rpc("evm_revert", before)
    while height(network) <= cursor.number:
        network.rpc("evm_mine")
    with reader(network) as client:
        with pytest.raises(LedgerUnavailableError, match="on a fork"):
            ask(client, cursor)
        assert settled_and_paid(ask(client, None).newest) == (False, 0)


def a_slot_that_a_reorganisation_changes_meanwhile_is_not_believed(network: TestNetwork) -> None:
    settled_bill(network)
    cursor = followed(network)
    with faulty_node(network.url) as node, reader(network, node.url) as client:
        ask(client, cursor)  # which also asks the node who it is
        node.seen.clear()
        assert settled_and_paid(ask(client, cursor).final) == (True, PAID)
        seen = len([1 for method, _ in node.seen if method == "eth_getBlockByNumber"])
        assert seen == 4  # final and followed block, before the slots and after them
        strike_last_block(node, after=seen - 1)
        with pytest.raises(LedgerUnavailableError, match="its chain is being reorganised"):
            ask(client, cursor)


def strike_last_block(node: FaultyNode, after: int) -> None:
    """The block that is asked about last has another hash than before."""
    left = [after]

    def change(_: dict[str, Any], answer: Any) -> Any:
        left[0] -= 1
        return answer if left[0] >= 0 else {"result": answer["result"] | {"hash": "0x" + "ee" * 32}}

    node.strike("eth_getBlockByNumber", change=change)


def a_node_without_the_state_is_not_believed(network: TestNetwork) -> None:
    settled_bill(network)
    cursor = followed(network)

    def pruned(answer: dict[str, Any]) -> Callable[[dict[str, Any], Any], Any]:
        return lambda call, true: true if call["params"][1] == "latest" else answer

    missing = {"error": {"code": -32000, "message": "missing trie node"}}
    for answer, message in ((missing, "missing trie node"), ({"result": "0x"}, "no state")):
        with faulty_node(network.url) as node:
            node.strike("eth_call", change=pruned(answer))
            refused = pytest.raises(LedgerUnavailableError, match=message)
            with reader(network, node.url) as client, refused:
                ask(client, cursor)
            with reader(network, node.url, network.url) as client:
                assert settled_and_paid(ask(client, cursor).final) == (True, PAID)


def many_slots_are_few_questions(network: TestNetwork) -> None:
    settled_bill(network)
    others = [hashlib.sha256(bytes([n])).digest() for n in range(SLOTS_A_REQUEST)]
    with faulty_node(network.url) as node, reader(network, node.url) as client:
        ask(client, None)
        node.seen.clear()
        found = client.final_slots([*others, KEY], followed(network))
        calls = [method for method, _ in node.seen]
    assert len(found) == SLOTS_A_REQUEST + 1
    assert settled_and_paid(found[KEY].final) == (True, PAID)
    assert not any(found[key].newest.total_fen for key in others)
    assert calls.count("eth_call") == 2 * (SLOTS_A_REQUEST + 1)
    assert calls.count("eth_getBlockByNumber") == 2 * 4


CASES = (
    a_settlement_counts_when_it_is_final,
    what_a_hospital_declares_shows_before_it_is_final,
    a_node_that_lags_is_not_believed,
    a_node_on_a_fork_is_not_believed,
    a_slot_that_a_reorganisation_changes_meanwhile_is_not_believed,
    a_node_without_the_state_is_not_believed,
    many_slots_are_few_questions,
)
