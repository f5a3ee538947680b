"""Money: parsing, printing, rounding and dividing whole fen."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.money import (
    MoneyError,
    allot,
    allot_fen,
    format_yuan,
    parse_yuan,
    round_half_up,
)


@pytest.mark.parametrize(
    ("text", "fen"), [("0", 0), ("12.34", 1_234), ("12.3", 1_230), ("-133.00", -13_300)]
)
def test_yuan_text_is_fen(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text", ["", "1.234", "01.00", "1,000.00", "1e2", "NaN", " 1", "１.00", "+1", ".5", "1.", "--1"]
)
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError, match="at most two decimals"):
        parse_yuan(text)


def test_fen_are_printed_with_separators() -> None:
    assert [format_yuan(fen) for fen in (0, 5, -80_000, 123_456_789)] == [
        "0.00", "0.05", "-800.00", "1,234,567.89",
    ]  # fmt: skip


def test_half_goes_up_and_negative_is_refused() -> None:
    assert [round_half_up(n, 2) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert (round_half_up(149, 100), round_half_up(150, 100)) == (1, 2)
    for numerator, denominator in ((-1, 2), (1, 0)):
        with pytest.raises(MoneyError, match="never rounded"):
            round_half_up(numerator, denominator)


def test_largest_remainder_takes_the_lower_line_on_a_tie() -> None:
    assert allot(7, [1, 1, 1]) == [3, 2, 2]
    assert allot(10, [3, 3, 1]) == [4, 4, 2]  # 4.29, 4.29, 1.43: the third has the rest
    assert allot(0, [0, 0]) == [0, 0]


@pytest.mark.parametrize(("total", "weights"), [(1, [0, 0]), (1, []), (-1, [1]), (1, [2, -1])])
def test_division_over_nothing_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(MoneyError, match="no line amount"):
        allot(total, weights)


def test_line_fen_of_the_trap_is_summed_first() -> None:
    assert allot_fen(3_002, [100_050] * 3) == [1_001, 1_001, 1_000]
    with pytest.raises(MoneyError, match="do not add up"):
        allot_fen(3_003, [100_050] * 3)
    with pytest.raises(MoneyError, match="no negative lines"):
        allot_fen(0, [100, -100])


def said(call: Any) -> tuple[str, str, str]:
    with pytest.raises(MoneyError) as caught:
        call()
    return caught.value.code, caught.value.zh, caught.value.en


def test_refusals_say_what_to_do_in_both_languages() -> None:
    assert said(lambda: parse_yuan("1.234")) == (
        "bad-amount",
        "金额要写成最多两位小数的元，例如 12.34。",
        "Write an amount in yuan with at most two decimals, for example 12.34.",
    )
    assert said(lambda: round_half_up(-1, 2)) == (
        "bad-amount", "不能对负数取整。", "A negative amount is never rounded here.",
    )  # fmt: skip
    assert said(lambda: allot(1, [0])) == (
        "bad-amount", "没有可以分摊的明细金额。", "There is no line amount to divide this over.",
    )  # fmt: skip
    assert said(lambda: allot_fen(1, [-1])) == (
        "bad-amount", "可报销的票据不能有负数明细。", "A claimable bill has no negative lines.",
    )  # fmt: skip
    assert said(lambda: allot_fen(2, [100])) == (
        "bad-amount",
        "明细金额合计与票据总额不一致。",
        "The lines do not add up to the bill's total.",
    )


@pytest.mark.parametrize(
    ("total", "amounts", "shares"),
    [
        (1, [40, 60], [0, 1]),
        (1, [60, 40], [1, 0]),
        (3, [110, 190], [1, 2]),
        (1, [50, 50], [1, 0]),
        (2, [10, 99, 91], [0, 1, 1]),
        (0, [49], [0]),
        (1, [50], [1]),
        (1, [149], [1]),
        (2, [150], [2]),
        (0, [], []),
        (0, [0, 0], [0, 0]),
    ],
)
def test_missing_fen_go_to_the_lines_with_the_largest_rest(
    total: int, amounts: list[int], shares: list[int]
) -> None:
    assert allot_fen(total, amounts) == shares


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (1, [1, 2], [0, 1]),
        (1, [2, 1], [1, 0]),
        (5, [1, 1], [3, 2]),
        (4, [0, 3, 1], [0, 3, 1]),
        (3, [5, 0, 2], [2, 0, 1]),
        (100, [1, 1, 1], [34, 33, 33]),
        (1, [1], [1]),
    ],
)
def test_a_total_is_divided_by_largest_remainder(
    total: int, weights: list[int], shares: list[int]
) -> None:
    assert allot(total, weights) == shares


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("-0.01", -1),
        ("0.1", 10),
        ("10", 1_000),
        ("9999999999999", 999_999_999_999_900),
        ("-9999999999999.99", -999_999_999_999_999),
    ],
)
def test_the_edges_of_a_yuan_text(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize("text", ["10000000000000", "-", "-.1", "1.-1", "00", "1.2 ", "0x1"])
def test_beyond_the_edges_is_no_amount(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_yuan(text)


@pytest.mark.parametrize(
    ("fen", "text"),
    [(-5, "-0.05"), (99, "0.99"), (100, "1.00"), (99_999, "999.99"), (100_000, "1,000.00")],
)
def test_the_edges_of_printing(fen: int, text: str) -> None:
    assert format_yuan(fen) == text
