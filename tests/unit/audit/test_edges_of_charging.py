"""Duplicates, charging and quantities at the edges, each with the lines and bills it names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import AuditFacts, OtherBill
from backend.domain.invoice import VisitKind
from tests.unit.audit.one_check import asked, found, unjudged
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
    stay,
)

RULES = load_rule_book().shipped
BLOOD = {"words": ["血常规"]}


def evidence_of(code: str, known: AuditFacts) -> list[dict[str, Any]]:
    return [hit.evidence for hit in evaluate(RULES.only(code), known).hits]


def many(size: int, **values: Any) -> tuple[OtherBill, ...]:
    """Bills by reference, which is the order in which they are named."""
    return tuple(other(reference=f"inv-{n:03d}", **values) for n in range(size))


def test_institutions_with_the_same_number_are_counted_and_named_in_order() -> None:
    same = {"invoice_number": "0010000001"}
    twins = (
        other(reference="c", institution_code="H9", **same),
        other(reference="a", institution_code="H7", **same),
        other(reference="b", **same),  # this institution's own
    )
    known = facts(twins=twins)
    assert found(known, "same-key") == [(None, "amount 10.00; count 2; day 2026-05-13")]
    assert evidence_of("dup-key", known) == [{"bills": ["a", "c"], "hospitals": ["H7", "H9"]}]


def test_at_most_twenty_bills_and_hospitals_are_named_and_all_are_counted() -> None:
    others = tuple(replace(one, institution_code=f"H{n:03d}") for n, one in enumerate(many(21)))
    known = facts(others=others)
    assert found(known, "same-content") == [(None, "amount 10.00; count 21; day 2026-05-13")]
    (kept,) = evidence_of("dup-content", known)
    assert kept["bills"] == [f"inv-{n:03d}" for n in range(20)]
    assert kept["hospitals"] == [f"H{n:03d}" for n in range(20)]


def test_a_hospital_with_two_such_bills_is_named_once() -> None:
    assert evidence_of("dup-content", facts(others=many(2))) == [
        {"bills": ["inv-000", "inv-001"], "hospitals": ["H33080200001"]}
    ]


@pytest.mark.parametrize("header", [{"invoice_code": "33060226"}, {"invoice_number": "0010000002"}])
def test_another_code_alone_or_number_alone_is_another_bill(header: dict[str, str]) -> None:
    itself = {"invoice_code": "33060126", "invoice_number": "0010000001"}
    assert found(facts(others=(other(**(itself | header)),)), "same-content")
    assert not found(facts(others=(other(**itself),)), "same-content")


def test_a_given_digest_of_the_lines_stands_for_them() -> None:
    alike = (other(lines_digest="stored"),)
    assert found(facts(others=alike, lines_digest="stored"), "same-content")
    assert not found(facts(others=alike, lines_digest="another"), "same-content")


@pytest.mark.parametrize(
    ("on", "hits"),
    [(day(5, 11), True), (day(5, 15), True), (day(5, 10), False), (day(5, 16), False)],
)
def test_the_same_amount_elsewhere_counts_within_the_days_before_and_after(
    on: Any, hits: bool
) -> None:
    elsewhere = other(outpatient(line("片")), institution_code=ELSEWHERE, service_on=on)
    known = facts(others=(elsewhere,))
    assert bool(found(known, "same-amount", days=2, least_fen=1_000)) is hits
    assert not found(known, "same-amount", days=2, least_fen=1_001)


def test_the_same_amount_with_the_same_lines_is_another_rules_business() -> None:
    known = facts(others=(other(institution_code=ELSEWHERE),))
    assert not found(known, "same-amount", days=1, least_fen=0)


@pytest.mark.parametrize(
    ("values", "hits"),
    [
        ({}, True),
        ({"is_same_person": True}, False),
        ({"invoice_number": "0010000001"}, False),
        ({"service_on": day(5, 12)}, False),
        ({"total_fen": 1_001}, False),
        ({"lines_digest": "another"}, False),
    ],
)
def test_another_persons_bill_is_alike_in_all_but_its_number(
    values: dict[str, Any], hits: bool
) -> None:
    known = facts(twins=(other(**({"is_same_person": False} | values)),))
    assert bool(found(known, "other-person", lines_min=1)) is hits
    assert not found(known, "other-person", lines_min=2)


def test_undated_lines_of_a_stay_are_held_against_its_days() -> None:
    """Seven nights are eight days: eight blood counts may be one a day, the ninth may not."""
    nine = facts(inpatient(*[line("血常规", "04")] * 9))
    assert found(nine, "repeated-item", items=BLOOD) == [(8, "day 2026-05-13")]
    eight = facts(inpatient(*[line("血常规", "04")] * 8))
    assert not found(eight, "repeated-item", items=BLOOD)


def test_undated_lines_of_one_day_in_hospital_are_two_days_at_most() -> None:
    bill = inpatient(*[line("血常规", "04")] * 3, admitted_on=DAY)
    assert found(facts(bill), "repeated-item", items=BLOOD) == [(2, "day 2026-05-13")]


def test_each_further_charge_of_a_day_is_counted() -> None:
    lines = [line("血常规", "04", on=on) for on in (ADMITTED, DAY, ADMITTED, ADMITTED)]
    known = facts(inpatient(*lines))
    assert found(known, "repeated-item", items=BLOOD) == [
        (2, "day 2026-05-06"),
        (3, "day 2026-05-06"),
    ]
    assert [one["times"] for one in evidence_of("chg-repeated", known)] == [2, 3]


def test_an_item_without_a_code_is_known_by_its_name() -> None:
    nameless = [
        line("血常规", "04", catalogue_code=""),
        line("血常规五分类", "04", catalogue_code=""),
    ]
    assert not found(facts(outpatient(*nameless)), "repeated-item", items=BLOOD)
    again = [*nameless, line("血常规", "04", catalogue_code="")]
    assert found(facts(outpatient(*again)), "repeated-item", items=BLOOD) == [(2, "day 2026-05-13")]


PAIRS = [
    {"zh": "甲与乙", "en": "a and b", "first": {"words": ["甲"]}, "second": {"words": ["乙"]}},
    {"zh": "丙与丁", "en": "c and d", "first": {"words": ["丙"]}, "second": {"words": ["丁"]}},
]


def test_every_pair_is_looked_for() -> None:
    """The first pair is not on the bill; the second is."""
    known = facts(outpatient(line("乙"), line("丙"), line("丁"), line("丁")))
    assert [(hit.line_index, hit.zh, hit.evidence) for hit in asked(
        known, "exclusive-items", pairs=PAIRS
    ).hits] == [
        (2, "pair 丙与丁", {"pair": "c and d"}),
        (3, "pair 丙与丁", {"pair": "c and d"}),
    ]  # fmt: skip


def test_of_a_pair_only_lines_of_one_day_exclude_each_other() -> None:
    lines = (line("甲", on=ADMITTED), line("乙", on=ADMITTED), line("乙", on=DAY), line("乙"))
    assert found(facts(inpatient(*lines)), "exclusive-items", pairs=PAIRS) == [(1, "pair a and b")]


@pytest.mark.parametrize(
    "lines",
    [
        (line("甲"), line("乙", on=DAY)),
        (line("甲", on=DAY), line("乙")),
        (line("甲"), line("乙"), line("丙", on=DAY), line("丁", on=ADMITTED)),
        (line("丙", on=DAY), line("丁"), line("丙", on=ADMITTED)),
    ],
)
def test_of_a_pair_without_days_nothing_is_said(lines: tuple[Any, ...]) -> None:
    assert unjudged(facts(inpatient(*lines)), "exclusive-items", pairs=PAIRS) == ["no-line-days"]


def test_half_a_pair_without_a_day_hides_nothing() -> None:
    known = facts(inpatient(line("甲"), line("丁")))
    assert not found(known, "exclusive-items", pairs=PAIRS)


BEDS = {"words": ["床位费"]}


def test_part_of_a_day_beyond_the_stay_is_beyond_it() -> None:
    beyond = facts(inpatient(line("床位费", "01", quantity_e4=80_001)))
    assert found(beyond, "beyond-stay", items=BEDS) == [(None, "days 8; units 8")]
    exact = facts(inpatient(line("床位费", "01", quantity_e4=80_000)))
    assert not found(exact, "beyond-stay", items=BEDS)


def test_a_bed_on_an_outpatient_bill_is_not_held_against_a_stay() -> None:
    assert not found(facts(outpatient(line("床位费", "01", quantity=9))), "beyond-stay", items=BEDS)
    assert not found(facts(inpatient(admitted_on=None)), "beyond-stay", items=BEDS)


def test_at_most_twenty_lines_are_named_of_a_stay() -> None:
    known = facts(inpatient(line(), *[line("床位费", "01")] * 21))
    (kept,) = evidence_of("chg-bed-days", known)
    assert kept == {"units_e4": 210_000, "days": 8, "lines": list(range(1, 21))}


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, True),
        ({"total_fen": 1}, True),
        ({"total_fen": 0}, False),
        ({"service_on": day(5, 12)}, False),
        ({"institution_code": ELSEWHERE}, False),
        ({"visit_kind": VisitKind.INPATIENT}, False),
    ],
)
def test_bills_of_one_kind_day_and_hospital_are_counted(
    values: dict[str, Any], counts: bool
) -> None:
    known = facts(others=(other(reference="a"), other(reference="b", **values)))
    said = [(None, "count 3; day 2026-05-13")]
    assert found(known, "several-bills", bills=3) == (said if counts else [])
    assert not found(known, "several-bills", bills=4)


def test_two_bills_are_several_where_the_rule_says_two() -> None:
    assert found(facts(others=(other(),)), "several-bills", bills=2) == [
        (None, "count 2; day 2026-05-13")
    ]
    assert not found(facts(), "several-bills", bills=2)


def test_bills_of_one_stay_are_counted_with_this_one() -> None:
    same = [stay(ADMITTED, DAY, reference, visit_number="ZY1") for reference in ("b", "a")]
    known = facts(inpatient(), others=tuple(same))
    assert found(known, "one-visit-several-bills") == [(None, "count 3")]
    assert evidence_of("chg-one-stay", known) == [{"bills": ["a", "b"]}]


def test_an_outpatient_visit_is_known_by_its_own_number() -> None:
    assert found(facts(others=(other(visit_number="MZ1"),)), "one-visit-several-bills") == [
        (None, "count 2")
    ]
    of_a_stay = other(visit_number="MZ1", visit_kind=VisitKind.INPATIENT)
    assert not found(facts(others=(of_a_stay,)), "one-visit-several-bills")
    bill = inpatient(patient_number="MZ1")
    assert not found(
        facts(bill, others=(stay(ADMITTED, DAY, visit_number="MZ1"),)), "one-visit-several-bills"
    )


# Quantities


def limit(word: str, maximum: int, **more: Any) -> dict[str, Any]:
    return {
        "zh": f"限{word}",
        "en": f"limit {word}",
        "items": {"words": [word]},
        "maximum": maximum,
        **more,
    }


def test_units_of_a_day_are_added_up_and_the_last_line_is_named() -> None:
    lines = (
        line("氧", quantity=2, on=DAY),
        line("针", quantity=3, on=DAY),
        line("氧", quantity_e4=10_001, on=DAY),
        line("氧", quantity=3, on=ADMITTED),
        line("针", quantity=1, on=DAY),
    )
    result = asked(facts(inpatient(*lines)), "over-day", limits=[limit("氧", 3), limit("针", 3)])
    assert [(hit.line_index, hit.zh, hit.evidence) for hit in result.hits] == [
        (
            2,
            "allowed 3; label 限氧; units 3.0001",
            {"units_e4": 30_001, "allowed": 3, "limit": "limit 氧"},
        ),
        (
            4,
            "allowed 3; label 限针; units 4",
            {"units_e4": 40_000, "allowed": 3, "limit": "limit 针"},
        ),
    ]


def test_undated_units_are_held_against_all_days_of_the_stay() -> None:
    limits = [limit("氧", 3)]
    assert not found(facts(inpatient(line("氧", quantity=24))), "over-day", limits=limits)
    known = facts(inpatient(line("氧", quantity=20), line("氧", quantity_e4=40_001)))
    assert found(known, "over-day", limits=limits) == [
        (1, "allowed 24; label limit 氧; units 24.0001")
    ]


def test_undated_units_of_an_unknown_stay_are_not_judged() -> None:
    known = facts(inpatient(line("氧"), discharged_on=None))
    assert unjudged(known, "over-day", limits=[limit("氧", 3)]) == ["no-stay-dates"]
    dated = facts(inpatient(line("氧", quantity=4, on=DAY), discharged_on=None))
    assert found(dated, "over-day", limits=[limit("氧", 3)])


def test_units_of_a_bill_are_added_up_limit_by_limit() -> None:
    lines = (line("支架", quantity=2), line("针", quantity=5), line("支架", quantity_e4=20_001))
    limits = [limit("晶体", 1), limit("支架", 4), limit("针", 4)]
    known = facts(inpatient(*lines))
    assert found(known, "over-visit", limits=limits) == [
        (1, "allowed 4; label limit 针; units 5"),
        (2, "allowed 4; label limit 支架; units 4.0001"),
    ]
    assert not found(facts(inpatient(*lines[:2])), "over-visit", limits=[limit("针", 5)])


@pytest.mark.parametrize(
    ("quantity_e4", "said"),
    [
        (100_000, "10"),
        (105_000, "10.5"),
        (100_500, "10.05"),
        (100_001, "10.0001"),
        (1_000_000, "100"),
    ],
)
def test_units_are_told_without_empty_decimals(quantity_e4: int, said: str) -> None:
    known = facts(outpatient(line("针", quantity_e4=quantity_e4)))
    assert found(known, "over-visit", limits=[limit("针", 1)]) == [
        (0, f"allowed 1; label limit 针; units {said}")
    ]


SUPPLY = [limit("甲", 10, days=7, unit="盒"), limit("乙", 3, days=1)]


def test_days_of_supply_are_counted_drug_by_drug() -> None:
    lines = (
        line("甲一"),
        line("甲二"),
        line("甲一", quantity_e4=4_286),
        line("乙", quantity=3),
        line("甲一", quantity=90, unit="片"),
    )
    result = asked(facts(outpatient(*lines)), "days-of-supply", limits=SUPPLY)
    assert [(hit.line_index, hit.en, hit.evidence) for hit in result.hits] == [
        (
            2,
            "allowed 10; days 10; label limit 甲",
            {"days_e4": 100_002, "allowed": 10, "limit": "limit 甲"},
        )
    ]


def test_just_as_many_days_as_allowed_pass_and_any_unit_counts_where_none_is_named() -> None:
    exact = facts(outpatient(line("乙", quantity=3, unit="瓶")))
    assert not found(exact, "days-of-supply", limits=SUPPLY)
    beyond = facts(outpatient(line("甲三"), line("乙", quantity=4, unit="瓶")))
    assert found(beyond, "days-of-supply", limits=SUPPLY) == [
        (1, "allowed 3; days 4; label limit 乙")
    ]


def test_drugs_of_a_stay_are_used_there() -> None:
    stayed = facts(inpatient(line("乙", quantity=90)), others=(other(outpatient(line("乙"))),))
    assert not found(stayed, "days-of-supply", limits=SUPPLY)
    assert not found(stayed, "over-hospitals", limits=[limit("乙", 1, days=30)])


def bought(quantity: int, on: Any, reference: str, **values: Any) -> OtherBill:
    bill = outpatient(line("乙", quantity=quantity))
    return other(bill, reference, service_on=on, **values)


@pytest.mark.parametrize(
    ("on", "counts"),
    [(day(4, 14), True), (day(4, 13), False), (DAY, True), (day(5, 14), False)],
)
def test_purchases_count_from_the_first_day_of_the_window_to_the_day_of_care(
    on: Any, counts: bool
) -> None:
    """Thirty days that end on 13 May begin on 14 April."""
    known = facts(outpatient(line("乙", quantity=2)), others=(bought(2, on, "a"),))
    said = [(0, "allowed 3; days 30; label limit 乙; units 4")]
    assert found(known, "over-hospitals", limits=[limit("乙", 3, days=30)]) == (
        said if counts else []
    )


def test_purchases_at_all_hospitals_are_added_up_past_those_that_do_not_count() -> None:
    others = (
        bought(9, day(5, 14), "later"),
        bought(9, day(4, 1), "long-ago"),
        bought(9, day(5, 1), "stay", visit_kind=VisitKind.INPATIENT),
        other(outpatient(line("丙", quantity=9)), "another-drug", service_on=day(5, 2)),
        bought(1, day(5, 3), "first"),
        bought(2, day(5, 4), "second", institution_code=ELSEWHERE),
    )
    known = facts(outpatient(line("甲"), line("乙"), line("乙")), others=others)
    result = asked(known, "over-hospitals", limits=[limit("丁", 1), limit("乙", 4, days=30)])
    assert [(hit.line_index, hit.evidence) for hit in result.hits] == [
        (
            2,
            {
                "units_e4": 50_000,
                "earlier_e4": 30_000,
                "bills": ["first", "second"],
                "limit": "limit 乙",
            },
        )
    ]
    assert not found(known, "over-hospitals", limits=[limit("乙", 5, days=30)])


def test_only_purchases_by_the_unit_of_the_limit_count() -> None:
    tablets = other(outpatient(line("乙", quantity=90, unit="片")))
    known = facts(outpatient(line("乙", quantity=2)), others=(tablets,))
    assert not found(known, "over-hospitals", limits=[limit("乙", 2, days=30, unit="盒")])
    assert found(known, "over-hospitals", limits=[limit("乙", 2, days=30)]) == [
        (0, "allowed 2; days 30; label limit 乙; units 92")
    ]


def test_a_purchase_without_a_code_is_known_by_its_name() -> None:
    by_name = outpatient(line("乙", quantity=2, catalogue_code=""))
    known = facts(by_name, others=(other(by_name),))
    assert found(known, "over-hospitals", limits=[limit("乙", 3, days=30)])


def test_kinds_of_drug_are_western_and_chinese_patent_medicines() -> None:
    lines = (line("西药", "09"), line("中成药", "11"), line("饮片", "10"), line("化验", "04"))
    assert found(facts(outpatient(*lines)), "many-drugs", kinds_max=1) == [
        (None, "allowed 1; kinds 2")
    ]
    assert not found(facts(outpatient(*lines)), "many-drugs", kinds_max=2)
    assert not found(facts(inpatient(*lines)), "many-drugs", kinds_max=1)


def test_one_name_under_two_codes_is_two_kinds_and_no_code_goes_by_name() -> None:
    lines = (line("药", code="A"), line("药", code="B"), line("药", catalogue_code=""),
             line("药丸", catalogue_code=""))  # fmt: skip
    assert found(facts(outpatient(*lines)), "many-drugs", kinds_max=3) == [
        (None, "allowed 3; kinds 4")
    ]
