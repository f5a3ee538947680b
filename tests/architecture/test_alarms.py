"""Every alarm that the system can raise is explained to the operator."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")


def constants_of(tree: ast.Module) -> dict[str, object]:
    return {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def imported_constants(tree: ast.Module) -> dict[str, object]:
    """Constants that a module takes from others of the backend."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("backend."):
            source = ROOT.joinpath(*str(node.module).split(".")).with_suffix(".py")
            if source.is_file():
                theirs = constants_of(ast.parse(source.read_text("utf-8")))
                named = [one for one in node.names if one.name in theirs]
                found |= {one.asname or one.name: theirs[one.name] for one in named}
    return found


def alarm_codes() -> Iterator[str]:
    """The first argument of each ``raise_alarm`` call: a text, or a constant."""
    for path in (ROOT / "backend").rglob("*.py"):
        text = path.read_text("utf-8")
        if "raise_alarm" not in text:
            continue
        tree = ast.parse(text)
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
