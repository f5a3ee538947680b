"""What every trap must end in, counted on the ledger itself."""

from __future__ import annotations

from backend.domain.ledger import IntentState
from backend.service_layer.anchoring.model import TransactionState
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf


def want_one_anchor(network: TestNetwork, number: int = 1) -> str:
    """An anchor intent of one leaf; its id."""
    return network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, number)])[0]


def assert_anchored_once(network: TestNetwork, *intents: str) -> None:
    """Each intent is final and took effect, each with one event, and no nonce is left open."""
    for intent_id in intents:
        intent = network.intent(intent_id)
        assert (intent.state, intent.outcome) == (IntentState.FINAL, "done")
    assert len(network.events("Anchored")) == len(intents)
    assert network.events("AnchorUnchanged") == []
    assert_no_gap(network, network.account_of(CUSTODIAL))


def assert_no_gap(network: TestNetwork, account: str) -> None:
    """Every nonce that was handed out is used on the ledger, and nothing waits any more."""
    assert network.nonce(account) == network.next_nonce(account)
    with network.services.work(write=False) as work:
        waiting = work.transactions.in_states(
            TransactionState.SIGNED, TransactionState.SENT, account=account
        )
    assert waiting == []
