"""Traps in which nothing moves: a stuck account, a stalled chain, a node that drops in silence."""

from __future__ import annotations

import dataclasses
import datetime as dt

from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import Purpose, TransactionState
from backend.service_layer.anchoring.probe import InclusionProbe, probe
from backend.service_layer.anchoring.reconcile import settle_nonces
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.anchoring.watch import Watch, watch
from tests.integration.anchoring.faulty_node import FaultyNode
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork
from tests.integration.anchoring.traps.checks import (
    assert_anchored_once,
    assert_no_gap,
    want_one_anchor,
)


class LaterClock:
    """The system's time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = dt.timedelta()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead


def test_t07_t04_account_that_stands_still_raises_the_alarm_and_ends_it(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """The node took the transaction and never includes it, while the chain goes on."""
    account = network.account_of(CUSTODIAL)
    swallowed = node.swallow_transactions()
    anchor = want_one_anchor(behind)
    seen = Watch(stall_seconds=60, stall_blocks=5)
    send_queued(behind.deps)
    watch(behind.deps, seen)
    network.rpc("evm_mine", {"blocks": 4})
    watch(behind.deps, seen)
    assert network.alarms() == []  # not yet
    network.rpc("evm_mine")
    watch(behind.deps, seen)
    with network.services.work(write=False) as work:
        (alarm,) = work.alarms.open_alarms()
    assert (alarm.code, alarm.subject) == ("nonce-stalled", account)
    assert "nonce 0 was not used in 5 blocks" in alarm.detail
    swallowed.left = 0
    behind.run(passes=2)
    watch(behind.deps, seen)
    assert network.alarms() == []
    assert_anchored_once(network, anchor)


def test_t07_alarm_of_an_earlier_worker_is_closed_by_the_next(network: TestNetwork) -> None:
    with network.services.work() as work:
        work.alarms.raise_alarm("nonce-stalled", network.account_of(CUSTODIAL), "of a while ago")
        work.commit()
    watch(network.deps, Watch(60, 5))
    assert network.alarms() == []


def test_t16_stalled_chain_is_said_and_resumes_without_a_duplicate(network: TestNetwork) -> None:
    clock = LaterClock()
    deps = dataclasses.replace(network.deps, clock=clock)
    seen = Watch(stall_seconds=60, stall_blocks=20)
    watch(deps, seen)
    clock.ahead = dt.timedelta(hours=1)
    watch(deps, seen)
    assert network.alarms() == []  # no block for an hour, but nobody waits for one
    network.rpc("miner_stop")
    try:
        anchors = [want_one_anchor(network, n) for n in range(3)]
        network.run(deps, passes=3)
        assert {network.intent(a).state for a in anchors} == {IntentState.SENT}
        watch(deps, seen)
        clock.ahead += dt.timedelta(seconds=61)
        watch(deps, seen)
        assert network.alarms() == ["chain-stalled"]
        later = want_one_anchor(network, 9)  # what comes meanwhile is taken all the same
        network.run(deps, passes=2)
    finally:
        network.rpc("miner_start")
    network.rpc("evm_mine")
    network.run(deps, passes=3)
    watch(deps, seen)
    assert network.alarms() == []
    assert_anchored_once(network, *anchors, later)


def test_t16_silent_ledger_is_a_stall_too(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    clock = LaterClock()
    deps = dataclasses.replace(behind.deps, clock=clock)
    seen = Watch(stall_seconds=60, stall_blocks=20)
    anchor = want_one_anchor(behind)
    node.drop_before("eth_sendRawTransaction", times=1)
    send_queued(deps)
    watch(deps, seen)
    node.drop_before()
    clock.ahead = dt.timedelta(seconds=61)
    watch(deps, seen)
    assert network.alarms() == ["chain-stalled", "node-failing"]
    node.heal()
    behind.run(deps, passes=2)
    watch(deps, seen)
    assert network.alarms() == []
    assert_anchored_once(network, anchor)


def new_probe(network: TestNetwork, blocks: int = 3) -> InclusionProbe:
    return InclusionProbe(lambda: network.services.keystores.create("probe"), blocks)


def send_if_open(deps: Anchoring, state: InclusionProbe) -> int:
    return send_queued(deps) if state.lets_work_through else 0


def test_t11_no_work_is_sent_before_the_probe_is_mined(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    """The node takes every transaction with thanks and drops it: its minimum price is higher."""
    swallowed = node.swallow_transactions()
    state = new_probe(behind)
    anchor = want_one_anchor(behind)
    assert probe(behind.deps, state) == 0
    assert send_if_open(behind.deps, state) == 0
    network.rpc("evm_mine", {"blocks": 3})
    assert probe(behind.deps, state) == 0
    with network.services.work(write=False) as work:
        (alarm,) = work.alarms.open_alarms()
    assert alarm.code == "probe-not-included"
    assert "was not mined in 3 blocks" in alarm.detail and "minimum gas price" in alarm.detail
    assert network.nonce(network.account_of(CUSTODIAL)) == 0
    assert behind.intent(anchor).state is IntentState.QUEUED
    swallowed.left = 0  # the operator has corrected the node
    settle_nonces(behind.deps)
    assert probe(behind.deps, state) == 1
    assert send_if_open(behind.deps, state) == 1
    behind.run(passes=2)
    assert_anchored_once(network, anchor)
    assert network.alarms() == []
    assert_no_gap(network, network.services.keystores.account_of("probe"))


def test_t11_refusal_of_the_node_is_in_the_alarm(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    clock = LaterClock()
    deps = dataclasses.replace(behind.deps, clock=clock)
    node.refuse("eth_sendRawTransaction", -32000, "transaction underpriced")
    state = new_probe(behind)
    probe(deps, state)
    assert network.alarms() == []
    clock.ahead = dt.timedelta(seconds=31)  # no block is made where nobody sends
    probe(deps, state)
    with network.services.work(write=False) as work:
        (alarm,) = work.alarms.open_alarms()
    assert "the node says: transaction underpriced" in alarm.detail


def test_t11_probe_of_a_killed_worker_is_used_by_the_next(
    network: TestNetwork, behind: TestNetwork, node: FaultyNode
) -> None:
    swallowed = node.swallow_transactions()
    probe(behind.deps, new_probe(behind))
    swallowed.left = 0
    again = behind.anchoring()
    state = new_probe(behind)
    probe(again, state)
    settle_nonces(again)
    assert probe(again, state) == 1
    account = network.services.keystores.account_of("probe")
    assert network.nonce(account) == 1
    with network.services.work(write=False) as work:
        records = work.transactions.in_states(*TransactionState, account=account)
    assert [record.purpose for record in records] == [Purpose.PROBE]


def test_t11_probe_can_be_switched_off(network: TestNetwork) -> None:
    state = new_probe(network, blocks=0)
    assert state.lets_work_through and probe(network.deps, state) == 0
    assert not network.services.keystores.has("probe")
