"""A rule set that is wrong is refused as a whole, with every fault and its JSON path."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.audit_rules import RULE_DIRECTORY
from backend.domain.audit.checks import CHECKS
from backend.domain.audit.rule import Level, Nature, RuleClass, RuleError, RuleState, Scope
from backend.domain.audit.rule_reader import parse_rules
from backend.domain.audit.text import Text
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


NO_WORDS = ("应为小写字母、数字和连字符", "is not lower-case words with hyphens")
EMPTY = ("是空的", "is empty")


def no_text(length: int) -> tuple[str, str]:
    return (f"不是 {length} 字以内的文本", f"is not a text up to {length}")


def placeholder(name: str) -> tuple[str, str]:
    return (f"占位符有误：{{{name}}}", f"has a wrong placeholder: {{{name}}}")


IN_BOTH_LANGUAGES: list[tuple[Document, str, tuple[str, str]]] = [
    ({"code": "a--b"}, "code", NO_WORDS),
    ({"code": "1a"}, "code", NO_WORDS),
    ({"code": "a" * 41}, "code", no_text(40)),
    ({"queue": "a_b"}, "queue", NO_WORDS),
    ({"queue": "a" * 33}, "queue", no_text(32)),
    (
        {"level": "claim"},
        "level",
        ("检查 repeated-item 的级别是 line", "the check is about a line"),
    ),
    ({"valid_to": "2025-12-31"}, "valid_to", ("早于 valid_from", "is before valid_from")),
    ({"source": " "}, "source", EMPTY),
    ({"owner": ""}, "owner", EMPTY),
    ({"source": "s" * 301}, "source", no_text(300)),
    ({"owner": "o" * 301}, "owner", no_text(300)),
    ({"title": {"zh": "题" * 61, "en": "x"}}, "title/zh", no_text(60)),
    ({"title": {"zh": "题", "en": "x" * 61}}, "title/en", no_text(60)),
    ({"title": {"zh": " ", "en": "x"}}, "title/zh", EMPTY),
    ({"title": {"zh": "题", "en": ""}}, "title/en", EMPTY),
    ({"title": {"zh": "{line}", "en": "x"}}, "title/zh", placeholder("line")),
    ({"text": {"zh": "文" * 301, "en": "x"}}, "text/zh", no_text(300)),
    ({"text": {"zh": "文", "en": "x" * 301}}, "text/en", no_text(300)),
    ({"text": {"zh": "文", "en": "{days}"}}, "text/en", placeholder("days")),
    ({"text": {"zh": "{}", "en": "x"}}, "text/zh", placeholder("")),
    ({"text": {"zh": "{day:d}", "en": "x"}}, "text/zh", placeholder("day")),
    ({"text": {"zh": "{day!s}", "en": "x"}}, "text/zh", placeholder("day")),
    ({"basis": {"zh": "据" * 301, "en": "x"}}, "basis/zh", no_text(300)),
    ({"basis": {"zh": "据", "en": "{line}"}}, "basis/en", placeholder("line")),
    (
        {"basis": {"zh": "据", "en": "x", "fr": "y"}},
        "basis/fr",
        ("未知字段", "is an unknown field"),
    ),
    (
        {"scope": {"origins": ["paper"]}},
        "scope/origins/0",
        ("应为 ('ledger', 'outside') 之一", "is not one of ('ledger', 'outside')"),
    ),
    (
        {"scope": {"claim_kinds": ["work"]}},
        "scope/claim_kinds/0",
        ("应为 ('ordinary', 'accident') 之一", "is not one of ('ordinary', 'accident')"),
    ),
    (
        {"role": "cashier"},
        "role",
        ("应为 ('reviewer', 'supervisor') 之一", "is not one of ('reviewer', 'supervisor')"),
    ),
]


@pytest.mark.parametrize(("changed", "name", "words"), IN_BOTH_LANGUAGES)
def test_a_fault_is_said_in_both_languages(
    changed: Document, name: str, words: tuple[str, str]
) -> None:
    with pytest.raises(MalformedDataError) as caught:
        parse_rules(document(**changed))
    assert list(caught.value.faults) == [(f"/rules/0/{name}", *words)]


@pytest.mark.parametrize("name", ["code", "queue", "source", "owner"])
def test_a_text_that_is_too_long_is_not_said_to_be_empty(name: str) -> None:
    """Only what is wrong is named: its author would look for a text that is there."""
    found = faults_of(document(**{name: "a" * 999}))
    assert [(path, said.startswith("is not a text up to")) for path, said in found] == [
        (f"/rules/0/{name}", True)
    ]
    assert (f"/rules/0/{name}", "is missing") in faults_of(document(**{name: ...}))


def test_faults_of_the_set_are_said_in_both_languages() -> None:
    def faults(**changed: Any) -> list[tuple[str, str, str]]:
        with pytest.raises(MalformedDataError) as caught:
            parse_rules(document() | changed)
        return list(caught.value.faults)

    assert faults(rules=[]) == [("/rules", "没有规则", "holds no rule")]
    assert faults(rules=[RULE, RULE]) == [("/rules/1/code", "重复", "is given twice")]
    assert faults(set_id="s" * 65) == [("/set_id", *no_text(64))]
    assert faults(note_zh="n" * 2_001) == [("/note_zh", *no_text(2_000))]
    assert faults(note_en="n" * 2_001) == [("/note_en", *no_text(2_000))]
    assert faults(version=1) == [("/version", "未知字段", "is an unknown field")]
    too_many = faults(rules=[RULE] * 2_001)
    assert too_many[0] == ("/rules", "不是 2000 项以内的列表", "is not a list up to 2000")
    (path, zh, en), *_ = faults(note_zh=1.5)
    assert (path, zh) == ("", "含有小数、空值或布尔值")
    assert en


def test_an_unfinished_placeholder_is_said_with_what_is_wrong() -> None:
    with pytest.raises(MalformedDataError) as caught:
        parse_rules(document(text={"zh": "{line", "en": "}"}))
    assert [path for path, *_ in caught.value.faults] == ["/rules/0/text/zh", "/rules/0/text/en"]
    assert caught.value.faults[0][1].startswith("占位符有误：expected '}'")
    assert "Single '}'" in caught.value.faults[1][2]


def test_braces_that_stand_for_themselves_are_no_placeholder() -> None:
    rule = parse_rules(document(text={"zh": "{{甲}}", "en": "{{a}} {line}"})).rule("chg-repeated")
    assert rule.text.en == "{{a}} {line}"


def test_the_longest_texts_of_a_rule_are_read() -> None:
    longest = document(
        code="a" * 40,
        queue="q" * 32,
        source="s" * 300,
        owner="o" * 300,
        title={"zh": "题" * 60, "en": "t" * 60},
        text={"zh": "文" * 300, "en": "x" * 300},
        basis={"zh": "据" * 300, "en": "b" * 300},
    ) | {"set_id": "i" * 64, "note_zh": "n" * 2_000, "note_en": "n" * 2_000}
    read = parse_rules(longest)
    (rule,) = read.rules
    assert (read.set_id, rule.code, rule.queue) == ("i" * 64, "a" * 40, "q" * 32)
    assert (rule.source, rule.owner) == ("s" * 300, "o" * 300)
    assert (rule.title.zh, rule.title.en) == ("题" * 60, "t" * 60)
    assert (rule.text.zh, rule.text.en) == ("文" * 300, "x" * 300)
    assert (rule.basis.zh, rule.basis.en) == ("据" * 300, "b" * 300)


def test_every_member_of_a_rule_is_read() -> None:
    rule = parse_rules(document(reattach=0)).rule("chg-repeated")
    assert (rule.rule_class, rule.level, rule.check) == (
        RuleClass.CHARGING, Level.LINE, "repeated-item",
    )  # fmt: skip
    assert (rule.severity, rule.priority, rule.queue, rule.role) == (3, 2, "charging", "reviewer")
    assert (rule.source, rule.owner, rule.is_reattached) == ("T9", "审核科", False)
    assert (rule.title, rule.basis) == (
        Text("重复收费", "Charged twice"),
        Text("一日一次", "once a day"),
    )
    assert rule.text.zh == "第 {line} 行“{item}”在 {day} 已收过"
    assert rule.scope == Scope()
    assert not parse_rules(document()).rule("chg-repeated").is_reattached


def test_every_part_of_a_scope_is_read() -> None:
    scope = {"origins": ["outside"], "claim_kinds": ["accident"], "visit_kinds": ["inpatient"]}
    assert parse_rules(document(scope=scope)).rule("chg-repeated").scope == Scope(
        frozenset(("outside",)), frozenset(("accident",)), frozenset(("inpatient",))
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"severity": 1},
        {"severity": 5},
        {"priority": 1},
        {"priority": 5},
        {"valid_to": "2026-01-01"},
    ],
)
def test_the_edges_of_a_rule_are_within(changed: Document) -> None:
    assert parse_rules(document(**changed)).rules


def test_the_digest_is_sha256_of_the_sorted_compact_json() -> None:
    value = document()
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert parse_rules(value).digest == hashlib.sha256(text.encode()).digest()


# The set


def test_rules_stand_in_the_order_of_their_codes() -> None:
    second = copy.deepcopy(RULE) | {"code": "age-first"}
    value = document() | {"rules": [RULE, second]}
    rules = parse_rules(value)
    assert [rule.code for rule in rules.rules] == ["age-first", "chg-repeated"]
    assert list(rules.by_code) == ["age-first", "chg-repeated"]
    assert [rule.code for rule in rules.only("chg-repeated").rules] == ["chg-repeated"]


def test_a_set_with_other_states_is_the_same_set() -> None:
    value = document(state="live") | {"set_id": "mine"}
    rules = parse_rules(value)
    changed = rules.with_states({"chg-repeated": RuleState.RETIRED})
    assert (changed.set_id, changed.digest) == ("mine", rules.digest)
    assert changed.rule("chg-repeated").state is RuleState.RETIRED
    assert rules.with_states({}).rule("chg-repeated").state is RuleState.LIVE
    alone = rules.only("chg-repeated")
    assert (alone.set_id, alone.digest) == ("mine", rules.digest)
    assert alone.rule("chg-repeated").state is RuleState.TRIAL


@pytest.mark.parametrize(
    ("on", "is_valid"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)],
)
def test_both_days_belong_to_the_validity_of_a_rule(on: str, is_valid: bool) -> None:
    rule = parse_rules(document()).rule("chg-repeated")
    assert rule.is_valid_on(dt.date.fromisoformat(on)) is is_valid


@pytest.mark.parametrize(
    ("nature", "state", "may_refuse"),
    [
        ("exact", "live", True),
        ("exact", "trial", False),
        ("exact", "retired", False),
        ("judgement", "live", False),
    ],
)
def test_only_an_exact_live_rule_may_refuse(nature: str, state: str, may_refuse: bool) -> None:
    rule = parse_rules(document(nature=nature, state=state)).rule("chg-repeated")
    assert rule.may_refuse is may_refuse


def test_an_unknown_rule_is_said_in_both_languages() -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(document()).rule("none")
    assert (caught.value.code, caught.value.zh, caught.value.en) == (
        "bad-rule", "没有规则 none。", "There is no rule none.",
    )  # fmt: skip
