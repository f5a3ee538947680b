"""Every alarm that the system can raise is explained to the operator."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")


def alarm_codes() -> Iterator[str]:
    """The first argument of each ``raise_alarm`` call: a text, or a constant of its module."""
    for path in (ROOT / "backend").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        constants = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
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
