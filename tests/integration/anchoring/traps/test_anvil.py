"""Traps that the development ledger cannot show: pools, prices, reorganisations, on anvil."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.ledger.client import LedgerClient
from backend.adapters.ledger.rpc import WrongNetworkError
from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.gaps import fill_gaps
from backend.service_layer.anchoring.model import TransactionState, UnsignedTransaction
from backend.service_layer.anchoring.probe import InclusionProbe, probe
from backend.service_layer.anchoring.reconcile import settle_nonces
from backend.service_layer.anchoring.replacement import replace_stuck
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.anchoring.watch import Watch, watch
from backend.service_layer.ports import LedgerUnavailableError
from tests.anvil import running_anvil
from tests.integration.anchoring.faulty_node import faulty_node
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, deploy_network
from tests.integration.anchoring.traps.checks import assert_anchored_once, want_one_anchor
from tests.integration.anchoring.traps.test_stalls import LaterClock

pytestmark = [pytest.mark.slow, pytest.mark.node]
ZERO = ("--gas-price", "0", "--block-base-fee-per-gas", "0")
CHAIN = ("--chain-id", "1337", "--code-size-limit", "100000")
ETHER = 10**18
GWEI = 10**9


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestNetwork]:
    """One zero-price anvil for all tests of this module; each starts from the same snapshot."""
    with running_anvil(*ZERO, *CHAIN) as url:
        network = deploy_network(url, tmp_path_factory.mktemp("anvil"))
        yield network
        network.close()


@pytest.fixture
def network(deployed: TestNetwork, tmp_path: Path) -> Iterator[TestNetwork]:
    snapshot = deployed.rpc("evm_snapshot")
    copy = deployed.copy_to(tmp_path)
    yield copy
    copy.close()
    deployed.rpc("anvil_dropAllTransactions")
    deployed.rpc("evm_setAutomine", True)
    deployed.rpc("evm_revert", snapshot)


def with_fees(network: TestNetwork, mode: str) -> TestNetwork:
    """The same database and node in another fee mode."""
    return in_fee_mode(TestNetwork(network.url, network.folder), mode)


def in_fee_mode(network: TestNetwork, mode: str) -> TestNetwork:
    network.services.ledger.close()
    network.services.settings = dataclasses.replace(network.settings, fee_mode=mode)
    del network.services.ledger
    network.deps = network.anchoring()
    return network


def mine(network: TestNetwork, blocks: int = 1) -> None:
    network.rpc("anvil_mine", hex(blocks))


# --- T4, T6: pools and gaps -----------------------------------------------------------------------


def test_t04_transaction_dropped_from_the_pool_is_sent_again_and_leaves_no_gap(
    network: TestNetwork,
) -> None:
    """Three wait in the pool; the node loses the first; the two behind it could never be mined."""
    network.rpc("evm_setAutomine", False)
    anchors = [want_one_anchor(network, n) for n in range(3)]
    while send_queued(network.deps):
        pass
    account = network.account_of(CUSTODIAL)
    with network.services.work(write=False) as work:
        first, *_ = work.transactions.in_states(TransactionState.SENT, account=account)
    network.rpc("anvil_dropTransaction", "0x" + (first.tx_hash or b"").hex())
    mine(network)
    assert network.events("Anchored") == [] and network.nonce(account) == 0
    assert fill_gaps(network.deps) == 0  # no gap: our own candidate has that nonce
    settle_nonces(network.deps)
    mine(network, 2)
    network.run(passes=2)
    assert_anchored_once(network, *anchors)
    assert network.alarms() == []


def test_t04_pending_count_of_the_node_is_never_used(network: TestNetwork) -> None:
    """anvil counts the pool into 'pending', Besu does so even over gaps: both mislead."""
    with faulty_node(network.url) as node:
        behind = TestNetwork(node.url, network.folder)
        anchor = want_one_anchor(behind)
        behind.run(passes=2)
        asked = [params for method, params in node.seen if method == "eth_getTransactionCount"]
        behind.close()
    assert asked and all(params[1] != "pending" for params in asked)
    assert_anchored_once(network, anchor)


# --- T9, T10, T23: fee modes ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy-zero", "eip1559-zero"])
def test_t09_zero_price_anchors_from_an_account_without_money(
    network: TestNetwork, mode: str
) -> None:
    """The node proposes a tip of 1 gwei; nobody asks it."""
    account = network.account_of(CUSTODIAL)
    network.rpc("anvil_setBalance", account, "0x0")
    other = with_fees(network, mode)
    anchor = want_one_anchor(other)
    other.run(passes=2)
    assert_anchored_once(network, anchor)
    sent = network.rpc(
        "eth_getTransactionByHash", "0x" + (other.intent(anchor).tx_hash or b"").hex()
    )
    assert int(sent["gasPrice"], 16) == 0
    assert sent["type"] == {"legacy-zero": "0x0", "eip1559-zero": "0x2"}[mode]
    assert int(network.rpc("eth_getBalance", account, "latest"), 16) == 0
    other.close()


@pytest.mark.parametrize("mode", ["legacy-zero", "eip1559-zero"])
def test_t10_at_zero_price_identical_bytes_are_sent_and_nothing_is_replaced(
    network: TestNetwork, mode: str
) -> None:
    network.rpc("evm_setAutomine", False)
    with faulty_node(network.url) as node:
        other = in_fee_mode(TestNetwork(node.url, network.folder), mode)
        deps = other.anchoring(replace_seconds=0, sends_before_fill=3)
        anchor = want_one_anchor(other)
        send_queued(deps)
        for _ in range(8):
            settle_nonces(deps)
            assert replace_stuck(deps) == 0
        assert len(node.sent()) == 9 and len(set(node.sent())) == 1
        mine(network, 2)
        other.run(deps, passes=2)
        other.close()
    assert_anchored_once(network, anchor)
    assert network.alarms() == []  # the node knew it all along: no nonce was filled


@pytest.fixture
def market(tmp_path: Path) -> Iterator[TestNetwork]:
    """An anvil with prices: base fee 1 gwei, accounts with money, mining by hand."""
    with running_anvil(*CHAIN, "--block-base-fee-per-gas", "0", "--gas-price", "0") as url:
        plain = deploy_network(url, tmp_path)
        for path in sorted((tmp_path / "keystores").glob("*.json")):
            account = plain.services.keystores.account_of(path.stem)
            plain.rpc("anvil_setBalance", account, hex(ETHER))
        plain.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        mine(plain)
        other = with_fees(plain, "market")
        yield other
        other.close()
        plain.close()


def test_t09_market_price_anchors_while_the_base_fee_rises(market: TestNetwork) -> None:
    anchors = []
    for number, gwei in enumerate((1, 2, 4)):
        market.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
        mine(market)
        market.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
        anchors.append(want_one_anchor(market, number))
        market.run(passes=2)
    assert_anchored_once(market, *anchors)
    assert market.alarms() == []


@pytest.mark.parametrize("mined", ["the first candidate", "the dearer one"])
def test_t10_at_market_price_whichever_candidate_is_mined_counts_once(
    market: TestNetwork, mined: str
) -> None:
    """The base fee rises above the offer: a dearer candidate is recorded for the same nonce."""
    market.rpc("evm_setAutomine", False)
    deps = market.anchoring(replace_seconds=0)
    anchor = want_one_anchor(market)
    send_queued(deps)
    assert replace_stuck(deps) == 0  # the price is right: no reason to pay more
    market.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    mine(market)
    assert market.events("Anchored") == []
    if mined == "the first candidate":
        with faulty_node(market.url) as node:  # the dearer one does not arrive anywhere
            node.swallow_transactions()
            behind = in_fee_mode(TestNetwork(node.url, market.folder), "market")
            assert replace_stuck(behind.anchoring(replace_seconds=0, owner=deps.owner)) == 1
            behind.close()
        market.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        mine(market)
        with market.services.work(write=False) as work:
            cheap, _ = work.transactions.of_nonce(market.account_of(CUSTODIAL), 0)
        assert cheap.raw is not None and market.services.ledger.send(cheap.raw) == ""
        market.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    else:
        assert replace_stuck(deps) == 1
        assert replace_stuck(deps) == 0  # once is enough for this price
        market.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    account = market.account_of(CUSTODIAL)
    with market.services.work(write=False) as work:
        first, dearer = work.transactions.of_nonce(account, 0)
    assert (dearer.unsigned.max_fee_per_gas or 0) > 50 * GWEI
    assert dearer.unsigned.data == first.unsigned.data
    mine(market, 1)
    market.run(deps, passes=3)
    assert_anchored_once(market, anchor)
    with market.services.work(write=False) as work:
        states = [candidate.state for candidate in work.transactions.of_nonce(account, 0)]
    final, replaced = TransactionState.FINAL, TransactionState.REPLACED
    assert states == ([final, replaced] if mined == "the first candidate" else [replaced, final])
    assert market.alarms() == []


def test_t10_replacement_stops_at_the_limit_with_an_alarm(market: TestNetwork) -> None:
    market.rpc("evm_setAutomine", False)
    deps = market.anchoring(replace_seconds=0, fee_wei_max=20 * GWEI)
    anchor = want_one_anchor(market)
    send_queued(deps)
    market.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    mine(market)
    assert replace_stuck(deps) == 0
    assert market.alarms() == ["fee-limit"]
    market.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    mine(market)
    settle_nonces(deps)  # the pool had dropped what was too cheap
    market.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    mine(market)
    market.run(deps, passes=2)
    assert_anchored_once(market, anchor)


# --- T11: a node that drops in silence ------------------------------------------------------------


def test_t11_probe_notices_a_node_whose_price_is_not_ours(tmp_path: Path) -> None:
    """The network was set up at price zero; later its base fee is 1 gwei."""
    with running_anvil(*ZERO, *CHAIN) as url:
        network = deploy_network(url, tmp_path)
        network.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        mine(network)
        clock = LaterClock()
        deps = dataclasses.replace(network.deps, clock=clock)
        state = InclusionProbe(lambda: network.services.keystores.create("probe"), 3)
        anchor = want_one_anchor(network)
        assert probe(deps, state) == 0 and not state.lets_work_through
        for _ in range(3):
            network.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
            mine(network)
        assert probe(deps, state) == 0
        assert network.alarms() == ["probe-not-included"]
        assert network.intent(anchor).state is IntentState.QUEUED
        network.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        mine(network)
        network.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        settle_nonces(deps)
        assert probe(deps, state) == 1
        network.run(deps, passes=2)
        assert_anchored_once(network, anchor)
        network.close()


# --- T14: another chain ---------------------------------------------------------------------------


def test_t14_anvil_with_another_id_is_not_believed(network: TestNetwork) -> None:
    deployment = network.services.ledger.deployment()
    with running_anvil(*ZERO, "--chain-id", "4242") as other:
        client = LedgerClient([other], lambda: deployment, 1)
        with pytest.raises(WrongNetworkError, match=r"chain id differs"):
            client.head()
        with pytest.raises(WrongNetworkError, match=r"chain id differs"):
            client.send(b"\x01")
        client.close()
    with running_anvil(*ZERO, *CHAIN) as twin:  # the same id, another genesis
        client = LedgerClient([twin], lambda: deployment, 1)
        with pytest.raises(LedgerUnavailableError, match=r"genesis differs|before the contracts"):
            client.head()
        client.close()


# --- T15: reorganisations -------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_t15_reorganisation_of_this_depth_ends_with_one_anchor(
    network: TestNetwork, depth: int
) -> None:
    """Finality at 8 blocks; the anchor's block leaves the chain and its transaction with it."""
    slow = TestNetwork(network.url, network.folder, finality_blocks=8)
    first = want_one_anchor(slow, 1)
    slow.run()
    mine(network, 10)
    slow.run()
    assert slow.intent(first).state is IntentState.FINAL
    second = want_one_anchor(slow, 2)
    slow.run()
    before = slow.intent(second)
    assert before.state is IntentState.MINED
    mine(network, depth - 1)
    slow.run()
    network.rpc("anvil_reorg", depth, [])
    assert len(network.events("Anchored")) == 1
    slow.run(passes=2)
    assert slow.intent(first).state is IntentState.FINAL
    mine(network, 10)
    slow.run(passes=2)
    after = slow.intent(second)
    assert after.tx_hash == before.tx_hash and after.block_hash != before.block_hash
    assert_anchored_once(slow, first, second)
    assert slow.alarms() == ["reorganisation"]
    slow.close()


