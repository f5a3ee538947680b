"""What the engine itself does: order, limits, scope, and the words that it puts together."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.bill_index import BillIndex, day_of, lines_digest
from backend.domain.audit.check import Answer, CheckSpec, Finding, Unjudged
from backend.domain.audit.engine import AuditResult, evaluate
from backend.domain.audit.facts import ClaimFacts, ClaimKind, ClaimOrigin
from backend.domain.audit.items import ItemSelector, SelectorTable
from backend.domain.audit.rule import Level, Nature, RuleSet, RuleState, Scope
from backend.domain.invoice import ExpenseLine, VisitKind
from tests.unit.audit.one_check import asked
from tests.unit.audit.scenes import (
    ADMITTED,
    DAY,
    ELSEWHERE,
    day,
    facts,
    inpatient,
    line,
    other,
    outpatient,
)

RULES = load_rule_book().shipped


@pytest.mark.parametrize(("size", "kept", "omitted"), [(51, 50, ()), (52, 50, (1,)), (1, 0, ())])
def test_fifty_hits_of_a_rule_are_kept_and_the_others_counted(
    size: int, kept: int, omitted: tuple[int, ...]
) -> None:
    known = facts(outpatient(*[line("血常规", "04")] * size))
    result = evaluate(RULES.only("chg-repeated"), known)
    assert [hit.line_index for hit in result.hits] == list(range(1, kept + 1))
    assert result.omitted == tuple(("chg-repeated", count) for count in omitted)


def test_hits_come_by_priority_then_code_then_line() -> None:
    lines = (line("血常规", "04"), line("阿莫?林"), line("血常规", "04"), line("青霉?"))
    known = facts(outpatient(*lines, payer_name="测试乙", total_fen=1, items=()))
    rules = RULES.only("id-name", "chg-repeated", "fmt-unreadable-line", "sum-lines", "fmt-number")
    result = evaluate(rules, known)
    assert [(hit.rule_code, hit.line_index) for hit in result.hits] == [
        ("sum-lines", None),
        ("id-name", None),
        ("chg-repeated", 2),
        ("fmt-unreadable-line", 1),
        ("fmt-unreadable-line", 3),
    ]
    assert result.evaluated == tuple(rule.code for rule in rules.rules)


def test_of_one_rule_the_hits_come_in_the_order_of_the_bill() -> None:
    """Whatever the order in which its check found them: here day by day."""
    on_last, on_first = (
        line("氧气吸入", quantity=25, on=DAY),
        line("氧气吸入", quantity=25, on=ADMITTED),
    )
    known = facts(inpatient(line("氧气吸入", on=ADMITTED), on_last, on_first))
    result = evaluate(RULES.only("qty-day"), known)
    assert [hit.line_index for hit in result.hits] == [1, 2]
    twice = facts(inpatient(on_first, on_last, line("氧气吸入", quantity=1, on=ADMITTED)))
    assert [hit.line_index for hit in evaluate(RULES.only("qty-day"), twice).hits] == [1, 2]


@pytest.mark.parametrize("which", ["others", "twins"])
def test_bills_compared_with_are_named_by_day_and_reference(which: str) -> None:
    alike: dict[str, Any] = {"invoice_number": "0010000001", "institution_code": ELSEWHERE}
    bills = [
        other(reference=reference, service_on=on, visit_number="MZ1", **values)
        for reference, on in (
            ("b", day(5, 2)),
            ("a", day(5, 2)),
            ("c", day(5, 1)),
            ("d", day(5, 3)),
        )
        for values in (alike if which == "twins" else {},)
    ]
    check = "same-key" if which == "twins" else "one-visit-several-bills"
    rng = random.Random(3)
    for _ in range(4):
        rng.shuffle(bills)
        known = facts(**{"others": (), "twins": ()} | {which: tuple(bills)})
        (hit,) = asked(known, check).hits
        assert hit.evidence["bills"] == ["c", "a", "b", "d"]


def test_unknown_others_stay_unknown_where_twins_are_known() -> None:
    known = facts(others=None, twins=(other(),))
    assert [one.reason for one in asked(known, "same-content").not_judged] == ["no-other-bills"]
    known = facts(others=(other(),), twins=None)
    assert [one.reason for one in asked(known, "same-key").not_judged] == ["no-twins"]


def test_a_hit_carries_the_nature_and_state_of_its_rule() -> None:
    known = facts(outpatient(line(), total_fen=1_001, payer_name="测试乙"))
    rules = RuleSet("t", (RULES.rule("sum-lines"), RULES.rule("id-name"))).with_states(
        {"id-name": RuleState.TRIAL}
    )
    exact, judgement = evaluate(rules, known).hits
    assert (exact.nature, exact.state, exact.has_effect) == (Nature.EXACT, RuleState.LIVE, True)
    assert (judgement.nature, judgement.state, judgement.has_effect) == (
        Nature.JUDGEMENT,
        RuleState.TRIAL,
        False,
    )
    assert evaluate(rules, known).effective == (exact,)


def test_what_was_not_judged_carries_the_state_of_its_rule() -> None:
    known = facts(outpatient(diagnosis_code=""))
    rules = RuleSet("t", (RULES.rule("fmt-bad-diagnosis"),))
    (live,) = evaluate(rules, known).not_judged
    (trial,) = evaluate(RULES.only("fmt-bad-diagnosis"), known).not_judged
    assert (live.state, trial.state) == (RuleState.LIVE, RuleState.TRIAL)


@pytest.mark.parametrize(
    ("scope", "is_asked"),
    [
        (Scope(), True),
        (Scope(origins=frozenset(("outside",))), True),
        (Scope(origins=frozenset(("ledger",))), False),
        (Scope(claim_kinds=frozenset(("accident", "ordinary"))), True),
        (Scope(claim_kinds=frozenset(("ordinary",))), False),
        (Scope(visit_kinds=frozenset(("inpatient",))), True),
        (Scope(visit_kinds=frozenset(("outpatient",))), False),
    ],
)
def test_a_rule_is_asked_within_its_scope(scope: Scope, is_asked: bool) -> None:
    rule = replace(RULES.rule("id-name"), scope=scope)
    claim = ClaimFacts(ClaimKind.ACCIDENT, ClaimOrigin.OUTSIDE)
    result = evaluate(RuleSet("t", (rule,)), facts(inpatient(), claim=claim))
    assert result.evaluated == (("id-name",) if is_asked else ())


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (2**53 - 1, 2**53 - 1),
        (-(2**53 - 1), -(2**53 - 1)),
        (2**53, str(2**53)),
        (-(2**53), str(-(2**53))),
        ("text", "text"),
        ([2**60], [2**60]),
    ],
)
def test_evidence_holds_the_numbers_that_canonical_json_can(
    value: object, kept: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(answer: Answer) -> AuditResult:
        spec = CheckSpec("other-name", Level.CLAIM, lambda *_: answer, (), frozenset())
        monkeypatch.setattr("backend.domain.audit.engine.CHECKS", {"other-name": spec})
        return evaluate(RULES.only("id-name"), facts())

    (hit,) = ask([Finding(evidence={"value": value})]).hits
    assert hit.evidence == {"value": kept}
    (one,) = ask(Unjudged("why", "因", "because", {"value": value})).not_judged
    assert (one.rule_code, one.reason, one.zh, one.en) == ("id-name", "why", "因", "because")
    assert one.evidence == {"value": kept}


def test_a_finding_about_the_claim_names_no_line() -> None:
    """Only a rule about lines has a line in its words; its item is the name on the bill."""
    (hit,) = asked(facts(outpatient(line("甲"), line("乙", fen=0))), "incomplete-line").hits
    assert (hit.line_index, hit.en) == (1, "missing amount")
    (claim,) = evaluate(RULES.only("acc-items"), facts(outpatient(line(), line("石膏")))).hits
    assert claim.line_index is None
    assert "“石膏”" in claim.zh


# The bill, indexed


def index_of(*lines: ExpenseLine, **header: Any) -> BillIndex:
    return BillIndex(inpatient(*lines, **header), RULES.table)


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("2026-05-13 23:59", DAY),
        ("20260513", DAY),
        ("202605130800", DAY),
        ("2026/05/13", None),
        ("2026-5-13", None),
        ("20260532", None),
        ("13-05-2026", None),
    ],
)
def test_spellings_of_a_day(text: str, on: dt.date | None) -> None:
    assert day_of(text) == on


def test_the_day_of_a_line_of_a_stay_is_its_own_or_not_known() -> None:
    lines = (line(on=ADMITTED), line(), line(occurred_at="不详"), line(occurred_at="20260507"))
    assert index_of(*lines).days == (ADMITTED, None, None, day(5, 7))
    bill = outpatient(*lines, visit_on=day(5, 12))
    assert BillIndex(bill, RULES.table).days == (ADMITTED, day(5, 12), day(5, 12), day(5, 7))


def test_lines_are_grouped_by_day_in_their_order() -> None:
    index = index_of(line(on=DAY), line(), line(on=ADMITTED), line(on=DAY), line())
    grouped = index.by_day([0, 1, 2, 3, 4])
    assert list(grouped.items()) == [(DAY, [0, 3]), (None, [1, 4]), (ADMITTED, [2])]
    assert index.by_day([]) == {}


def test_amounts_and_quantities_of_lines_are_added_before_rounding() -> None:
    thirds = [line(quantity_e4=3_333, price_e6=1, amount_e4=33)] * 3
    index = index_of(*thirds, line(quantity_e4=1, amount_e4=50))
    assert index.amount_fen([0, 1]) == 1
    assert index.amount_fen([0]) == 0
    assert index.amount_fen([0, 1, 2]) == 1
    assert index.lines_fen == 1
    assert index.quantity_e4([0, 1, 3]) == 6_667
    assert (index.amount_fen([]), index.quantity_e4([])) == (0, 0)


def test_the_digest_is_sha256_of_the_sorted_lines() -> None:
    """Code (or name), quantity and amount of each line, sorted, a line break between."""
    lines = (
        line("乙", code="B2", quantity_e4=20_000, amount_e4=300),
        line("甲", catalogue_code="", quantity_e4=10_000, amount_e4=5),
    )
    rows = "B2|20000|300\n甲|10000|5"
    assert lines_digest(lines) == hashlib.sha256(rows.encode()).hexdigest()
    assert index_of(*lines).digest == lines_digest(lines)
    assert lines_digest(()) == hashlib.sha256(b"").hexdigest()


def test_what_a_bill_is_by_its_visit() -> None:
    assert index_of().is_inpatient
    assert index_of().visit_kind is VisitKind.INPATIENT
    visit = BillIndex(outpatient(), RULES.table)
    assert not visit.is_inpatient
    assert visit.stay_days is None


def test_lines_that_a_selector_means_are_found_in_order() -> None:
    selector = ItemSelector(words=("甲",))
    table = SelectorTable((selector, ItemSelector(words=("丙",))))
    index = BillIndex(outpatient(line("乙"), line("甲"), line("丙甲"), line("甲")), table)
    assert index.meant(selector) == [1, 2, 3]
    assert index.meant(ItemSelector(words=("丙",))) == [2]
    assert index.meant(ItemSelector(words=("无",))) == []
