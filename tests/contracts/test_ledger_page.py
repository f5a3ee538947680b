"""docs/ledger.md: it names every function, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.contracts import ContractName, load_contract

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ledger.md").read_text("utf-8")
TESTS = ROOT / "tests" / "contracts"


def _section(title: str) -> str:
    match = re.search(rf"^## {title}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


def _named(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def _functions(name: ContractName, *, writes: bool) -> set[str]:
    return {
        entry["name"]
        for entry in load_contract(name).abi
        if entry["type"] == "function"
        and (entry["stateMutability"] not in ("view", "pure")) == writes
    }


@pytest.mark.parametrize("name", ["Registry", "InvoiceLedger"])
def test_the_page_names_every_function_of_both_contracts(name: ContractName) -> None:
    section = _section("Who may do what")
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    assert _functions(name, writes=True) - _named(table) == set()
    assert _functions(name, writes=False) - _named(section) == set()


def test_the_page_names_no_function_that_does_not_exist() -> None:
    names: tuple[ContractName, ...] = ("Registry", "InvoiceLedger")
    known = {
        function
        for name in names
        for writes in (True, False)
        for function in _functions(name, writes=writes)
    }
    assert _named(_section("Who may do what")) - known == set()


def _tests_in(*files: Path) -> set[str]:
    return {
        name
        for path in files
        for name in re.findall(r"^\s*def test_(\w+)\(", path.read_text("utf-8"), re.MULTILINE)
    }


def _rules() -> list[str]:
    rows = [line for line in _section("Rules and the tests.*?").splitlines() if "|" in line]
    return [line for line in rows if not line.startswith(("| rule", "|---"))]


def test_every_rule_names_tests_that_exist() -> None:
    defined = _tests_in(*TESTS.glob("test_*.py"))
    assert len(_rules()) >= 45
    for line in _rules():
        named = _named(line.split("|")[2])
        assert named, line
        assert named - defined == set(), line


def test_every_attack_is_named_beside_the_rule_that_refuses_it() -> None:
    attacks = _tests_in(TESTS / "test_attacks.py")
    assert len(attacks) >= 25
    named = set().union(*(_named(line.split("|")[2]) for line in _rules()))
    assert attacks - named == set()


def test_no_two_rules_are_kept_by_the_same_tests() -> None:
    kept = [frozenset(_named(line.split("|")[2])) for line in _rules()]
    assert sorted(map(sorted, kept)) == sorted(map(sorted, set(kept)))
