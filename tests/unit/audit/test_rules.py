"""Every shipped rule: it hits, it lets near misses pass, and its words stand in both languages."""

from __future__ import annotations

import datetime as dt
import random
import re
from dataclasses import replace

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.engine import AuditResult, evaluate
from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.rule import Level, Nature, RuleClass, RuleError, RuleSet, RuleState
from tests.unit.audit.cases import CASES
from tests.unit.audit.scenes import DAY, day, facts, line, other, outpatient

RULES = load_rule_book().shipped
CODES = [rule.code for rule in RULES.rules]


def judged(code: str, known: AuditFacts) -> AuditResult:
    """What one rule says, whatever its state."""
    return evaluate(RULES.only(code), known)


def test_there_are_rules_of_every_class_and_each_has_cases() -> None:
    assert len(CODES) >= 45
    assert {rule.rule_class for rule in RULES.rules} == set(RuleClass)
    assert sorted(CASES) == CODES
    assert all(len(case.misses) >= 2 for case in CASES.values())


@pytest.mark.parametrize("code", CODES)
def test_it_hits_what_it_is_for(code: str) -> None:
    result = judged(code, CASES[code].hit)
    assert {hit.rule_code for hit in result.hits} == {code}
    assert not result.not_judged
    for hit in result.hits:
        assert re.search(r"[一-鿿]", hit.zh)
        assert re.search(r"[a-z]", hit.en)
        assert "{" not in hit.zh + hit.en
        assert (hit.line_index is not None) == (RULES.rule(code).level is Level.LINE)


@pytest.mark.parametrize("code", CODES)
def test_it_lets_near_misses_pass(code: str) -> None:
    for number, known in enumerate(CASES[code].misses):
        result = judged(code, known)
        assert not result.hits, f"near miss {number}"
        assert not result.not_judged, f"near miss {number}"


@pytest.mark.parametrize("code", CODES)
def test_near_misses_are_really_asked(code: str) -> None:
    assert all(judged(code, known).evaluated == (code,) for known in CASES[code].misses)


def test_a_plain_bill_is_let_pass_by_all_rules() -> None:
    result = evaluate(RULES, facts(outpatient(line(on=DAY))))
    assert not result.hits
    assert not result.not_judged
    assert len(result.evaluated) > 60


def test_only_stated_facts_may_refuse() -> None:
    """Requirement 3.3: what anyone can recompute; everything else goes to a person."""
    assert {rule.code for rule in RULES.rules if rule.nature is Nature.EXACT} == {
        "fmt-dates-swapped",
        "ins-agreement",
        "ins-settled-online",
        "ins-unknown",
        "sum-items",
        "sum-lines",
        "sum-payers-beyond",
    }


def test_order_of_rules_and_other_bills_has_no_effect() -> None:
    known = facts(
        outpatient(line("血常规", "04"), line("血常规", "04"), line("阿莫?林"), cashier="复核员01"),
        others=tuple(other(reference=f"inv-{n}") for n in range(2, 9)),
    )
    first = evaluate(RULES, known)
    assert len(first.hits) >= 4
    rng = random.Random(5)
    for _ in range(5):
        shuffled_rules = list(RULES.rules)
        shuffled_others = list(known.others or ())
        rng.shuffle(shuffled_rules)
        rng.shuffle(shuffled_others)
        again = evaluate(
            RuleSet(RULES.set_id, tuple(shuffled_rules)),
            replace(known, others=tuple(shuffled_others)),
        )
        assert again == first


def test_order_of_lines_moves_the_hits_and_changes_nothing_else() -> None:
    lines = [line("阿莫?林"), line("血常规", "04"), line("产前检查", "03"), line("莫西沙星片")]
    person = replace(facts().person, birth_on=dt.date(2016, 1, 1))
    rules = RULES.only("fmt-unreadable-line", "age-quinolone", "age-pregnancy-item")
    there = evaluate(rules, facts(outpatient(*lines), person=person))
    back = evaluate(rules, facts(outpatient(*reversed(lines)), person=person))
    names = [
        sorted((hit.rule_code, order[hit.line_index or 0].name) for hit in result.hits)
        for result, order in ((there, lines), (back, lines[::-1]))
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 3


def test_hits_come_by_priority() -> None:
    known = facts(outpatient(line("血常规", "04"), line("血常规", "04"), total_fen=1, items=()))
    priorities = [RULES.rule(hit.rule_code).priority for hit in evaluate(RULES, known).hits]
    assert priorities == sorted(priorities)
    assert len(set(priorities)) > 1


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "is_asked"),
    [(DAY, DAY, True), (day(5, 14), day(12, 31), False), (day(1, 1), day(5, 12), False)],
)
def test_the_rule_of_the_day_of_service_applies(
    valid_from: dt.date, valid_to: dt.date, is_asked: bool
) -> None:
    """T23: handed in months later, the rule in force on the day of care is asked."""
    rule = replace(RULES.rule("id-name"), valid_from=valid_from, valid_to=valid_to)
    known = facts(outpatient(payer_name="测试乙"), submitted_on=day(11, 1))
    result = evaluate(RuleSet("t", (rule,)), known)
    assert result.evaluated == (("id-name",) if is_asked else ())
    assert len(result.hits) == is_asked


@pytest.mark.parametrize(
    ("state", "hits", "effective"),
    [(RuleState.LIVE, 1, 1), (RuleState.TRIAL, 1, 0), (RuleState.RETIRED, 0, 0)],
)
def test_a_rule_on_trial_is_recorded_without_effect(
    state: RuleState, hits: int, effective: int
) -> None:
    rules = RuleSet("t", (RULES.rule("id-name"),)).with_states({"id-name": state})
    result = evaluate(rules, facts(outpatient(payer_name="测试乙")))
    assert (len(result.hits), len(result.effective)) == (hits, effective)


def test_an_exact_rule_refuses_only_when_live() -> None:
    assert RULES.rule("sum-lines").may_refuse
    trial = RULES.with_states({"sum-lines": RuleState.TRIAL})
    assert not trial.rule("sum-lines").may_refuse
    assert not RULES.rule("dup-content").may_refuse


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(RuleError, match="没有规则 nothing"):
        RULES.with_states({"nothing": RuleState.LIVE})
    with pytest.raises(RuleError, match="There is no rule nothing"):
        RULES.only("nothing")


def test_hits_of_one_rule_are_limited_and_counted() -> None:
    lines = [line("血常规", "04")] * 120
    result = judged("chg-repeated", facts(outpatient(*lines)))
    assert len(result.hits) == 50
    assert result.omitted == (("chg-repeated", 69),)


def test_a_figure_beyond_the_canonical_form_becomes_a_text() -> None:
    huge = line(quantity_e4=10**15, price_e6=10**13, amount_e4=1)
    (hit,) = judged("sum-price-quantity", facts(outpatient(huge))).hits
    assert hit.evidence == {"product_e4": str(10**22), "amount_e4": 1}
