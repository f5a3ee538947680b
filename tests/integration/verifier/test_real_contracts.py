"""The verifier against the compiled contracts: what it reads by hand-written layouts is there.

The bill, its batch and its decision come from the reference implementation; the events and slots
from the contracts on an in-process chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from eth_utils import keccak
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BlockNotFound, TransactionNotFound
from web3.types import Wei

from tests.contracts.chain import BASIC, HOSPITAL, HOSPITAL_CODE, Chain, open_chain
from tests.reference import evidence
from tests.reference.evidence import LEAF_INDEX, SIZE, Story
from verifier.bundle import parse_bundle
from verifier.trust import parse_trust
from verifier.verifier import Report, Status, Verdict, verify_bundle


class InProcessNode:
    """The node's side of the wire over web3 and eth-tester."""

    def __init__(self, chain: Chain) -> None:
        self._eth = chain.web3.eth

    def call(self, method: str, params: list[Any]) -> Any:
        try:
            return wire(getattr(self, method)(*params))
        except (BlockNotFound, TransactionNotFound):
            return None

    def eth_chainId(self) -> Any:
        return self._eth.chain_id

    def eth_syncing(self) -> Any:
        return False

    def eth_getCode(self, address: str, _tag: str) -> Any:
        return self._eth.get_code(Web3.to_checksum_address(address))

    def eth_getBlockByNumber(self, tag: str, _full: bool) -> Any:
        return self._eth.get_block("latest" if tag == "latest" else int(tag, 16))

    def eth_getTransactionReceipt(self, tx_hash: str) -> Any:
        return self._eth.get_transaction_receipt(HexBytes(tx_hash))

    def eth_call(self, call: dict[str, Any], _tag: str) -> Any:
        to = Web3.to_checksum_address(call["to"])
        return self._eth.call({**call, "to": to, "gas": 12_000_000, "gasPrice": Wei(0)})

    def eth_getLogs(self, question: dict[str, Any]) -> Any:
        names = ("fromBlock", "toBlock")
        numbers = {name: int(question[name], 16) for name in names}
        latest = self._eth.block_number
        address = Web3.to_checksum_address(question["address"])
        found: list[Any] = []
        for first in question["topics"][0]:
            topics = [first, *question["topics"][1:]]
            numbers["toBlock"] = min(numbers["toBlock"], latest)
            found += self._eth.get_logs({**numbers, "address": address, "topics": topics})
        return found


