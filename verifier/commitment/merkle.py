"""The SHA-256 Merkle tree of RFC 9162 section 2.1 (SPEC.md A4).

Hashes are ``bytes`` of length 32. A ``verify_*`` function returns None or raises: RefutedError when
the proof does not show what it should, MalformedError when an argument cannot be part of a proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from verifier.errors import MalformedError, RefutedError

HASH_BYTES: Final = 32
#: No tree of fewer than 2^64 leaves has a longer inclusion proof; consistency needs one node more.
MAX_PROOF_NODES: Final = 65

_LEAF_PREFIX: Final = b"\x00"
_NODE_PREFIX: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf that holds ``data``: SHA-256(0x00 || data)."""
    return hashlib.sha256(_LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


def root_hash(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root of the tree over ``leaf_hashes``; the empty tree has SHA-256 of nothing."""
    if not leaf_hashes:
        return hashlib.sha256(b"").digest()
    return _levels(leaf_hashes)[-1][0]


def inclusion_proof(leaf_hashes: Sequence[bytes], leaf_index: int) -> list[bytes]:
    """Return the audit path of the leaf at ``leaf_index`` (from 0), leaf side first.

    Raises MalformedError when the index is not a leaf of the tree.
    """
    if not 0 <= leaf_index < len(leaf_hashes):
        raise MalformedError(
            "leaf index is not in the tree", expected=len(leaf_hashes), actual=leaf_index
        )
    proof: list[bytes] = []
    index = leaf_index
    for level in _levels(leaf_hashes)[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        index >>= 1
    return proof


def verify_inclusion(
    leaf_hash: bytes, leaf_index: int, tree_size: int, proof: Sequence[bytes], root_hash: bytes
) -> None:
    """Show that ``leaf_hash`` is at ``leaf_index`` of the tree (RFC 9162, 2.1.3.2).

    Raises MalformedError or RefutedError as the module says.
    """
    _check_hash("leaf hash", leaf_hash)
    _check_nodes(proof)
    _check_natural("leaf index", leaf_index)
    _check_natural("tree size", tree_size)
    if leaf_index >= tree_size:
        raise RefutedError("leaf index is outside the tree", expected=tree_size, actual=leaf_index)
    index, last, computed = leaf_index, tree_size - 1, leaf_hash
    for node in proof:
        if last == 0:
            raise RefutedError("inclusion proof is too long for the tree size")
        if index & 1 or index == last:
            computed = node_hash(node, computed)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, node)
        index >>= 1
        last >>= 1
    if last != 0:
        raise RefutedError("inclusion proof is too short for the tree size")
    _check_root("inclusion proof leads to another root", root_hash, computed)


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree grew from its first ``old_size`` leaves.

    Raises MalformedError when ``old_size`` is zero or larger than the tree: growth from an empty
    tree says nothing.
    """
    if not 0 < old_size <= len(leaf_hashes):
        raise MalformedError(
            "old size is not between 1 and the tree size",
            expected=len(leaf_hashes),
            actual=old_size,
        )
    if old_size == len(leaf_hashes):
        return []
    index = old_size - 1
    levels = _levels(leaf_hashes)
    height = 0
    while index & 1:
        index >>= 1
        height += 1
    # When the old size is a power of two the old root itself starts the path and is not repeated.
    proof = [levels[height][index]] if index else []
    for level in levels[height:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        index >>= 1
    return proof


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Show that the tree of ``new_root`` begins with the leaves of ``old_root`` (2.1.4.2).

    An old size of zero is refused, whatever the proof. Raises as the module says. Whoever takes
    the two roots from outside checks their length; equal sizes compare them as they are.
    """
    _check_nodes(proof)
    _check_natural("old size", old_size)
    _check_natural("new size", new_size)
    if old_size == 0 or old_size > new_size:
        raise RefutedError(
            "old size is zero or larger than the new size", expected=new_size, actual=old_size
        )
    if old_size == new_size:
        if proof:
            raise RefutedError("consistency proof between equal sizes must be empty")
        _check_root("equal sizes have different roots", old_root, new_root)
        return
    index, last = old_size - 1, new_size - 1
    while index & 1:
        index >>= 1
        last >>= 1
    nodes = list(proof)
    if index == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise RefutedError("consistency proof is too short for the sizes")
    from_old = from_new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise RefutedError("consistency proof is too long for the sizes")
        if index & 1 or index == last:
            from_old = node_hash(node, from_old)
            from_new = node_hash(node, from_new)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            from_new = node_hash(from_new, node)
        index >>= 1
        last >>= 1
    if last != 0:
        raise RefutedError("consistency proof is too short for the sizes")
    _check_root("consistency proof leads to another old root", old_root, from_old)
    _check_root("consistency proof leads to another new root", new_root, from_new)


def _levels(leaf_hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return the tree from leaves to root; the last node of an odd level moves up unchanged."""
    for value in leaf_hashes:
        _check_hash("leaf hash", value)
    levels = [list(leaf_hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [node_hash(below[index], below[index + 1]) for index in range(0, len(below) - 1, 2)]
        if len(below) & 1:
            above.append(below[-1])
        levels.append(above)
    return levels


def _check_hash(name: str, value: bytes) -> None:
    if not isinstance(value, bytes) or len(value) != HASH_BYTES:
        raise MalformedError(f"{name} is not {HASH_BYTES} bytes")


def _check_nodes(proof: Sequence[bytes]) -> None:
    if len(proof) > MAX_PROOF_NODES:
        raise MalformedError("proof has too many nodes", expected=MAX_PROOF_NODES)
    for node in proof:
        _check_hash("proof node", node)


def _check_natural(name: str, value: int) -> None:
    if type(value) is not int or not 0 <= value < 2**64:
        raise MalformedError(f"{name} is not an unsigned 64-bit integer")


def _check_root(message: str, expected: bytes, computed: bytes) -> None:
    if computed != expected:
        raise RefutedError(message, expected=expected.hex(), actual=computed.hex())
