"""What each commitment function refuses, with class and message."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from verifier.commitment import batch, canonical, invoice_key, leaves, merkle
from verifier.errors import MalformedError, RefutedError

H = [merkle.leaf_hash(bytes([n])) for n in range(5)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "NoneType has no canonical form"),
        (True, "bool has no canonical form"),
        (1.0, "float has no canonical form"),
        (b"a", "bytes has no canonical form"),
        ({1: 2}, "key is not a string"),
        (2**53, "outside"),
        (-(2**53), "outside"),
        ("\ud800", "lone surrogate"),
        ({"\udc00": 1}, "lone surrogate"),
        (["\ud83d\ude00"], "lone surrogate"),
    ],
)
def test_canonical_bytes_refuses(value: Any, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        canonical.canonical_bytes(value)


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth > 1 else {}


def test_nesting_is_bounded_on_both_sides() -> None:
    data = canonical.canonical_bytes(nested(16))
    canonical.parse_canonical(data)
    with pytest.raises(MalformedError, match="nested deeper than 16"):
        canonical.canonical_bytes(nested(17))
    with pytest.raises(MalformedError, match="nested deeper than 15"):
        canonical.parse_canonical(data, max_depth=15)


def test_deep_nesting_does_not_reach_the_recursive_parser() -> None:
    """With the recursion limit raised (py-evm does), the C parser would end the process."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        for opening in (b"[", b'{"a":', b'["]",', b'["\\"[",'):
            with pytest.raises(MalformedError, match="nested deeper than 16"):
                canonical.parse_canonical(opening * 100_000)
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_inside_texts_are_no_nesting() -> None:
    text = json.dumps("[" * 100 + '"{' + "\\" + "[" * 100)
    assert canonical.parse_canonical(text.encode("utf-8")) == json.loads(text)


def test_parse_bounds_the_bytes_before_reading() -> None:
    with pytest.raises(MalformedError, match="text is 11 bytes long, the limit is 10"):
        canonical.parse_canonical(b'"123456789"', max_bytes=10)


def test_record_leaves_are_bounded() -> None:
    record = {"lines": [0] * (leaves.MAX_LEAVES - 2)}
    assert len(leaves.record_leaves(record)) == leaves.MAX_LEAVES
    with pytest.raises(MalformedError, match="too many leaves"):
        leaves.record_leaves({"lines": [0] * (leaves.MAX_LEAVES - 1)})


def test_leaf_refuses_long_path_and_padded_salt() -> None:
    long = leaves.Leaf("/" + "a" * 65_535, leaves.LeafKind.FIELD, b"1")
    with pytest.raises(MalformedError, match="path is too long"):
        leaves.leaf_data(long, bytes(32))
    leaf = leaves.Leaf("/a", leaves.LeafKind.FIELD, b"1")
    for salt in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(MalformedError, match="salt is 32 bytes"):
            leaves.leaf_hash(leaf, salt)


def test_network_key_has_one_length() -> None:
    for key in (b"", bytes(31), bytes(33)):
        with pytest.raises(MalformedError, match="network key is 32 bytes"):
            invoice_key.compute_invoice_key(key, "", "1" * 20)


@pytest.mark.parametrize(
    ("leaf_index", "tree_size", "proof", "kind", "message"),
    [
        (-1, 5, [], MalformedError, "leaf index is not an unsigned"),
        (True, 5, [], MalformedError, "leaf index is not an unsigned"),
        (0, 2**64, [], MalformedError, "tree size is not an unsigned"),
        (5, 5, [], RefutedError, "outside the tree"),
        (0, 0, [], RefutedError, "outside the tree"),
        (0, 1, [H[1]], RefutedError, "too long"),
        (0, 5, [H[1]], RefutedError, "too short"),
        (0, 2, [H[2]], RefutedError, "another root"),
        (0, 2, [b"short"], MalformedError, "proof node is not 32 bytes"),
        (0, 2, ["a" * 32], MalformedError, "proof node is not 32 bytes"),
        (0, 2, [H[1]] * 66, MalformedError, "too many nodes"),
    ],
)
def test_verify_inclusion_refuses(
    leaf_index: int, tree_size: int, proof: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        merkle.verify_inclusion(H[0], leaf_index, tree_size, proof, merkle.root_hash(H[:2]))


@pytest.mark.parametrize(
    ("old_size", "new_size", "proof", "kind", "message"),
    [
        (0, 5, [], RefutedError, "zero or larger"),
        (0, 0, [], RefutedError, "zero or larger"),
        (6, 5, [], RefutedError, "zero or larger"),
        (5, 5, [H[0]], RefutedError, "must be empty"),
        (5, 5, [], RefutedError, "different roots"),
        (3, 5, [], RefutedError, "too short"),
        (3, 5, [H[0]], RefutedError, "too short"),
        (3, 5, [H[0]] * 9, RefutedError, "too long"),
        (3, 5, [H[0]] * 4, RefutedError, "another old root"),
        (4, 5, [H[0]], RefutedError, "another new root"),
        (-1, 5, [], MalformedError, "old size is not"),
        (1, 1.0, [], MalformedError, "new size is not"),
        (3, 5, [b""], MalformedError, "proof node is not 32 bytes"),
    ],
)
def test_verify_consistency_refuses(
    old_size: int, new_size: Any, proof: list[bytes], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        merkle.verify_consistency(
            old_size, new_size, proof, merkle.root_hash(H[: max(old_size, 0)]), H[0]
        )


def test_provers_refuse_a_leaf_or_tree_that_is_not_there() -> None:
    for index in (-1, 5):
        with pytest.raises(MalformedError, match="leaf index is not in the tree"):
            merkle.inclusion_proof(H, index)
    for size in (0, 6, -1):
        with pytest.raises(MalformedError, match="old size is not between 1"):
            merkle.consistency_proof(H, size)
    with pytest.raises(MalformedError, match="leaf hash is not 32 bytes"):
        merkle.root_hash([b"short"])


def test_errors_carry_the_compared_values() -> None:
    with pytest.raises(RefutedError) as caught:
        merkle.verify_inclusion(H[0], 0, 1, [], H[1])
    assert (caught.value.expected, caught.value.actual) == (H[1].hex(), H[0].hex())


def test_batch_leaf_kind_is_of_its_own_type() -> None:
    fields: dict[str, Any] = {
        "institution_code": "H1",
        "kind": 1,
        "key_version": 1,
        "invoice_key": H[0],
        "second_key": bytes(32),
        "fingerprint": H[1],
        "total_fen": 1,
        "borne_fen": 0,
    }
    with pytest.raises(MalformedError, match="record kind"):
        batch.BatchLeaf(**fields)
    fields["kind"] = batch.RecordKind.CLAIMABLE
    for name, value in (("total_fen", True), ("key_version", 1.0), ("borne_fen", "0")):
        with pytest.raises(MalformedError, match="is not between"):
            batch.BatchLeaf(**{**fields, name: value})
    with pytest.raises(MalformedError, match="fingerprint is not 32 bytes"):
        batch.BatchLeaf(**{**fields, "fingerprint": "a" * 32})


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ['\\"', "[", "]", '"', "\\", "[]", '"[",', "1"])
def test_hostile_text_of_one_repeated_unit_is_refused_in_linear_time(unit: str) -> None:
    for opening in ("", '"', "["):
        with pytest.raises(MalformedError):
            canonical.parse_canonical((opening + unit * 300_000).encode("utf-8"))
