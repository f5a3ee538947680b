"""The contract's commitments against foreign vectors and against the off-chain verifier."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector
from eth_utils.address import to_canonical_address

from tests.contracts.bills import Bill, digest
from tests.contracts.chain import GAS, Chain
from verifier.commitment import batch as commitment
from verifier.commitment import merkle
from verifier.errors import VerificationError

TYPES = ["bytes32", "uint256", "uint256", "bytes32[]", "bytes32"]
SELECTOR = function_signature_to_4byte_selector(f"isIncluded({','.join(TYPES)})")


def _is_included(  # noqa: PLR0917
    chain: Chain, leaf_hash: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> bool:
    """The contract's verdict. Straight to the node: web3's encoding costs ten times the call."""
    data = SELECTOR + encode(TYPES, [leaf_hash, index, size, proof, root])
    answer = chain.tester.backend.call(
        {
            "from": to_canonical_address(chain.accounts["stranger"]),
            "to": to_canonical_address(chain.ledger.address),
            "data": data,
            "gas": GAS,
            "gas_price": 0,
            "value": 0,
        }
    )
    return bool(decode(["bool"], answer)[0])


def _verifier_says(
    leaf_hash: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> bool:
    try:
        merkle.verify_inclusion(leaf_hash, index, size, proof, root)
    except VerificationError:
        return False
    return True


def test_the_contract_agrees_with_every_foreign_vector_that_it_can_express(chain: Chain) -> None:
    folder = os.environ.get("YICHU_FOREIGN_VECTORS")
    if not folder:
        pytest.skip("YICHU_FOREIGN_VECTORS names no folder of foreign Merkle vectors")
    paths = sorted((Path(folder) / "merkle" / "inclusion").rglob("*.json"))
    assert len(paths) == 98
    expressible, wrong = 0, []
    for path in paths:
        case = json.loads(path.read_text("utf-8"))
        proof = [base64.b64decode(node) for node in case["proof"] or []]
        leaf_hash = base64.b64decode(case["leafHash"])
        root = base64.b64decode(case["root"])
        if any(len(value) != 32 for value in (leaf_hash, root, *proof)):
            # The types refuse these; none of them may be accepted.
            assert case["wantErr"], path
            continue
        expressible += 1
        verdict = _is_included(chain, leaf_hash, case["leafIdx"], case["treeSize"], proof, root)
        if verdict == case["wantErr"]:
            wrong.append(str(path))
    assert wrong == []
    assert expressible >= 70


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 13])
def test_every_leaf_of_small_trees_is_shown_and_no_other_place(chain: Chain, size: int) -> None:
    hashes = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    root = merkle.root_hash(hashes)
    for index in range(size):
        proof = merkle.inclusion_proof(hashes, index)
        assert _is_included(chain, hashes[index], index, size, proof, root)
        for case in (
            (hashes[index], index + 1, size, proof, root),
            (hashes[index], index, size + 1, proof, root),
            (hashes[index], index, size * 2 + 1, proof, root),
            (hashes[index], index, size, [*proof, root], root),
            (hashes[index], index, size, [root, *proof], root),
            (hashes[index], index, size, proof[:-1], root),
        ):
            assert _is_included(chain, *case) == _verifier_says(*case)


def test_flipped_bits_get_the_same_verdict_from_contract_and_verifier(chain: Chain) -> None:
    hashes = [merkle.leaf_hash(bytes([number])) for number in range(11)]
    root = merkle.root_hash(hashes)
    index = 6
    proof = merkle.inclusion_proof(hashes, index)
    flipped = [(hashes[index], index ^ 1 << bit, 11, proof, root) for bit in range(6)]
    flipped += [(hashes[index], index, 11 ^ 1 << bit, proof, root) for bit in range(6)]
    flipped += [(hashes[index], index, 11, proof, _flip(root, bit)) for bit in range(256)]
    flipped += [(_flip(hashes[index], bit), index, 11, proof, root) for bit in range(0, 256, 3)]
    for place, node in enumerate(proof):
        for bit in range(place, 256, 5):
            changed = [*proof[:place], _flip(node, bit), *proof[place + 1 :]]
            flipped.append((hashes[index], index, 11, changed, root))
    # A size that differs only where the path is the same proves the same leaf; the head binds it.
    accepted = [case for case in flipped if _is_included(chain, *case)]
    assert accepted == [case for case in flipped if _verifier_says(*case)]
    assert all(case[2] != 11 for case in accepted)


def _flip(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(32, "big")


@pytest.mark.parametrize("position", range(0, 132, 7))
def test_an_inner_node_is_no_leaf(chain: Chain, position: int) -> None:
    hashes = [merkle.leaf_hash(bytes([position, number])) for number in range(4)]
    node = merkle.node_hash(hashes[0], hashes[1])
    sibling = merkle.node_hash(hashes[2], hashes[3])
    assert not _is_included(chain, node, 0, 4, [sibling], merkle.root_hash(hashes))


@pytest.mark.parametrize(
    "bill",
    [
        Bill("plain"),
        Bill("large", total=2**40 - 1, borne=2**40 - 1),
        Bill("zero", total=0),
        Bill("settled", kind=2, borne=777),
        Bill("two numbers", second="other"),
        Bill("short code", code="A"),
        Bill("full code", code="ABCDEFGHIJKLMNOP"),
    ],
    ids=lambda bill: bill.name,
)
def test_leaf_bytes_are_the_verifiers(chain: Chain, bill: Bill) -> None:
    expected = commitment.BatchLeaf(
        institution_code=bill.code,
        kind=commitment.RecordKind(bill.kind),
        key_version=1,
        invoice_key=bill.key,
        second_key=bill.second_key,
        fingerprint=bill.fingerprint,
        total_fen=bill.total,
        borne_fen=bill.borne,
    )
    assert chain.view(chain.ledger.functions.computeLeafHash(bill.leaf)) == expected.hash()


@pytest.mark.parametrize("field", range(5))
def test_the_head_binds_each_part_of_a_batch(chain: Chain, field: int) -> None:
    reference = [258, 65_538, digest("previous"), digest("root"), 513]
    function = chain.ledger.functions.computeHead
    assert chain.view(function(reference)) == commitment.batch_head(*reference)
    changed = [*reference]
    changed[field] = digest("changed") if field in (2, 3) else reference[field] + 1
    assert chain.view(function(changed)) != chain.view(function(reference))
