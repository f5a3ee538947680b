"""docs/audit-rules.md lists exactly the rules that are shipped, as they are shipped."""

from __future__ import annotations

import re
from pathlib import Path

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.rule import CLASS_TITLES, Nature, RuleState

PAGE = (Path(__file__).parents[3] / "docs" / "audit-rules.md").read_text("utf-8")
RULES = load_rule_book().shipped.rules


def test_every_shipped_rule_stands_in_the_list_and_no_other() -> None:
    expected = [
        f"| `{one.code}` | {one.title.zh} / {one.title.en} | {CLASS_TITLES[one.rule_class][0]} "
        f"| {one.nature} | {one.level} | {one.state} |"
        for one in RULES
    ]
    assert re.findall(r"^\| `[a-z0-9-]+` \|.*\|.*\|.*\|.*\|.*\|$", PAGE, re.MULTILINE) == expected


def test_the_page_counts_them_and_names_the_ones_that_may_refuse() -> None:
    live = sum(one.state is RuleState.LIVE for one in RULES)
    assert f"{len(RULES)} rules, {live} live." in PAGE
    exact = ", ".join(f"`{one.code}`" for one in RULES if one.nature is Nature.EXACT)
    assert f"Exact, and so able to refuse: {exact}." in PAGE
