"""Traps of the nodes themselves: wrong ones, failing ones, lagging ones, old state, limits."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from backend.adapters.ledger.client import LedgerClient
from backend.adapters.ledger.deployment import Deployer, ForeignContractsError
from backend.adapters.ledger.log_windows import LogWindow
from backend.adapters.ledger.rpc import JSONRPC, RPCError, WrongNetworkError
from backend.domain.ledger import IntentKind, IntentState, SlotState
from backend.service_layer.anchoring.audit import AuditPlace, audit_final
from backend.service_layer.anchoring.follow import follow
from backend.service_layer.anchoring.model import Fees
from backend.service_layer.anchoring.reconcile import advance_finality
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.anchoring.watch import Watch, watch
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.anchoring.faulty_node import FaultyNode, faulty_node
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf
from tests.integration.anchoring.test_end_to_end import POLICY
from tests.integration.anchoring.traps.checks import assert_anchored_once, want_one_anchor

pytestmark = pytest.mark.slow


@pytest.fixture
def second(network: TestNetwork) -> Iterator[FaultyNode]:
    """Another node of the same network."""
    with faulty_node(network.url) as second:
        yield second


@pytest.fixture
def both(network: TestNetwork, node: FaultyNode, second: FaultyNode) -> Iterator[TestNetwork]:
    """The test's services with two RPC endpoints: ``node`` first, ``second`` next."""
    both = TestNetwork(node.url, network.folder)
    both.services.ledger.close()
    both.services.settings = dataclasses.replace(both.settings, rpc_urls=(node.url, second.url))
    del both.services.ledger
    both.deps = both.anchoring()
    yield both
    both.close()


def new_watch() -> Watch:
    return Watch(stall_seconds=60, stall_blocks=20)


# --- T12, T13: more than one node -----------------------------------------------------------------


def test_t12_node_with_an_invalid_nonce_cache_is_passed_over_and_named(
    network: TestNetwork, both: TestNetwork, node: FaultyNode
) -> None:
    """The first node refuses whatever comes; the second takes it; an alarm names the first."""
    node.refuse("eth_sendRawTransaction", -32000, "Nonce too low")
    node.say("eth_getTransactionByHash", None)
    anchors = [want_one_anchor(both, n) for n in range(3)]
    both.run(passes=2)
    assert_anchored_once(network, *anchors)
    seen = new_watch()
    watch(both.deps, seen)
    with both.services.work(write=False) as work:
        (alarm,) = work.alarms.open_alarms()
    assert (alarm.code, alarm.subject) == ("node-failing", node.url)
    assert "refuses transactions that another node takes" in alarm.detail
    node.heal()
    later = want_one_anchor(both, 9)
    both.run(passes=2)
    watch(both.deps, seen)
    assert network.alarms() == []
    assert_anchored_once(network, *anchors, later)


def test_t12_node_that_says_known_is_not_called_failing(
    network: TestNetwork, both: TestNetwork, second: FaultyNode
) -> None:
    """Two doors to one pool: the second says that it has the transaction, which is true."""
    anchors = [want_one_anchor(both, n) for n in range(4)]
    both.run(passes=2)
    watch(both.deps, new_watch())
    assert len(second.sent()) == 4
    assert network.alarms() == []
    assert_anchored_once(network, *anchors)


def test_t12_second_endpoint_is_used_when_the_first_fails(
    network: TestNetwork, both: TestNetwork, node: FaultyNode
) -> None:
    node.fail_with_500()
    anchor = want_one_anchor(both)
    both.run(passes=2)
    assert_anchored_once(network, anchor)
    tries = len(node.seen)
    both.run(passes=2)
    assert len(node.seen) == tries  # it rests, so that not every read waits for it
    seen = new_watch()
    watch(both.deps, seen)
    assert network.alarms() == ["node-failing"]
    node.heal()
    watch(both.deps, seen)
    assert network.alarms() == []


def test_t12_node_that_is_left_behind_is_asked_last(
    network: TestNetwork, both: TestNetwork, node: FaultyNode
) -> None:
    """The first node was cut off from the others: it answers, and stands still."""
    node.stop_at(network.services.ledger.head().number)
    network.rpc("evm_mine", {"blocks": 6})
    anchor = want_one_anchor(both)
    both.run(passes=2)
    assert both.intent(anchor).state is not IntentState.FINAL
    seen = new_watch()
    watch(both.deps, seen)
    with both.services.work(write=False) as work:
        (alarm,) = work.alarms.open_alarms()
    assert (alarm.code, alarm.subject) == ("node-failing", node.url)
    assert "more than 5 blocks behind another node" in alarm.detail
    both.run(passes=2)
    assert_anchored_once(network, anchor)
    node.heal()
    watch(both.deps, seen)
    assert network.alarms() == []


