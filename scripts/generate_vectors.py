"""Write tests/vectors/*.json from the reference implementation; ``--check`` demands no difference.

The vectors belong to format version 1: a line of a released file never changes. Expected values
come from tests/reference (written from verifier/SPEC.md), never from the code under test; expected
refusals are listed here by hand, each with its reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import vector_inputs as inputs  # noqa: E402
from tests.reference import commitment as ref  # noqa: E402

VECTORS: Final = ROOT / "tests" / "vectors"
SECRET: Final = bytes(range(32))
NETWORK_KEY: Final = bytes(range(32, 64))

Case = dict[str, Any]


def hashed(text: str) -> bytes:
    """A 32-byte value that stands for ``text`` in a case."""
    return hashlib.sha256(text.encode("utf-8")).digest()


# canonical -----------------------------------------------------------------------------------


def canonical_cases() -> list[Case]:
    accepted = [
        {
            "description": name,
            "expect": "ok",
            "text": text,
            "canonical": ref.canonical(json.loads(text)).decode("utf-8"),
        }
        for name, text in inputs.CANONICAL_TEXTS.items()
    ]
    refused = [
        {"description": name, "expect": "refuse", "text": text, "reason": reason}
        for name, (text, reason) in inputs.REFUSED_TEXTS.items()
    ]
    return accepted + refused


# fingerprint ---------------------------------------------------------------------------------


def fingerprint_cases() -> list[Case]:
    cases = []
    for name, record in inputs.RECORDS.items():
        leaves = [
            {
                "path": path,
                "kind": kind,
                "value": value.decode("utf-8"),
                "salt": ref.salt(SECRET, path).hex(),
                "bytes": ref.leaf_bytes(path, kind, value, ref.salt(SECRET, path)).hex(),
            }
            for path, kind, value in ref.leaves(record)
        ]
        for leaf, digest in zip(leaves, ref.record_hashes(record, SECRET), strict=True):
            leaf["hash"] = digest.hex()
        cases.append(
            {
                "description": name,
                "expect": "ok",
                "record": record,
                "secret": SECRET.hex(),
                "leaves": leaves,
                "fingerprint": ref.fingerprint(record, SECRET).hex(),
            }
        )
    refused = {
        "short secret": ({"a": 1}, SECRET[:31], "a secret is 32 bytes"),
        "long secret": ({"a": 1}, SECRET + b"\x00", "a secret is 32 bytes"),
        "empty secret": ({"a": 1}, b"", "a secret is 32 bytes"),
        "null in a line": ({"lines": [{"name": None}]}, SECRET, "null has no canonical form"),
        "boolean": ({"paid": True}, SECRET, "a boolean has no canonical form"),
        "float": ({"total": 1.5}, SECRET, "a float has no canonical form"),
        "array instead of record": ([1], SECRET, "a record is an object"),
        "text instead of record": ("a", SECRET, "a record is an object"),
        "integer too large": ({"total_fen": 2**53}, SECRET, "beyond 2^53 - 1"),
    }
    return cases + [
        {
            "description": name,
            "expect": "refuse",
            "record": record,
            "secret": secret.hex(),
            "reason": reason,
        }
        for name, (record, secret, reason) in refused.items()
    ]


# merkle --------------------------------------------------------------------------------------

TREE_SIZES: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17)


def tree(size: int) -> list[bytes]:
    return [ref.leaf_hash(bytes([n]) * n) for n in range(size)]


def hexes(values: list[bytes]) -> list[str]:
    return [value.hex() for value in values]


def merkle_cases() -> dict[str, list[Case]]:
    roots, inclusion, consistency = [], [], []
    for size in TREE_SIZES:
        leaves = tree(size)
        roots.append({"leaf_hashes": hexes(leaves), "root": ref.root(leaves).hex()})
        for index in range(size):
            proof = ref.inclusion(leaves, index)
            case = inclusion_case("valid", leaves[index], index, size, proof, ref.root(leaves))
            inclusion.append({**case, "expect": "ok"})
            if size in (1, 2, 5, 8):
                inclusion += inclusion_attacks(leaves, index, proof)
        for old_size in range(1, size + 1):
            old_root = ref.root(leaves[:old_size])
            proof = ref.consistency(leaves, old_size)
            case = consistency_case("valid", old_size, size, proof, old_root, ref.root(leaves))
            consistency.append({**case, "expect": "ok"})
            if size in (1, 2, 5, 8):
                consistency += consistency_attacks(leaves, old_size, proof)
    roots.append({"leaf_hashes": [], "root": ref.root([]).hex()})
    return {"roots": roots, "inclusion": inclusion, "consistency": consistency}


def inclusion_case(  # noqa: PLR0917
    name: str, leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> Case:
    return {
        "description": name,
        "leaf_hash": leaf.hex(),
        "leaf_index": index,
        "tree_size": size,
        "proof": hexes(proof),
        "root": root.hex(),
    }


def inclusion_attacks(leaves: list[bytes], index: int, proof: list[bytes]) -> list[Case]:
    size, leaf, root = len(leaves), leaves[index], ref.root(leaves)
    attacks = [
        ("wrong-leaf", hashed("other"), index, size, proof, root),
        ("wrong-root", leaf, index, size, proof, hashed("other")),
        ("empty-leaf", b"", index, size, proof, root),
        ("short-leaf", leaf[:31], index, size, proof, root),
        ("index-outside-tree", leaf, size, size, proof, root),
        ("empty-tree", leaf, 0, 0, proof, root),
        ("appended-node", leaf, index, size, [*proof, hashed("more")], root),
        ("preceding-node", leaf, index, size, [hashed("more"), *proof], root),
        ("short-node", leaf, index, size, [*proof[:-1], b"\x00" * 31], root),
    ]
    if size > 1:
        attacks += [
            ("truncated-proof", leaf, index, size, proof[:-1], root),
            ("neighbour-index", leaf, index ^ 1, size, proof, root),
            ("inner-node-as-leaf", ref.node(leaves[0], leaves[1]), 0, size, proof, root),
        ]
    else:
        attacks.append(("empty-leaf-and-root", b"", 0, 1, [], b""))
    if proof and index % 2 == 0 and index + 1 < size:
        # The same bytes are hashed when the border between leaf and node moves.
        shifted = [leaf[31:] + proof[0], *proof[1:]]
        attacks.append(("shifted-border", leaf[:31], index, size, shifted, root))
    if len(proof) > 1:
        attacks.append(("swapped-nodes", leaf, index, size, [proof[1], proof[0], *proof[2:]], root))
    return [refused(inclusion_case(*attack), inclusion_holds) for attack in attacks]


def inclusion_holds(case: Case) -> bool:
    proof = [bytes.fromhex(node) for node in case["proof"]]
    leaf = bytes.fromhex(case["leaf_hash"])
    computed = ref.root_from_inclusion(leaf, case["leaf_index"], case["tree_size"], proof)
    return bool(computed.hex() == case["root"])


def consistency_case(  # noqa: PLR0917
    name: str, old_size: int, new_size: int, proof: list[bytes], old: bytes, new: bytes
) -> Case:
    return {
        "description": name,
        "old_size": old_size,
        "new_size": new_size,
        "proof": hexes(proof),
        "old_root": old.hex(),
        "new_root": new.hex(),
    }


def consistency_attacks(leaves: list[bytes], old_size: int, proof: list[bytes]) -> list[Case]:
    size, old, new = len(leaves), ref.root(leaves[:old_size]), ref.root(leaves)
    attacks = [
        ("wrong-old-root", old_size, size, proof, hashed("other"), new),
        ("wrong-new-root", old_size, size, proof, old, hashed("other")),
        ("old-size-zero", 0, size, proof, old, new),
        ("appended-node", old_size, size, [*proof, hashed("more")], old, new),
        ("short-node", old_size, size, [*proof[:-1], b"\x00" * 31], old, new),
    ]
    if old_size < size:
        attacks += [
            ("truncated-proof", old_size, size, proof[:-1], old, new),
            ("swapped-roots", old_size, size, proof, new, old),
            ("swapped-sizes", size, old_size, proof, old, new),
        ]
    return [refused(consistency_case(*attack), consistency_holds) for attack in attacks]


def consistency_holds(case: Case) -> bool:
    proof = [bytes.fromhex(node) for node in case["proof"]]
    old, new = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
    from_old, from_new = ref.roots_from_consistency(case["old_size"], case["new_size"], proof, old)
    return bool(from_old == old and from_new == new)


def refused(case: Case, holds: Callable[[Case], bool]) -> Case:
    """``case`` marked as one to refuse, after the reference implementation has refused it."""
    try:
        accepted = holds(case)
    except ref.RefusedError:
        accepted = False
    if accepted:
        raise SystemExit(f"the reference implementation accepts {case}")
    return {**case, "expect": "refuse"}


# invoice key, batch --------------------------------------------------------------------------


def invoice_key_cases() -> list[Case]:
    accepted = [
        {
            "description": f"{len(code)} and {len(number)} digits",
            "expect": "ok",
            "network_key": NETWORK_KEY.hex(),
            "code": code,
            "number": number,
            "shape": ref.shape(code, number),
            "invoice_key": ref.invoice_key(NETWORK_KEY, code, number).hex(),
        }
        for code, number in inputs.NUMBERS
    ]
    return accepted + [
        {
            "description": name,
            "expect": "refuse",
            "network_key": NETWORK_KEY.hex(),
            "code": code,
            "number": number,
            "reason": "not one of the three shapes of ASCII digits",
        }
        for name, (code, number) in inputs.REFUSED_NUMBERS.items()
    ]


PLAIN_LEAF: Final[Case] = {
    "institution_code": "H33080300001",
    "kind": 1,
    "key_version": 1,
    "invoice_key": ref.invoice_key(NETWORK_KEY, "33010122", "0000123456"),
    "second_key": bytes(32),
    "fingerprint": hashed("fingerprint"),
    "total_fen": 123_456,
    "borne_fen": 0,
}

LEAF_CHANGES: Final[dict[str, Case]] = {
    "claimable": {},
    "settled": {"kind": 2, "borne_fen": 100_000},
    "red": {"kind": 3, "total_fen": 0},
    "information": {"kind": 4, "total_fen": 0, "invoice_key": bytes(32)},
    "two numbers": {"second_key": hashed("second")},
    "longest code and largest values": {
        "institution_code": "ABCDEFGH12345678",
        "key_version": 65_535,
        "total_fen": 2**40 - 1,
        "borne_fen": 2**40 - 1,
    },
    "shortest code, nothing to pay": {"institution_code": "A", "key_version": 0, "total_fen": 0},
}

REFUSED_LEAVES: Final[dict[str, Case]] = {
    "empty code": {"institution_code": ""},
    "code of 17 characters": {"institution_code": "ABCDEFGH123456789"},
    "code with a zero byte": {"institution_code": "H33\x00"},
    "code that is not ASCII": {"institution_code": "衢州"},
    "kind 0": {"kind": 0},
    "kind 5": {"kind": 5},
    "key version beyond 16 bits": {"key_version": 65_536},
    "negative total": {"total_fen": -1},
    "total beyond 2^40 - 1": {"total_fen": 2**40},
    "negative amount borne": {"borne_fen": -1},
    "more borne than the total": {"borne_fen": 123_457},
    "red bill with a total": {"kind": 3},
    "information with a key": {"kind": 4, "total_fen": 0},
    "information with a total": {"kind": 4, "invoice_key": bytes(32)},
    "zero key": {"invoice_key": bytes(32)},
    "short key": {"invoice_key": b"\x01" * 31},
    "short fingerprint": {"fingerprint": b"\x01" * 31},
    "long second key": {"second_key": b"\x01" * 33},
    "second key repeats the first": {"second_key": PLAIN_LEAF["invoice_key"]},
}


def batch_cases() -> dict[str, list[Case]]:
    leaves = []
    for name, change in LEAF_CHANGES.items():
        fields = {**PLAIN_LEAF, **change}
        data = ref.batch_leaf(**fields)
        result = {"bytes": data.hex(), "hash": ref.leaf_hash(data).hex()}
        leaves.append({"description": name, "expect": "ok", **printable(fields), **result})
    for name, change in REFUSED_LEAVES.items():
        fields = {**PLAIN_LEAF, **change}
        try:
            ref.batch_leaf(**fields)
        except ref.RefusedError:
            leaves.append({"description": name, "expect": "refuse", **printable(fields)})
        else:
            raise SystemExit(f"the reference implementation accepts {name}")
    return {"leaves": leaves, "bytes": leaf_byte_cases(), "heads": head_cases()}


def leaf_byte_cases() -> list[Case]:
    """Bytes that are no batch leaf."""
    good = ref.batch_leaf(**PLAIN_LEAF)
    attacks = {
        "format 2": b"\x02" + good[1:],
        "kind 0": good[:17] + b"\x00" + good[18:],
        "one byte short": good[:-1],
        "one byte more": good + b"\x00",
        "nothing": b"",
        "zero byte inside the code": good[:3] + b"\x00" + good[4:],
        "code that is not ASCII": good[:3] + b"\xc3" + good[4:],
        "total beyond 2^40 - 1": good[:118] + b"\x01" + good[119:],
    }
    return [
        {"description": name, "expect": "refuse", "bytes": data.hex()}
        for name, data in attacks.items()
    ]


def head_cases() -> list[Case]:
    root, previous, zero = hashed("root"), hashed("previous head"), bytes(32)
    accepted = {
        "first": (1, 1, zero, root, 1),
        "second": (1, 2, previous, root, 1024),
        "largest numbers": (65_535, 2**22 - 1, previous, root, 1000),
    }
    refusals = {
        "institution 0": (0, 1, zero, root, 1),
        "institution beyond 16 bits": (65_536, 1, zero, root, 1),
        "sequence 0": (1, 0, zero, root, 1),
        "sequence beyond 22 bits": (1, 2**22, previous, root, 1),
        "empty batch": (1, 1, zero, root, 0),
        "batch of 1,025": (1, 1, zero, root, 1025),
        "first with a previous head": (1, 1, previous, root, 1),
        "second without a previous head": (1, 2, zero, root, 1),
        "short root": (1, 1, zero, root[:31], 1),
        "long previous head": (1, 2, previous + b"\x00", root, 1),
    }
    names = ("institution_number", "sequence", "previous_head", "root", "size")
    cases = []
    for name, values in accepted.items():
        fields = printable(dict(zip(names, values, strict=True)))
        head = ref.batch_head(*values).hex()
        cases.append({"description": name, "expect": "ok", **fields, "head": head})
    for name, values in refusals.items():
        fields = printable(dict(zip(names, values, strict=True)))
        cases.append({"description": name, "expect": "refuse", **fields})
    return cases


def printable(fields: Case) -> Case:
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()
    }


def build() -> dict[str, str]:
    """File name -> text of every vector file."""
    contents: dict[str, Any] = {
        "canonical.json": canonical_cases(),
        "fingerprint.json": fingerprint_cases(),
        "merkle.json": merkle_cases(),
        "invoice_key.json": invoice_key_cases(),
        "batch.json": batch_cases(),
    }
    return {
        name: json.dumps(cases, ensure_ascii=True, indent=1) + "\n"
        for name, cases in contents.items()
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="write tests/vectors from the reference")
    parser.add_argument("--check", action="store_true", help="fail when a file would change")
    options = parser.parse_args(arguments)
    texts = build()
    stale = [
        name
        for name, text in texts.items()
        if not (VECTORS / name).is_file() or (VECTORS / name).read_text("utf-8") != text
    ]
    extra = sorted({path.name for path in VECTORS.glob("*.json")} - set(texts))
    if options.check:
        for name in [*stale, *extra]:
            print(f"tests/vectors/{name} is not what scripts/generate_vectors.py writes")
        return 1 if stale or extra else 0
    VECTORS.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (VECTORS / name).write_text(texts[name], "utf-8")
        print(f"wrote tests/vectors/{name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
