"""Production code against the committed vectors and the reference implementation.

Each check raises AssertionError naming the case. They are functions, not tests, so that the
planted-fault tests can run them against defective production code and see them fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.reference import commitment as ref
from verifier.commitment import batch, canonical, fingerprint, invoice_key, leaves, merkle
from verifier.errors import MalformedError, VerificationError

VECTORS = Path(__file__).resolve().parent.parent / "vectors"

Case = dict[str, Any]


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


@contextmanager
def refusal(case: object, kind: type[VerificationError] = VerificationError) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"accepted, though it must be refused: {case}")


def same(case: object, actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"{case}: {actual!r} is not {expected!r}")


def check_canonical() -> None:
    for case in load("canonical.json"):
        data = case["text"].encode("utf-8", "surrogatepass")
        if case["expect"] == "refuse":
            with refusal(case["description"], MalformedError):
                canonical.parse_canonical(data)
            continue
        value = canonical.parse_canonical(data)
        expected = case["canonical"].encode("utf-8")
        same(case["description"], canonical.canonical_bytes(value), expected)
        same(case["description"], ref.canonical(value), expected)
        canonical.parse_canonical(expected, require_canonical=True)


def check_fingerprint() -> None:
    for case in load("fingerprint.json"):
        record, secret = case["record"], bytes.fromhex(case["secret"])
        name = case["description"]
        if case["expect"] == "refuse":
            with refusal(name, MalformedError):
                fingerprint.compute_fingerprint(record, secret)
            continue
        found = leaves.record_leaves(record)
        same(name, len(found), len(case["leaves"]))
        for leaf, expected in zip(found, case["leaves"], strict=True):
            salt = leaves.leaf_salt(secret, leaf.path)
            same(name, (leaf.path, int(leaf.kind)), (expected["path"], expected["kind"]))
            same(name, leaf.value_bytes.decode("utf-8"), expected["value"])
            same(name, salt.hex(), expected["salt"])
            same(name, leaves.leaf_data(leaf, salt).hex(), expected["bytes"])
            same(name, leaves.leaf_hash(leaf, salt).hex(), expected["hash"])
        same(name, fingerprint.compute_fingerprint(record, secret).hex(), case["fingerprint"])


def _hashes(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def check_merkle() -> None:
    vectors = load("merkle.json")
    for case in vectors["roots"]:
        hashes = _hashes(case["leaf_hashes"])
        same(len(hashes), merkle.root_hash(hashes).hex(), case["root"])
        for index in range(len(hashes)):
            same(index, merkle.inclusion_proof(hashes, index), ref.inclusion(hashes, index))
        for old_size in range(1, len(hashes) + 1):
            proof = merkle.consistency_proof(hashes, old_size)
            same(old_size, proof, ref.consistency(hashes, old_size))
    for case in vectors["inclusion"]:
        judge(case, lambda case: verify_inclusion(case, bytes.fromhex))
    for case in vectors["consistency"]:
        judge(case, lambda case: verify_consistency(case, bytes.fromhex))


def judge(case: Case, verify: Callable[[Case], None]) -> None:
    if case["expect"] == "ok":
        try:
            verify(case)
        except VerificationError as error:
            raise AssertionError(f"refused, though it must be accepted: {case}") from error
    else:
        with refusal(case):
            verify(case)


def verify_inclusion(case: Case, decode: Callable[[str], bytes]) -> None:
    merkle.verify_inclusion(
        decode(case["leaf_hash"]),
        case["leaf_index"],
        case["tree_size"],
        [decode(node) for node in case["proof"]],
        decode(case["root"]),
    )


def verify_consistency(case: Case, decode: Callable[[str], bytes]) -> None:
    merkle.verify_consistency(
        case["old_size"],
        case["new_size"],
        [decode(node) for node in case["proof"]],
        decode(case["old_root"]),
        decode(case["new_root"]),
    )


def check_root_bits() -> None:
    """Every bit of root, leaf and proof matters: after each flip the proof is refused."""
    hashes = [merkle.leaf_hash(bytes([n])) for n in range(5)]
    leaf, proof, root = hashes[2], ref.inclusion(hashes, 2), ref.root(hashes)
    merkle.verify_inclusion(leaf, 2, 5, proof, root)
    for bit in range(256):
        with refusal(f"root bit {bit}"):
            merkle.verify_inclusion(leaf, 2, 5, proof, flip(root, bit))
        with refusal(f"leaf bit {bit}"):
            merkle.verify_inclusion(flip(leaf, bit), 2, 5, proof, root)
        for place, node in enumerate(proof):
            changed = [*proof[:place], flip(node, bit), *proof[place + 1 :]]
            with refusal(f"node {place} bit {bit}"):
                merkle.verify_inclusion(leaf, 2, 5, changed, root)


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def check_invoice_key() -> None:
    for case in load("invoice_key.json"):
        key, code, number = bytes.fromhex(case["network_key"]), case["code"], case["number"]
        if case["expect"] == "refuse":
            with refusal(case["description"], MalformedError):
                invoice_key.compute_invoice_key(key, code, number)
            continue
        same(case, invoice_key.number_shape(code, number), (case["shape"], code + number))
        same(case, invoice_key.compute_invoice_key(key, code, number).hex(), case["invoice_key"])


LEAF_FIELDS = ("invoice_key", "second_key", "fingerprint")


def make_leaf(case: Case) -> batch.BatchLeaf:
    try:
        kind = batch.RecordKind(case["kind"])
    except ValueError as error:
        raise MalformedError("kind") from error
    return batch.BatchLeaf(
        institution_code=case["institution_code"],
        kind=kind,
        key_version=case["key_version"],
        total_fen=case["total_fen"],
        borne_fen=case["borne_fen"],
        **{name: bytes.fromhex(case[name]) for name in LEAF_FIELDS},
    )


def check_batch() -> None:
    vectors = load("batch.json")
    for case in vectors["leaves"]:
        if case["expect"] == "refuse":
            with refusal(case["description"], MalformedError):
                make_leaf(case)
            continue
        leaf = make_leaf(case)
        same(case["description"], leaf.encode().hex(), case["bytes"])
        same(case["description"], leaf.hash().hex(), case["hash"])
        same(case["description"], batch.BatchLeaf.decode(leaf.encode()), leaf)
    for case in vectors["bytes"]:
        with refusal(case["description"], MalformedError):
            batch.BatchLeaf.decode(bytes.fromhex(case["bytes"]))
    for case in vectors["heads"]:
        values = (
            case["institution_number"],
            case["sequence"],
            bytes.fromhex(case["previous_head"]),
            bytes.fromhex(case["root"]),
            case["size"],
        )
        if case["expect"] == "refuse":
            with refusal(case["description"], MalformedError):
                batch.batch_head(*values)
        else:
            same(case["description"], batch.batch_head(*values).hex(), case["head"])


CHECKS = (
    check_canonical,
    check_fingerprint,
    check_merkle,
    check_root_bits,
    check_invoice_key,
    check_batch,
)
