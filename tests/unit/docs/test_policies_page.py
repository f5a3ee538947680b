"""docs/policies.md names every shipped pack with its hash, every open point, every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from backend.adapters.policy_packs import load_packs
from backend.entrypoints.cli.policy import command

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
PACKS: Final = {pack.pack_id: pack for pack in load_packs()}


@pytest.mark.parametrize("pack_id", sorted(PACKS))
def test_every_shipped_pack_is_listed_with_its_hash_and_open_points(pack_id: str) -> None:
    pack = PACKS[pack_id]
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{pack_id}` |")]
    assert f"`{pack.policy_hash.hex()}`" in row
    assert f"| {len(pack.open_points)} |" in row
    for point in pack.open_points:
        line = f"| `{point.open_id}` | {point.effect} | {point.zh}。{point.en}. |"
        assert line in PAGE.splitlines(), line


def test_no_open_point_is_told_that_is_closed() -> None:
    ids = {point.open_id for pack in PACKS.values() for point in pack.open_points}
    section = PAGE.split("## What the sources leave open")[1]
    told = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert told == ids


def test_every_command_and_every_section_is_explained() -> None:
    for name in set(command.commands) - {"check"}:
        assert f"yichu policy {name}" in PAGE or f"`{name} PACK`" in PAGE, name
    schema = json.loads((ROOT / "docs" / "schemas" / "pack.schema.json").read_text("utf-8"))
    for name in schema["properties"]:
        assert f"`{name}`" in PAGE, name
    for rule in ("deductible", "ratio", "layer2", "open_point", "waiver"):
        for name in schema["$defs"][rule]["properties"]:
            assert f"`{name}`" in PAGE or name in ("open_id", "zh", "en", "over_fen"), name
