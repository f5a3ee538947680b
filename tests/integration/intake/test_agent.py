"""The agent signs what its own documents say and nothing else. Offers come from a ledger row
that stands for the worker's; every tampered offer must be refused before a signature exists."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from backend.adapters.einvoice.writers import invoice_to_fiscal_xml, invoice_to_json
from backend.adapters.ledger.transactions import decode_signed, encode_intents
from backend.domain.invoice import Invoice
from backend.domain.ledger import IntentKind, IntentState
from backend.service_layer.anchoring.model import (
    Purpose,
    TransactionRecord,
    TransactionState,
    UnsignedTransaction,
)
from scripts.hospital_agent import AgentError, AgentStore, HospitalAgent, OfferRefusedError
from scripts.hospital_agent.agent import Answer
from tests.integration.intake.conftest import FIRST, House, numbered, red_of

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CHAIN_ID = 1337
LEDGER_KEY = b"\x01" * 32
ACCOUNT = Account.from_key(LEDGER_KEY).address


class Wire:
    """The application's own client as the agent's transport; ``change`` may tamper an answer."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.change: Callable[[dict[str, Any]], None] | None = None

    def __call__(
        self, method: str, path: str, *, data: bytes | None, headers: dict[str, str]
    ) -> Answer:
        answer = self._house.client.open(path, method=method, data=data, headers=headers)
        body = copy.deepcopy(answer.json) if answer.data else {}
        if self.change is not None and path == "/v1/signing-offers/next":
            self.change(body)
        return Answer(answer.status_code, body)


@pytest.fixture
def wire(house: House) -> Wire:
    with house.services.work() as work:
        work.institutions.update(FIRST, ledger_account=ACCOUNT)
        work.commit()
    return Wire(house)


@pytest.fixture
def agent(house: House, wire: Wire) -> HospitalAgent:
    return HospitalAgent(
        "",
        house.keys[FIRST],
        LEDGER_KEY,
        AgentStore(":memory:"),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        transport=wire,
    )


def offer_all(house: House, kind: IntentKind, nonce: int = 0) -> None:
    """Offer the queued intents of one kind, as the worker does."""
    with house.services.work() as work:
        intents = [i for i in work.outbox.queued(held=False) if i.kind is kind]
        call = encode_intents(kind, [i.payload for i in intents], CONTRACT)
        unsigned = UnsignedTransaction(CHAIN_ID, nonce, call.to, call.data, call.gas, gas_price=0)
        now = house.clock.now()
        record = TransactionRecord(
            f"tx_{nonce}", ACCOUNT, nonce, CHAIN_ID, Purpose.CALL, None, unsigned, None, 1,
            TransactionState.OFFERED, None, None, None, now, None, 0,
        )  # fmt: skip
        work.transactions.add(record, [i.id for i in intents])
        work.outbox.set_state([i.id for i in intents], IntentState.OFFERED)
        work.commit()


def final(house: House, nonce: int) -> None:
    with house.services.work() as work:
        items = [i.id for i in work.transactions.items(f"tx_{nonce}")]
        work.outbox.set_state(items, IntentState.FINAL, outcome="done")
        work.transactions.update(f"tx_{nonce}", TransactionState.FINAL)
        work.commit()


def upload(agent: HospitalAgent, *bills: Invoice) -> list[str]:
    return [agent.upload(invoice_to_json(b), "application/json").invoice_id for b in bills]


def anchored(house: House, agent: HospitalAgent, nonce: int = 0) -> None:
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR, nonce)
    assert agent.sign_next() is not None
    final(house, nonce)


def test_the_agent_signs_the_batch_of_its_own_documents(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    upload(agent, *(numbered(sample, f"{n:010d}") for n in range(5)))
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)

    tx_hash = agent.sign_next()

    assert tx_hash is not None
    assert agent.next_offer() is None
    with house.services.work(write=False) as work:
        record = work.transactions.get("tx_0")
    assert record.raw is not None
    signed = decode_signed(record.raw)
    assert (signed.sender, signed.unsigned) == (ACCOUNT, record.unsigned)
    assert record.state is TransactionState.SIGNED


def test_signature_handed_in_again_is_answered_the_same(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    """To the same offer, and to a later one that repeats its fields (a node lost the bytes)."""
    upload(agent, sample)
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)
    tx_hash = agent.sign_next()
    with house.services.work() as work:
        record = work.transactions.get("tx_0")
        items = [intent.id for intent in work.transactions.items("tx_0")]
        anew = replace(
            record, id="tx_again", raw=None, tx_hash=None, state=TransactionState.OFFERED
        )
        work.transactions.add(anew, items)
        work.outbox.set_state(items, IntentState.OFFERED)
        work.commit()
    assert record.raw is not None

    assert agent.sign_next() == tx_hash
    for offer_id in ("tx_0", "tx_again", "tx_0", "tx_again"):
        path = f"/v1/signing-offers/{offer_id}/raw-transaction"
        answer = house.post_json(path, {"raw": record.raw.hex()})
        assert (answer.status_code, answer.json["tx_hash"]) == (202, tx_hash), answer.text
    assert agent.next_offer() is None
    with house.services.work(write=False) as work:
        assert work.transactions.get("tx_0").state is TransactionState.SIGNED
        assert work.transactions.get("tx_again").state is TransactionState.WITHDRAWN


