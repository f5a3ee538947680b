"""Names, hours and limits of payouts; expected values are counted by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.domain.payout import (
    BANK_SIDE,
    KNOWN_AT_THE_BANK,
    InstantLimits,
    PayoutError,
    PayoutRules,
    end_to_end_id,
    is_run_due,
    may_try_again,
    message_id,
    without_numbers,
)

UTC = dt.UTC
FRIDAY_10 = dt.datetime(2026, 11, 20, 2, tzinfo=UTC)  # 10:00 in Shanghai
FRIDAY_16 = dt.datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_an_instruction_is_named_by_claim_version_and_attempt() -> None:
    assert end_to_end_id("2026112000000001-01", 1, 1) == "2026112000000001-01-V1-A1"
    assert end_to_end_id("2026112000000001-01", 12, 3) == "2026112000000001-01-V12-A3"


@pytest.mark.parametrize("number", ["", "x" * 30, "a b", "a_b", "号", "a--b", "-a", "a\n"])
def test_a_number_that_no_payment_message_can_hold_is_refused(number: str) -> None:
    with pytest.raises(PayoutError, match="is no payment identifier"):
        end_to_end_id(number, 1, 1)


def test_the_longest_name_has_35_characters() -> None:
    assert len(end_to_end_id("x" * 29, 1, 1)) == 35
    with pytest.raises(PayoutError, match="is no payment identifier"):
        end_to_end_id("x" * 29, 10, 1)


def test_a_file_is_named_by_its_instant_lane_and_instructions() -> None:
    # printf '2026-11-20T02:00:00+00:00\nA\nB' | sha256sum
    assert message_id(FRIDAY_10, "daily", ["A", "B"]) == "YC20261120D-6D93E5BAE0E7FB434177"
    other = [
        message_id(FRIDAY_10, "instant", ["A", "B"]),
        message_id(FRIDAY_10, "daily", ["B", "A"]),
        message_id(FRIDAY_10 + dt.timedelta(microseconds=1), "daily", ["A", "B"]),
        # 16:00 UTC is the next day in Shanghai.
        message_id(dt.datetime(2026, 11, 20, 16, tzinfo=UTC), "daily", ["A", "B"]),
    ]
    assert len({*other, message_id(FRIDAY_10, "daily", ["A", "B"])}) == 5
    assert other[3].startswith("YC20261121D-") and all(len(name) <= 35 for name in other)


DUE = [
    # now, last run, working day, due
    (FRIDAY_16, None, True, True),
    (FRIDAY_16 - dt.timedelta(microseconds=1), None, True, False),
    (FRIDAY_16, None, False, False),
    (FRIDAY_16, FRIDAY_16 - dt.timedelta(days=1), True, True),
    (FRIDAY_16, FRIDAY_16 - dt.timedelta(seconds=1), True, True),
    (FRIDAY_16 + dt.timedelta(hours=1), FRIDAY_16, True, False),
    # 01:00 in Shanghai on the next day: yesterday's hour is no longer asked for.
    (FRIDAY_16 + dt.timedelta(hours=9), None, True, False),
]


@pytest.mark.parametrize(("now", "last", "is_working_day", "due"), DUE)
def test_the_daily_run_begins_at_its_hour_once_a_working_day(
    now: dt.datetime, last: dt.datetime | None, is_working_day: bool, due: bool
) -> None:
    assert is_run_due(PayoutRules(), now, last, is_working_day=is_working_day) is due


@pytest.mark.parametrize(
    ("seconds", "since", "due"), [(20, 19, False), (20, 20, True), (0, 0, True)]
)
def test_with_a_cadence_neither_hour_nor_working_day_counts(
    seconds: int, since: int, due: bool
) -> None:
    rules = PayoutRules(every_seconds=seconds)
    last = FRIDAY_10 - dt.timedelta(seconds=since)
    assert is_run_due(rules, FRIDAY_10, last, is_working_day=False) is due
    assert is_run_due(rules, FRIDAY_10, None, is_working_day=False)


LIMITS = InstantLimits(bill_fen=100, person_day_fen=150, pool_day_fen=1_000)


@pytest.mark.parametrize(
    ("amount", "allowed"), [(0, False), (1, True), (100, True), (101, False), (-1, False)]
)
def test_the_limit_of_a_bill(amount: int, allowed: bool) -> None:
    assert LIMITS.allow_bill(amount) is allowed


@pytest.mark.parametrize("off", [(0, 9, 9), (9, 0, 9), (9, 9, 0), (0, 0, 0)])
def test_any_limit_of_zero_switches_the_lane_off(off: tuple[int, int, int]) -> None:
    assert not InstantLimits(*off).is_on
    assert not InstantLimits(*off).allow_bill(1)


@pytest.mark.parametrize(
    ("person", "pool", "allowed"),
    [(50, 900, True), (51, 0, False), (0, 901, False), (0, 0, True), (51, 901, False)],
)
def test_the_limits_of_a_day(person: int, pool: int, allowed: bool) -> None:
    assert LIMITS.allow_day(100, person, pool) is allowed


AGAIN = [
    # attempt, reason, other account, released, allowed
    (1, "AC04", False, False, False),
    (1, "AC04", True, False, True),
    (1, "AC04", False, True, True),
    (9, "AC04", True, False, True),
    (1, "ED05", False, False, True),
    (2, "ED05", False, False, True),
    (3, "ED05", False, False, False),
    (3, "ED05", False, True, True),
    (1, "", False, False, False),
    (1, "DU04", False, False, False),
]


@pytest.mark.parametrize(("attempt", "reason", "other", "released", "allowed"), AGAIN)
def test_what_may_be_tried_again(
    attempt: int, reason: str, *, other: bool, released: bool, allowed: bool
) -> None:
    got = may_try_again(attempt, reason, is_other_account=other, is_released=released)
    assert got is allowed


def test_a_duplicate_is_never_a_fault_of_the_bank() -> None:
    assert not BANK_SIDE & KNOWN_AT_THE_BANK


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("账户6217000000000006217已销户", "账户…6217已销户"),
        ("6217 0000 0000 0006 217 / 6217-0000-0000-0008", "…6217 / …0008"),
        ("代码 1234567，AC04", "代码 1234567，AC04"),
        ("", ""),
    ],
)
def test_a_banks_words_are_kept_without_account_numbers(said: str, kept: str) -> None:
    assert without_numbers(said) == kept


def test_a_run_that_was_finished_in_the_future_keeps_nobody_from_being_paid() -> None:
    wrong = dt.datetime(2031, 1, 1, tzinfo=UTC)
    assert is_run_due(PayoutRules(), FRIDAY_16, wrong, is_working_day=True)
    assert is_run_due(PayoutRules(every_seconds=20), FRIDAY_10, wrong, is_working_day=True)
    a_little = FRIDAY_16 + dt.timedelta(seconds=30)  # the other machine's clock is ahead
    assert not is_run_due(PayoutRules(), FRIDAY_16, a_little, is_working_day=True)
    assert not is_run_due(PayoutRules(), FRIDAY_10, wrong, is_working_day=True)
