"""Traps on the way to the node: lost answers, dialects, two senders, gaps, poison, batches."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest
import requests

from backend.adapters.ledger.rpc import Endpoint, RPCError
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.gaps import fill_gaps
from backend.service_layer.anchoring.model import (
    LeaseHeldError,
    Purpose,
    UnsignedTransaction,
)
from backend.service_layer.anchoring.reconcile import settle_nonces
from backend.service_layer.anchoring.send import (
    commit_signed,
    forward,
    send_queued,
    take_lease,
)
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.anchoring.faulty_node import DIALECTS, FaultyNode, SilentError
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf
from tests.integration.anchoring.traps.checks import (
    assert_anchored_once,
    assert_no_gap,
    want_one_anchor,
)
from tests.integration.anchoring.worker_process import _context, _work, run_worker

pytestmark = pytest.mark.slow


def test_t01_answer_lost_after_the_node_took_the_transaction(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """The node has the transaction, the worker saw a closed connection."""
    anchor = want_one_anchor(behind)
    node.drop_after("eth_sendRawTransaction")
    assert send_queued(behind.deps) == 1
    assert behind.intent(anchor).state is IntentState.SENT  # unknown: neither lost nor done
    assert len(network.events("Anchored")) == 1
    behind.run(passes=2)
    assert_anchored_once(network, anchor)
    assert len(node.sent()) == 1  # it was looked up by its hash and not sent again
    assert network.alarms() == []


def test_t01_request_that_never_arrived_is_sent_again_as_the_same_bytes(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchor = want_one_anchor(behind)
    fault = node.drop_before("eth_sendRawTransaction", times=3)
    send_queued(behind.deps)
    for _ in range(3):
        settle_nonces(behind.deps)
    assert fault.left == 0
    behind.run(passes=2)
    assert_anchored_once(network, anchor)
    assert len(node.sent()) == 4 and len(set(node.sent())) == 1


def test_t01_gateway_error_is_unknown_and_not_refusal(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchor = want_one_anchor(behind)
    node.strike("eth_sendRawTransaction", 1, status=502, body=b"<html>Bad Gateway</html>")
    send_queued(behind.deps)  # forwarded, answered with an error page
    assert behind.intent(anchor).state is IntentState.SENT
    node.fail_with_500("eth_getTransactionReceipt", times=1)
    with pytest.raises(LedgerUnavailableError, match="did not answer: JSONDecodeError"):
        behind.run()
    behind.run(passes=2)
    assert_anchored_once(network, anchor)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("trap", ["t02", "t03"])
def test_t02_t03_known_transaction_in_three_dialects_is_no_failure(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, dialect: str, trap: str
) -> None:
    """T2: the repetition of bytes that the node has. T3: the same where the first answer came
    through, too. Both are decided by looking at the ledger, whatever the words are."""
    anchor = want_one_anchor(behind)
    deps = behind.anchoring(sends_before_fill=1)
    if trap == "t02":
        node.drop_after("eth_sendRawTransaction")
    # The receipt stays hidden for a while, so that the bytes are sent again.
    node.say("eth_getTransactionCount", "0x0", times=3)
    send_queued(deps)
    node.refuse("eth_sendRawTransaction", *DIALECTS[dialect])
    settle_nonces(deps)
    settle_nonces(deps)
    assert len(node.sent()) >= 2
    behind.run(deps, passes=2)
    assert_anchored_once(network, anchor)
    assert network.alarms() == []  # no nonce was filled, nothing was quarantined


def test_t05_second_worker_refuses_to_send_with_one_key(network: TestNetwork) -> None:
    account = network.account_of(CUSTODIAL)
    take_lease(network.deps, account)
    other = network.anchoring()
    anchor = want_one_anchor(network)
    with pytest.raises(LeaseHeldError, match="held by another worker"):
        take_lease(other, account)
    assert send_queued(other) == 0
    assert network.nonce(account) == 0
    network.run()
    assert_anchored_once(network, anchor)


def test_t05_two_processes_with_one_key_make_one_anchor_each(network: TestNetwork) -> None:
    anchors = [want_one_anchor(network, n) for n in range(3)]
    processes = [
        _context.Process(target=_work, args=(network.url, network.folder, "", 4, 1), daemon=True)
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    network.run(network.anchoring(), passes=2)
    assert_anchored_once(network, *anchors)


@pytest.mark.parametrize("failpoint", ["send.after-sign", "send.in-commit", "send.after-commit"])
def test_t06_killed_between_allocating_and_sending_leaves_no_gap(
    network: TestNetwork, failpoint: str
) -> None:
    anchors = [want_one_anchor(network, n) for n in range(2)]
    assert run_worker(network.url, network.folder, failpoint) == -signal.SIGKILL
    assert run_worker(network.url, network.folder) == 0
    assert_anchored_once(network, *anchors)
    assert network.alarms() == []


def test_t06_gap_behind_which_our_transactions_wait_is_filled(network: TestNetwork) -> None:
    """A stranger's transaction took a nonce and then left the chain with its block."""
    account = network.account_of(CUSTODIAL)
    snapshot = network.rpc("evm_snapshot")
    foreign = UnsignedTransaction(1337, 0, account, b"", 21_000, gas_price=0)
    network.services.ledger.send(network.services.keystores.sign(account, foreign).raw)
    anchor = want_one_anchor(network)
    intent = network.intent(anchor)
    call = network.services.ledger.encode(intent.kind, [intent.payload])
    record = commit_signed(network.deps, take_lease(network.deps, account), account, call, [intent])
    assert record.nonce == 1
    network.rpc("evm_revert", snapshot)
    forward(network.deps, record)
    assert network.nonce(account) == 0 and network.events("Anchored") == []
    assert fill_gaps(network.deps) == 1
    assert fill_gaps(network.deps) == 0
    network.run(passes=2)
    assert_anchored_once(network, anchor)
    assert network.alarms() == ["nonce-gap"]
    with network.services.work(write=False) as work:
        assert [r.purpose for r in work.transactions.of_nonce(account, 0)] == [Purpose.FILL]


