"""From an outbox row to a final event on the real contracts, over HTTP."""

from __future__ import annotations

import hashlib

from backend.domain.ledger import IntentKind, IntentState
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf

POLICY = hashlib.sha256(b"policy").digest()


def test_anchor_is_final_and_equals_the_reference_head(network: TestNetwork) -> None:
    intent_id, _ = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(5)])
    network.run()
    intent = network.intent(intent_id)
    assert (intent.state, intent.outcome) == (IntentState.FINAL, "done")
    (event,) = network.events("Anchored")
    assert event["transactionHash"] == "0x" + (intent.tx_hash or b"").hex()
    assert int(event["blockNumber"], 16) == intent.block_number
    assert event["blockHash"] == "0x" + (intent.block_hash or b"").hex()
    stored = network.services.ledger.batch_head(1, 1)
    with network.services.work(write=False) as work:
        last = work.batches.last(CUSTODIAL)
    assert last is not None and stored == last.head
    assert intent.outcome_detail is not None and intent.outcome_detail["head"] == stored.hex()
    assert network.alarms() == []


def test_chained_anchors_go_out_in_one_pass_and_in_order(network: TestNetwork) -> None:
    ids = [network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n)])[0] for n in range(3)]
    network.run()
    assert [network.intent(i).outcome for i in ids] == ["done"] * 3
    assert [int(e["topics"][2], 16) for e in network.events("Anchored")] == [1, 2, 3]


def test_lodges_wait_for_their_anchor_then_share_one_call(network: TestNetwork) -> None:
    anchor, places = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(4)])
    lodges = [network.want_lodge(place) for place in places]
    deps = network.anchoring()
    network.run(deps)
    assert network.intent(anchor).is_final
    assert {network.intent(i).state for i in lodges} == {IntentState.QUEUED}
    network.run(deps)
    assert {network.intent(i).outcome for i in lodges} == {"done"}
    assert len({network.intent(i).tx_hash for i in lodges}) == 1
    for place in places:
        slot = network.services.ledger.slot(place.leaf[20:52])
        assert (slot.open_payer, slot.lodge_counter) == (1, 1)
        assert slot.leaf_reference == place.reference


def test_second_payer_learns_the_holder_and_settlement_is_compared(network: TestNetwork) -> None:
    _, (place,) = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, 7)])
    key = place.leaf[20:52]
    network.run()
    network.want_lodge(place)
    network.run()
    second = network.want_lodge(place, payer=2)
    network.run()
    refused = network.intent(second)
    assert (refused.state, refused.outcome) == (IntentState.FINAL, "locked")
    assert refused.outcome_detail is not None
    assert refused.outcome_detail["holder_payer"] == 1
    assert refused.outcome_detail["holder_counter"] == 1
    payload = {
        "invoice_key": key.hex(),
        "payer": 1,
        "counter": 1,
        "amount": 4_321,
        "decision_fingerprint": "11" * 32,
        "decision_version": 1,
        "policy_hash": POLICY.hex(),
    }
    account = network.payer_account(1)
    first = network.want(IntentKind.SETTLE, payload, account, "settle:1")
    network.run()
    assert network.intent(first).outcome == "done"
    same = network.want(IntentKind.SETTLE, payload, account, "settle:2")
    other = network.want(IntentKind.SETTLE, payload | {"amount": 1}, account, "settle:3")
    network.run()
    assert network.intent(same).outcome == "repeated"
    assert network.intent(other).outcome == "already-settled"
    assert len(network.events("Settled")) == 1
    assert network.services.ledger.slot(key).paid_fen == 4_321


def test_poison_is_isolated_and_the_others_go_through(network: TestNetwork) -> None:
    _, places = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(9)])
    network.run()
    good = [network.want_lodge(place) for place in places[:8]]
    broken = network.want_lodge(places[8])
    network.change_payload(broken, counter=2**16)  # does not fit the contract's uint16
    network.run()
    assert {network.intent(i).outcome for i in good} == {"done"}
    assert network.intent(broken).state is IntentState.QUEUED
    for _ in range(4):
        network.deps.retry_at.clear()
        network.run()
    assert network.intent(broken).state is IntentState.QUARANTINED
    assert "intent-quarantined" in network.alarms()