def test_both_formats_have_one_secret(agent: HospitalAgent, sample: Invoice) -> None:
    first = agent.upload(invoice_to_fiscal_xml(sample), "application/xml")
    second = agent.upload(invoice_to_json(sample), "application/json")

    assert (first.created, second.created) == (True, False)
    assert first.body["fingerprint"] == second.body["fingerprint"]


def test_nothing_to_sign(agent: HospitalAgent) -> None:
    assert agent.sign_next() is None


def test_supersede_void_and_reverse_are_signed(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    bills = [numbered(sample, f"{n:010d}") for n in range(3)]
    ids = upload(agent, *bills)
    anchored(house, agent, 0)
    agent.correct(ids[0], invoice_to_json(replace(bills[0], department="外科")), "application/json")
    upload(agent, red_of(bills[1], "0000000099"))
    agent.void(ids[2], "wrong-patient")
    anchored(house, agent, 1)

    for nonce, kind in enumerate((IntentKind.SUPERSEDE, IntentKind.VOID, IntentKind.REVERSE), 2):
        offer_all(house, kind, nonce)
        assert agent.sign_next() is not None, kind
        final(house, nonce)


# --- tampered offers -------------------------------------------------------------------------


def _reencode(offer: dict[str, Any]) -> None:
    """A careful attacker makes the call data fit the tampered items."""
    kind = IntentKind(offer["kind"])
    call = encode_intents(kind, [i["payload"] for i in offer["items"]], CONTRACT)
    offer["transaction"]["data"] = call.data.hex()


def _payload(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(offer: dict[str, Any]) -> None:
        offer["items"][0]["payload"] |= values
        _reencode(offer)

    return change


def _transaction(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda offer: offer["transaction"].update(values)


def _leaves(action: Callable[[list[dict[str, Any]]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda offer: action(offer["items"][0]["leaves"])


TAMPERED: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    ("wrong-root", _payload(root="ab" * 32), "root"),
    ("wrong-size", _payload(size=4), "a size of 4"),
    ("other-sequence", _payload(sequence=2), "we signed no batch 1"),
    ("other-previous-head", _payload(previous_head="ab" * 32), "does not follow"),
    ("root-only-in-data", _transaction(data="ab" * 100), "call data"),
    ("other-chain", _transaction(chain_id=1), "chain id"),
    ("other-contract", _transaction(to="0x" + "12" * 20), "contract address"),
    ("money", _transaction(value=1), "value"),
    ("endless-gas", _transaction(gas=10**9), "gas limit"),
    ("other-account", lambda o: o.update(account="0x" + "12" * 20), "account"),
    ("missing-leaf", _leaves(lambda rows: rows.pop()), "leaves and a size"),
    ("swapped-leaves", _leaves(lambda rows: rows.reverse()), "root"),
    ("leaf-twice", _leaves(lambda rows: rows.__setitem__(1, rows[0])), "twice"),
    ("foreign-leaf", _leaves(lambda rows: rows[0].update(id="inv_other")), "not ours"),
    ("other-version", _leaves(lambda rows: rows[0].update(version=2)), "not ours"),
    ("other-number", _leaves(lambda rows: rows[0].update(EinvoiceNumber="9" * 10)), "not ours"),
    ("other-key", _leaves(lambda rows: rows[0].update(invoice_key="ab" * 32)), "invoice key"),
    ("second-key", _leaves(lambda rows: rows[0].update(second_key="ab" * 32)), "second key"),
    ("other-key-version", _leaves(lambda rows: rows[0].update(key_version=2)), "root"),
    ("no-items", lambda o: o.update(items=[]), "no items"),
    ("mixed", lambda o: o["items"][0].update(kind="void"), "mixes"),
    ("lodge", lambda o: o.update(kind="lodge"), "does not sign lodge"),
    ("settle", lambda o: o.update(kind="settle"), "does not sign settle"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"), [t[1:] for t in TAMPERED], ids=[t[0] for t in TAMPERED]
)
def test_a_tampered_offer_is_not_signed(  # noqa: PLR0917
    house: House,
    agent: HospitalAgent,
    wire: Wire,
    sample: Invoice,
    change: Callable[[dict[str, Any]], None],
    message: str,
) -> None:
    upload(agent, *(numbered(sample, f"{n:010d}") for n in range(3)))
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)
    wire.change = change

    with pytest.raises(OfferRefusedError, match=message):
        agent.sign_next()

    with house.services.work(write=False) as work:
        assert work.transactions.get("tx_0").raw is None


def test_a_leaf_of_another_agent_is_not_signed(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    house.post(numbered(sample, "0000000009"))  # same key, but not from this agent's documents
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)

    with pytest.raises(OfferRefusedError, match="not ours"):
        agent.sign_next()


def test_a_bill_whose_answer_was_lost_is_still_ours_to_sign(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    """The agent was killed between sending a bill and keeping the answer."""
    upload(agent, sample)
    agent.store._write("UPDATE document SET invoice_id = NULL, version = NULL", [])
    agent.store._write("DELETE FROM pair", [])
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)

    assert agent.sign_next() is not None


def test_another_secret_under_a_number_of_ours_is_not_signed(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    """Our own upload never arrived, and somebody else's with our key did."""
    house.post(sample)
    agent._commit(sample)
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)

    with pytest.raises(OfferRefusedError, match="root"):
        agent.sign_next()


def test_a_void_that_nobody_asked_for_is_not_signed(
    house: House, agent: HospitalAgent, sample: Invoice
) -> None:
    (invoice_id,) = upload(agent, sample)
    anchored(house, agent)
    house.post_json(f"/v1/invoices/{invoice_id}/void", {"reason": "other"})
    offer_all(house, IntentKind.VOID, 1)

    with pytest.raises(OfferRefusedError, match="did not ask to void"):
        agent.sign_next()


def test_a_reversal_without_our_red_bill_is_not_signed(
    house: House, agent: HospitalAgent, wire: Wire, sample: Invoice
) -> None:
    upload(agent, numbered(sample, "0000000001"), numbered(sample, "0000000002"))
    upload(agent, red_of(numbered(sample, "0000000001"), "0000000099"))
    anchored(house, agent)
    offer_all(house, IntentKind.REVERSE, 1)

    def swap(offer: dict[str, Any]) -> None:
        with house.services.work(write=False) as work:
            other = work.invoices.find(FIRST, "33060124", "0000000002")
            version = work.invoices.current_version(other)
            position = work.batches.position_of(version.id)
        offer["items"][0]["payload"]["original"] = position.to_payload()
        _reencode(offer)

    wire.change = swap
    with pytest.raises(OfferRefusedError, match="does not name this original"):
        agent.sign_next()


@pytest.mark.parametrize("part", ["leaf", "proof", "root", "previous_head"])
def test_a_changed_position_is_not_signed(
    house: House, agent: HospitalAgent, wire: Wire, sample: Invoice, part: str
) -> None:
    ids = upload(agent, *(numbered(sample, f"{n:010d}") for n in range(3)))
    anchored(house, agent)
    agent.void(ids[0])
    offer_all(house, IntentKind.VOID, 1)

    def flip(offer: dict[str, Any]) -> None:
        position = offer["items"][0]["payload"]["position"]
        if part == "proof":
            position["proof"][0] = "ab" * 32
        elif part == "leaf":
            position["leaf"] = position["leaf"][:-2] + "01"
        else:
            position[part] = "ab" * 32
        _reencode(offer)

    wire.change = flip
    with pytest.raises(OfferRefusedError, match=r"leaf|batch|proof"):
        agent.sign_next()


def test_a_raw_transaction_of_another_key_is_refused(
    house: House, wire: Wire, agent: HospitalAgent, sample: Invoice
) -> None:
    upload(agent, sample)
    house.form_batches()
    offer_all(house, IntentKind.ANCHOR)
    stranger = HospitalAgent("", house.keys[FIRST], b"\x02" * 32, agent.store,
                             chain_id=CHAIN_ID, contract=CONTRACT, transport=wire)  # fmt: skip

    with pytest.raises(AgentError, match="not that of the registered account"):
        stranger.sign_next()
    # The backend refuses it as well, when the agent is bypassed.
    from backend.adapters.ledger.transactions import sign

    with house.services.work(write=False) as work:
        unsigned = work.transactions.get("tx_0").unsigned
    for raw, code in (
        (sign(unsigned, b"\x02" * 32).raw, "wrong-account"),
        (sign(replace(unsigned, chain_id=1), LEDGER_KEY).raw, "wrong-chain"),
        (sign(replace(unsigned, nonce=1), LEDGER_KEY).raw, "wrong-nonce"),
        (sign(replace(unsigned, value=1), LEDGER_KEY).raw, "wrong-value"),
        (sign(replace(unsigned, data=b"x"), LEDGER_KEY).raw, "wrong-data"),
        (b"\x01\x02", "malformed-transaction"),
    ):
        path = "/v1/signing-offers/tx_0/raw-transaction"
        answer = house.post_json(path, {"raw": raw.hex()})
        assert answer.json["code"] == code, answer.text
        assert answer.status_code in (400, 422)
    answer = house.post_json("/v1/signing-offers/tx_0/raw-transaction", {"raw": "zz"})
    assert (answer.status_code, answer.json["code"]) == (400, "malformed-request")
    with house.services.work(write=False) as work:
        assert work.transactions.get("tx_0").raw is None


def test_the_problem_of_a_refused_bill_reaches_the_caller(
    agent: HospitalAgent, sample: Invoice
) -> None:
    with pytest.raises(AgentError, match="422") as caught:
        agent.upload(invoice_to_json(replace(sample, total_fen=1)), "application/json")
    assert caught.value.code == "invalid-invoice"
    assert json.dumps(caught.value.problem)