def wire(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {name: wire(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [wire(member) for member in value]
    return value.lower() if isinstance(value, str) and value.startswith("0x") else value


@pytest.fixture(scope="module")
def deployed() -> Chain:
    return open_chain()


@pytest.fixture
def chain(deployed: Chain) -> Iterator[Chain]:
    snapshot = deployed.tester.take_snapshot()
    yield deployed
    deployed.tester.revert_to_snapshot(snapshot)


def place(receipt: Any) -> dict[str, Any]:
    return {
        "tx_hash": bytes(receipt["transactionHash"]).hex(),
        "block_number": receipt["blockNumber"],
        "block_hash": bytes(receipt["blockHash"]).hex(),
    }


def make_story(closing: str) -> Story:
    invoice = {**evidence.invoice_record(), "institution_code": HOSPITAL_CODE}
    fingerprint = Story(invoice=invoice).fingerprint
    make = evidence.decision_record if closing == "settle" else evidence.refusal_record
    decision = {**make(fingerprint), "payer_number": BASIC, "lodge_counter": 1}
    return Story(invoice=invoice, decision=decision, closing=closing)


def solidity_leaf(story: Story) -> tuple[Any, ...]:
    leaf = story.leaf
    return (
        HOSPITAL_CODE.encode().ljust(16, b"\0"),
        leaf["kind"],
        leaf["key_version"],
        leaf["invoice_key"],
        leaf["second_key"],
        leaf["fingerprint"],
        leaf["total_fen"],
        leaf["borne_fen"],
    )


def live(chain: Chain, closing: str) -> tuple[Story, dict[str, Any]]:
    """Anchor, lodge and close on the contracts; return the story and its true bundle."""
    story, functions = make_story(closing), chain.ledger.functions
    published = chain.registry.functions.publishPolicy(story.policy_hash, chain.now())
    chain.send(published, "publisher")
    zero = bytes(32)
    anchored = chain.send(functions.anchor(1, story.root, SIZE, zero), "hospital")
    reference = (HOSPITAL, 1, zero, story.root, SIZE)
    item = (solidity_leaf(story), 0, LEAF_INDEX, 1, chain.now() + 86_400, story.proof)
    lodged = chain.send(functions.lodgeBatch([reference], [item]), "basic")
    if closing == "settle":
        settlement = (
            story.key, 1, story.amount, story.decision_fingerprint, 1, story.policy_hash,
        )  # fmt: skip
        closed = chain.send(functions.settle(settlement), "basic")
    else:
        release = (story.key, 1, 1, story.decision_fingerprint, 1, story.policy_hash)
        closed = chain.send(functions.releaseBatch([release]), "basic")
    bundle = story.bundle()
    bundle["batch"].update(institution_number=HOSPITAL, sequence=1, previous_head="00" * 32)
    account = chain.accounts["hospital"].lower()[2:]
    bundle["anchor"] = {**place(anchored), "account": account, "custody": "self-custody"}
    bundle["claim"].update(payer_number=BASIC, counter=1, lodge=place(lodged))
    bundle["claim"]["closing"].update(place(closed))
    return story, bundle


def trust(chain: Chain) -> dict[str, Any]:
    def contract(address: str) -> dict[str, Any]:
        code = bytes(chain.web3.eth.get_code(address))  # type: ignore[arg-type]
        return {
            "address": address.lower()[2:],
            "code_hash": keccak(code).hex(),
            "deployment_block": 1,
        }

    genesis = chain.web3.eth.get_block(0)
    return {
        "format": "yichu-trust-1",
        "chain_id": chain.web3.eth.chain_id,
        "genesis_hash": bytes(genesis["hash"]).hex(),
        "contracts": {
            "registry": contract(chain.registry.address),
            "invoice_ledger": contract(chain.ledger.address),
        },
        "finality": {"kind": "node", "confirmations": 1},
        "network_key": evidence.NETWORK_KEY.hex(),
    }


def verify(chain: Chain, bundle: dict[str, Any]) -> Report:
    return verify_bundle(
        parse_bundle(evidence.text(bundle)),
        parse_trust(evidence.text(trust(chain))),
        InProcessNode(chain),
    )


def failed(report: Report) -> list[int]:
    return [r.check.number for r in report.results if r.status is Status.FAIL]


@pytest.mark.parametrize("closing", ["settle", "release"])
def test_claim_on_the_compiled_contracts_is_verified(chain: Chain, closing: str) -> None:
    _, bundle = live(chain, closing)
    report = verify(chain, bundle)
    report.raise_for_verdict()
    assert report.verdict is Verdict.VERIFIED


def test_lies_about_the_compiled_contracts_are_refuted(chain: Chain) -> None:
    _, bundle = live(chain, "settle")
    anchor, claim = bundle["anchor"], bundle["claim"]
    lies: tuple[tuple[dict[str, Any], str, Any, list[int]], ...] = (
        (anchor, "custody", "custodial", [14]),
        (anchor, "account", chain.accounts["basic"].lower()[2:], [13, 14]),
        (anchor, "tx_hash", claim["lodge"]["tx_hash"], [13]),
        (claim, "counter", 2, [9, 15, 16, 18]),
        (claim, "payer_number", 2, [9, 15, 16, 18]),
        (claim["closing"], "amount_fen", 201, [9, 16, 18]),
        (claim["closing"], "decision_version", 2, [9, 16]),
        (claim["lodge"], "block_hash", "00" * 32, [15]),
    )
    for target, name, lie, checks in lies:
        honest = target[name]
        target[name] = lie
        assert failed(verify(chain, bundle)) == checks, name
        target[name] = honest


def test_ledger_reverted_to_before_the_anchor_refutes(deployed: Chain) -> None:
    snapshot = deployed.tester.take_snapshot()
    _, bundle = live(deployed, "settle")
    deployed.tester.revert_to_snapshot(snapshot)
    report = verify(deployed, bundle)
    assert report.verdict is Verdict.REFUTED
    assert failed(report) == [13, 15, 16, 17, 18]


def test_void_after_the_settlement_is_a_note(chain: Chain) -> None:
    story, bundle = live(chain, "settle")
    reference = (HOSPITAL, 1, bytes(32), story.root, SIZE)
    item = (solidity_leaf(story), 0, LEAF_INDEX, story.proof)
    chain.send(chain.ledger.functions.void(reference, item), "hospital")
    report = verify(chain, bundle)
    assert report.verdict is Verdict.VERIFIED
    assert [en for _, en in report.notes] == ["the bill is void by now"]


def test_custody_follows_the_terms_in_force_at_the_anchor(chain: Chain) -> None:
    _, bundle = live(chain, "settle")
    terms = (1, chain.now() + 86_400, 0, 2)
    change = chain.registry.functions.changeInstitutionTerms(HOSPITAL, *terms)
    chain.send(change, "registrar")
    assert verify(chain, bundle).verdict is Verdict.VERIFIED


def test_rotated_account_still_proves_the_old_anchor(chain: Chain) -> None:
    _, bundle = live(chain, "settle")
    rotate = chain.registry.functions.rotateInstitutionAccount(
        HOSPITAL, chain.accounts["hospital"], chain.accounts["hospital_spare"]
    )
    chain.send(rotate, "registrar")
    assert verify(chain, bundle).verdict is Verdict.VERIFIED