def test_t06_gap_is_not_filled_on_the_word_of_a_node_that_lags(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    first = want_one_anchor(behind, 1)
    behind.run(passes=2)
    height = behind.services.ledger.head().number
    second = want_one_anchor(behind, 2)
    node.drop_before("eth_sendRawTransaction", times=1)
    send_queued(behind.deps)  # committed with nonce 1, and not delivered
    node.stop_at(height - 1)
    assert fill_gaps(behind.deps) == 0
    node.heal()
    behind.run(passes=2)
    assert_anchored_once(network, first, second)
    assert network.alarms() == []


def test_t08_one_bad_item_among_100_is_isolated_and_99_go_through(network: TestNetwork) -> None:
    _, places = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(100)])
    network.run()
    lodges = [network.want_lodge(place) for place in places]
    bad = lodges[37]
    network.change_payload(bad, counter=2**16)  # does not fit the contract's uint16
    network.run(passes=1)
    good = [intent for intent in lodges if intent != bad]
    assert {network.intent(intent).outcome for intent in good} == {"done"}
    assert len(network.events("Lodged")) == 99
    for _ in range(5):
        network.deps.retry_at.clear()
        network.run()
    assert network.intent(bad).state is IntentState.QUARANTINED
    assert network.alarms() == ["intent-quarantined"]
    later = network.want_lodge(network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 200)])[1][0])
    network.run(passes=2)
    assert network.intent(later).outcome == "done"  # the dispatcher goes on
    assert_no_gap(network, network.payer_account(1))


def test_t07_t17_reverted_transaction_is_no_anchor_and_goes_out_again(
    network: TestNetwork,
) -> None:
    """A receipt with status 0: the call ran out of gas. The anchor is sent again and happens."""
    account = network.account_of(CUSTODIAL)
    anchor = want_one_anchor(network)
    intent = network.intent(anchor)
    call = network.services.ledger.encode(intent.kind, [intent.payload])
    lease = take_lease(network.deps, account)
    starved = replace(call, gas=45_000)
    record = commit_signed(network.deps, lease, account, starved, [intent])
    forward(network.deps, record)
    receipt = network.services.ledger.receipt(record.tx_hash or b"")
    assert receipt is not None and not receipt.succeeded
    network.run(passes=1)
    assert network.events("Anchored") == [] or network.intent(anchor).outcome == "done"
    network.run(passes=2)
    assert_anchored_once(network, anchor)
    assert network.intent(anchor).tries == 1


