"""From a record to its leaves and their hashes (SPEC.md A2)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from verifier.commitment import merkle
from verifier.commitment.canonical import CanonicalValue, canonical_bytes
from verifier.errors import MalformedError

#: Version of the leaf bytes; it is hashed into every leaf.
FORMAT_VERSION: Final = 1
#: 1 is SHA-256. 2 is reserved for SM3.
HASH_ALGORITHM: Final = 1

SECRET_BYTES: Final = 32
SALT_BYTES: Final = 32
MAX_PATH_BYTES: Final = 2**16 - 1
#: Leaves of one record: room for 5,000 lines in each of three arrays, and the header.
MAX_LEAVES: Final = 16_384

_LEAF_TAG: Final = b"yichu-leaf"
_SALT_TAG: Final = b"yichu-salt/1\x00"


class LeafKind(IntEnum):
    """What a leaf stands for; the number is hashed in, so that one cannot pass for another."""

    FIELD = 1
    CONTAINER = 2
    ELEMENT = 3


@dataclass(frozen=True, slots=True)
class Leaf:
    """One part of a record: a JSON pointer, what it points at, and the canonical bytes there."""

    path: str
    kind: LeafKind
    value_bytes: bytes


def record_leaves(record: Mapping[str, CanonicalValue]) -> tuple[Leaf, ...]:
    """Return the leaves of ``record`` in the order of the tree.

    First the root container, then each member in key order; an array member is a container leaf
    followed by one leaf an element. Raises MalformedError when ``record`` has no canonical form or
    more than MAX_LEAVES leaves.
    """
    if not isinstance(record, Mapping):
        raise MalformedError("a record is a JSON object")
    # The whole record is checked once, so that nesting is counted from its root.
    canonical_bytes(record)
    leaves = [_container("", "object", len(record))]
    for key in sorted(record, key=lambda name: name.encode("utf-16-be")):
        member = record[key]
        path = "/" + pointer_token(key)
        if isinstance(member, list | tuple):
            leaves.append(_container(path, "array", len(member)))
            leaves.extend(
                Leaf(f"{path}/{index}", LeafKind.ELEMENT, canonical_bytes(element))
                for index, element in enumerate(member)
            )
        else:
            leaves.append(Leaf(path, LeafKind.FIELD, canonical_bytes(member)))
    if len(leaves) > MAX_LEAVES:
        raise MalformedError("record has too many leaves", expected=MAX_LEAVES, actual=len(leaves))
    return tuple(leaves)


def pointer_token(key: str) -> str:
    """Return ``key`` as one reference token of a JSON pointer (RFC 6901, section 4)."""
    return key.replace("~", "~0").replace("/", "~1")


def leaf_salt(secret: bytes, path: str) -> bytes:
    """Return the 32-byte salt of the leaf at ``path`` under the record's 32-byte secret."""
    if len(secret) != SECRET_BYTES:
        raise MalformedError(f"a record secret is {SECRET_BYTES} bytes", actual=len(secret))
    return hmac.digest(secret, _SALT_TAG + path.encode("utf-8"), "sha256")


def leaf_data(leaf: Leaf, salt: bytes) -> bytes:
    """Return the bytes that are hashed for ``leaf``. Raises MalformedError on a wrong length."""
    path = leaf.path.encode("utf-8")
    if len(path) > MAX_PATH_BYTES:
        raise MalformedError("a path is too long", expected=MAX_PATH_BYTES, actual=len(path))
    if len(salt) != SALT_BYTES:
        raise MalformedError(f"a salt is {SALT_BYTES} bytes", actual=len(salt))
    return b"".join(
        (
            _LEAF_TAG,
            bytes((FORMAT_VERSION, HASH_ALGORITHM, leaf.kind)),
            len(path).to_bytes(2, "big"),
            path,
            salt,
            len(leaf.value_bytes).to_bytes(4, "big"),
            leaf.value_bytes,
        )
    )


def leaf_hash(leaf: Leaf, salt: bytes) -> bytes:
    """Return the RFC 9162 leaf hash of ``leaf`` with its salt."""
    return merkle.leaf_hash(leaf_data(leaf, salt))


def _container(path: str, container_type: str, length: int) -> Leaf:
    value = canonical_bytes({"length": length, "type": container_type})
    return Leaf(path, LeafKind.CONTAINER, value)
