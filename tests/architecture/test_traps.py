"""The table of ledger traps names every trap and exactly the tests that show it."""

from __future__ import annotations

import re

import pytest

from .sources import ROOT

TRAPS = (ROOT / "docs" / "traps.md").read_text("utf-8")
FOLDER = ROOT / "tests" / "integration" / "anchoring"
_ROW = re.compile(r"^\| T(\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)
_TEST = re.compile(r"def test_((?:t\d\d_)+\w+)\(")


def named_by_trap() -> dict[int, set[str]]:
    """Test names by the numbers at their beginning; one test may show two traps."""
    found: dict[int, set[str]] = {}
    for path in (FOLDER / "traps").glob("test_*.py"):
        for name in _TEST.findall(path.read_text("utf-8")):
            for number in re.findall(r"(?:^|(?<=_))t(\d\d)(?=_)", name):
                found.setdefault(int(number), set()).add(name)
    return found


def test_every_trap_has_a_row() -> None:
    assert [int(number) for number, _ in _ROW.findall(TRAPS)] == list(range(1, 25))


@pytest.mark.parametrize("number", range(1, 25))
def test_row_names_exactly_the_traps_tests(number: int) -> None:
    rows = {int(trap): set(re.findall(r"`(\w+)`", names)) for trap, names in _ROW.findall(TRAPS)}
    assert rows[number] == named_by_trap()[number]


def test_named_test_files_exist_and_the_operating_guide_links_here() -> None:
    named = set(re.findall(r"`(?:tests/integration/anchoring/)?(\w+\.py)`", TRAPS))
    existing = {path.name for path in FOLDER.rglob("*.py")}
    assert named and named <= existing
    assert "(traps.md)" in (ROOT / "docs" / "operating.md").read_text("utf-8")
