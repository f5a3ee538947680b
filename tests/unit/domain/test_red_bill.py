"""Identity 5 by line: what a red bill may take back of its original, worked out by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.invoice import ExpenseLine, Invoice
from backend.domain.red_bill import (
    Cancelled,
    Differs,
    LineFault,
    is_reversible_in_part,
    match_red_lines,
)

DRUG = ExpenseLine("示例药品A", 2_0000, 39_000000, 78_0000, "T0002", unit="盒")
PILLS = ExpenseLine("示例药品B", 12_0000, 3_333300, 39_9996, "T0003", unit="片")
VISIT = ExpenseLine("普通门诊诊察费", 1_0000, 15_000000, 15_0000, "T0001", unit="次")


def bill(*lines: ExpenseLine, number: str = "0012345678") -> Invoice:
    total = round(sum(line.amount_e4 for line in lines) / 100)
    return Invoice(
        institution_code="H33080200001",
        institution_name="示例市第一医院",
        invoice_code="33060124",
        invoice_number=number,
        total_fen=total,
        issued_on=dt.date(2024, 5, 20),
        payer_name="测试甲",
        payer_id="TEST-ID-0001",
        lines=lines,
    )


def negated(line: ExpenseLine, *, sign_on_price: bool = False) -> ExpenseLine:
    if sign_on_price:
        return replace(line, price_e6=-line.price_e6, amount_e4=-line.amount_e4)
    return replace(line, quantity_e4=-line.quantity_e4, amount_e4=-line.amount_e4)


def part(line: ExpenseLine, quantity_e4: int, amount_e4: int) -> ExpenseLine:
    return replace(line, quantity_e4=-quantity_e4, amount_e4=-amount_e4)


ORIGINAL = bill(VISIT, DRUG, PILLS)


@pytest.mark.parametrize("sign_on_price", [False, True])
def test_the_negated_record_reverses_the_whole_in_any_order_of_lines(sign_on_price: bool) -> None:
    lines = [negated(line, sign_on_price=sign_on_price) for line in (PILLS, VISIT, DRUG)]
    match = match_red_lines(ORIGINAL, [bill(*lines)])
    assert (match.is_full, match.faults, match.left_fen) == (True, {}, 0)
    assert match.cancelled[2] == Cancelled(12_0000, 39_9996)


def test_one_box_of_two_is_a_part() -> None:
    match = match_red_lines(ORIGINAL, [bill(part(DRUG, 1_0000, 39_0000))])
    assert not match.is_full and match.faults == {}
    assert (match.cancelled, match.left_fen) == ({1: Cancelled(1_0000, 39_0000)}, 9_400)


def test_two_parts_add_up_and_a_third_is_beyond() -> None:
    one = bill(part(DRUG, 1_0000, 39_0000))
    match = match_red_lines(ORIGINAL, [one, one, one])
    assert match.cancelled == {1: Cancelled(2_0000, 78_0000)}
    assert match.faults == {2: (LineFault(0, Differs.BEYOND),)}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(negated(DRUG), name="示例药品Z"), Differs.NO_SUCH_LINE),
        (replace(negated(DRUG), catalogue_code="T0009"), Differs.NO_SUCH_LINE),
        (replace(negated(DRUG), unit="片"), Differs.NO_SUCH_LINE),
        (replace(negated(DRUG), price_e6=39_000001), Differs.NO_SUCH_LINE),
        (part(DRUG, 3_0000, 117_0000), Differs.BEYOND),
        (part(DRUG, 2_0000, 78_0001), Differs.BEYOND),
        (part(DRUG, 2_0001, 78_0000), Differs.BEYOND),
        (part(DRUG, 1_0000, 78_0001), Differs.BEYOND),
        (part(DRUG, 1_0000, -39_0000), Differs.BEYOND),
    ],
)
def test_a_line_that_is_none_of_the_original_is_named_and_the_red_bill_cancels_nothing(
    wrong: ExpenseLine, why: Differs
) -> None:
    match = match_red_lines(ORIGINAL, [bill(negated(VISIT), wrong)])
    assert match.faults == {0: (LineFault(1, why),)}
    assert match.cancelled == {} and match.left_fen == ORIGINAL.total_fen


def test_a_red_bill_of_the_same_total_for_other_lines_is_no_reversal() -> None:
    other = replace(negated(DRUG), name="别的", quantity_e4=-3_0000, amount_e4=-117_0000)
    match = match_red_lines(bill(VISIT, DRUG, DRUG), [bill(negated(VISIT), negated(DRUG), other)])
    assert not match.is_full and set(match.faults) == {0}


def test_a_right_red_bill_after_a_wrong_one_reverses_the_whole() -> None:
    right = bill(*(negated(line) for line in ORIGINAL.lines))
    match = match_red_lines(ORIGINAL, [bill(replace(negated(DRUG), name="别的")), right])
    assert match.is_full and set(match.faults) == {0}


def test_alike_lines_stand_for_each_other() -> None:
    twice = bill(DRUG, DRUG)
    match = match_red_lines(twice, [bill(part(DRUG, 3_0000, 117_0000))])
    assert match.faults == {}
    assert match.cancelled == {0: Cancelled(2_0000, 78_0000), 1: Cancelled(1_0000, 39_0000)}


@pytest.mark.parametrize(
    ("code", "number", "is_so"),
    [("33060124", "0012345678", False), ("", "26332000000000012345", True),
     ("033001900111", "12345678", False), ("", "0012345678", False)],
)  # fmt: skip
def test_only_digital_tax_invoices_are_reversed_in_part(
    code: str, number: str, is_so: bool
) -> None:
    original = replace(ORIGINAL, invoice_code=code, invoice_number=number)
    assert is_reversible_in_part(original) is is_so


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.lists(st.lists(st.integers(0, 9), min_size=5, max_size=5), max_size=4),
)
def test_never_more_is_cancelled_than_there_was(
    quantities: list[int], taken: list[list[int]]
) -> None:
    lines = [
        replace(DRUG, name=f"药{i}", quantity_e4=q * 10_000, amount_e4=q * 39_0000)
        for i, q in enumerate(quantities)
    ]
    original = bill(*lines)
    reds = [
        bill(*(part(line, q * 10_000, q * 39_0000) for line, q in zip(lines, red, strict=False)))
        for red in taken
    ]
    match = match_red_lines(original, reds)
    for index, line in enumerate(lines):
        gone = match.cancelled.get(index, Cancelled(0, 0))
        assert 0 <= gone.quantity_e4 <= line.quantity_e4
        assert 0 <= gone.amount_e4 <= line.amount_e4
    cancelled = sum(one.amount_e4 for one in match.cancelled.values())
    assert match.left_fen * 100 == original.total_fen * 100 - cancelled
