"""Which accounts a restored backup puts in doubt, by a calendar made by hand.

The copy is of noon of the 1st, the restore was found on the 2nd; a change of account takes 72
hours, so that a lost one could be in effect from noon of the 4th on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.lost_period import Doubt, LostPeriod, Named, doubt_of, period_since
from backend.domain.payee import Choice, DeclaredAccount, Standing, account_at

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
COPY = dt.datetime(2026, 11, 1, 4, 0, tzinfo=dt.UTC)
FOUND = COPY + DAY
FROM = COPY + 3 * DAY
PERIOD = LostPeriod("lost_1", COPY, FOUND, COPY + HOUR, FROM, FOUND)
OLD = Named(COPY - 9 * DAY, COPY - 9 * DAY)


def doubt(named: Named = OLD, *paid: dt.datetime, period: LostPeriod = PERIOD) -> Doubt | None:
    return doubt_of(named, (period,), paid)


# --- which period it is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        (None, True), (COPY, True), (FOUND, True), (COPY - HOUR, False), (FOUND + HOUR, False),
    ],
)  # fmt: skip
def test_a_fact_within_the_period_shows_the_same_restore(
    at: dt.datetime | None, covered: bool
) -> None:
    assert PERIOD.covers(at) is covered


@pytest.mark.parametrize(
    ("own", "followed", "unknown", "since"),
    [
        (COPY, COPY + HOUR, COPY + 2 * HOUR, COPY),
        (None, COPY + HOUR, COPY, COPY + HOUR),
        (None, None, COPY, COPY),
        (None, None, None, FOUND),
        (FOUND + HOUR, None, None, FOUND),
    ],
)
def test_words_may_be_missing_since_the_newest_thing_that_the_copy_has_itself(
    own: Any, followed: Any, unknown: Any, since: dt.datetime
) -> None:
    assert period_since(own, followed, unknown, FOUND) == since


# --- an account -----------------------------------------------------------------------------------


def test_an_account_of_long_ago_is_in_doubt_once_a_lost_change_could_be_in_effect() -> None:
    assert doubt() == Doubt(FROM, COPY, FOUND, may_confirm=True)
    late = replace(PERIOD, until=FROM + DAY)
    assert doubt(period=late) == Doubt(FROM + DAY, COPY, FROM + DAY, may_confirm=True)


@pytest.mark.parametrize(
    "named",
    [
        Named(COPY - DAY, None),
        Named(FOUND + HOUR, FOUND + HOUR),
        replace(OLD, confirmed_at=(FOUND,)),
        replace(OLD, confirmed_at=(COPY, FOUND + DAY)),
    ],
    ids=["never confirmed by the bank", "named since", "confirmed as it was found", "confirmed"],
)
def test_what_was_said_since_leaves_no_doubt(named: Named) -> None:
    assert doubt(named) is None


def test_a_word_before_the_restore_was_found_is_none() -> None:
    assert doubt(replace(OLD, confirmed_at=(FOUND - HOUR,))) is not None
    assert doubt(Named(FOUND, FOUND)) is not None, "named while nobody knew of the restore"


@pytest.mark.parametrize("declared", [COPY - DAY, COPY])
def test_a_change_that_waited_in_the_copy_may_have_been_cancelled(declared: dt.datetime) -> None:
    waited = Named(declared, declared + 3 * DAY)
    assert doubt(waited) == Doubt(FOUND, COPY, FOUND, may_confirm=False)
    confirmed = replace(waited, confirmed_at=(FOUND,))
    assert doubt(confirmed) is None


def test_what_took_effect_as_the_copy_was_made_did_not_wait() -> None:
    found = doubt(Named(COPY - DAY, COPY))
    assert found is not None and found.may_confirm and found.at == FROM
    after = doubt(Named(COPY + HOUR, COPY + 4 * DAY))
    assert after is not None and after.may_confirm, "it was named after the copy"


def test_another_guardian_counts_at_once() -> None:
    assert doubt(replace(OLD, is_guardians=True)) == Doubt(FOUND, COPY, FOUND, may_confirm=True)


def test_what_two_people_have_looked_into_is_in_no_doubt() -> None:
    closed = replace(PERIOD, is_open=False)
    assert doubt(period=closed) is None
    assert doubt(Named(COPY - DAY, COPY + DAY), period=closed) is None


@pytest.mark.parametrize(
    ("paid", "doubted"), [(COPY, True), (FOUND, True), (COPY - HOUR, False), (FOUND + HOUR, False)]
)
def test_money_that_went_to_another_account_meanwhile_is_a_doubt_that_only_the_person_ends(
    paid: dt.datetime, doubted: bool
) -> None:
    closed = replace(PERIOD, is_open=False)
    expected = Doubt(FOUND, COPY, FOUND, may_confirm=True) if doubted else None
    assert doubt(OLD, paid, period=closed) == expected
    assert doubt(replace(OLD, confirmed_at=(FOUND,)), paid, period=closed) is None


def test_of_several_restores_the_earliest_doubt_counts() -> None:
    second = LostPeriod("lost_2", COPY + 5 * DAY, COPY + 6 * DAY, None, COPY + 8 * DAY, FOUND)
    for periods in ((PERIOD, second), (second, PERIOD)):
        assert doubt_of(OLD, periods, ()) == Doubt(FROM, COPY, FOUND, may_confirm=True)
    known = replace(OLD, confirmed_at=(FOUND + HOUR,))
    found = doubt_of(known, (PERIOD, second), ())
    assert found is not None and found.at == COPY + 8 * DAY
    assert doubt_of(OLD, (), ()) is None


# --- what is paid ---------------------------------------------------------------------------------


def test_an_account_in_doubt_gets_no_money_from_then_on_and_no_older_one_does() -> None:
    doubted = DeclaredAccount(2, COPY, doubted_from=FROM)
    older = DeclaredAccount(1, COPY - DAY)
    assert account_at((older, doubted), FROM - HOUR) == Choice(Standing.IN_EFFECT, 2)
    assert account_at((older, doubted), FROM) == Choice(Standing.DOUBTED)
    closed = replace(doubted, closed_at=FROM - HOUR)
    assert account_at((older, closed), FROM) == Choice(Standing.CLOSED)
