"""The application's encoding of each intent and its reading of the events, on the contracts."""

from __future__ import annotations

from typing import Any

from web3.types import TxReceipt

from backend.adapters.ledger.events import to_event
from backend.adapters.ledger.transactions import encode_intents
from backend.domain.ledger import IntentKind, LeafPosition, SlotState
from backend.service_layer.anchoring.model import LedgerEvent
from tests.contracts.bills import Batch, Bill, Desk, digest
from tests.contracts.chain import BASIC, POLICY, Chain

BILL, SECOND = Bill("bill"), Bill("second")


def _send(chain: Chain, kind: IntentKind, payloads: list[dict[str, Any]], role: str) -> TxReceipt:
    call = encode_intents(kind, payloads, chain.ledger.address)
    sent = chain.web3.eth.send_transaction(
        {
            "from": chain.accounts[role],
            "to": chain.web3.to_checksum_address(call.to),
            "data": chain.web3.to_hex(call.data),
            "gas": call.gas,
            "gasPrice": chain.web3.to_wei(0, "wei"),
        }
    )
    receipt = chain.web3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= call.gas
    return receipt


def _events(receipt: TxReceipt) -> list[LedgerEvent]:
    raw = [
        {
            "topics": ["0x" + bytes(topic).hex() for topic in log["topics"]],
            "data": "0x" + bytes(log["data"]).hex(),
            "transactionHash": "0x" + bytes(log["transactionHash"]).hex(),
            "blockHash": "0x" + bytes(log["blockHash"]).hex(),
            "blockNumber": hex(log["blockNumber"]),
            "logIndex": hex(log["logIndex"]),
        }
        for log in receipt["logs"]
    ]
    return [event for event in map(to_event, raw) if event is not None]


def _position(batch: Batch, index: int) -> dict[str, Any]:
    bill = batch.bills[index]
    code, kind, version, key, second, fingerprint, total, borne = bill.leaf
    leaf = b"\x01" + code + bytes([kind]) + version.to_bytes(2, "big") + key + second
    leaf += fingerprint + total.to_bytes(8, "big") + borne.to_bytes(8, "big")
    return LeafPosition(
        institution_number=batch.institution,
        sequence=batch.sequence,
        previous_head=batch.previous_head,
        root=batch.root,
        size=len(batch.bills),
        leaf_index=index,
        leaf=leaf,
        proof=tuple(batch.proof(index)),
    ).to_payload()


def _supplement(bill: Bill, paid_before: int, amount: int) -> dict[str, Any]:
    return {
        "invoice_key": bill.key.hex(),
        "payer": BASIC,
        "paid_before": paid_before,
        "amount": amount,
        "decision_fingerprint": digest("appeal").hex(),
        "decision_version": 2,
        "policy_hash": POLICY.hex(),
    }


def _recovery(bill: Bill, amount: int, number: bytes) -> dict[str, Any]:
    values = {"payer": BASIC, "amount": amount, "recovery_number": number.hex()}
    return {"invoice_key": bill.key.hex(), **values}


def _settled(desk: Desk) -> Batch:
    batch = desk.anchor(BILL, SECOND)
    for index, bill in enumerate((BILL, SECOND)):
        desk.lodge(batch, index)
        desk.settle(bill, 1, 4_000)
    return batch


def test_supplements_are_sent_and_read_back(desk: Desk) -> None:
    _settled(desk)
    payloads = [_supplement(BILL, 4_000, 700), _supplement(SECOND, 3_999, 700)]
    done, stale = _events(_send(desk.chain, IntentKind.SUPPLEMENT, payloads, "basic"))
    assert (done.call, done.outcome, done.key) == ("supplement", "done", BILL.key)
    assert (done.values["value"], done.values["paid"]) == (700, 4_700)
    assert (done.values["decision_version"], done.values["policy_hash"]) == (2, POLICY)
    assert done.values["decision_fingerprint"] == digest("appeal")
    assert (stale.outcome, stale.item_index, stale.values["paid"]) == ("stale", 1, 4_000)


