"""An auditor with a folder, a trust file of their own and a node's address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.cli import main as verify

VERIFIED, REFUTED, MALFORMED, UNDECIDED = 0, 1, 2, 3
BELIEVING = ("--believe-node",)


@dataclass
class Auditor:
    """Runs ``yichu-verify`` in this process, as one would on the command line."""

    folder: Path
    rpc: str
    trust: dict[str, Any]

    @property
    def arguments(self) -> list[str]:
        """Without a node: bundle and trust file only."""
        return [str(self.folder / "bundle.json"), "--trust", str(self.folder / "trust.json")]

    def write(self, bundle: dict[str, Any] | bytes, trust: dict[str, Any] | None = None) -> None:
        raw = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        (self.folder / "bundle.json").write_bytes(raw)
        (self.folder / "trust.json").write_text(json.dumps(trust or self.trust))

    def judge(
        self,
        bundle: dict[str, Any] | bytes,
        *options: str,
        trust: dict[str, Any] | None = None,
        rpc: str | None = None,
    ) -> int:
        """The exit status of a verification that believes the node."""
        self.write(bundle, trust)
        return verify([*self.arguments, "--rpc", rpc or self.rpc, *BELIEVING, *options])


def failed_checks(output: str) -> set[int]:
    """Numbers of the checks that failed, from the ``--json`` report."""
    return {c["number"] for c in json.loads(output)["checks"] if c["status"] == "FAIL"}


def texts_in(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text value in a JSON value, with its place."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from texts_in(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from texts_in(value, (*path, index))


def another_character(character: str) -> str:
    """Another valid character of the same kind: digit, hex digit or any other."""
    if character.isdecimal():
        return str((int(character) + 1) % 10)
    if character in "abcdef":
        return "abcdef"[("abcdef".index(character) + 1) % 6]
    return "字" if character != "字" else "词"
