"""Every place at which a transaction is committed, found in the source itself."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BACKEND: Final = ROOT / "backend"

Site = str
"""Path below ``backend``, function, and its how manieth commit: ``…/run.py:_finish#1``."""


@cache
def sites_in(path: Path) -> dict[int, Site]:
    """Line of each call of ``commit`` to the name of the place."""
    found: dict[int, Site] = {}

    def walk(node: ast.AST, function: str) -> None:
        for child in ast.iter_child_nodes(node):
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            walk(child, child.name if is_function else function)  # type: ignore[attr-defined]
            if (
                isinstance(child, ast.Call)
                and isinstance(child.func, ast.Attribute)
                and child.func.attr == "commit"
            ):
                number = 1 + sum(name.startswith(f"{place}:{function}#") for name in found.values())
                found[child.lineno] = f"{place}:{function}#{number}"

    place = path.relative_to(BACKEND)
    walk(ast.parse(path.read_text("utf-8")), "")
    return found


def site_of(filename: str, line: int) -> Site:
    """The place of a commit that has just been called; another than a file of the product's is a
    fault of the test, which should have been quiet."""
    return sites_in(Path(filename))[line]


def sites_below(*parts: str) -> list[Site]:
    """All places in files, or in all files of folders, named below ``backend``."""
    paths = [
        path
        for part in parts
        for path in (
            sorted((BACKEND / part).rglob("*.py"))
            if (BACKEND / part).is_dir()
            else [BACKEND / part]
        )
    ]
    return [site for path in paths for site in sites_in(path).values()]
