"""Money: parsing, printing, rounding and dividing whole fen."""

from __future__ import annotations

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
