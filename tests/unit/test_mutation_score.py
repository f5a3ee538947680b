"""Which mutants the mutation score leaves out, and which tests it does not ask."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.mutation import alike, sample
from scripts.quickest_first import _is_asked

MUTANTS = """
def x_read__mutmut_orig(page, n):
    assert n, "none"
    return page.execute("SELECT a FROM t WHERE b = ?", n)
def x_read__mutmut_1(page, n):
    assert n, "XXnoneXX"
    return page.execute("SELECT a FROM t WHERE b = ?", n)
def x_read__mutmut_2(page, n):
    assert n, "none"
    return page.execute("select a from t where b = ?", n)
def x_read__mutmut_3(page, n):
    assert not n, "none"
    return page.execute("SELECT a FROM t WHERE b = ?", n)
def x_read__mutmut_4(page, n):
    assert n, "none"
    return page.execute("XXSELECT a FROM t WHERE b = ?XX", n)
def x_say__mutmut_orig():
    return "select one", "SELECT 'A' FROM t"
def x_say__mutmut_1():
    return "select one", "select 'a' from t"
def x_say__mutmut_2():
    return "SELECT ONE", "SELECT 'A' FROM t"
"""


def test_only_what_no_caller_can_see_is_left_out(tmp_path: Path) -> None:
    module = tmp_path / "mutants" / "backend" / "book.py"
    module.parent.mkdir(parents=True)
    module.write_text(MUTANTS)
    module.with_name("book.py.meta").write_text("{}")
    assert alike(tmp_path) == {"backend.book.x_read__mutmut_1", "backend.book.x_read__mutmut_2"}


def test_a_sample_is_every_so_manyth_from_a_seeded_place() -> None:
    names = [f"{n:02}" for n in range(20)]
    assert sample(reversed(names), 1, 7) == names
    first = sample(names, 4, 1)
    assert len(first) == 5 and {int(b) - int(a) for a, b in pairwise(first)} == {4}
    assert first == sample(names, 4, 1)


@pytest.mark.parametrize(
    ("fixtures", "parameters", "hypothesis", "asked"),
    [
        ((), {}, False, True),
        (("tmp_path",), {"kind": "sqlite"}, False, True),
        (("postgresql_url", "postgresql_server"), {}, False, False),
        ((), {"engine": "postgresql"}, False, False),
        ((), {}, True, False),
    ],
)
def test_what_needs_a_server_or_tries_many_inputs_is_not_asked(
    fixtures: tuple[str, ...], parameters: dict[str, str], hypothesis: bool, asked: bool
) -> None:
    item: Any = pytest.Function.__new__(pytest.Function)
    item.fixturenames, item._obj = list(fixtures), SimpleNamespace(is_hypothesis_test=hypothesis)
    item.callspec = SimpleNamespace(params=parameters)
    assert _is_asked(item) is asked
