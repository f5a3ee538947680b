"""The contract's commitments against foreign vectors and against the off-chain verifier."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts.anvil_chain import AnvilCalls, AnvilChain
from tests.contracts.bills import Bill, digest
from tests.contracts.chain import Chain
from tests.contracts.direct import DirectCalls
from verifier.commitment import batch as commitment
from verifier.commitment import merkle
from verifier.errors import VerificationError

Inclusion = Callable[[bytes, int, int, list[bytes], bytes], bool]


@pytest.fixture
def is_included(chain: Chain) -> Inclusion:
    """The contract's verdict, asked without web3, whose encoding costs more than the call."""
    contracts = {"ledger": chain.ledger}
    if isinstance(chain, AnvilChain):
        calls: AnvilCalls | DirectCalls = AnvilCalls(chain, contracts)
    else:
        calls = DirectCalls(chain, contracts)
    now = chain.now()
    return lambda *case: bool(calls.view("ledger", "isIncluded", *case, now=now))


def _verifier_says(
    leaf_hash: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> bool:
    try:
        merkle.verify_inclusion(leaf_hash, index, size, proof, root)
    except VerificationError:
        return False
    return True


def test_the_contract_agrees_with_every_foreign_vector_that_it_can_express(
    is_included: Inclusion,
) -> None:
    """Of 98 vectors the contract can be asked 72; 6 of them show a leaf. In the other 26 a hash is
    not 32 bytes long, which the types of the call cannot carry; the verifier refuses them."""
    folder = os.environ.get("YICHU_FOREIGN_VECTORS")
    if not folder:
        pytest.skip("YICHU_FOREIGN_VECTORS names no folder of foreign Merkle vectors")
    verdicts: Counter[tuple[str, bool]] = Counter()
    for path in sorted((Path(folder) / "merkle" / "inclusion").rglob("*.json")):
        vector = json.loads(path.read_text("utf-8"))
        proof = [base64.b64decode(node) for node in vector["proof"] or []]
        hashes = {
            "leaf": [base64.b64decode(vector["leafHash"])],
            "root": [base64.b64decode(vector["root"])],
            "proof": proof,
        }
        odd = [name for name, values in hashes.items() if any(len(v) != 32 for v in values)]
        case = (hashes["leaf"][0], vector["leafIdx"], vector["treeSize"], proof, hashes["root"][0])
        if odd:
            verdicts["/".join(odd), _verifier_says(*case)] += 1
            continue
        verdict = is_included(*case)
        assert verdict == _verifier_says(*case) == (not vector["wantErr"]), path
        verdicts["asked", verdict] += 1
    assert verdicts == {
        ("asked", True): 6,
        ("asked", False): 66,
        ("leaf", False): 10,
        ("root", False): 5,
        ("leaf/root", False): 1,
        ("proof", False): 10,
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 13])
def test_every_leaf_of_small_trees_is_shown_and_no_other_place(
    is_included: Inclusion, size: int
) -> None:
    hashes = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    root = merkle.root_hash(hashes)
    for index in range(size):
        proof = merkle.inclusion_proof(hashes, index)
        assert is_included(hashes[index], index, size, proof, root)
        for case in (
            (hashes[index], index + 1, size, proof, root),
            (hashes[index], index, size + 1, proof, root),
            (hashes[index], index, size * 2 + 1, proof, root),
            (hashes[index], index, size, [*proof, root], root),
            (hashes[index], index, size, [root, *proof], root),
            (hashes[index], index, size, proof[:-1], root),
        ):
            assert is_included(*case) == _verifier_says(*case)


@pytest.mark.parametrize(
    ("size", "index"),
    [
        (1, 0),
        (8, 5),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in ((11, 6), (1024, 777))),
    ],
)
def test_flipped_bits_get_the_same_verdict_from_contract_and_verifier(
    is_included: Inclusion, size: int, index: int
) -> None:
    """Every bit of index and size, and samples of each hash."""
    hashes = [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(size)]
    leaf, root, proof = (
        hashes[index],
        merkle.root_hash(hashes),
        merkle.inclusion_proof(hashes, index),
    )
    assert is_included(leaf, index, size, proof, root)
    flipped = [(leaf, index ^ 1 << bit, size, proof, root) for bit in range(256)]
    flipped += [(leaf, index, size ^ 1 << bit, proof, root) for bit in range(256)]
    flipped += [(leaf, index, size, proof, _flip(root, bit)) for bit in range(0, 256, 3)]
    flipped += [(_flip(leaf, bit), index, size, proof, root) for bit in range(0, 256, 3)]
    for place, node in enumerate(proof):
        for bit in range(place % 5, 256, 5 if size < 100 else 25):
            changed = [*proof[:place], _flip(node, bit), *proof[place + 1 :]]
            flipped.append((leaf, index, size, changed, root))
    accepted = [case for case in flipped if is_included(*case)]
    assert accepted == [case for case in flipped if _verifier_says(*case)]
    # Where a tree is not full, a size that differs only beyond the leaf's path proves the same
    # leaf; the batch head binds the size. In a full tree only the unflipped proof is accepted.
    sizes = [case[2] for case in accepted]
    assert size not in sizes
    assert not sizes or size & (size - 1)


def _flip(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(32, "big")


@pytest.mark.parametrize("position", range(0, 132, 7))
def test_an_inner_node_is_no_leaf(is_included: Inclusion, position: int) -> None:
    hashes = [merkle.leaf_hash(bytes([position, number])) for number in range(4)]
    node = merkle.node_hash(hashes[0], hashes[1])
    sibling = merkle.node_hash(hashes[2], hashes[3])
    assert not is_included(node, 0, 4, [sibling], merkle.root_hash(hashes))


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
