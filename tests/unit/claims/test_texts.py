"""How the citizen's pages write amounts, dates and numbers."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.entrypoints.mobile import texts
from backend.entrypoints.public.rate_limit import RateLimit


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "0.00"),
        (1, "0.01"),
        (-1, "\u22120.01"),
        (125_294, "1,252.94"),
        (-80_000, "\u2212800.00"),
        (10**8, "1,000,000.00"),
    ],
)
def test_amounts_show_fen_thousands_and_a_true_minus(fen: int, words: str) -> None:
    assert texts.yuan(fen) == words


def test_times_are_those_of_shanghai() -> None:
    at = dt.datetime(2026, 11, 20, 17, 31, tzinfo=dt.UTC)
    assert texts.moment(at) == "11 月 21 日 01:31"
    assert texts.full_day(dt.date(2027, 1, 4)) == "2027 年 1 月 4 日"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("2026112001234567", "2026 1120 0123 4567"),
        ("2026112001234567-02", "2026 1120 0123 4567 - 02"),
        ("123", "123"),
    ],
)
def test_numbers_are_grouped_in_fours(number: str, words: str) -> None:
    assert texts.fours(number) == words


def test_a_rate_limit_forgets_the_oldest_caller_first() -> None:
    limit = RateLimit(1, 3600)
    assert limit.allows("a") and not limit.allows("a")
    for index in range(5_000):
        limit.allows(f"caller {index}")
    assert limit.allows("a")
