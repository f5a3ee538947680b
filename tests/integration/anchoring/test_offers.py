"""Offers to a self-custody key: what is offered, and every raw transaction that is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_keys.constants import SECPK1_N

from backend.adapters.ledger.transactions import decode_signed, sign, to_fields
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.model import UnsignedTransaction
from backend.service_layer.anchoring.reconcile import settle_nonces
from backend.service_layer.anchoring.signing_offers import (
    RawTransactionRefusedError,
    SigningOffer,
    accept_signed,
    get_offer,
    offer_next,
)
from tests.integration.anchoring.network import (
    CUSTODIAL,
    SELF,
    SELF_ACCOUNT,
    SELF_KEY,
    TestNetwork,
    leaf,
)


def offered(network: TestNetwork, code: str = SELF) -> SigningOffer | None:
    with network.services.work(write=False) as work:
        return offer_next(work, code)


def hand_in(network: TestNetwork, offer_id: str, raw: bytes, code: str = SELF) -> bytes:
    with network.services.work() as work:
        tx_hash = accept_signed(work, code, offer_id, raw, decode_signed)
        work.commit()
    return tx_hash


@pytest.fixture
def offer(network: TestNetwork) -> SigningOffer:
    network.want_anchor(SELF, [leaf(SELF, n) for n in range(3)])
    network.run()
    found = offered(network)
    assert found is not None
    return found


def test_offer_is_signed_sent_and_final(network: TestNetwork, offer: SigningOffer) -> None:
    assert (offer.account, offer.kind) == (SELF_ACCOUNT, IntentKind.ANCHOR)
    assert offer.unsigned.nonce == 0 and offer.unsigned.gas_price == 0
    assert offer.items[0].payload["size"] == 3
    assert network.intent(offer.items[0].intent_id).state is IntentState.OFFERED
    raw = sign(offer.unsigned, SELF_KEY).raw
    tx_hash = hand_in(network, offer.id, raw)
    assert hand_in(network, offer.id, raw) == tx_hash  # again: one effect
    network.run()
    intent = network.intent(offer.items[0].intent_id)
    assert (intent.state, intent.outcome, intent.tx_hash) == (IntentState.FINAL, "done", tx_hash)
    assert len(network.events("Anchored")) == 1
    assert offered(network) is None


def test_one_offer_at_a_time_with_the_next_nonce(network: TestNetwork, offer: SigningOffer) -> None:
    network.want_anchor(SELF, [leaf(SELF, 9)])
    network.run(passes=2)
    again = offered(network)
    assert again is not None and again.id == offer.id
    hand_in(network, offer.id, sign(offer.unsigned, SELF_KEY).raw)
    network.run(passes=2)
    following = offered(network)
    assert following is not None and following.unsigned.nonce == 1
    assert following.items[0].payload["sequence"] == 2


def test_offer_whose_nonce_was_used_elsewhere_is_made_anew(
    network: TestNetwork, offer: SigningOffer
) -> None:
    foreign = UnsignedTransaction(1337, 0, SELF_ACCOUNT, b"", 21_000, gas_price=0)
    network.services.ledger.send(sign(foreign, SELF_KEY).raw)
    network.run()
    anew = offered(network)
    assert anew is not None and anew.id != offer.id and anew.unsigned.nonce == 1
    with pytest.raises(ConflictError, match="this offer is closed"):
        hand_in(network, offer.id, sign(offer.unsigned, SELF_KEY).raw)


DIFFERENCES: list[tuple[dict[str, Any], str, str]] = [
    ({"chain_id": 5}, "wrong-chain", "the chain id of"),
    ({"nonce": 1}, "wrong-nonce", "the nonce of"),
    ({"to": SELF_ACCOUNT}, "wrong-contract", "the contract address of"),
    ({"value": 1}, "wrong-value", "the value of"),
    ({"data": b"\x00" * 4}, "wrong-data", "the call data of"),
    ({"gas": 21_000}, "wrong-gas", "the gas limit of"),
    ({"gas_price": 1}, "wrong-fee", "the fee of"),
    (
        {"gas_price": None, "max_fee_per_gas": 0, "max_priority_fee_per_gas": 0},
        "wrong-fee",
        "the fee of",
    ),
]


@pytest.mark.parametrize(("change", "code", "message"), DIFFERENCES)
def test_transaction_that_differs_from_the_offer_is_refused(
    network: TestNetwork, offer: SigningOffer, change: dict[str, Any], code: str, message: str
) -> None:
    raw = sign(dataclasses.replace(offer.unsigned, **change), SELF_KEY).raw
    refuse(network, offer, raw, code, message)


def test_transaction_of_another_account_is_refused(
    network: TestNetwork, offer: SigningOffer
) -> None:
    raw = sign(offer.unsigned, b"\x23" * 32).raw
    refuse(network, offer, raw, "wrong-account", "the signing account of")


def test_transaction_without_a_chain_id_is_refused(
    network: TestNetwork, offer: SigningOffer
) -> None:
    fields = {k: v for k, v in to_fields(offer.unsigned).items() if k != "chainId"}
    raw = bytes(Account.sign_transaction(fields, SELF_KEY).raw_transaction)
    refuse(network, offer, raw, "wrong-chain", "names no chain id")


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:-1],
        lambda raw: raw + b"\x00",
        lambda raw: b"\x01" + raw,
        lambda raw: b"\x02" + raw,
        lambda raw: b"\xc0",
        lambda raw: raw[:-32] + bytes(32),
        lambda raw: b"\x00" * 200_001,
    ],
)
def test_bytes_that_are_no_transaction_are_refused(
    network: TestNetwork, offer: SigningOffer, damage: Any
) -> None:
    raw = damage(sign(offer.unsigned, SELF_KEY).raw)
    refuse(network, offer, raw, "malformed-transaction", "the raw transaction")


@pytest.mark.parametrize("fee", ["gas_price", "max_fee_per_gas"])
def test_the_other_half_of_a_signature_is_refused(
    network: TestNetwork, offer: SigningOffer, fee: str
) -> None:
    """No node mines it, and the account's next transaction would wait behind it for ever."""
    unsigned = offer.unsigned
    if fee == "max_fee_per_gas":
        unsigned = dataclasses.replace(
            unsigned, gas_price=None, max_fee_per_gas=0, max_priority_fee_per_gas=0
        )
    raw = sign(unsigned, SELF_KEY).raw
    head, fields = (raw[:1], rlp.decode(raw[1:])) if raw[0] == 2 else (b"", rlp.decode(raw))
    *others, v, r, s = fields
    parity = int.from_bytes(v, "big")
    flipped = parity ^ 1 if raw[0] == 2 else parity + (1 if parity % 2 else -1)
    other = SECPK1_N - int.from_bytes(s, "big")
    malleated = head + rlp.encode([*others, flipped, r, other])

    assert Account.recover_transaction(malleated) == SELF_ACCOUNT
    refuse(network, offer, malleated, "malformed-transaction", "high s")
    hand_in(network, offer.id, sign(offer.unsigned, SELF_KEY).raw)


