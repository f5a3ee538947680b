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

SAID: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "chg-repeated",
        "第 2 行“血常规”在 2026-05-13 已收过一次，请核对是否重复收费。",
        "Line 2: this item was charged before on 2026-05-13; check for repeated charging.",
        {"day": "2026-05-13", "times": 2},
    ),
    (
        "sum-lines",
        "清单合计 10.00 元与票据金额 10.01 元不一致，请医院更正后再报。",
        "The lines add up to 10.00 yuan, the bill says 10.01; the hospital has to correct it.",
        {"sum_fen": 1_000, "total_fen": 1_001},
    ),
    (
        "dup-content",
        "本人 2026-05-13 另有 1 张票据金额同为 10.00 元、明细相同，只是号码不同，"
        "请核对是否重复开票。",
        "The person has 1 more of 10.00 yuan on 2026-05-13 with the same lines under another "
        "number; check for a second bill of one visit.",
        {"bills": ["inv-2"], "hospitals": ["H33080300002"]},
    ),
    (
        "chg-bed-days",
        "床位费共 9 日，住院只有 8 天，请核对多收部分。",
        "Beds are charged for 9 days, the stay has 8; check the excess.",
        {"units_e4": 90_000, "days": 8, "lines": [0]},
    ),
    (
        "qty-hospitals",
        "第 1 行“氨氯地平片”：慢病口服药（盒） 近 30 天在各家医院共 13，上限 12，超出部分请核对。",
        "Line 1: chronic oral drugs (boxes), 13 over all hospitals in 30 days, at most 12; "
        "check the excess.",
        {
            "units_e4": 130_000,
            "earlier_e4": 60_000,
            "bills": ["inv-2"],
            "limit": "chronic oral drugs (boxes)",
        },
    ),
    (
        "stay-split",
        "与同一诊断的另一次住院只隔 3 天（不超过 3 天），请核对是否分解住院。",
        "3 days from another stay with the same diagnosis (limit 3); check for a split admission.",
        {"gap_days": 3, "bills": ["inv-2"]},
    ),
    (
        "id-gender",
        "票据上的性别是女，参保登记是男，请核对身份。",
        "The bill says female, the register male; check the identity.",
        {"printed": "female", "registered": "male"},
    ),
    (
        "fmt-five-elements",
        "电子发票五要素未录入齐全，缺少：校验码。请补齐后再核验真伪。",
        "Elements of the bill are missing: the check code. Add them, then check authenticity.",
        {"missing": ["check-code"]},
    ),
    (
        "late-excused",
        "距就诊 366 天才申报（期限 365 天），理由是 illness，请核对证明。",
        "Handed in 366 days after the care (limit 365) with the excuse illness; check the proof.",
        {"days": 366, "limit": 365, "excuse": "illness"},
    ),
    (
        "stay-tests-only",
        "住院 3 天，检查化验占费用 90%，请核对是否可在门诊完成。",
        "3 days in hospital, tests are 90 % of the cost; check whether outpatient care would have "
        "done.",
        {"tests_fen": 9_000, "total_fen": 10_000},
    ),
    (
        "ins-agreement",
        "票据开具日期 2026-05-13 不在定点协议期 2026-01-01 至 2026-05-12 内，不能报销；可申诉。",
        "Issued on 2026-05-13, outside the agreement from 2026-01-01 to 2026-05-12: not payable. "
        "You may appeal.",
        {"issued": "2026-05-13", "from": "2026-01-01", "to": "2026-05-12"},
    ),
]


@pytest.mark.parametrize(("code", "zh", "en", "evidence"), SAID)
def test_the_words_and_figures(code: str, zh: str, en: str, evidence: dict[str, Any]) -> None:
    (hit,) = evaluate(RULES.only(code), CASES[code].hit).hits
    assert (hit.zh, hit.en, hit.evidence) == (zh, en, evidence)


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
