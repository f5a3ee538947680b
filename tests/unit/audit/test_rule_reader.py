"""A rule set that is wrong is refused as a whole, with every fault and its JSON path."""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.audit_rules import RULE_DIRECTORY
from backend.domain.audit.checks import CHECKS
from backend.domain.audit.rule import Nature, RuleState
from backend.domain.audit.rule_reader import parse_rules
from backend.domain.record_reader import MalformedDataError

Document = dict[str, Any]

RULE: Document = {
    "code": "chg-repeated",
    "class": "charging",
    "nature": "judgement",
    "level": "line",
    "severity": 3,
    "priority": 2,
    "queue": "charging",
    "role": "reviewer",
    "state": "trial",
    "valid_from": "2026-01-01",
    "valid_to": "2026-12-31",
    "check": "repeated-item",
    "parameters": {"items": {"words": ["血常规"]}},
    "title": {"zh": "重复收费", "en": "Charged twice"},
    "text": {"zh": "第 {line} 行“{item}”在 {day} 已收过", "en": "line {line}: {item} on {day}"},
    "basis": {"zh": "一日一次", "en": "once a day"},
    "source": "T9",
    "owner": "审核科",
}


def document(**changed: Any) -> Document:
    made = copy.deepcopy(RULE) | changed
    for name in [name for name, value in made.items() if value is ...]:
        del made[name]
    return {"format": "yichu-rules-1", "set_id": "test", "rules": [made]}


def of_check(check: str, parameters: Document, level: str = "claim") -> Document:
    words = {"zh": "文", "en": "text"}
    return document(check=check, level=level, parameters=parameters, text=words)


def faults_of(value: object) -> list[tuple[str, str]]:
    with pytest.raises(
        MalformedDataError, match=r"AUDIT RULES 有误.*AUDIT RULES is wrong"
    ) as caught:
        parse_rules(value)
    return [(path, en) for path, _, en in caught.value.faults]


