"""The project's own Python files, parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend", "verifier", "scripts", "migrations")


@dataclass(frozen=True, slots=True)
class Source:
    """One module: its path from the project's root, text and tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> Iterator[str]:
        """The modules that are imported, by full name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (item.name for item in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield f"{'.' * node.level}{node.module or ''}"


def sources(*packages: str) -> tuple[Source, ...]:
    """The modules of these packages (of all, if none is named)."""
    return tuple(source for package in packages or PACKAGES for source in _of(package))


@cache
def _of(package: str) -> tuple[Source, ...]:
    """Parsed once, whoever asks: parsing is most of what these tests take."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        text = path.read_text("utf-8")
        found.append(Source(str(path.relative_to(ROOT)), text, ast.parse(text)))
    assert found
    return tuple(found)
