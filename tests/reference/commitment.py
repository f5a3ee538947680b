"""SPEC.md part A once more, for tests only: written from the page, importing nothing of ours.

Written for being obviously right, not for speed: recursion where the page recurses, bytes put
together one field at a time, HMAC from its definition (RFC 2104). It writes the vectors; production
code has to reproduce them.
"""

from __future__ import annotations

import hashlib
from typing import Any


class RefusedError(Exception):
    """The page says that this input has no such bytes, or that this proof proves nothing."""


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unsigned(value: int, width: int) -> bytes:
    if isinstance(value, bool) or not 0 <= value < 256**width:
        raise RefusedError("not an unsigned integer of this width")
    if width == 0:
        return b""
    return unsigned(value // 256, width - 1) + bytes([value % 256])


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 with keys that are at most one block long."""
    if len(key) > 64:
        raise RefusedError("key longer than a block")
    padded = key + bytes(64 - len(key))
    inner = bytes(b ^ 0x36 for b in padded)
    outer = bytes(b ^ 0x5C for b in padded)
    return sha256(outer + sha256(inner + message))


# A1 ------------------------------------------------------------------------------------------

SHORT_ESCAPES = {
    0x22: '\\"', 0x5C: "\\\\", 0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r",
}  # fmt: skip


def canonical(value: Any, depth: int = 0) -> bytes:
    if type(value) is str:
        return canonical_string(value)
    if type(value) is int:
        if abs(value) > 2**53 - 1:
            raise RefusedError("integer too large")
        return str(value).encode("ascii")
    if type(value) not in (list, dict):
        raise RefusedError("no such value in the restricted form")
    if depth == 16:
        raise RefusedError("too deep")
    if type(value) is list:
        return b"[" + b",".join(canonical(element, depth + 1) for element in value) + b"]"
    members = [
        canonical_string(name) + b":" + canonical(value[name], depth + 1)
        for name in sorted_names(list(value))
    ]
    return b"{" + b",".join(members) + b"}"


def code_units(text: str) -> list[int]:
    """The UTF-16 code units of a text (Unicode 3.9, D91)."""
    units: list[int] = []
    for character in text:
        point = ord(character)
        if 0xD800 <= point <= 0xDFFF:
            raise RefusedError("lone surrogate")
        if point >= 0x10000:
            units += [0xD800 + (point - 0x10000) // 0x400, 0xDC00 + (point - 0x10000) % 0x400]
        else:
            units.append(point)
    return units


def sorted_names(names: list[Any]) -> list[str]:
    """Insertion sort by code units."""
    ordered: list[str] = []
    for name in names:
        if type(name) is not str:
            raise RefusedError("name is not a string")
        place = 0
        while place < len(ordered) and code_units(ordered[place]) < code_units(name):
            place += 1
        ordered.insert(place, name)
    return ordered


def canonical_string(text: str) -> bytes:
    code_units(text)
    out = '"'
    for character in text:
        point = ord(character)
        if point in SHORT_ESCAPES:
            out += SHORT_ESCAPES[point]
        elif point < 0x20:
            out += "\\u00" + "0123456789abcdef"[point // 16] + "0123456789abcdef"[point % 16]
        else:
            out += character
    return (out + '"').encode("utf-8")


# A2, A3 --------------------------------------------------------------------------------------


def token(name: str) -> str:
    escaped = ""
    for character in name:
        escaped += {"~": "~0", "/": "~1"}.get(character, character)
    return escaped


def leaves(record: dict[str, Any]) -> list[tuple[str, int, bytes]]:
    """(path, kind, value) of every leaf, in order."""
    if type(record) is not dict:
        raise RefusedError("a record is an object")
    canonical(record)
    found = [("", 2, canonical({"type": "object", "length": len(record)}))]
    for name in sorted_names(list(record)):
        value = record[name]
        if type(value) is list:
            found.append(("/" + token(name), 2, canonical({"type": "array", "length": len(value)})))
            for index in range(len(value)):
                found.append((f"/{token(name)}/{index}", 3, canonical(value[index])))
        else:
            found.append(("/" + token(name), 1, canonical(value)))
    if len(found) > 16_384:
        raise RefusedError("too many leaves")
    return found


def salt(secret: bytes, path: str) -> bytes:
    if len(secret) != 32:
        raise RefusedError("secret is not 32 bytes")
    return hmac_sha256(secret, b"yichu-salt/1" + bytes([0]) + path.encode("utf-8"))


def leaf_bytes(path: str, kind: int, value: bytes, leaf_salt: bytes) -> bytes:
    if len(leaf_salt) != 32:
        raise RefusedError("salt is not 32 bytes")
    name = path.encode("utf-8")
    return (
        b"yichu-leaf"
        + unsigned(1, 1)
        + unsigned(1, 1)
        + unsigned(kind, 1)
        + unsigned(len(name), 2)
        + name
        + leaf_salt
        + unsigned(len(value), 4)
        + value
    )


def leaf_hash(data: bytes) -> bytes:
    return sha256(bytes([0]) + data)


def record_hashes(record: dict[str, Any], secret: bytes) -> list[bytes]:
    return [
        leaf_hash(leaf_bytes(path, kind, value, salt(secret, path)))
        for path, kind, value in leaves(record)
    ]


def fingerprint(record: dict[str, Any], secret: bytes) -> bytes:
    return root(record_hashes(record, secret))


# A4 ------------------------------------------------------------------------------------------


def split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def node(left: bytes, right: bytes) -> bytes:
    return sha256(bytes([1]) + left + right)


def root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 0:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node(root(hashes[:k]), root(hashes[k:]))


def inclusion(hashes: list[bytes], index: int) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if not 0 <= index < len(hashes):
        raise RefusedError("no such leaf")
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if index < k:
        return [*inclusion(hashes[:k], index), root(hashes[k:])]
    return [*inclusion(hashes[k:], index - k), root(hashes[:k])]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof leads to: the recursion of ``inclusion`` read backwards."""
    if len(leaf) != 32 or not 0 <= index < size:
        raise RefusedError("not a leaf of the tree")
    if size == 1:
        if proof:
            raise RefusedError("proof too long")
        return leaf
    if not proof or len(proof[-1]) != 32:
        raise RefusedError("proof too short, or a node is not 32 bytes")
    k = split(size)
    if index < k:
        return node(root_from_inclusion(leaf, index, k, proof[:-1]), proof[-1])
    return node(proof[-1], root_from_inclusion(leaf, index - k, size - k, proof[:-1]))


def consistency(hashes: list[bytes], old_size: int) -> list[bytes]:
    """PROOF of RFC 9162, 2.1.4.1."""
    if not 0 < old_size <= len(hashes):
        raise RefusedError("no such old tree")
    return subproof(hashes, old_size, True)


def subproof(hashes: list[bytes], m: int, complete: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if complete else [root(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*subproof(hashes[:k], m, complete), root(hashes[k:])]
    return [*subproof(hashes[k:], m - k, False), root(hashes[:k])]


def roots_from_consistency(
    m: int, n: int, proof: list[bytes], old_root: bytes, complete: bool = True
) -> tuple[bytes, bytes]:
    """(old root, new root) that a proof leads to: ``subproof`` read backwards."""
    if not 0 < m <= n:
        raise RefusedError("sizes")
    if m == n:
        if complete:
            if proof:
                raise RefusedError("proof too long")
            return old_root, old_root
        if len(proof) != 1 or len(proof[0]) != 32:
            raise RefusedError("proof too long or too short")
        return proof[0], proof[0]
    if not proof or len(proof[-1]) != 32:
        raise RefusedError("proof too short, or a node is not 32 bytes")
    k = split(n)
    if m <= k:
        old, new = roots_from_consistency(m, k, proof[:-1], old_root, complete)
        return old, node(new, proof[-1])
    old, new = roots_from_consistency(m - k, n - k, proof[:-1], old_root, False)
    return node(proof[-1], old), node(proof[-1], new)


# A5 to A8 ------------------------------------------------------------------------------------


def shape(code: str, number: str) -> str:
    for character in code + number:
        if character not in "0123456789":
            raise RefusedError("not an ASCII digit")
    if len(code) == 8 and len(number) == 10:
        return "8+10"
    if len(code) == 12 and len(number) == 8:
        return "12+8"
    if len(code) == 0 and len(number) == 20:
        return "20"
    raise RefusedError("no such shape")


def invoice_key(network_key: bytes, code: str, number: str) -> bytes:
    if len(network_key) != 32:
        raise RefusedError("network key is not 32 bytes")
    tag = shape(code, number).encode("ascii")
    text = b"yichu-invoice-key/1" + bytes([0]) + tag + bytes([0]) + (code + number).encode("ascii")
    return hmac_sha256(network_key, text)


ASCII_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def batch_leaf(
    *,
    institution_code: str,
    kind: int,
    key_version: int,
    invoice_key: bytes,
    second_key: bytes,
    fingerprint: bytes,
    total_fen: int,
    borne_fen: int,
) -> bytes:
    if not 1 <= len(institution_code) <= 16:
        raise RefusedError("institution code")
    if any(character not in ASCII_ALPHANUMERIC for character in institution_code):
        raise RefusedError("institution code")
    if kind not in (1, 2, 3, 4):
        raise RefusedError("kind")
    if {len(invoice_key), len(second_key), len(fingerprint)} != {32}:
        raise RefusedError("hash length")
    if (invoice_key == bytes(32)) != (kind == 4):
        raise RefusedError("zero key for kind 4 and no other")
    if second_key != bytes(32) and second_key == invoice_key:
        raise RefusedError("second key repeats the first")
    if not 0 <= borne_fen <= total_fen <= 2**40 - 1 or (kind in (3, 4) and total_fen != 0):
        raise RefusedError("amounts")
    code = institution_code.encode("ascii")
    return (
        unsigned(1, 1)
        + code
        + bytes(16 - len(code))
        + unsigned(kind, 1)
        + unsigned(key_version, 2)
        + invoice_key
        + second_key
        + fingerprint
        + unsigned(total_fen, 8)
        + unsigned(borne_fen, 8)
    )


def batch_head(institution: int, sequence: int, previous: bytes, root: bytes, size: int) -> bytes:
    if not (1 <= institution <= 65_535 and 1 <= sequence <= 2**22 - 1 and 1 <= size <= 1024):
        raise RefusedError("number out of range")
    if len(previous) != 32 or len(root) != 32:
        raise RefusedError("hash length")
    if (sequence == 1) != (previous == bytes(32)):
        raise RefusedError("previous head")
    numbers = unsigned(institution, 2) + unsigned(sequence, 4)
    text = b"yichu-batch/1" + bytes([0]) + numbers + previous + root + unsigned(size, 2)
    return sha256(text)


def policy_hash(pack: Any) -> bytes:
    return sha256(canonical(pack))