def test_t15_reorganisation_of_final_blocks_is_an_incident(network: TestNetwork) -> None:
    anchor = want_one_anchor(network)
    network.run()
    assert network.intent(anchor).is_final
    network.rpc("anvil_reorg", 1, [])
    network.run(passes=2)
    assert network.alarms() == ["final-reorganisation", "reorganisation"]
    assert_anchored_once(network, anchor)


# --- T16, T24 -------------------------------------------------------------------------------------


def test_t16_chain_that_stalls_and_goes_on_makes_no_duplicate(network: TestNetwork) -> None:
    network.rpc("evm_setAutomine", False)
    clock = LaterClock()
    deps = dataclasses.replace(network.deps, clock=clock)
    seen = Watch(stall_seconds=60, stall_blocks=20)
    anchors = [want_one_anchor(network, n) for n in range(3)]
    network.run(deps, passes=4)
    assert {network.intent(a).state for a in anchors} == {IntentState.SENT}
    watch(deps, seen)

    clock.ahead = dt.timedelta(minutes=2)
    watch(deps, seen)
    assert network.alarms() == ["chain-stalled"]
    mine(network, 2)
    network.run(deps, passes=3)
    watch(deps, seen)
    assert network.alarms() == []
    assert_anchored_once(network, *anchors)


def test_t24_sixteen_threads_send_and_read_through_one_client(network: TestNetwork) -> None:
    """One client for all: sixteen accounts send at once, each from its own thread."""
    services, wrong = network.services, []
    deployment = services.ledger.deployment()
    accounts = [services.keystores.create(f"probe-{number}") for number in range(16)]

    def work(account: str) -> None:
        try:
            for nonce in range(3):
                unsigned = UnsignedTransaction(
                    deployment.chain_id, nonce, account, b"", 21_000, gas_price=0
                )
                signed = services.keystores.sign(account, unsigned)
                if services.ledger.send(signed.raw):
                    wrong.append("refused")
                until = time.monotonic() + 20
                while services.ledger.receipt(signed.hash) is None:
                    assert time.monotonic() < until, "never mined"
        except LedgerUnavailableError as error:
            wrong.append(error.en)

    threads = [threading.Thread(target=work, args=(account,)) for account in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {network.nonce(account) for account in accounts} == {3}
