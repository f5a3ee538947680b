"""Class 乙 paid first, flat or by marginal tiers: 10 % up to 100 yuan, 20 % above, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.adjudication import adjudicate
from backend.domain.person import History
from tests.unit.domain import benefit_cases as case

TIERS = ((0, 1_000), (10_000, 2_000))
BY_LINE = case.tiers("line-amount", *TIERS)
BY_PRICE = case.tiers("unit-price", *TIERS)


def explain(class_b: dict[str, Any], *lines: Any) -> Any:
    pack = case.pack(case.catalogue(), class_b=class_b)
    return adjudicate(pack, case.bill(*lines), case.person(), History())


def units(count_e4: int, price_fen: int, code: str = "FIX-02", **changes: Any) -> Any:
    amount = count_e4 * price_fen // 100
    values = {"quantity_e4": count_e4, "price_e6": price_fen * 10_000, "amount_e4": amount}
    return case.line(0, 0, "02", code, **(values | changes))


@pytest.mark.parametrize(
    ("amount", "first"),
    [
        (0, 0),
        (10_000, 1_000),
        (10_001, 1_000),  # 10.00 + 0.002
        (10_002, 1_000),  # 10.00 + 0.004
        (10_003, 1_001),  # 10.00 + 0.006
        (25_000, 4_000),  # 10 + 30
        (5, 1),  # half a fen goes up
        (4, 0),
    ],
)
def test_tiers_of_the_line_amount_are_marginal(amount: int, first: int) -> None:
    eob = explain(BY_LINE, case.line(0, amount, "02"), case.line(1, 100))
    assert eob.preselfpay_fen == first


@pytest.mark.parametrize(
    ("class_b", "first"),
    [
        (BY_LINE, 8_000),  # 450: 10 + 350 x 20 %
        (BY_PRICE, 6_000),  # 3 x (10 + 50 x 20 %)
        ({"rule_id": "b", "source": "s", "selfpay_bp": 1_000}, 4_500),
    ],
)
def test_base_of_the_tiers_is_the_packs(class_b: dict[str, Any], first: int) -> None:
    assert explain(class_b, units(30_000, 15_000)).preselfpay_fen == first


def test_tiers_of_the_unit_price_take_a_quantity_with_decimals() -> None:
    # 2.5 x (10 + 20 x 20 %) = 35
    assert explain(BY_PRICE, units(25_000, 12_000)).preselfpay_fen == 3_500


def test_three_tiers_are_each_laid_on_their_part() -> None:
    class_b = case.tiers("line-amount", *TIERS, (50_000, 3_000))
    # 100 x 10 % + 400 x 20 % + 500 x 30 %
    assert explain(class_b, case.line(0, 100_000, "02")).preselfpay_fen == 24_000
    # up to an edge, the next tier takes nothing
    assert explain(class_b, case.line(0, 50_000, "02")).preselfpay_fen == 9_000


def test_smallest_quantity_still_counts() -> None:
    # a ten-thousandth of a unit at 1,000,000.00: the unit's price is far above 100
    tiny = units(1, 100_000_000)
    # 100 at 1,000,000 a unit: (100 x 10 % + 999,900 x 20 %) / 10,000 = 19.999
    assert explain(BY_PRICE, tiny).preselfpay_fen == 2_000


@pytest.mark.parametrize(
    ("limit", "quantity_e4", "price_fen", "over"),
    [
        (0, 10_000, 5_000, 5_000),
        (5_000, 10_000, 5_000, 0),
        (4_999, 10_000, 5_000, 1),
        (0, 1, 50_000_000, 5_000),
    ],
)
def test_price_limit_at_its_edges(limit: int, quantity_e4: int, price_fen: int, over: int) -> None:
    pack = case.pack(case.catalogue(case.item("L", "01", price_limit_fen=limit)))
    line = units(quantity_e4, price_fen, "L")
    eob = adjudicate(pack, case.bill(line), case.person(), History())
    assert eob.overlmt_fen == over
    # what takes nothing is not named
    assert [(cut.code, cut.amount_fen) for cut in eob.adjustments if cut.amount_fen == over] == (
        [("over-price-limit", over)] if over else []
    )


def test_line_without_a_quantity_counts_as_one_unit() -> None:
    bare = case.line(0, 25_000, "02", quantity_e4=0, price_e6=0)
    assert explain(BY_PRICE, bare).preselfpay_fen == 4_000


def test_tiers_apply_to_what_is_within_the_price_limit() -> None:
    item = case.item("L", "02", price_limit_fen=12_000)
    pack = case.pack(case.catalogue(item), class_b=BY_PRICE)
    eob = adjudicate(pack, case.bill(units(30_000, 15_000, "L")), case.person(), History())
    # above the limit 3 x 30 = 90; 3 x (10 + 20 x 20 %) = 42
    assert (eob.overlmt_fen, eob.preselfpay_fen, eob.inscp_fen) == (9_000, 4_200, 31_800)


def test_share_in_the_catalogue_wins_over_the_tiers() -> None:
    pack = case.pack(case.catalogue(case.item("OWN", "02", selfpay_bp=500)), class_b=BY_LINE)
    eob = adjudicate(pack, case.bill(case.line(0, 25_000, "02", "OWN")), case.person(), History())
    assert eob.preselfpay_fen == 1_250


@pytest.mark.parametrize("level", ["01", "02"])
def test_printed_line_that_the_hospital_marks_self_paid_is_outside(level: str) -> None:
    marked = case.line(0, 25_000, level, approval_flag="2")
    eob = adjudicate(case.pack(), case.bill(marked), case.person(), History())
    (cut,) = eob.adjustments
    assert (eob.paid_fen, cut.code, cut.rule_id) == (0, "not-approved", "hosp-appr-flag")


def test_pack_that_trusts_the_printed_class_has_tiers_too() -> None:
    pack = case.pack(class_b=BY_LINE)
    eob = adjudicate(pack, case.bill(case.line(0, 25_000, "02")), case.person(), History())
    assert eob.preselfpay_fen == 4_000


@pytest.mark.parametrize(
    ("class_b", "words"),
    [
        (BY_LINE, "乙类分段先自付（按每行金额）：100.00 元以内 10%，超过的部分 20%"),
        (BY_PRICE, "乙类分段先自付（按单价）：100.00 元以内 10%，超过的部分 20%"),
    ],
)
def test_tiers_are_said_in_plain_words(class_b: dict[str, Any], words: str) -> None:
    (cut,) = explain(class_b, case.line(0, 25_000, "02")).adjustments
    assert (cut.code, cut.basis_zh) == ("class-b-share", words)
    assert "10% up to 100.00 yuan, 20% above" in cut.basis_en