def test_t12_every_node_down_is_unavailable_and_never_absent(
    network: TestNetwork, both: TestNetwork, node: FaultyNode, second: FaultyNode
) -> None:
    anchor = want_one_anchor(both)
    for each in (node, second):
        each.drop_before()
    with pytest.raises(LedgerUnavailableError, match="did not answer"):
        both.run()
    assert both.intent(anchor).state is IntentState.QUEUED
    for each in (node, second):
        each.heal()
    both.run(passes=2)
    assert_anchored_once(network, anchor)


def test_t12_internal_error_of_one_node_is_asked_of_the_next(
    both: TestNetwork, node: FaultyNode
) -> None:
    node.refuse("eth_call", -32603, "Internal error")
    assert both.services.ledger.slot(b"\x01" * 32) == SlotState.decode(0)


def test_t13_bytes_go_to_both_nodes_and_again_on_a_timer(
    network: TestNetwork, both: TestNetwork, node: FaultyNode, second: FaultyNode
) -> None:
    """The first node takes the transaction and never passes it on; the second is away at first."""
    node.swallow_transactions()
    second.drop_before("eth_sendRawTransaction", times=2)
    anchor = want_one_anchor(both)
    both.run(passes=1)
    assert network.events("Anchored") == []
    assert both.intent(anchor).state is IntentState.SENT
    both.run(passes=3)
    assert_anchored_once(network, anchor)
    assert len(set(node.sent() + second.sent())) == 1


# --- T14: the wrong chain -------------------------------------------------------------------------


