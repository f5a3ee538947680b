"""Published RFC 6962 / RFC 9162 vectors of another implementation (transparency-dev/merkle).

They are read from the folder named by YICHU_FOREIGN_VECTORS, which holds merkle/inclusion and
merkle/consistency. ``wantErr`` is their only verdict; byte strings are base64, a null proof is an
empty one. A count guards against an empty folder.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reference import commitment as ref
from verifier.commitment import merkle
from verifier.errors import VerificationError

FOLDER = os.environ.get("YICHU_FOREIGN_VECTORS", "")

if not FOLDER:
    pytest.skip(
        "foreign Merkle vectors: YICHU_FOREIGN_VECTORS names no folder", allow_module_level=True
    )

#: Entries of the eight-leaf tree behind the numbered folders, as published.
ENTRIES = (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)  # fmt: skip

Case = dict[str, Any]


def load(kind: str) -> list[tuple[str, Case]]:
    paths = sorted((Path(FOLDER) / "merkle" / kind).rglob("*.json"))
    return [(str(path), json.loads(path.read_text("utf-8"))) for path in paths]


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "", validate=True)


def production_inclusion(case: Case) -> None:
    merkle.verify_inclusion(
        decoded(case["leafHash"]),
        case["leafIdx"],
        case["treeSize"],
        [decoded(node) for node in case["proof"] or []],
        decoded(case["root"]),
    )


def production_consistency(case: Case) -> None:
    merkle.verify_consistency(
        case["size1"],
        case["size2"],
        [decoded(node) for node in case["proof"] or []],
        decoded(case["root1"]),
        decoded(case["root2"]),
    )


def reference_inclusion(case: Case) -> None:
    proof = [decoded(node) for node in case["proof"] or []]
    leaf = decoded(case["leafHash"])
    if ref.root_from_inclusion(leaf, case["leafIdx"], case["treeSize"], proof) != decoded(
        case["root"]
    ):
        raise ref.RefusedError("another root")


def reference_consistency(case: Case) -> None:
    proof = [decoded(node) for node in case["proof"] or []]
    roots = decoded(case["root1"]), decoded(case["root2"])
    if ref.roots_from_consistency(case["size1"], case["size2"], proof, roots[0]) != roots:
        raise ref.RefusedError("other roots")


@pytest.mark.parametrize(
    ("kind", "verify"),
    [
        ("inclusion", production_inclusion),
        ("consistency", production_consistency),
        ("inclusion", reference_inclusion),
        ("consistency", reference_consistency),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_foreign_cases_have_the_expected_verdict(kind: str, verify: Callable[[Case], None]) -> None:
    cases = load(kind)
    assert len(cases) == 98
    assert sum(case["wantErr"] for _, case in cases) == 92
    wrong = []
    for name, case in cases:
        try:
            verify(case)
        except (VerificationError, ref.RefusedError):
            refused = True
        else:
            refused = False
        if refused != case["wantErr"]:
            wrong.append(name)
    assert wrong == []


def test_tree_over_the_published_entries_has_the_published_root() -> None:
    hashes = [merkle.leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]
    roots = {
        case["treeSize"]: decoded(case["root"])
        for name, case in load("inclusion")
        if Path(name).name == "happy-path.json"
    }
    assert set(roots) == {1, 3, 5, 8}
    for size, root in roots.items():
        assert merkle.root_hash(hashes[:size]) == root
