"""What is no evidence bundle and no trust file: malformed, naming the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reference import evidence
from tests.reference.evidence import Story
from verifier import bundle as bundles
from verifier import trust as trusts
from verifier.errors import MalformedError

STORY = Story()
Change = Callable[[dict[str, Any]], None]


def put(*steps: Any) -> Change:
    """Set the value at a path; the last step is the value."""

    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for step in steps[:-2]:
            target = target[step]
        target[steps[-2]] = steps[-1]

    return change


def drop(*steps: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for step in steps[:-1]:
            target = target[step]
        del target[steps[-1]]

    return change


BUNDLES: list[tuple[Change, str]] = [
    (put("format", "yichu-evidence-3"), "bundle.format is not one of"),
    (put("format", 1), "bundle.format is not a text"),
    (put("extra", 1), "bundle has an unknown member"),
    (drop("policy"), "bundle lacks the member policy"),
    (put("invoice", []), "invoice is not an object"),
    (put("invoice", "leaves", {}), "invoice.leaves is not an array"),
    (put("invoice", "extra", 1), "invoice has an unknown member"),
    (put("invoice", "leaves", 0, "x"), r"invoice.leaves\[0\] is not an object"),
    (put("invoice", "leaves", 1, "kind", 0), r"leaves\[1\].kind is not an integer from 1 to 3"),
    (put("invoice", "leaves", 1, "kind", 4), r"leaves\[1\].kind is not an integer"),
    (put("invoice", "leaves", 1, "kind", "1"), r"leaves\[1\].kind is not an integer"),
    (put("invoice", "leaves", 1, "note", "x"), r"leaves\[1\] has an unknown member"),
    (put("invoice", "leaves", 1, "path", 1), r"leaves\[1\].path is not a text"),
    (drop("invoice", "leaves", 1, "salt"), r"leaves\[1\] lacks the member salt"),
    (put("invoice", "leaves", 1, "salt", "00" * 31), "salt is not 32 bytes of lower-case hex"),
    (put("invoice", "leaves", 1, "salt", "00" * 33), "salt is not 32 bytes of lower-case hex"),
    (put("invoice", "leaves", 1, "salt", "00" * 31 + "0G"), "salt is not 32 bytes"),
    (put("invoice", "leaves", 1, "salt", "AA" * 32), "salt is not 32 bytes"),
    (put("invoice", "leaves", 1, "salt", "0x" + "00" * 31), "salt is not 32 bytes"),
    (put("invoice", "leaves", 1, "salt", 7), "salt is not 32 bytes"),
    (put("invoice", "leaves", 1, "hash", "00" * 32), r"leaves\[1\] has an unknown member"),
    (put("invoice", "leaves", 1, {"path": "/a", "hash": "0"}), "hash is not 32 bytes"),
    (put("invoice", "leaves", [0] * 16_385), "more than 16384 entries"),
    (put("batch_leaf", "total_fen", -1), "batch_leaf.total_fen is not an integer"),
    (put("batch_leaf", "invoice_key", ""), "batch_leaf.invoice_key is not 32 bytes"),
    (put("batch", "proof", ["00"]), r"batch.proof\[0\] is not 32 bytes"),
    (put("batch", "proof", ["00" * 32] * 65), "batch.proof has more than 64 entries"),
    (put("batch", "size", "5"), "batch.size is not an integer"),
    (put("anchor", "custody", "none"), "anchor.custody is not one of"),
    (put("anchor", "account", "0x" + "00" * 19), "anchor.account is not 20 bytes"),
    (put("claim", "payer_number", 0), "claim.payer_number is not an integer from 1 to 64"),
    (put("claim", "payer_number", 65), "claim.payer_number"),
    (put("claim", "counter", 0), "claim.counter"),
    (put("claim", "closing", "kind", "paid"), "claim.closing.kind is not one of"),
    (put("claim", "closing", "amount_fen", 2**40), "claim.closing.amount_fen"),
    (put("claim", "lodge", "block_number", -1), "claim.lodge.block_number"),
    (put("claim", "lodge", "amount_fen", 1), "claim.lodge has an unknown member"),
    (put("decision", "fingerprint", None), "null, true and false are refused"),
    (put("policy", "text", {}), "policy.text is not a text"),
    (put("policy", "text", "x" * (2**20 + 1)), "policy.text is longer than"),
    (put("invoice", "leaves", 1, "value", 1.5), "a number is not an integer"),
    (put("invoice", "leaves", 1, "value", True), "null, true and false are refused"),
]


@pytest.mark.parametrize(("change", "message"), BUNDLES)
def test_malformed_bundle_is_refused_and_named(change: Change, message: str) -> None:
    document = STORY.bundle()
    change(document)
    with pytest.raises(MalformedError, match=message):
        bundles.parse_bundle(evidence.text(document))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "bundle is not an object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"format":"yichu-evidence-1","format":"yichu-evidence-1"}', "two members"),
        (b"[" * 17 + b"]" * 17, "nested deeper than 16"),
        (b" " * (16 * 2**20) + b"{}", "the limit is 16777216"),
    ],
)
def test_bytes_that_are_no_bundle_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        bundles.parse_bundle(data)


def test_order_and_white_space_are_free() -> None:
    document = STORY.bundle()
    honest = bundles.parse_bundle(evidence.text(document))
    shuffled = dict(reversed(document.items()))
    assert bundles.parse_bundle(b"\n " + evidence.text(shuffled) + b"\r\n") == honest


TRUSTS: list[tuple[Change, str]] = [
    (put("format", "yichu-trust-2"), "trust.format is not one of"),
    (put("extra", 1), "trust has an unknown member"),
    (drop("finality"), "trust lacks the member finality"),
    (drop("genesis_hash"), "trust lacks the member genesis_hash"),
    (put("chain_id", 0), "trust.chain_id is not an integer"),
    (put("chain_id", "1"), "trust.chain_id is not an integer"),
    (put("genesis_hash", "00"), "trust.genesis_hash is not 32 bytes"),
    (put("genesis_hash", 0), "trust.genesis_hash is not a text"),
    (put("contracts", "registry", "address", "0x"), "registry.address is not 20 bytes"),
    (put("contracts", "registry", "code_hash", ""), "registry.code_hash is not 32 bytes"),
    (drop("contracts", "invoice_ledger"), "trust.contracts lacks the member invoice_ledger"),
    (put("contracts", "third", {}), "trust.contracts has an unknown member"),
    (put("contracts", "predecessors", {}), "predecessors is not an array of 1 to 16 contracts"),
    (put("contracts", "predecessors", []), "predecessors is not an array of 1 to 16 contracts"),
    (put("contracts", "predecessors", [{}] * 17), "is not an array of 1 to 16 contracts"),
    (put("contracts", "predecessors", [{}]), r"predecessors\[0\] lacks the member address"),
    (put("finality", "kind", "clique"), "trust.finality.kind is not one of: node"),
    (put("finality", "confirmations", 0), "trust.finality.confirmations"),
    (put("finality", "confirmations", 1001), "trust.finality.confirmations"),
    (put("institutions", []), "trust.institutions is not an object"),
    (put("institutions", "07", {"code": "a", "name": "b"}), "no institution number"),
    (put("institutions", "0", {"code": "a", "name": "b"}), "no institution number"),
    (put("institutions", "65536", {"code": "a", "name": "b"}), "no institution number"),
    (put("institutions", "9" * 5000, {"code": "a", "name": "b"}), "no institution number"),
    (put("institutions", "\u0667", {"code": "a", "name": "b"}), "no institution number"),
    (put("institutions", "", {"code": "a", "name": "b"}), "no institution number"),
    (put("institutions", "7", {"code": "a"}), "institutions.7 lacks the member name"),
    (put("network_key", "00" * 31), "trust.network_key is not 32 bytes"),
    (put("network_key_version", -1), "trust.network_key_version"),
]


@pytest.mark.parametrize(("change", "message"), TRUSTS)
def test_malformed_trust_file_is_refused_and_named(change: Change, message: str) -> None:
    document = STORY.trust()
    change(document)
    with pytest.raises(MalformedError, match=message):
        trusts.parse_trust(evidence.text(document))


def test_key_version_without_a_key_is_refused() -> None:
    document = STORY.trust()
    document["network_key_version"] = 1
    trusts.parse_trust(evidence.text(document))
    del document["network_key"]
    with pytest.raises(MalformedError, match="network_key_version without a network_key"):
        trusts.parse_trust(evidence.text(document))


def test_trust_file_may_spell_hex_as_people_paste_it() -> None:
    document = STORY.trust()
    honest = trusts.parse_trust(evidence.text(document))
    contract = document["contracts"]["registry"]
    contract["address"] = "0x" + contract["address"].upper()
    document["genesis_hash"] = "0X" + document["genesis_hash"].upper()
    assert trusts.parse_trust(evidence.text(document)) == honest


def test_network_key_is_never_printed() -> None:
    root = trusts.parse_trust(evidence.text(STORY.trust()))
    assert evidence.NETWORK_KEY.hex() not in repr(root)
    assert repr(evidence.NETWORK_KEY) not in repr(root)
