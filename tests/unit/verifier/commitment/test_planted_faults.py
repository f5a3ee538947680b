"""Single hand-picked defects in production code, each of which the vectors have to catch.

A shared core is safe only with expected answers that it did not produce itself: a round trip alone
catches none of these.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.reference import conformance
from verifier.commitment import batch, canonical, fingerprint, invoice_key, leaves, merkle

Patch = Callable[[pytest.MonkeyPatch], None]


def no_leaf_prefix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merkle, "_LEAF_PREFIX", b"")


def no_node_prefix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merkle, "_NODE_PREFIX", b"")


def prefixes_exchanged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merkle, "_LEAF_PREFIX", b"\x01")
    patch.setattr(merkle, "_NODE_PREFIX", b"\x00")


def children_swapped(patch: pytest.MonkeyPatch) -> None:
    original = merkle.node_hash
    patch.setattr(merkle, "node_hash", lambda left, right: original(right, left))


def children_sorted(patch: pytest.MonkeyPatch) -> None:
    original = merkle.node_hash
    patch.setattr(merkle, "node_hash", lambda left, right: original(*sorted((left, right))))


def double_hash(patch: pytest.MonkeyPatch) -> None:
    original = merkle.leaf_hash
    patch.setattr(merkle, "leaf_hash", lambda data: hashlib.sha256(original(data)).digest())


def last_node_duplicated(patch: pytest.MonkeyPatch) -> None:
    original = merkle._levels

    def padded(hashes: Any) -> Any:
        levels = [list(hashes)]
        while len(levels[-1]) > 1:
            if len(levels[-1]) % 2:
                levels[-1].append(levels[-1][-1])
            pairs = zip(levels[-1][::2], levels[-1][1::2], strict=True)
            levels.append([merkle.node_hash(*pair) for pair in pairs])
        return levels if hashes else original(hashes)

    patch.setattr(merkle, "_levels", padded)


def node_length_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merkle, "_check_nodes", lambda proof: None)
    patch.setattr(merkle, "_check_hash", lambda name, value: None)


def half_of_the_root_compared(patch: pytest.MonkeyPatch) -> None:
    original = merkle._check_root
    patch.setattr(
        merkle, "_check_root", lambda text, want, got: original(text, want[:16], got[:16])
    )


def salt_without_path(patch: pytest.MonkeyPatch) -> None:
    original = leaves.leaf_salt
    patch.setattr(leaves, "leaf_salt", lambda secret, path: original(secret, ""))


def salt_not_hashed_in(patch: pytest.MonkeyPatch) -> None:
    original = leaves.leaf_data
    patch.setattr(leaves, "leaf_data", lambda leaf, salt: original(leaf, salt).replace(salt, b""))


def path_not_hashed_in(patch: pytest.MonkeyPatch) -> None:
    original = leaves.leaf_data
    patch.setattr(
        leaves,
        "leaf_data",
        lambda leaf, salt: original(leaves.Leaf("", leaf.kind, leaf.value_bytes), salt),
    )


def kind_not_hashed_in(patch: pytest.MonkeyPatch) -> None:
    original = leaves.leaf_data
    field = leaves.LeafKind.FIELD
    patch.setattr(
        leaves,
        "leaf_data",
        lambda leaf, salt: original(leaves.Leaf(leaf.path, field, leaf.value_bytes), salt),
    )


def lengths_dropped(patch: pytest.MonkeyPatch) -> None:
    def without_lengths(leaf: leaves.Leaf, salt: bytes) -> bytes:
        head = b"yichu-leaf" + bytes((1, 1, leaf.kind))
        return head + leaf.path.encode("utf-8") + salt + leaf.value_bytes

    patch.setattr(leaves, "leaf_data", without_lengths)


def container_length_dropped(patch: pytest.MonkeyPatch) -> None:
    original = leaves._container
    patch.setattr(leaves, "_container", lambda path, name, length: original(path, name, 0))


def container_type_dropped(patch: pytest.MonkeyPatch) -> None:
    original = leaves._container
    patch.setattr(leaves, "_container", lambda path, name, length: original(path, "", length))


def root_container_dropped(patch: pytest.MonkeyPatch) -> None:
    original = leaves.record_leaves
    patch.setattr(leaves, "record_leaves", lambda record: original(record)[1:])


def pointer_not_escaped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leaves, "pointer_token", lambda key: key)


def keys_in_code_point_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical, "_utf16_units", lambda key: key.encode("utf-32-be", "surrogatepass"))


def text_escaped_to_ascii(patch: pytest.MonkeyPatch) -> None:
    ascii_only = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    patch.setattr(canonical, "_STRING_ENCODER", ascii_only)
    patch.setattr(canonical, "_PLAIN_ENCODER", ascii_only)


def every_value_plain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical, "_is_plain", lambda value, depth: True)


def duplicate_keys_kept(patch: pytest.MonkeyPatch) -> None:
    lenient = json.JSONDecoder(object_pairs_hook=dict, parse_int=canonical._exact_integer)
    patch.setattr(canonical, "_DECODER", lenient)


def surrogates_not_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical, "_check_surrogates", lambda text: None)


def shape_tag_dropped(patch: pytest.MonkeyPatch) -> None:
    def untagged(network_key: bytes, code: str, number: str) -> bytes:
        _, digits = invoice_key.number_shape(code, number)
        message = b"yichu-invoice-key/1\x00" + digits.encode("ascii")
        return hmac.digest(network_key, message, "sha256")

    patch.setattr(invoice_key, "compute_invoice_key", untagged)


def leading_zeros_dropped(patch: pytest.MonkeyPatch) -> None:
    original = invoice_key.number_shape

    def stripped(code: str, number: str) -> tuple[str, str]:
        shape, digits = original(code, number)
        return shape, digits.lstrip("0")

    patch.setattr(invoice_key, "number_shape", stripped)


def other_domain_of_the_head(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batch, "_HEAD_TAG", b"yichu-batch/1")


def previous_head_not_linked(patch: pytest.MonkeyPatch) -> None:
    original = batch.batch_head

    def unlinked(number: int, sequence: int, previous: bytes, root: bytes, size: int) -> bytes:
        original(number, sequence, previous, root, size)
        return original(number, 1, bytes(32), root, size)

    patch.setattr(batch, "batch_head", unlinked)


def little_endian_leaf(patch: pytest.MonkeyPatch) -> None:
    import struct

    patch.setattr(batch, "_LEAF", struct.Struct("<B16sBH32s32s32sQQ"))


FAULTS: tuple[Patch, ...] = (
    no_leaf_prefix,
    no_node_prefix,
    prefixes_exchanged,
    children_swapped,
    children_sorted,
    double_hash,
    last_node_duplicated,
    node_length_not_checked,
    half_of_the_root_compared,
    salt_without_path,
    salt_not_hashed_in,
    path_not_hashed_in,
    kind_not_hashed_in,
    lengths_dropped,
    container_length_dropped,
    container_type_dropped,
    root_container_dropped,
    pointer_not_escaped,
    keys_in_code_point_order,
    text_escaped_to_ascii,
    every_value_plain,
    duplicate_keys_kept,
    surrogates_not_refused,
    shape_tag_dropped,
    leading_zeros_dropped,
    other_domain_of_the_head,
    previous_head_not_linked,
    little_endian_leaf,
)


def run_all_checks() -> None:
    for check in conformance.CHECKS:
        check()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_planted_fault_is_caught(fault: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, conformance.VerificationError)):
        run_all_checks()


def test_round_trip_alone_would_not_catch_a_missing_leaf_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_leaf_prefix(monkeypatch)
    record = {"lines": [{"amount": "1.0000"}], "total_fen": 100}
    hashes = fingerprint.leaf_hashes(record, bytes(32))
    root = merkle.root_hash(hashes)
    for index, leaf in enumerate(hashes):
        merkle.verify_inclusion(
            leaf, index, len(hashes), merkle.inclusion_proof(hashes, index), root
        )