def test_t17_receipt_without_the_event_is_no_anchor(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """Status 1 alone proves nothing: the event with our root is what counts."""
    anchor = want_one_anchor(behind)

    def without_logs(_: dict[str, Any], answer: Any) -> Any:
        return {"result": answer["result"] and answer["result"] | {"logs": []}}

    node.strike("eth_getTransactionReceipt", change=without_logs)
    behind.run(passes=1)
    assert behind.intent(anchor).outcome is None
    assert "outcome-missing" in network.alarms()


def test_t17_node_without_receipts_yet_does_not_make_the_nonce_a_strangers(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """The nonce is used and the receipt is null: the node knows the transaction, so it is ours."""
    anchor = want_one_anchor(behind)
    node.say("eth_getTransactionReceipt", None, times=4)
    behind.run(passes=5)
    assert_anchored_once(network, anchor)
    assert network.alarms() == []


def test_t17_receipt_of_a_node_that_still_indexes_is_asked_for_again(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchor = want_one_anchor(behind)
    # Two steps ask, each in its batch and then once more alone.
    node.refuse("eth_getTransactionReceipt", -32000, "transaction indexing is in progress", times=4)
    with pytest.raises(LedgerUnavailableError, match="gives no receipt"):
        behind.run()
    assert behind.intent(anchor).state is IntentState.SENT
    behind.run(passes=2)
    assert_anchored_once(network, anchor)


class TestT18Batches:
    """One bad answer of a batch spoils that batch only, and an empty one is no answer."""

    CALLS = (("eth_chainId", ()), ("eth_blockNumber", ()))

    def test_t18_empty_batch_answer_is_no_answer(self, node: FaultyNode) -> None:
        node.strike("batch", 1, body=b"[]")
        endpoint = Endpoint(node.url, 5)
        with pytest.raises(LedgerUnavailableError, match="no answer to a call"):
            endpoint.post(self.CALLS)
        assert endpoint.post(self.CALLS)[0] == "0x539"
        endpoint.close()

    def test_t18_error_in_one_item_is_that_items_error(self, node: FaultyNode) -> None:
        node.refuse("eth_blockNumber", -32000, "out of order", times=1)
        endpoint = Endpoint(node.url, 5)
        with pytest.raises(RPCError, match="out of order"):
            endpoint.post(self.CALLS)
        assert endpoint.post(self.CALLS[:1]) == ["0x539"]
        endpoint.close()

    def test_t18_missing_item_is_no_answer(self, node: FaultyNode) -> None:
        def silent(_: dict[str, Any], __: Any) -> Any:
            raise SilentError

        node.strike("eth_blockNumber", 1, change=silent)
        endpoint = Endpoint(node.url, 5)
        with pytest.raises(LedgerUnavailableError, match="no answer to a call"):
            endpoint.post(self.CALLS)
        endpoint.close()

    def test_t18_node_that_takes_no_batches_is_named(self, node: FaultyNode) -> None:
        refusal = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'
        node.strike("batch", 1, body=refusal)
        endpoint = Endpoint(node.url, 5)
        with pytest.raises(LedgerUnavailableError, match="it refuses a batch: no batches"):
            endpoint.post(self.CALLS)
        endpoint.close()

    def test_t18_answers_out_of_order_are_put_in_order(self, node: FaultyNode) -> None:
        true = requests.post(
            node.target,
            json=[
                {"jsonrpc": "2.0", "id": 2, "method": "eth_blockNumber", "params": []},
                {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []},
            ],
            timeout=5,
        )
        node.strike("batch", 1, body=true.content)
        endpoint = Endpoint(node.url, 5)
        assert endpoint.post(self.CALLS)[0] == "0x539"
        endpoint.close()

    def test_t18_transactions_are_never_sent_in_batches(
        self, network: TestNetwork, behind: TestNetwork, node: FaultyNode
    ) -> None:
        anchors = [want_one_anchor(behind, n) for n in range(3)]
        node.strike("batch", change=None, body=b"[]", times=0)
        behind.run(passes=2)
        assert len(node.sent()) == 3
        assert_anchored_once(network, *anchors)


def test_preflight_refuses_a_call_before_a_nonce_is_used(network: TestNetwork) -> None:
    """T7: what would revert is found by eth_call and never signed."""
    account = network.account_of(CUSTODIAL)
    _, (place,) = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 1)])
    network.run()
    used = network.nonce(account)
    # A void by an account that is no institution: the contract reverts for the whole call.
    payload = {"position": place.to_payload()}
    void = network.want(IntentKind.VOID, payload, network.payer_account(1), "void:stranger")
    network.run()
    intent = network.intent(void)
    assert (intent.state, intent.tries) == (IntentState.QUEUED, 1)
    assert network.nonce(network.payer_account(1)) == 0
    assert network.nonce(account) == used
    assert network.events("Voided") == []
