"""Properties over generated values: production against the reference implementation."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import commitment as ref
from verifier.commitment import batch, canonical, fingerprint, invoice_key, merkle
from verifier.errors import MalformedError, RefutedError, VerificationError

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(max_size=12)
VALUES = st.recursive(
    INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(TEXTS, VALUES, max_size=6)
HASHES = st.binary(min_size=32, max_size=32)


@given(VALUES)
def test_canonical_bytes_agree_with_reference_and_foreign_library(value: Any) -> None:
    data = canonical.canonical_bytes(value)
    assert data == ref.canonical(value) == rfc8785.dumps(value)
    assert canonical.parse_canonical(data, require_canonical=True) == value


@given(st.dictionaries(st.text(st.characters(max_codepoint=130), max_size=3), TEXTS | INTEGERS))
def test_objects_of_plain_members_agree_with_a_foreign_library(value: dict[str, Any]) -> None:
    """Names around the end of ASCII, where a shorter way of writing an object begins."""
    data = canonical.canonical_bytes(value)
    assert data == rfc8785.dumps(value) == canonical.canonical_bytes(dict(reversed(value.items())))
    assert canonical.parse_canonical(data, require_canonical=True) == value


class Word(str):
    """A text of a type of its own, as enumerations have."""


@pytest.mark.parametrize("value", [True, None, 1.5, b"x"], ids=repr)
def test_one_member_without_a_form_refuses_an_object_of_texts(value: Any) -> None:
    plain: dict[Any, Any] = {"a": "1", "b": Word("2")}
    assert canonical.canonical_bytes(plain) == b'{"a":"1","b":"2"}'
    with pytest.raises(MalformedError, match=f"type {type(value).__name__} has no canonical form"):
        canonical.canonical_bytes({"a": "1", "b": value})
    with pytest.raises(MalformedError, match="key is not a string"):
        canonical.canonical_bytes({"a": "1", value: "2"})


@pytest.mark.parametrize("beyond", [2**53, -(2**53)])
@pytest.mark.parametrize("at", ["member", "element", "below"])
def test_an_integer_beyond_the_exact_ones_is_refused_among_others(beyond: int, at: str) -> None:
    value: Any = {"member": {"a": 1, "b": beyond}, "element": ["1", 2, beyond]}.get(at)
    if at == "below":
        value = {"a": [{"b": 1, "c": ("2", {"d": beyond})}]}
    with pytest.raises(MalformedError, match="an integer is outside"):
        canonical.canonical_bytes(value)


def test_depth_is_counted_from_the_whole_value() -> None:
    value: Any = 1
    for depth in range(canonical.MAX_DEPTH):
        value = [value] if depth % 2 else {"a": value}
    assert canonical.canonical_bytes(value).count(b"a") == canonical.MAX_DEPTH // 2
    for deeper in ([value], {"a": "b", "c": value}, (1, value)):
        with pytest.raises(MalformedError, match="nested deeper"):
            canonical.canonical_bytes(deeper)


@pytest.mark.parametrize("word", ["null", "true", "false"])
def test_a_word_in_a_text_is_read_and_the_bare_word_refused(word: str) -> None:
    assert canonical.parse_canonical(f'{{"a":"{word}"}}'.encode()) == {"a": word}
    with pytest.raises(MalformedError, match="null, true and false are refused"):
        canonical.parse_canonical(f'{{"a":["1",{word}]}}'.encode())


@pytest.mark.parametrize("escape", ["\\ud800", "\\uD800", "\\udfff", "\\uDBFF"])
def test_an_escaped_lone_surrogate_is_refused_in_names_and_texts(escape: str) -> None:
    for text in (f'{{"a":"{escape}"}}', f'{{"{escape}":"a"}}', f'["{escape}"]'):
        with pytest.raises(MalformedError, match="lone surrogate"):
            canonical.parse_canonical(text.encode())
    assert canonical.parse_canonical(b'"\\ud83d\\ude00"') == "\U0001f600"


@given(VALUES, VALUES)
def test_canonical_bytes_are_equal_exactly_for_equal_values(left: Any, right: Any) -> None:
    equal = canonical.canonical_bytes(left) == canonical.canonical_bytes(right)
    assert equal == (left == right)


@given(VALUES)
def test_parse_reads_any_spelling_and_refuses_it_where_canonical_is_asked(value: Any) -> None:
    loose = json.dumps(value, ensure_ascii=True, indent=1).encode("utf-8") + b"\n"
    assert canonical.parse_canonical(loose) == value
    with pytest.raises(MalformedError, match="not in canonical form"):
        canonical.parse_canonical(loose, require_canonical=True)


@given(st.binary(max_size=40))
def test_parse_of_arbitrary_bytes_raises_nothing_foreign(data: bytes) -> None:
    try:
        value = canonical.parse_canonical(data)
    except MalformedError:
        return
    assert canonical.parse_canonical(canonical.canonical_bytes(value)) == value


@given(RECORDS, HASHES)
def test_fingerprint_agrees_with_reference(record: dict[str, Any], secret: bytes) -> None:
    assert fingerprint.leaf_hashes(record, secret) == ref.record_hashes(record, secret)
    assert fingerprint.compute_fingerprint(record, secret) == ref.fingerprint(record, secret)


@given(RECORDS, RECORDS, HASHES)
def test_fingerprint_differs_for_different_records(
    left: dict[str, Any], right: dict[str, Any], secret: bytes
) -> None:
    equal = fingerprint.compute_fingerprint(left, secret) == fingerprint.compute_fingerprint(
        right, secret
    )
    assert equal == (left == right)


@settings(max_examples=60)
@given(st.integers(1, 70), st.data())
def test_proofs_agree_with_reference_and_verify(size: int, data: st.DataObject) -> None:
    hashes = [merkle.leaf_hash(n.to_bytes(2, "big")) for n in range(size)]
    root = merkle.root_hash(hashes)
    assert root == ref.root(hashes)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(hashes, index)
    assert proof == ref.inclusion(hashes, index)
    merkle.verify_inclusion(hashes[index], index, size, proof, root)
    old_size = index + 1
    growth = merkle.consistency_proof(hashes, old_size)
    assert growth == ref.consistency(hashes, old_size)
    merkle.verify_consistency(old_size, size, growth, ref.root(hashes[:old_size]), root)


@settings(max_examples=300)
@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.lists(st.integers(0, 7), max_size=5),
    st.integers(0, 7),
    st.integers(0, 12),
)
def test_verdicts_agree_with_reference_on_arbitrary_proofs(
    index: int, size: int, picks: list[int], leaf: int, root_size: int
) -> None:
    pool = [merkle.leaf_hash(bytes([n])) for n in range(7)] + [b"short"]
    proof = [pool[pick] for pick in picks]
    root = ref.root(pool[: min(root_size, 7)])
    assert _accepts_production(pool[leaf], index, size, proof, root) == _accepts_reference(
        pool[leaf], index, size, proof, root
    )


def _accepts_production(
    leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> bool:
    try:
        merkle.verify_inclusion(leaf, index, size, proof, root)
    except VerificationError:
        return False
    return True


def _accepts_reference(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        return ref.root_from_inclusion(leaf, index, size, proof) == root
    except ref.RefusedError:
        return False


@given(HASHES, st.text("0123456789", min_size=20, max_size=20), st.sampled_from((0, 12)))
def test_invoice_key_agrees_with_reference(key: bytes, digits: str, cut: int) -> None:
    code, number = digits[:cut], digits[cut:]
    assert invoice_key.compute_invoice_key(key, code, number) == ref.invoice_key(key, code, number)


@given(HASHES, st.text("0123456789", min_size=20, max_size=20))
def test_invoice_key_tells_shapes_of_equal_digits_apart(key: bytes, digits: str) -> None:
    whole = invoice_key.compute_invoice_key(key, "", digits)
    assert whole != invoice_key.compute_invoice_key(key, digits[:12], digits[12:])


@given(st.integers(0, 2**40 - 1), st.data())
def test_batch_leaf_round_trip(total: int, data: st.DataObject) -> None:
    leaf = batch.BatchLeaf(
        institution_code="H330803",
        kind=batch.RecordKind.SETTLED,
        key_version=data.draw(st.integers(0, 65_535)),
        invoice_key=b"\x01" * 32,
        second_key=data.draw(st.sampled_from((bytes(32), b"\x02" * 32))),
        fingerprint=data.draw(HASHES),
        total_fen=total,
        borne_fen=data.draw(st.integers(0, total)),
    )
    assert batch.BatchLeaf.decode(leaf.encode()) == leaf
    assert len(leaf.encode()) == 132


def test_inner_node_passed_off_as_a_leaf_is_refuted() -> None:
    hashes = [merkle.leaf_hash(bytes([n])) for n in range(4)]
    inner = merkle.node_hash(hashes[0], hashes[1])
    sibling = merkle.node_hash(hashes[2], hashes[3])
    # In a tree without prefixes this would be a proof of the joined 64 bytes at index 0 of 2.
    forged = merkle.leaf_hash(hashes[0] + hashes[1])
    with pytest.raises(RefutedError, match="another root"):
        merkle.verify_inclusion(forged, 0, 2, [sibling], merkle.root_hash(hashes))
    # The honest inner node is a leaf of no tree of the true size.
    with pytest.raises(RefutedError, match="too short"):
        merkle.verify_inclusion(inner, 0, 4, [sibling], merkle.root_hash(hashes))