def refuse(network: TestNetwork, offer: SigningOffer, raw: bytes, code: str, message: str) -> None:
    with pytest.raises(RawTransactionRefusedError, match=message) as refusal:
        hand_in(network, offer.id, raw)
    assert refusal.value.code == code
    network.run()
    assert network.intent(offer.items[0].intent_id).state is IntentState.OFFERED
    assert network.events("Anchored") == []


def test_second_signature_for_one_offer_is_refused(
    network: TestNetwork, offer: SigningOffer
) -> None:
    hand_in(network, offer.id, sign(offer.unsigned, SELF_KEY).raw)
    with pytest.raises(ConflictError, match="another signature was handed in"):
        hand_in(network, offer.id, sign(offer.unsigned, b"\x23" * 32).raw)


def test_offer_of_another_institution_is_not_found(
    network: TestNetwork, offer: SigningOffer
) -> None:
    raw = sign(offer.unsigned, SELF_KEY).raw
    with pytest.raises(NotFoundError, match="no ledger transaction"):
        hand_in(network, offer.id, raw, code=CUSTODIAL)
    with network.services.work(write=False) as work, pytest.raises(NotFoundError):
        get_offer(work, CUSTODIAL, offer.id)
    assert offered(network, CUSTODIAL) is None


def refuse_everything(network: TestNetwork, patch: pytest.MonkeyPatch) -> None:
    """A node that takes nothing: the worker gives up and offers the nonce again."""
    deps = network.anchoring(sends_before_fill=2)
    with patch.context() as refusing:
        refusing.setattr(network.services.ledger, "send", lambda raw: "refused by the test")
        network.run(deps, passes=3)


def test_refused_transaction_is_offered_again_and_its_signature_taken_again(
    network: TestNetwork, offer: SigningOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same fields and a deterministic signature give the same hash as before."""
    raw = sign(offer.unsigned, SELF_KEY).raw
    tx_hash = hand_in(network, offer.id, raw)
    for _ in range(2):
        refuse_everything(network, monkeypatch)
        again = offered(network)
        assert again is not None and again.id != offer.id
        assert again.unsigned == offer.unsigned
        assert sign(again.unsigned, SELF_KEY).raw == raw
        assert hand_in(network, again.id, raw) == tx_hash
        assert hand_in(network, again.id, raw) == tx_hash  # to the offer that is closed now
        assert offered(network) is None
        assert network.intent(offer.items[0].intent_id).state is IntentState.SIGNED
    network.run(passes=2)
    intent = network.intent(offer.items[0].intent_id)
    assert (intent.state, intent.outcome, intent.tx_hash) == (IntentState.FINAL, "done", tx_hash)
    assert len(network.events("Anchored")) == 1
    assert hand_in(network, offer.id, raw) == tx_hash  # long final: one effect, the same answer
    assert hand_in(network, again.id, raw) == tx_hash
    assert network.intent(offer.items[0].intent_id).state is IntentState.FINAL


def test_signature_handed_in_after_its_twin_was_mined_changes_nothing(
    network: TestNetwork, offer: SigningOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = sign(offer.unsigned, SELF_KEY).raw
    tx_hash = hand_in(network, offer.id, raw)
    refuse_everything(network, monkeypatch)
    again = offered(network)
    assert again is not None and again.id != offer.id
    network.services.ledger.send(raw)  # a node had it after all
    settle_nonces(network.deps)
    assert hand_in(network, again.id, raw) == tx_hash
    network.run(passes=2)
    intent = network.intent(offer.items[0].intent_id)
    assert (intent.state, intent.outcome) == (IntentState.FINAL, "done")
    assert offered(network) is None