def test_recoveries_are_sent_and_read_back(desk: Desk) -> None:
    _settled(desk)
    number = digest("number")
    payloads = [_recovery(BILL, 300, number), _recovery(SECOND, 300, number)]
    done, used = _events(_send(desk.chain, IntentKind.RECOVER, payloads, "basic"))
    assert (done.call, done.outcome, done.values["value"]) == ("recover", "done", 300)
    assert (done.key, done.values["recovery_number"]) == (BILL.key, number)
    assert (used.outcome, used.key) == ("number-used", SECOND.key)


def test_exchanges_and_returns_are_sent_and_read_back(desk: Desk) -> None:
    batch = desk.anchor(BILL, SECOND)
    paper = digest("paper")
    payloads = [
        {"position": _position(batch, 0), "paper_key": paper.hex()},
        {"position": _position(batch, 1), "paper_key": paper.hex()},
    ]
    done, bound = _events(_send(desk.chain, IntentKind.EXCHANGE, payloads, "hospital"))
    assert (done.call, done.outcome, done.key) == ("exchange", "done", BILL.key)
    assert done.values["paper_key"] == paper
    assert (bound.outcome, bound.values["leaf_reference"]) == (
        "paper-key-bound",
        batch.reference(1),
    )
    slot = SlotState.decode(desk.raw(BILL))
    assert slot.flags == SlotState.PINNED | SlotState.ON_PAPER
    receipt = _send(desk.chain, IntentKind.RETURN, payloads, "hospital")
    done, elsewhere = _events(receipt)
    assert (done.call, done.outcome, done.values["paper_key"]) == ("return", "done", paper)
    assert elsewhere.outcome == "bound-elsewhere"


def test_a_retired_ledger_is_read_as_such(desk: Desk) -> None:
    _settled(desk)
    desk.chain.retire(desk.chain.deploy_successor())
    receipt = _send(desk.chain, IntentKind.RECOVER, [_recovery(BILL, 1, digest("n"))], "basic")
    (event,) = _events(receipt)
    assert (event.call, event.outcome) == ("recover", "retired")


def test_the_gas_limit_covers_the_dearest_exchanges(desk: Desk) -> None:
    """Each binds a leaf with a second number and a paper: four new slots and the proof."""
    bills = [Bill(f"bill {n}", second=f"printed {n}") for n in range(100)]
    batch = desk.anchor(*bills)
    payloads = [
        {"position": _position(batch, n), "paper_key": digest(f"paper {n}").hex()}
        for n in range(50)
    ]
    receipt = _send(desk.chain, IntentKind.EXCHANGE, payloads, "hospital")
    assert {event.outcome for event in _events(receipt)} == {"done"}


def test_the_gas_limit_covers_an_institution_with_all_its_quarantines(desk: Desk) -> None:
    """None of the 32 ranges is that of the bill's batch, and each call has to look at all."""
    bill = Bill("quarantined beside it", second="printed beside it")
    batch = desk.anchor(bill)
    for n in range(32):
        function = desk.chain.registry.functions.quarantine(1, 1_000 + n, 2_000, digest("why"))
        desk.chain.send(function, "registrar")
    deadline = desk.deadline()
    key = {"invoice_key": bill.key.hex(), "payer": BASIC, "counter": 1}
    decision = {
        "decision_fingerprint": digest("decision").hex(),
        "decision_version": 1,
        "policy_hash": POLICY.hex(),
    }
    lodge = key | {"position": _position(batch, 0), "deadline": deadline}
    for kind, payload in (
        (IntentKind.LODGE, lodge),
        (IntentKind.RENEW, key | {"deadline": deadline + 1}),
        (IntentKind.SETTLE, key | decision | {"amount": 4_000}),
        (IntentKind.SUPPLEMENT, _supplement(bill, 4_000, 700)),
        (IntentKind.RECOVER, _recovery(bill, 300, digest("number"))),
    ):
        (event,) = _events(_send(desk.chain, kind, [payload], "basic"))
        assert (event.call, event.outcome) == (kind, "done")