FOREIGN = {
    "chain id": ("eth_chainId", "0x5"),
    "genesis": ("eth_getBlockByNumber", {"hash": "0x" + "12" * 32}),
    "registry code": ("eth_getCode", "0x6001"),
    "deployment block": ("eth_getLogs", []),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_t14_node_of_another_network_is_not_believed_and_nothing_is_sent(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, name: str
) -> None:
    method, result = FOREIGN[name]
    anchor = want_one_anchor(behind)
    node.say(method, result)
    with pytest.raises(WrongNetworkError, match=f"another network \\({name} differs\\)"):
        behind.run()
    assert node.sent() == []
    assert behind.intent(anchor).state is IntentState.QUEUED
    watch(behind.deps, new_watch())
    assert network.alarms() == ["node-failing"]
    node.heal()
    behind.run(passes=2)
    assert_anchored_once(network, anchor)


def test_t14_node_that_changes_its_chain_is_found_out_at_the_next_connection(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node restarts as another chain between two requests: no error, just a new connection."""
    monkeypatch.setattr("backend.adapters.ledger.rpc.VERIFY_AGAIN_SECONDS", 0.0)
    behind.services.ledger.head()
    first = node.connections
    node.say("eth_chainId", "0x5")
    behind.services.ledger.head()  # the same connection: still the node that was checked
    assert node.connections == first
    node.cut_connections()
    time.sleep(0.1)  # until the end of the connection has arrived
    with pytest.raises(WrongNetworkError, match="chain id differs"):
        behind.services.ledger.head()
    node.heal()
    assert behind.services.ledger.head().number == network.services.ledger.head().number


def test_t14_node_that_is_still_syncing_is_not_called_foreign(
    behind: TestNetwork, node: FaultyNode
) -> None:
    node.say("eth_blockNumber", "0x0")
    node.say("eth_getCode", "0x")
    node.say("eth_getLogs", [])
    with pytest.raises(LedgerUnavailableError, match="still at block 0, before the contracts"):
        behind.services.ledger.head()


# --- T15, T19, T20: the follower ------------------------------------------------------------------


def test_t15_changed_block_of_a_final_transaction_is_an_incident(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    anchor = want_one_anchor(behind)
    behind.run(passes=2)
    place = AuditPlace()
    assert audit_final(behind.deps, place) == 0
    assert audit_final(behind.deps, place) == 0 and place.after == ""  # a round has ended
    number = hex(behind.intent(anchor).block_number or 0)

    def other_hash(call: dict[str, Any], answer: Any) -> Any:
        if call["params"][0] != number:
            return answer
        return {"result": answer["result"] | {"hash": "0x" + "ab" * 32}}

    node.strike("eth_getBlockByNumber", change=other_hash)
    assert audit_final(behind.deps, place) == 1
    assert network.alarms() == ["final-block-changed"]
    assert len(node.sent()) == 1  # an incident for people: nothing is anchored again in silence
    node.heal()
    assert_anchored_once(network, anchor)


def test_t15_node_that_lags_causes_neither_alarm_nor_second_anchor(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """Reads go to a node that is some blocks behind: what it lacks is unknown, not gone."""
    first = want_one_anchor(behind, 1)
    behind.run(passes=2)
    height = behind.services.ledger.head().number
    second = want_one_anchor(behind, 2)
    behind.run(passes=1)
    final = behind.intent(second)
    node.stop_at(height)
    place = AuditPlace()
    for _ in range(3):
        assert follow(behind.deps) == 0
        advance_finality(behind.deps)
        audit_final(behind.deps, place)
    assert behind.intent(second) == final
    assert network.alarms() == []
    node.heal()
    behind.run(passes=2)
    assert_anchored_once(network, first, second)


def test_t15_mined_transaction_is_kept_while_the_node_lags(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    slow = TestNetwork(node.url, network.folder, finality_blocks=5)
    anchor = want_one_anchor(slow)
    slow.run()
    mined = slow.intent(anchor)
    assert mined.state is IntentState.MINED
    node.stop_at((mined.block_number or 0) - 1)
    slow.run(passes=3)
    assert slow.intent(anchor) == mined
    assert slow.alarms() == []
    slow.close()


def test_t19_duplicate_logs_and_receipts_change_nothing(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    node.double_logs()
    _, places = behind.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(3)])
    behind.run()
    lodges = [behind.want_lodge(place) for place in places]
    behind.run(passes=2)
    assert [behind.intent(i).outcome for i in lodges] == ["done"] * 3
    assert len(network.events("Lodged")) == 3 and network.events("Unchanged") == []
    assert network.alarms() == []


def test_t19_restart_in_the_middle_of_a_range_resumes_at_the_cursor(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.service_layer.anchoring.follow.BLOCKS_A_PASS", 4)
    follow(behind.deps)
    anchor = want_one_anchor(behind)
    send_queued(behind.deps)
    for _ in range(9):
        network.rpc("evm_mine")
    while follow(behind.deps):
        pass
    with behind.services.work(write=False) as work:
        place = work.chain.cursor()
    assert place is not None and place.number == network.services.ledger.head().number
    network.rpc("evm_mine")
    again = behind.anchoring()  # a new worker: nothing but the database tells it where to go on
    asked = len(node.seen)
    follow(again)
    ranges = [params[0] for method, params in node.seen[asked:] if method == "eth_getLogs"]
    assert [int(query["fromBlock"], 16) for query in ranges] == [place.number + 1]
    behind.run(again, passes=2)
    assert_anchored_once(network, anchor)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_000, 100, 7])
def test_t20_windows_adapt_to_the_nodes_limit(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, limit: int
) -> None:
    node.limit_log_range(limit)
    anchors = []
    for n in range(3):
        anchors.append(want_one_anchor(behind, n))
        behind.run(passes=2)
        network.rpc("evm_mine", {"blocks": 40})
    head = network.services.ledger.head().number
    found = behind.services.ledger.events(0, head)
    assert [event.call for event in found] == ["anchor"] * 3
    assert_anchored_once(network, *anchors)


@pytest.mark.parametrize("limit", [1, 7, 100, 999, 1_000])
def test_t20_window_halves_at_a_refusal_and_finds_the_limit_again(limit: int) -> None:
    window = LogWindow()
    asked = []
    for _ in range(40):
        asked.append(window.blocks)
        if window.blocks > limit:
            assert window.refused()
        else:
            window.answered()
    assert window.blocks == limit
    assert all(b in (a // 2, a) or b > a for a, b in itertools.pairwise(asked))


def test_t20_node_that_gives_no_logs_at_all_is_unavailable(
    behind: TestNetwork, node: FaultyNode
) -> None:
    behind.services.ledger.head()
    node.refuse("eth_getLogs", -32000, "logs are disabled")
    with pytest.raises(LedgerUnavailableError, match="refuses event logs: logs are disabled"):
        behind.services.ledger.events(0, 10)


@pytest.mark.slow
def test_t20_first_settlement_is_found_in_a_node_with_a_limit(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """The comparison with an earlier settlement reads all blocks since deployment."""
    _, (place,) = behind.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 7)])
    behind.run()
    behind.want_lodge(place)
    behind.run()
    payload = {
        "invoice_key": place.leaf[20:52].hex(), "payer": 1, "counter": 1, "amount": 4_321,
        "decision_fingerprint": "11" * 32, "decision_version": 1, "policy_hash": POLICY.hex(),
    }  # fmt: skip
    account = network.payer_account(1)
    behind.want(IntentKind.SETTLE, payload, account, "settle:1")
    behind.run()
    network.rpc("evm_mine", {"blocks": 30})
    node.limit_log_range(7)
    same = behind.want(IntentKind.SETTLE, payload, account, "settle:2")
    behind.run(passes=2)
    assert behind.intent(same).outcome == "repeated"
    assert len(network.events("Settled")) == 1


# --- T21, T22, T23, T24 ---------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["0x0", None])
def test_t21_zero_or_null_of_old_state_never_means_not_anchored(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode, answer: str | None
) -> None:
    """The node has lost the state of old blocks and says so with a default value."""

    def forgotten(call: dict[str, Any], true: Any) -> Any:
        return true if call["params"][1] == "latest" else {"result": answer}

    node.strike("eth_getTransactionCount", change=forgotten)
    node.strike("eth_getBalance", change=forgotten)
    anchor = want_one_anchor(behind)
    behind.run(passes=3)
    assert_anchored_once(network, anchor)
    assert network.alarms() == []


@pytest.mark.parametrize("answer", ["0x", None])
def test_t21_deployment_block_is_not_guessed_from_lost_state(
    network: TestNetwork, node: FaultyNode, answer: str | None
) -> None:
    """The deployment is looked for again, long after, on a node that keeps new state only."""
    known = network.services.ledger.deployment()
    network.rpc("evm_mine", {"blocks": 8})
    head = network.services.ledger.head().number

    def forgotten(call: dict[str, Any], true: Any) -> Any:
        wanted = call["params"][1]
        is_old = wanted != "latest" and int(wanted, 16) < head - 3
        return {"result": answer} if is_old else true

    rpc = JSONRPC([node.url])
    deployer = Deployer(rpc, network.services.keystores, lambda: Fees(gas_price=0))
    assert deployer._block_of(known.registry) == known.block_number
    node.strike("eth_getCode", change=forgotten)
    wrong = deployer._block_of(known.registry)
    assert wrong > known.block_number
    with pytest.raises(ForeignContractsError, match="run this with an archive node"):
        deployer._require_events(known.registry, wrong)
    rpc.close()


@pytest.mark.parametrize("answer", ["0x", None, "0x1234"])
def test_t21_empty_answer_of_a_read_is_no_answer(
    behind: TestNetwork, node: FaultyNode, answer: str | None
) -> None:
    node.say("eth_call", answer)
    with pytest.raises(LedgerUnavailableError, match=r"no state to read|cannot be read"):
        behind.services.ledger.batch_head(1, 1)
    with pytest.raises(LedgerUnavailableError, match=r"no state to read|cannot be read"):
        behind.services.ledger.slot(b"\x01" * 32)


def test_t21_zero_head_makes_a_lodge_wait_and_nothing_worse(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """A batch that another database anchored is looked up on the ledger; zero is not 'never'."""
    _, (place,) = behind.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 7)])
    behind.run()
    unknown = dataclasses.replace(place, institution_number=2)
    lodge = behind.want_lodge(unknown)
    behind.run(passes=2)
    intent = behind.intent(lodge)
    assert (intent.state, intent.tries, intent.tx_hash) == (IntentState.QUEUED, 0, None)
    assert network.alarms() == []


def test_t22_long_extra_data_and_foreign_header_fields_are_no_obstacle(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """Clique and QBFT put seals into extraData: 97 bytes and more, renamed by some libraries.
    The client reads number, hash and time of a header, and proves nothing by it."""

    def sealed(_: dict[str, Any], answer: Any) -> Any:
        block = answer["result"]
        if block is None:
            return answer
        without = {k: v for k, v in block.items() if k not in ("extraData", "baseFeePerGas")}
        return {"result": without | {"extraData": "0x" + "f8" * 241, "mixHash": "0x63746963"}}

    node.strike("eth_getBlockByNumber", change=sealed)
    anchor = want_one_anchor(behind)
    behind.run(passes=2)
    assert_anchored_once(network, anchor)


@pytest.mark.parametrize("mode", ["legacy-zero", "market"])
def test_t23_chain_before_london_has_no_base_fee(
    network: TestNetwork, node: FaultyNode, mode: str
) -> None:
    node.say("eth_gasPrice", "0x3b9aca00")
    deployment = network.services.ledger.deployment()
    client = LedgerClient([node.url], lambda: deployment, 1, mode)
    assert "baseFeePerGas" not in requests.post(
        network.url,
        json={"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber",
              "params": ["latest", False]},
        timeout=5,
    ).json()["result"]  # fmt: skip
    fees = client.fees()
    assert fees.gas_price == (0 if mode == "legacy-zero" else 10**9)
    assert fees.max_fee_per_gas is None and fees.max_priority_fee_per_gas is None
    client.close()


def test_t24_sixteen_threads_share_one_client(network: TestNetwork) -> None:
    client = network.services.ledger
    wrong: list[str] = []

    def work(number: int) -> None:
        try:
            for _ in range(10):
                if client.batch_head(1, number + 1) != bytes(32):
                    wrong.append("a head that was never anchored")
                if client.head().number < 1:
                    wrong.append("no head")
        except (LedgerUnavailableError, RPCError) as error:
            wrong.append(error.en)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
