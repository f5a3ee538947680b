"""The fingerprint: one 32-byte value that stands for a whole record (SPEC.md A3)."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.commitment import leaves, merkle
from verifier.commitment.canonical import CanonicalValue


def leaf_hashes(record: Mapping[str, CanonicalValue], secret: bytes) -> list[bytes]:
    """Return the salted hash of every leaf of ``record``, in tree order.

    Raises MalformedError when the record has no canonical form or the secret is not 32 bytes.
    """
    return [
        leaves.leaf_hash(leaf, leaves.leaf_salt(secret, leaf.path))
        for leaf in leaves.record_leaves(record)
    ]


def compute_fingerprint(record: Mapping[str, CanonicalValue], secret: bytes) -> bytes:
    """Return the root over the leaf hashes of ``record`` under its 32-byte ``secret``.

    Raises MalformedError as ``leaf_hashes`` does.
    """
    return merkle.root_hash(leaf_hashes(record, secret))
