"""Which account money goes to: first at once, changes later, never back to one left behind."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.payee import (
    AccountRefusedError,
    DeclaredAccount,
    Standing,
    account_at,
    account_number,
    effective_from,
    is_adult,
)

NOW = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DELAY = 72 * HOUR


def test_without_any_account_there_is_none() -> None:
    assert account_at([], NOW).standing is Standing.MISSING


def test_one_that_the_bank_did_not_confirm_is_none() -> None:
    choice = account_at([DeclaredAccount(1, None)], NOW)
    assert (choice.standing, choice.version) == (Standing.UNVERIFIED, None)


def test_the_first_takes_effect_at_once() -> None:
    assert effective_from([], NOW, DELAY) == NOW
    assert effective_from([DeclaredAccount(1, None)], NOW, DELAY) == NOW


def test_a_change_waits() -> None:
    assert effective_from([DeclaredAccount(1, NOW - HOUR)], NOW, DELAY) == NOW + DELAY


def test_a_change_waits_also_when_the_one_before_is_closed() -> None:
    closed = DeclaredAccount(1, NOW - HOUR, closed_at=NOW)
    assert effective_from([closed], NOW, DELAY) == NOW + DELAY


def test_until_a_change_is_in_effect_money_goes_to_the_old_one() -> None:
    declared = [DeclaredAccount(1, NOW - HOUR), DeclaredAccount(2, NOW + DELAY)]
    assert account_at(declared, NOW).version == 1
    assert account_at(declared, NOW + DELAY - dt.timedelta(microseconds=1)).version == 1
    assert account_at(declared, NOW + DELAY).version == 2


def test_a_cancelled_change_never_takes_effect() -> None:
    declared = [DeclaredAccount(1, NOW), DeclaredAccount(2, NOW + DELAY, cancelled_at=NOW + HOUR)]
    assert account_at(declared, NOW + 100 * DELAY).version == 1


@pytest.mark.parametrize(
    ("second", "standing"),
    [
        (None, Standing.CLOSED),
        (DeclaredAccount(2, None), Standing.CLOSED),
        (DeclaredAccount(2, NOW + DELAY), Standing.DELAY),
        (DeclaredAccount(2, NOW + DELAY, cancelled_at=NOW), Standing.CLOSED),
    ],
)
def test_a_closed_account_gets_nothing(second: DeclaredAccount | None, standing: Standing) -> None:
    declared = [DeclaredAccount(1, NOW - HOUR, closed_at=NOW)]
    declared += [] if second is None else [second]
    choice = account_at(declared, NOW)
    assert (choice.standing, choice.version) == (standing, None)


def test_money_does_not_return_to_an_account_that_was_left() -> None:
    declared = [DeclaredAccount(1, NOW - 2 * HOUR), DeclaredAccount(2, NOW - HOUR, closed_at=NOW)]
    assert account_at(declared, NOW).standing is Standing.CLOSED


_MOMENTS = st.integers(-5, 5).map(lambda hours: NOW + hours * HOUR)
_DECLARED = st.lists(
    st.tuples(st.none() | _MOMENTS, st.none() | _MOMENTS, st.none() | _MOMENTS), max_size=6
).map(lambda rows: [DeclaredAccount(n + 1, *row) for n, row in enumerate(rows)])


@given(_DECLARED, st.randoms())
def test_what_is_chosen_is_confirmed_effective_uncancelled_and_open(
    declared: list[DeclaredAccount], chance: random.Random
) -> None:
    choice = account_at(declared, NOW)
    shuffled = list(declared)
    chance.shuffle(shuffled)
    assert account_at(shuffled, NOW) == choice
    assert (choice.version is not None) == (choice.standing is Standing.IN_EFFECT)
    if choice.version is not None:
        one = declared[choice.version - 1]
        assert one.effective_at is not None
        assert one.effective_at <= NOW
        assert one.cancelled_at is None
        assert one.closed_at is None or one.closed_at > NOW
        later = declared[choice.version :]
        assert not any(
            o.effective_at and o.effective_at <= NOW and not o.cancelled_at for o in later
        )


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("6217000000000006217", "6217000000000006217"),
        (" 6217 0000 0000 0006 217 ", "6217000000000006217"),
        ("6217-0000-0000-0006-217", "6217000000000006217"),
        ("6217\u30000000\u30000000", "621700000000"),
        ("12345678", "12345678"),
    ],
)
def test_numbers_as_people_write_them(typed: str, digits: str) -> None:
    assert account_number(typed) == digits


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "digits only"),
        ("   ", "digits only"),
        ("1234567", "has 8 to 30 digits, this one 7"),
        ("1" * 31, "this one 31"),
        ("6217O00000000006217", "digits only"),
        ("６２１７００００００００", "digits only"),
        ("6217\x00000000000", "digits only"),
        ("62170000\n0000", "digits only"),
        ("-1234567", "has 8 to 30"),
        ("9" * 5_000, "has 8 to 30"),
    ],
)
def test_numbers_that_are_none(typed: str, why: str) -> None:
    with pytest.raises(AccountRefusedError, match=why):
        account_number(typed)


@pytest.mark.parametrize(
    ("birth", "day", "adult"),
    [
        ("2008-11-22", "2026-11-22", True),
        ("2008-11-23", "2026-11-22", False),
        ("2008-02-29", "2026-02-28", False),
        ("2008-02-29", "2026-03-01", True),
        ("1940-01-01", "2026-11-22", True),
        ("2026-11-22", "2026-11-22", False),
    ],
)
def test_of_age(birth: str, day: str, adult: bool) -> None:
    assert is_adult(dt.date.fromisoformat(birth), dt.date.fromisoformat(day)) is adult
