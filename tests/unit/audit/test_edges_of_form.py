"""Form and sums of a bill, at the edges: what just fits, what just does not, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import AuditFacts, ClaimFacts, ClaimOrigin
from backend.domain.invoice import FeeItem
from tests.unit.audit.one_check import found, unjudged
from tests.unit.audit.scenes import ADMITTED, DAY, day, facts, inpatient, line, outpatient

RULES = load_rule_book().shipped
ELEMENTS = ["amount", "check-code", "code", "number", "payer"]
OUTSIDE = ClaimFacts(origin=ClaimOrigin.OUTSIDE)


def words_of(code: str, known: AuditFacts) -> list[tuple[str, str]]:
    return [(hit.zh, hit.en) for hit in evaluate(RULES.only(code), known).hits]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("33060126", "0010000001"),
        ("033001900111", "12345678"),
        ("", "26332000000000012345"),
    ],
)
def test_numbers_of_the_three_kinds_of_bill_fit(code: str, number: str) -> None:
    assert not found(facts(outpatient(invoice_code=code, invoice_number=number)), "number-shape")


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("33060126", "12345678"),
        ("33060126", "00100000011"),
        ("3306012", "0010000001"),
        ("330601266", "0010000001"),
        ("3306012A", "0010000001"),
        ("033001900111", "0010000001"),
        ("033001900111", "1234567"),
        ("03300190011", "12345678"),
        ("", "0010000001"),
        ("", "2633200000000001234"),
        ("", "263320000000000123456"),
        ("", ""),
        ("33060126", "26332000000000012345"),
    ],
)
def test_any_other_number_is_said_with_its_lengths(code: str, number: str) -> None:
    bill = outpatient(invoice_code=code, invoice_number=number)
    said = f"code_length {len(code)}; number_length {len(number)}"
    assert found(facts(bill), "number-shape") == [(None, said)]


@pytest.mark.parametrize("check_code", ["1234567", "12345-", "１２３４５６", "abcde"])
def test_a_check_code_has_six_letters_or_digits(check_code: str) -> None:
    bill = outpatient(check_code=check_code)
    assert found(facts(bill), "check-code") == [(None, f"length {len(check_code)}")]


def test_only_a_fiscal_bill_has_a_check_code_of_six() -> None:
    paper = {"invoice_code": "033001900111", "invoice_number": "12345678", "check_code": "123"}
    assert not found(facts(outpatient(**paper)), "check-code")


MISSING: list[tuple[dict[str, Any], str, str, list[str]]] = [
    ({"invoice_code": ""}, "票据代码", "the bill's code", ["code"]),
    ({"invoice_number": ""}, "票据号码", "the bill's number", ["number"]),
    ({"check_code": ""}, "校验码", "the check code", ["check-code"]),
    ({"total_fen": 0}, "金额", "the amount", ["amount"]),
    ({"payer_name": ""}, "交款人", "the payer", ["payer"]),
    ({"payer_name": "  "}, "交款人", "the payer", ["payer"]),
    (
        {"invoice_code": "", "payer_name": ""},
        "票据代码、交款人",
        "the bill's code, the payer",
        ["code", "payer"],
    ),
    (
        {"invoice_code": "", "invoice_number": "", "check_code": "", "total_fen": 0},
        "金额、校验码、票据代码、票据号码",
        "the amount, the check code, the bill's code, the bill's number",
        ["amount", "check-code", "code", "number"],
    ),
]


@pytest.mark.parametrize(("header", "zh", "en", "missing"), MISSING)
def test_the_missing_elements_are_named(
    header: dict[str, Any], zh: str, en: str, missing: list[str]
) -> None:
    known = facts(outpatient(**header), claim=OUTSIDE)
    (hit,) = evaluate(RULES.only("fmt-five-elements"), known).hits
    assert f"缺少：{zh}。" in hit.zh
    assert f"are missing: {en}." in hit.en
    assert hit.evidence == {"missing": missing}


def test_only_the_elements_that_the_rule_asks_for_are_missed() -> None:
    bill = outpatient(invoice_code="", payer_name="")
    assert found(facts(bill), "missing-elements", elements=["payer"]) == [
        (None, "missing the payer")
    ]
    assert not found(facts(bill), "missing-elements", elements=["amount"])


@pytest.mark.parametrize("total_fen", [1, -1])
def test_an_amount_of_one_fen_is_there(total_fen: int) -> None:
    bill = outpatient(total_fen=total_fen)
    assert not found(facts(bill), "missing-elements", elements=ELEMENTS)


INCOMPLETE: list[tuple[dict[str, Any], str, str, list[str]]] = [
    ({"name": " "}, "名称", "name", ["name"]),
    ({"quantity_e4": 0}, "数量", "quantity", ["quantity"]),
    ({"amount_e4": 0}, "金额", "amount", ["amount"]),
    ({"name": "", "amount_e4": 0}, "名称、金额", "name, amount", ["name", "amount"]),
    (
        {"name": "", "quantity_e4": 0, "amount_e4": 0},
        "名称、数量、金额",
        "name, quantity, amount",
        ["name", "quantity", "amount"],
    ),
]


@pytest.mark.parametrize(("changed", "zh", "en", "missing"), INCOMPLETE)
def test_what_a_line_lacks_is_named(
    changed: dict[str, Any], zh: str, en: str, missing: list[str]
) -> None:
    known = facts(outpatient(line(), replace(line(), **changed), line()))
    (hit,) = evaluate(RULES.only("fmt-incomplete-line"), known).hits
    assert (hit.line_index, hit.evidence) == (1, {"missing": missing})
    assert hit.zh == f"第 2 行缺少：{zh}，请核对原始清单。"
    assert hit.en == f"Line 2 lacks: {en}; compare with the original list."


@pytest.mark.parametrize("changed", [{"quantity_e4": 1}, {"amount_e4": 1}, {"amount_e4": -1}])
def test_the_smallest_figures_are_figures(changed: dict[str, int]) -> None:
    assert not found(facts(outpatient(replace(line(), **changed))), "incomplete-line")


@pytest.mark.parametrize(
    ("changed", "is_negative"),
    [
        ({"quantity_e4": -1}, True),
        ({"amount_e4": -1}, True),
        ({"quantity_e4": 0}, False),
        ({"amount_e4": 0}, False),
    ],
)
def test_a_line_is_negative_by_quantity_or_amount(
    changed: dict[str, int], is_negative: bool
) -> None:
    known = facts(outpatient(line(), replace(line(), **changed), total_fen=1_000))
    assert found(known, "negative-line") == ([(1, "hit")] if is_negative else [])


def test_every_unreadable_line_is_named() -> None:
    known = facts(outpatient(line("阿莫?林"), line(), line("青霉？"), line("�"), line()))
    hits = evaluate(RULES.only("fmt-unreadable-line"), known).hits
    assert [(hit.line_index, hit.evidence) for hit in hits] == [
        (0, {"name": "阿莫?林"}),
        (2, {"name": "青霉？"}),
        (3, {"name": "�"}),
    ]


@pytest.mark.parametrize(
    ("code", "fits"),
    [
        ("I10", True),
        ("I10.x", True),
        ("I10.12345678", True),
        ("I10*", True),
        ("I10+", True),
        ("I10.", False),
        ("I10.123456789", False),
        ("I1", False),
        ("I101", False),
        ("i10", False),
        ("110", False),
        ("I10+*", False),
        (" I10", False),
        ("J10", False),
    ],
)
def test_the_shape_of_a_diagnosis_code(code: str, fits: bool) -> None:
    """A letter that the rule lists, two digits, then at most eight characters after a point."""
    known = facts(outpatient(diagnosis_code=code))
    expected = [] if fits else [(None, f"diagnosis {code}")]
    assert found(known, "bad-diagnosis", letters=["H", "I"]) == expected


@pytest.mark.parametrize(
    "header",
    [
        {"admitted_on": None, "discharged_on": DAY},
        {"admitted_on": ADMITTED, "discharged_on": None},
        {"admitted_on": None, "discharged_on": None},
        {"admitted_on": DAY, "discharged_on": DAY},
    ],
)
def test_dates_are_swapped_only_where_both_are_known(header: dict[str, Any]) -> None:
    assert not found(facts(inpatient(**header)), "dates-swapped")


@pytest.mark.parametrize("name", ["issued_on", "visit_on", "admitted_on", "discharged_on"])
def test_none_of_the_dates_may_be_after_the_claim(name: str) -> None:
    late = facts(inpatient(**{name: day(5, 21)}), submitted_on=day(5, 20))
    assert found(late, "future-date") == [(None, "date 2026-05-21; submitted 2026-05-20")]
    assert not found(facts(inpatient(**{name: day(5, 20)})), "future-date")


def test_of_several_dates_in_the_future_the_last_is_told() -> None:
    bill = outpatient(visit_on=day(5, 22), issued_on=day(5, 25))
    (hit,) = evaluate(RULES.only("fmt-future-date"), facts(bill)).hits
    assert hit.evidence == {"date": "2026-05-25", "submitted": "2026-05-20"}


def test_each_line_outside_the_visit_is_named_with_its_day() -> None:
    lines = (
        line(on=day(5, 11)),
        line(on=day(5, 12)),
        line(on=day(5, 14)),
        line(on=day(5, 15)),
        line(on=day(5, 11)),
        line(),
    )
    known = facts(outpatient(*lines, visit_on=day(5, 12), issued_on=day(5, 14)))
    visit = "first 2026-05-12; last 2026-05-14"
    assert found(known, "line-outside-visit") == [
        (0, f"day 2026-05-11; {visit}"),
        (3, f"day 2026-05-15; {visit}"),
        (4, f"day 2026-05-11; {visit}"),
    ]


def test_a_stay_that_has_not_ended_lasts_to_the_day_of_the_bill() -> None:
    lines = (line(on=DAY), line(on=day(5, 14)), line(occurred_at="不详"))
    known = facts(inpatient(*lines, discharged_on=None, issued_on=DAY))
    assert found(known, "line-outside-visit") == [
        (1, "day 2026-05-14; first 2026-05-06; last 2026-05-13")
    ]


def test_one_dated_line_is_enough_to_judge_by() -> None:
    known = facts(inpatient(line(), line(on=DAY)))
    assert not found(known, "line-outside-visit")
    assert unjudged(facts(inpatient(line(), line())), "line-outside-visit") == ["no-line-days"]


@pytest.mark.parametrize(
    ("self_payment", "self_expense", "said"),
    [
        (1_001, None, "sum 10.01; total 10.00"),
        (None, 1_001, "sum 10.01; total 10.00"),
        (1, 1_000, "sum 10.01; total 10.00"),
        (1_000, None, None),
        (0, 1_000, None),
        (0, 0, None),
    ],
)
def test_own_parts_may_reach_the_bill_and_not_exceed_it(
    self_payment: int | None, self_expense: int | None, said: str | None
) -> None:
    bill = outpatient(self_payment_fen=self_payment, self_expense_fen=self_expense)
    assert found(facts(bill), "person-parts") == ([(None, said)] if said else [])


PAYERS = ["fund_pay_fen", "other_pay_fen", "account_pay_fen"]


@pytest.mark.parametrize("payer", PAYERS)
def test_every_payer_counts_towards_the_bill(payer: str) -> None:
    beyond = facts(outpatient(own_pay_fen=0, **{payer: 1_001}))
    assert found(beyond, "payers-beyond") == [(None, "sum 10.01; total 10.00")]
    assert found(beyond, "payers-total") == [(None, "sum 10.01; total 10.00")]
    exact = facts(outpatient(own_pay_fen=0, **{payer: 1_000}))
    assert not found(exact, "payers-beyond")
    assert not found(exact, "payers-total")


def test_payers_of_a_red_bill_are_no_payers_beyond_it() -> None:
    red = outpatient(line(quantity=-1), own_pay_fen=0, fund_pay_fen=1)
    assert not found(facts(red), "payers-beyond")


def test_a_payment_of_one_fen_is_a_payment() -> None:
    bill = outpatient(own_pay_fen=1)
    assert found(facts(bill), "payers-total") == [(None, "sum 0.01; total 10.00")]


def test_all_categories_count() -> None:
    items = (FeeItem("09", "西药费", 400), FeeItem("04", "化验费", 599))
    assert found(facts(outpatient(items=items)), "items-total") == [(None, "sum 9.99; total 10.00")]


@pytest.mark.parametrize(
    ("amount_e4", "tolerance", "hits"),
    [
        (100_100, 100, False),
        (99_900, 100, False),
        (100_101, 100, True),
        (99_899, 100, True),
        (100_000, 0, False),
        (100_001, 0, True),
    ],
)
def test_price_times_quantity_within_the_tolerance(
    amount_e4: int, tolerance: int, hits: bool
) -> None:
    odd = line(quantity_e4=20_000, price_e6=5_000_000, amount_e4=amount_e4)
    known = facts(outpatient(line(), odd, line()))
    places = [index for index, _ in found(known, "price-quantity", tolerance_e4=tolerance)]
    assert places == ([1] if hits else [])


@pytest.mark.parametrize(
    ("price_e6", "amount_e4"), [(499_999, 0), (500_000, 1), (1_499_999, 1), (1_500_000, 2)]
)
def test_a_product_is_rounded_half_up_to_four_decimals(price_e6: int, amount_e4: int) -> None:
    exact = line(quantity_e4=1, price_e6=price_e6, amount_e4=amount_e4)
    assert not found(facts(outpatient(exact, total_fen=1)), "price-quantity", tolerance_e4=0)


@pytest.mark.parametrize("quantity_e4", [1, 3, 10_000, 33_333])
def test_a_line_and_the_line_that_reverses_it_are_judged_alike(quantity_e4: int) -> None:
    """A red bill repeats its bill with the sign turned; neither rounding nor words may differ."""
    product = (quantity_e4 * 500_000 + 500_000) // 1_000_000
    charged = line(quantity_e4=quantity_e4, price_e6=500_000, amount_e4=product)
    refunded = line(quantity_e4=-quantity_e4, price_e6=500_000, amount_e4=-product)
    known = facts(outpatient(charged, refunded, total_fen=1))
    assert not found(known, "price-quantity", tolerance_e4=0)

    wrong = line(quantity_e4=20_000, price_e6=5_000_000, amount_e4=100_150)
    back = line(quantity_e4=-20_000, price_e6=5_000_000, amount_e4=-100_150)
    assert found(facts(outpatient(wrong, back, total_fen=1)), "price-quantity", tolerance_e4=0) == [
        (0, "amount 10.02; product 10.00"),
        (1, "amount -10.02; product -10.00"),
    ]
