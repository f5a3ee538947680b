"""What a reviewer reads, word for word, and the figures kept beside it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.bill_index import BillIndex, day_of, lines_digest, round_e4
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import AuditPerson, InstitutionFacts
from backend.domain.audit.items import ItemSelector
from backend.domain.audit.rule import NEXT_STATES, RuleState
from tests.unit.audit.cases import CASES
from tests.unit.audit.said import SAID
from tests.unit.audit.scenes import (
    DAY,
    day,
    facts,
    group,
    inpatient,
    line,
    other,
    outpatient,
    stay,
)

RULES = load_rule_book().shipped


@pytest.mark.parametrize("code", sorted(SAID))
def test_the_words_and_figures(code: str) -> None:
    (hit,) = evaluate(RULES.only(code), CASES[code].hit).hits
    assert (hit.line_index, hit.zh, hit.en, hit.evidence) == SAID[code]


def test_the_words_of_every_rule_are_held_fast() -> None:
    assert sorted(SAID) == [rule.code for rule in RULES.rules]


def test_part_units_are_shown_as_they_were_charged() -> None:
    oxygen = line("氧气吸入", "05", quantity_e4=245_000, on=DAY)
    (hit,) = evaluate(RULES.only("qty-day"), facts(inpatient(oxygen))).hits
    assert "当日共 24.5，上限 24" in hit.zh


def test_an_outlier_is_told_in_hundredths_without_rounding_up() -> None:
    known = facts(outpatient(line(fen=29_999)), group=group(median_fen=10_000))
    (hit,) = evaluate(RULES.only("out-above"), known).hits
    assert "2.99 倍" in hit.zh


def test_only_a_rule_on_trial_comes_back_from_retirement() -> None:
    assert NEXT_STATES[RuleState.RETIRED] == {RuleState.TRIAL}
    assert all(state not in following for state, following in NEXT_STATES.items())


@pytest.mark.parametrize(
    ("amount_e4", "fen"), [(50, 1), (49, 0), (-50, -1), (-49, 0), (100_150, 1_002), (0, 0)]
)
def test_a_sum_is_rounded_half_away_from_zero(amount_e4: int, fen: int) -> None:
    assert round_e4(amount_e4) == fen


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("2026-05-13", DAY),
        ("2026-05-13T08:00:00", DAY),
        ("20260513080000", DAY),
        ("", None),
        ("2026-02-30", None),
        ("昨天", None),
    ],
)
def test_the_day_of_a_line_is_read_in_every_spelling(text: str, on: object) -> None:
    assert day_of(text) == on


def test_the_digest_of_lines_forgets_their_order_and_nothing_else() -> None:
    first, second = line("甲药"), line("乙药", fen=5)
    digest = lines_digest((first, second))
    assert lines_digest((second, first)) == digest
    assert lines_digest((first,)) != digest
    assert lines_digest((first, replace(second, quantity_e4=20_000))) != digest
    assert lines_digest((first, replace(second, amount_e4=501))) != digest
    assert lines_digest((first, replace(second, catalogue_code="other"))) != digest


def test_a_selector_means_its_items_less_the_excepted_words() -> None:
    selector = ItemSelector(
        codes=frozenset(("A1",)),
        prefixes=("XA",),
        categories=frozenset(("06",)),
        words=("支架",),
        except_words=("取出",),
    )
    meant = [("A1", "", ""), ("XA9", "", ""), ("", "", "06"), ("", "冠脉支架", "")]
    assert all(selector.matches(*key) for key in meant)
    assert not selector.matches("A2", "导丝", "08")
    assert not selector.matches("A1", "支架取出", "06")
    assert not ItemSelector().matches("", "", "")


def test_stay_days_count_nights_and_at_least_one() -> None:
    def nights(**dates: Any) -> int | None:
        return BillIndex(inpatient(**dates), RULES.table).stay_days

    assert nights() == 7
    assert nights(admitted_on=DAY) == 1
    assert nights(admitted_on=day(5, 14)) is None
    assert nights(discharged_on=None) is None


def test_age_counts_completed_years_only() -> None:
    person = AuditPerson(birth_on=day(5, 13, 2008))
    assert person.age_on(day(5, 12, 2026)) == 17
    assert person.age_on(day(5, 13, 2026)) == 18
    assert person.age_on(day(5, 13, 2000)) == 0
    assert AuditPerson().age_on(DAY) is None


def test_a_terminated_institution_is_known_and_outside_its_agreement() -> None:
    """T6 and T20: the two facts are told apart."""
    ended = InstitutionFacts(True, day(1, 1, 2024), day(12, 31, 2025))
    result = evaluate(RULES.only("ins-unknown", "ins-agreement"), facts(institution=ended))
    assert [hit.rule_code for hit in result.hits] == ["ins-agreement"]


def test_void_and_other_numbers_of_one_person_are_not_the_bill_itself() -> None:
    itself = other(invoice_number="0010000001")
    assert not evaluate(RULES.only("dup-content"), facts(others=(itself,))).hits


@pytest.mark.slow
def test_five_thousand_lines_cost_in_proportion() -> None:
    """Ten times the lines, at most thirty times the time: nothing compares lines with lines."""

    def best_of(times: int, size: int) -> float:
        lines = [line(f"检验{n % 400}", "04", on=day(5, 6 + n % 8)) for n in range(size)]
        known = facts(inpatient(*lines))
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            evaluate(RULES, known)
            taken.append(time.perf_counter() - began)
        return min(taken)

    assert best_of(5, 5_000) < 30 * best_of(20, 500)


def test_care_on_the_day_of_discharge_is_no_overlap() -> None:
    on_leaving = other(service_on=DAY)
    result = evaluate(RULES.only("stay-overlap"), facts(inpatient(), others=(on_leaving,)))
    assert not result.hits


def test_a_stay_that_begins_on_the_day_of_discharge_follows_after_no_day() -> None:
    following = stay(DAY, day(5, 20))
    (hit,) = evaluate(RULES.only("stay-readmission"), facts(inpatient(), others=(following,))).hits
    assert hit.evidence == {"gap_days": 0, "bills": ["inv-2"]}


def test_an_undated_line_is_of_the_day_of_the_visit_and_not_of_the_bill() -> None:
    bill = outpatient(visit_on=day(5, 12), issued_on=DAY)
    assert BillIndex(bill, RULES.table).days == (day(5, 12),)
    assert BillIndex(outpatient(visit_on=None), RULES.table).days == (DAY,)


def test_the_product_of_price_and_quantity_is_told_in_yuan() -> None:
    (hit,) = evaluate(RULES.only("sum-price-quantity"), CASES["sum-price-quantity"].hit).hits
    assert "约 10.00 元，金额却是 10.01 元" in hit.zh
    assert hit.evidence == {"product_e4": 100_000, "amount_e4": 100_101}
