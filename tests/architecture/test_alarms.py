"""Every alarm that the system can raise is explained to the operator."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from .sources import ROOT, sources

OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")


def constants_of(tree: ast.Module) -> dict[str, object]:
    return {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


@cache
def constants_of_modules() -> dict[str, dict[str, object]]:
    """The constants of each module of the backend, by its name with dots."""
    return {
        source.path.removesuffix(".py").replace("/", "."): constants_of(source.tree)
        for source in sources("backend")
    }


def imported_constants(tree: ast.Module) -> dict[str, object]:
    """Constants that a module takes from others of the backend."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("backend."):
            theirs = constants_of_modules().get(str(node.module), {})
            named = [one for one in node.names if one.name in theirs]
            found |= {one.asname or one.name: theirs[one.name] for one in named}
    return found


def alarm_codes() -> Iterator[str]:
    """The first argument of each ``raise_alarm`` call: a text, or a constant."""
    for source in sources("backend"):
        if "raise_alarm" not in source.text:
            continue
        tree = source.tree
        constants = imported_constants(tree) | constants_of(tree)
        # Codes that a module raises through a table: the constants of its tuple _CODES.
        for node in ast.walk(tree):
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id == "_CODES":
                names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
                yield from (constants[name] for name in names if name in constants)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name not in ("raise_alarm", "_raise_alarm"):
                continue
            for argument in node.args:
                value = (
                    argument.value
                    if isinstance(argument, ast.Constant)
                    else constants.get(getattr(argument, "id", ""))
                )
                if isinstance(value, str):
                    yield value
                    break


def test_every_alarm_is_in_the_operating_guide() -> None:
    codes = set(alarm_codes())
    assert len(codes) > 15, codes
    assert sorted(code for code in codes if f"`{code}`" not in OPERATING) == []
