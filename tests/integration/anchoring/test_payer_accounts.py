"""A payer with several accounts: work is spread, and one stuck account holds up nobody."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from backend.adapters.database.account_choice import SLOW_AFTER
from backend.adapters.database.payer_repository import Payer
from backend.adapters.database.tables import ledger_transaction
from backend.adapters.ledger.network import Network, RegistrationError
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.send import relieve, send_queued
from tests.integration.anchoring.faulty_node import faulty_node
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf
from tests.integration.anchoring.test_end_to_end import POLICY
from tests.integration.anchoring.traps.checks import assert_no_gap


@pytest.fixture
def accounts(network: TestNetwork) -> list[str]:
    """Payer 1 in the database, with a second account on the ledger."""
    first = network.payer_account(1)
    with network.services.work() as work:
        work.payers.add(Payer(1, "agency", "basic", first))
        work.commit()
    second = Network(network.services).add_payer_account(1, [first])
    with network.services.work() as work:
        assert work.payers.add_account(1, second)
        assert not work.payers.add_account(1, second)
        work.commit()
    return [first, second]


def best(network: TestNetwork) -> str | None:
    with network.services.work(write=False) as work:
        return work.claims.payer_account(1)


def make_slow(network: TestNetwork, account: str) -> None:
    """What waits at this account has waited for long."""
    with network.services.work() as work:
        work.connection.execute(
            sa.update(ledger_transaction)
            .where(ledger_transaction.c.account == account)
            .values(created_at=dt.datetime.now(dt.UTC) - 2 * SLOW_AFTER)
        )
        work.commit()


def test_second_account_is_registered_once_and_completed_when_interrupted(
    network: TestNetwork, accounts: list[str]
) -> None:
    admin, ledger = Network(network.services), network.services.ledger
    assert [ledger.read("Registry", "payerOf", a)[0] for a in accounts] == [1, 1]
    # Registered on the ledger, and killed before the database knew it.
    assert admin.add_payer_account(1, accounts[:1]) == accounts[1]
    third = admin.add_payer_account(1, accounts)
    assert third not in accounts
    assert network.services.keystores.account_of("payer-1-3") == third
    with pytest.raises(RegistrationError, match="there is no payer 9"):
        admin.add_payer_account(9, [])


def test_one_account_is_filled_to_a_call_before_the_next_is_used(
    network: TestNetwork, accounts: list[str]
) -> None:
    assert best(network) == accounts[0]
    _, places = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(101)])
    for place in places[:100]:
        assert best(network) == accounts[0]
        network.want_lodge(place)
    assert best(network) == accounts[1]


def test_stuck_account_does_not_hold_up_the_payers_other_claims(
    network: TestNetwork, accounts: list[str]
) -> None:
    """T7: the first account's lodge is never included. What is queued goes by the second one; the
    settlement of a claim may go by another account than its lodge."""
    _, (stuck, *others) = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(4)])
    network.run()
    with faulty_node(network.url) as node:
        behind = TestNetwork(node.url, network.folder)
        node.swallow_transactions()
        lost = behind.want_lodge(stuck)
        assert send_queued(behind.anchoring(lease_seconds=0)) == 1
        behind.close()
    waiting = [network.want_lodge(place) for place in others]
    assert relieve(network.deps) == 0  # not yet: a transaction may take some blocks
    make_slow(network, accounts[0])
    assert relieve(network.deps) == len(waiting)
    assert best(network) == accounts[1]
    assert send_queued(network.deps) == 1
    assert network.nonce(accounts[0]) == 0
    assert len(network.events("Lodged")) == len(waiting)
    assert network.intent(lost).state is IntentState.SENT  # only its own bytes may carry it
    network.run(passes=2)  # the node includes it after all
    assert {network.intent(i).outcome for i in (lost, *waiting)} == {"done"}
    assert relieve(network.deps) == 0
    payload = {
        "invoice_key": others[0].leaf[20:52].hex(), "payer": 1, "counter": 1, "amount": 1_000,
        "decision_fingerprint": "11" * 32, "decision_version": 1, "policy_hash": POLICY.hex(),
    }  # fmt: skip
    settle = network.want(IntentKind.SETTLE, payload, accounts[0], "settle:other-account")
    network.run(passes=2)
    assert network.intent(settle).outcome == "done"
    for account in accounts:
        assert_no_gap(network, account)


def test_nothing_moves_when_every_account_waits(network: TestNetwork, accounts: list[str]) -> None:
    """A stalled chain is no reason to shuffle."""
    _, places = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(3)])
    network.run()
    network.rpc("miner_stop")
    try:
        for place, account in zip(places, accounts, strict=False):
            payload = network.intent(network.want_lodge(place)).payload
            network.want(IntentKind.LODGE, payload, account, f"lodge-again:{account}")
        while send_queued(network.deps):
            pass
        for account in accounts:
            make_slow(network, account)
        network.want_lodge(places[2])
        assert relieve(network.deps) == 0
    finally:
        network.rpc("miner_start")
