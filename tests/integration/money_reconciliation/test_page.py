"""docs/reconciliation.md has the table of the rules that the program has."""

from __future__ import annotations

import re
from pathlib import Path

from backend.service_layer.money_reconciliation.records import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "reconciliation.md").read_text("utf-8")


def test_the_page_has_every_rule_in_its_order() -> None:
    rows = re.findall(r"^\| (R\d+) \| ([a-z-]+) \|", PAGE, re.MULTILINE)
    assert rows == [(rule.code, rule.name) for rule in RULES]
    assert [rule.code for rule in RULES] == [f"R{n + 1}" for n in range(len(RULES))]