def test_a_rule_is_read() -> None:
    rules = parse_rules(document(reattach=1, scope={"visit_kinds": ["outpatient"]}))
    rule = rules.rule("chg-repeated")
    assert (rule.nature, rule.state, rule.severity) == (Nature.JUDGEMENT, RuleState.TRIAL, 3)
    assert (rule.valid_from, rule.valid_to) == (dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert rule.parameters["items"].words == ("血常规",)
    assert rule.is_reattached
    assert rule.scope.visit_kinds == {"outpatient"}
    assert len(rules.digest) == 32


def test_the_digest_is_of_the_content_alone() -> None:
    first = parse_rules(document())
    respelt = json.loads(json.dumps(document(), ensure_ascii=True, indent=3, sort_keys=True))
    assert parse_rules(respelt).digest == first.digest
    assert parse_rules(document(severity=4)).digest != first.digest


REFUSED: list[tuple[Document, str, str]] = [
    (document(code="Chg_Repeated"), "/rules/0/code", "is not lower-case words with hyphens"),
    (document(code=...), "/rules/0/code", "is missing"),
    (document(**{"class": "other"}), "/rules/0/class", "is not one of"),
    (document(nature="guess"), "/rules/0/nature", "is not one of"),
    (document(level="claim"), "/rules/0/level", "the check is about a line"),
    (document(severity=0), "/rules/0/severity", "is not a whole number from 1 to 5"),
    (document(severity="3"), "/rules/0/severity", "is not a whole number from 1 to 5"),
    (document(priority=6), "/rules/0/priority", "is not a whole number from 1 to 5"),
    (document(queue="the queue"), "/rules/0/queue", "is not lower-case words"),
    (document(role="citizen"), "/rules/0/role", "is not one of"),
    (document(state="on"), "/rules/0/state", "is not one of"),
    (document(valid_from="2026-13-01"), "/rules/0/valid_from", "is not a YYYY-MM-DD date"),
    (document(valid_to="2025-12-31"), "/rules/0/valid_to", "is before valid_from"),
    (document(check="repeated-items"), "/rules/0/check", "is not one of"),
    (document(parameters=...), "/rules/0/parameters", "is missing"),
    (document(parameters={}), "/rules/0/parameters/items", "is missing"),
    (document(parameters={"items": {}}), "/rules/0/parameters/items", "names no item"),
    (
        document(parameters={"items": {"words": ["a"]}, "days": 3}),
        "/rules/0/parameters/days",
        "is an unknown field",
    ),
    (
        document(parameters={"items": {"word": ["a"]}}),
        "/rules/0/parameters/items/word",
        "is an unknown field",
    ),
    (
        document(parameters={"items": {"words": []}}),
        "/rules/0/parameters/items/words",
        "is not a list with entries",
    ),
    (
        document(parameters={"items": {"words": [""]}}),
        "/rules/0/parameters/items/words",
        "is empty or longer",
    ),
    (document(title={"zh": "", "en": "x"}), "/rules/0/title/zh", "is empty"),
    (document(title={"zh": "题"}), "/rules/0/title/en", "is missing"),
    (document(title={"zh": "{day}", "en": "x"}), "/rules/0/title/zh", "has a wrong placeholder"),
    (
        document(text={"zh": "第 {line} 行", "en": "line {row}"}),
        "/rules/0/text/en",
        "has a wrong placeholder: {row}",
    ),
    (
        document(text={"zh": "第 {line!r} 行", "en": "x"}),
        "/rules/0/text/zh",
        "has a wrong placeholder: {line}",
    ),
    (
        document(text={"zh": "{line.real}", "en": "x"}),
        "/rules/0/text/zh",
        "has a wrong placeholder: {line.real}",
    ),
    (
        document(text={"zh": "{line:>9999999}", "en": "x"}),
        "/rules/0/text/zh",
        "has a wrong placeholder: {line}",
    ),
    (document(text={"zh": "{line", "en": "x"}), "/rules/0/text/zh", "has a wrong placeholder"),
    (document(basis=...), "/rules/0/basis", "is missing"),
    (document(source=" "), "/rules/0/source", "is empty"),
    (document(owner=...), "/rules/0/owner", "is missing"),
    (document(scope={"visit_kinds": ["both"]}), "/rules/0/scope/visit_kinds/0", "is not one of"),
    (
        document(scope={"visit_kinds": ["outpatient-chronic"]}),
        "/rules/0/scope/visit_kinds/0",
        "is not one of",
    ),
    (document(scope={"origins": []}), "/rules/0/scope/origins", "is not a list with entries"),
    (document(scope={"region": ["33"]}), "/rules/0/scope/region", "is an unknown field"),
    (document(reattach=2), "/rules/0/reattach", "is not a whole number from 0 to 1"),
    (document(enabled=1), "/rules/0/enabled", "is an unknown field"),
    (
        of_check("late", {"days": 0, "excuses": ["x"]}),
        "/rules/0/parameters/days",
        "is not a whole number from 1 to 3650",
    ),
    (
        of_check("liable", {"liabilities": ["nobody"]}),
        "/rules/0/parameters/liabilities/0",
        "is not one of",
    ),
    (
        of_check("over-day", {"limits": []}, "line"),
        "/rules/0/parameters/limits",
        "is not a list with entries",
    ),
    (
        of_check(
            "over-day",
            {"limits": [{"zh": "甲", "en": "a", "items": {"words": ["a"]}, "maximum": 0}]},
            "line",
        ),
        "/rules/0/parameters/limits/0/maximum",
        "is not a whole number from 1 to 100000",
    ),
    (
        of_check(
            "exclusive-items",
            {"pairs": [{"zh": "甲", "en": "a", "first": {"words": ["a"]}}]},
            "line",
        ),
        "/rules/0/parameters/pairs/0/second",
        "is missing",
    ),
    (
        of_check(
            "other-diagnosis",
            {"limits": [{"zh": "甲", "en": "a", "items": {"words": ["a"]}}]},
            "line",
        ),
        "/rules/0/parameters/limits/0/diagnoses",
        "is missing",
    ),
    ({"format": "yichu-rules-2", "set_id": "t", "rules": [RULE]}, "/format", "is not one of"),
    ({"format": "yichu-rules-1", "set_id": "t", "rules": []}, "/rules", "holds no rule"),
    ({"format": "yichu-rules-1", "set_id": "t"}, "/rules", "is missing"),
    ({"format": "yichu-rules-1", "set_id": "t", "rules": [RULE, RULE]}, "/rules/1/code", "twice"),
]


@pytest.mark.parametrize(("value", "path", "message"), REFUSED)
def test_it_is_refused_with_its_place(value: Document, path: str, message: str) -> None:
    found = faults_of(value)
    assert any(at == path and message in said for at, said in found), found


def test_every_fault_is_listed_at_once() -> None:
    value = document(severity=9, owner=..., text={"zh": "{nothing}", "en": "{nothing}"})
    assert [path for path, _ in faults_of(value)] == [
        "/rules/0/severity",
        "/rules/0/text/zh",
        "/rules/0/text/en",
        "/rules/0/owner",
    ]


@pytest.mark.parametrize("value", [None, [], "rules", 3, {"rules": 1.5}, {"rules": [None]}])
def test_what_is_no_rule_set_is_refused(value: object) -> None:
    assert faults_of(value)


def _shipped() -> list[Path]:
    return sorted(RULE_DIRECTORY.glob("*.json"))


@pytest.mark.parametrize("path", _shipped(), ids=lambda path: path.name)
def test_the_shipped_sets_are_sound(path: Path) -> None:
    assert parse_rules(json.loads(path.read_text(encoding="utf-8"))).rules


def test_every_check_is_used_by_a_shipped_rule() -> None:
    """A check without a rule would be code that no case covers."""
    used = {
        rule["check"]
        for path in _shipped()
        for rule in json.loads(path.read_text(encoding="utf-8"))["rules"]
    }
    assert used == set(CHECKS)


def _drop_each(value: Document) -> list[tuple[str, Callable[[], Document]]]:
    def without(name: str) -> Callable[[], Document]:
        return lambda: document(**{name: ...})

    return [(name, without(name)) for name in value]


@pytest.mark.parametrize(("name", "made"), _drop_each(RULE))
def test_no_member_may_be_left_out(name: str, made: Callable[[], Document]) -> None:
    assert (f"/rules/0/{name}", "is missing") in faults_of(made())
