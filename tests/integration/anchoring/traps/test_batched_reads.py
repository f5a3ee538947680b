"""Receipts are read in batches and written in groups: one bad item spoils no other, and a worker
killed between two groups neither loses nor doubles anything (reference T18)."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.follow import follow
from backend.service_layer.anchoring.outcomes import CLOSED_A_COMMIT
from backend.service_layer.anchoring.reconcile import advance_finality, settle_nonces
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.anchoring.faulty_node import FaultyNode, SilentError
from tests.integration.anchoring.network import TestNetwork
from tests.integration.anchoring.traps.checks import assert_anchored_once, want_one_anchor
from tests.integration.anchoring.worker_process import run_worker

pytestmark = pytest.mark.slow

RECEIPT = "eth_getTransactionReceipt"


def send_three(behind: TestNetwork) -> list[str]:
    anchors = [want_one_anchor(behind, number) for number in (1, 2, 3)]
    assert send_queued(behind.deps) == 3
    return anchors


def strike_one(node: FaultyNode, tx_hash: bytes | None, *, silent: bool = False) -> None:
    """The receipt of this transaction alone cannot be had."""
    assert tx_hash is not None

    def change(call: dict[str, Any], answer: Any) -> Any:
        if call["params"] != ["0x" + tx_hash.hex()]:
            return answer
        if silent:
            raise SilentError
        return {"error": {"code": -32000, "message": "transaction indexing is in progress"}}

    node.strike(RECEIPT, change=change)


def states(network: TestNetwork, intents: list[str]) -> list[IntentState]:
    return [network.intent(intent_id).state for intent_id in intents]


@pytest.mark.parametrize("silent", [False, True], ids=["error", "missing"])
def test_t18_one_receipt_that_cannot_be_had_is_unknown_and_spoils_no_other(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, silent: bool
) -> None:
    anchors = send_three(behind)
    strike_one(node, behind.intent(anchors[1]).tx_hash, silent=silent)
    assert settle_nonces(behind.deps) == 2
    assert states(behind, anchors) == [IntentState.MINED, IntentState.SENT, IntentState.MINED]
    with pytest.raises(LedgerUnavailableError, match=r"gives no receipt|did not answer"):
        follow(behind.deps)  # its block is not passed over
    node.heal()
    behind.run(passes=2)
    assert_anchored_once(network, *anchors)
    assert network.alarms() == []


def test_t18_finality_of_one_waits_alone_for_its_receipt(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchors = send_three(behind)
    assert settle_nonces(behind.deps) == 3
    hashes = [behind.intent(anchor).tx_hash for anchor in anchors]
    node.refuse(RECEIPT, -32000, "busy", times=4)  # the batch's three, and the first one alone
    assert advance_finality(behind.deps) == 2
    waiting = [a for a in anchors if behind.intent(a).state is IntentState.MINED]
    assert [behind.intent(a).tx_hash for a in waiting] == hashes[:1]
    node.heal()
    assert advance_finality(behind.deps) == 1
    behind.run()
    assert_anchored_once(network, *anchors)
    assert network.alarms() == []


def test_t18_receipts_that_the_node_refuses_as_a_batch_are_asked_for_alone(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchors = send_three(behind)
    node.refuse(RECEIPT, -32000, "busy", times=3)
    assert settle_nonces(behind.deps) == 3
    behind.run()
    assert_anchored_once(network, *anchors)


def test_t18_malformed_receipt_in_a_batch_is_unknown(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchors = send_three(behind)
    node.say(RECEIPT, {"blockHash": 7}, times=1)
    assert settle_nonces(behind.deps) == 2
    behind.run()
    assert_anchored_once(network, *anchors)


@pytest.mark.parametrize(
    "failpoint",
    [
        "outcome.before-commit:2",
        pytest.param("outcome.after-commit", marks=pytest.mark.slow),
        pytest.param("finality.before-commit:2", marks=pytest.mark.slow),
        pytest.param("finality.after-commit", marks=pytest.mark.slow),
    ],
)
def test_worker_killed_between_two_groups_closes_the_rest_at_its_next_start(
    network: TestNetwork, failpoint: str
) -> None:
    anchors = [want_one_anchor(network, number) for number in range(CLOSED_A_COMMIT + 3)]
    assert run_worker(network.url, network.folder, failpoint) == -signal.SIGKILL
    closed = IntentState.MINED if failpoint.startswith("outcome") else IntentState.FINAL
    assert states(network, anchors).count(closed) == CLOSED_A_COMMIT
    assert run_worker(network.url, network.folder) == 0
    assert_anchored_once(network, *anchors)
    assert network.alarms() == []
