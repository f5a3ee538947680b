"""Leads: states, whose time runs, and deadlines over the holidays of 2026.

Expected days are counted by hand from the State Council's notice for 2026 (国办发明电〔2025〕7号):
Spring Festival off 15-23 February, worked 14 and 28 February; Labour Day off 1-5 May, worked
9 May; Mid-Autumn off 25-27 September; National Day off 1-7 October, worked 20 September and
10 October.
"""

from __future__ import annotations

import datetime as dt

import pytest

from backend.adapters.holiday_calendar import ChineseCalendar
from backend.domain.supervision import (
    PART_OF,
    BadStepError,
    Part,
    SameHandsError,
    State,
    Step,
    StepKind,
    SupervisionClocks,
    TooEarlyError,
    TooLateError,
    WrongStepError,
    amount_of,
    check_amount,
    check_hands,
    check_reason,
    check_step,
    deadline,
    is_final,
    paused_days,
    state_of,
)
from backend.domain.working_days import compute_due_date

CALENDAR = ChineseCalendar()
CLOCKS = SupervisionClocks()


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(f"2026-{text}")


def walk(*steps: tuple[StepKind, str] | tuple[StepKind, str, str] | tuple[StepKind, str, str, int]):  # type: ignore[no-untyped-def]
    """Steps (kind, MM-DD, outcome, fen) as they would be stored, with the days that were told."""
    made = []
    for ordinal, (kind, on, *rest) in enumerate(steps, 1):
        outcome = rest[0] if rest else ""
        due = None
        if kind is StepKind.ASKED or (kind is StepKind.FOUND and outcome == "substantiated"):
            due = compute_due_date(day(on), 10, CALENDAR).on
        at = dt.datetime.combine(day(on), dt.time(2), dt.UTC)
        amount = rest[1] if len(rest) > 1 else None
        made.append(
            Step(ordinal, kind, "甲", PART_OF.get(kind), "r", at, day(on), outcome, amount, due)  # type: ignore[arg-type]
        )
    return tuple(made)


OPENED = (StepKind.OPENED, "02-02")
ASKED = (StepKind.ASKED, "02-03")
ANSWERED = (StepKind.ANSWERED, "02-04")
FOUND = (StepKind.FOUND, "02-12", "substantiated", 50_000)
TO_FOUND = (OPENED, ASKED, ANSWERED, FOUND)


@pytest.mark.parametrize(
    ("asked_on", "due_on"),
    [("02-12", "03-04"), ("04-29", "05-15"), ("02-14", "03-06"), ("02-15", "03-09")],
)
def test_ten_working_days_pass_over_holidays_and_substituted_days(
    asked_on: str, due_on: str
) -> None:
    steps = walk(OPENED, (StepKind.ASKED, asked_on))
    found = deadline(steps, CLOCKS, CALENDAR)
    assert found is not None and (found.on, found.is_provisional) == (day(due_on), False)


def test_a_review_takes_twenty_working_days_over_the_golden_week() -> None:
    found_on = (StepKind.FOUND, "09-18", "substantiated", 1)
    steps = walk(OPENED, ASKED, found_on, (StepKind.APPEALED, "09-21"))
    found = deadline(steps, CLOCKS, CALENDAR)
    assert found is not None and found.on == day("10-26")


def test_expert_time_over_the_golden_week_moves_the_review_by_its_six_working_days() -> None:
    before = (
        OPENED, ASKED, (StepKind.FOUND, "09-18", "substantiated", 1),
        (StepKind.APPEALED, "09-21"), (StepKind.EXPERT_ASKED, "09-28"),
    )  # fmt: skip
    asked = walk(*before)
    assert state_of(asked) is State.EXPERT
    assert deadline(asked, CLOCKS, CALENDAR) is None, "the clock stands still"
    answered = walk(*before, (StepKind.EXPERT_ANSWERED, "10-12"))
    assert paused_days(answered, CALENDAR) == 6  # 29, 30 September; 8, 9, 10, 12 October
    found = deadline(answered, CLOCKS, CALENDAR)
    assert found is not None and found.on == day("11-03")


def test_an_opinion_on_the_same_day_moves_nothing() -> None:
    expert = ((StepKind.EXPERT_ASKED, "03-03"), (StepKind.EXPERT_ANSWERED, "03-03"))
    steps = walk(*TO_FOUND, (StepKind.APPEALED, "03-02"), *expert)
    assert paused_days(steps, CALENDAR) == 0


@pytest.mark.parametrize(
    ("last", "state"),
    [
        ((StepKind.REVIEWED, "03-10", "upheld"), State.UPHELD),
        ((StepKind.REVIEWED, "03-10", "reduced", 100), State.UPHELD),
        ((StepKind.REVIEWED, "03-10", "overturned"), State.UNFOUNDED),
    ],
)
def test_a_review_ends_in_its_outcome(last: tuple[StepKind, str, str], state: State) -> None:
    assert state_of(walk(*TO_FOUND, (StepKind.APPEALED, "03-02"), last)) is state


def test_the_amount_is_that_of_the_last_word() -> None:
    reduced = (*TO_FOUND, (StepKind.APPEALED, "03-02"), (StepKind.REVIEWED, "03-10", "reduced", 7))
    assert amount_of(walk(OPENED)) is None
    assert amount_of(walk(*TO_FOUND)) == 50_000
    assert amount_of(walk(*reduced)) == 7
    assert amount_of(walk(*reduced, (StepKind.SET_ASIDE, "04-01"))) is None


def test_a_finding_is_final_on_the_day_after_the_last_day_for_an_appeal() -> None:
    steps = walk(*TO_FOUND)
    assert not is_final(steps, day("03-04"), CALENDAR)
    assert is_final(steps, day("03-05"), CALENDAR)
    assert not is_final(walk(*TO_FOUND, (StepKind.APPEALED, "03-04")), day("12-01"), CALENDAR)


ALLOWED = {
    State.LEAD: {StepKind.DISMISSED, StepKind.ASKED},
    State.ASKED: {StepKind.ANSWERED, StepKind.FOUND},
    State.ANSWERED: {StepKind.FOUND},
    State.FOUND: {StepKind.APPEALED, StepKind.ORDERED, StepKind.REFERRED, StepKind.SET_ASIDE},
    State.APPEALED: {StepKind.EXPERT_ASKED, StepKind.REVIEWED},
    State.EXPERT: {StepKind.EXPERT_ANSWERED},
    State.UPHELD: {StepKind.ORDERED, StepKind.REFERRED, StepKind.SET_ASIDE},
    State.ORDERED: {StepKind.SET_ASIDE},
    State.REFERRED: {StepKind.SET_ASIDE},
    State.UNFOUNDED: set(),
    State.SET_ASIDE: set(),
    State.RECOVERED: {StepKind.SET_ASIDE},  # reached by the system alone, when the money is back
}
APPEALED = (*TO_FOUND, (StepKind.APPEALED, "03-02"))
AT = {
    State.LEAD: (OPENED,),
    State.ASKED: (OPENED, ASKED),
    State.ANSWERED: (OPENED, ASKED, ANSWERED),
    State.FOUND: TO_FOUND,
    State.APPEALED: APPEALED,
    State.EXPERT: (*APPEALED, (StepKind.EXPERT_ASKED, "03-03")),
    State.UPHELD: (*APPEALED, (StepKind.REVIEWED, "03-10", "upheld")),
    State.ORDERED: (*TO_FOUND, (StepKind.ORDERED, "03-10", "", 50_000)),
    State.REFERRED: (*TO_FOUND, (StepKind.REFERRED, "03-10")),
    State.UNFOUNDED: (OPENED, (StepKind.DISMISSED, "02-03")),
    State.SET_ASIDE: (*TO_FOUND, (StepKind.SET_ASIDE, "03-10")),
    State.RECOVERED: (
        *TO_FOUND,
        (StepKind.ORDERED, "03-10", "", 50_000),
        (StepKind.RECOVERED, "03-20"),
    ),
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("kind", list(StepKind))
def test_only_the_steps_of_a_state_are_possible_there(state: State, kind: StepKind) -> None:
    steps = walk(*AT[state])
    assert state_of(steps) is state
    when = day("03-04") if kind is StepKind.APPEALED else day("12-01")
    if kind in ALLOWED[state]:
        check_step(steps, kind, when, CALENDAR)
    else:
        with pytest.raises(WrongStepError, match=f"the lead is {state}; {kind} is not possible"):
            check_step(steps, kind, when, CALENDAR)


@pytest.mark.parametrize("kind", [StepKind.ORDERED, StepKind.REFERRED, StepKind.SET_ASIDE])
def test_nothing_follows_a_finding_while_an_appeal_is_possible(kind: StepKind) -> None:
    with pytest.raises(TooEarlyError, match="until 2026-03-04 to appeal"):
        check_step(walk(*TO_FOUND), kind, day("03-04"), CALENDAR)


def test_no_finding_while_the_provider_may_answer() -> None:
    steps = walk(OPENED, (StepKind.ASKED, "02-12"))
    with pytest.raises(TooEarlyError, match="until 2026-03-04 to answer"):
        check_step(steps, StepKind.FOUND, day("03-04"), CALENDAR)
    check_step(steps, StepKind.FOUND, day("03-05"), CALENDAR)


def test_an_appeal_after_its_last_day_is_refused_with_the_way_on() -> None:
    check_step(walk(*TO_FOUND), StepKind.APPEALED, day("03-04"), CALENDAR)
    with pytest.raises(TooLateError, match="was 2026-03-04; the administrative department"):
        check_step(walk(*TO_FOUND), StepKind.APPEALED, day("03-05"), CALENDAR)


@pytest.mark.parametrize("held", list(Part))
@pytest.mark.parametrize("wanted", list(Part))
def test_a_person_has_one_part(held: Part, wanted: Part) -> None:
    if held == wanted:
        check_hands({"甲": held}, "甲", wanted)
    else:
        with pytest.raises(SameHandsError, match=f"is the {held} of this case and cannot be its"):
            check_hands({"甲": held}, "甲", wanted)
    check_hands({"甲": held}, "乙", wanted)


@pytest.mark.parametrize("reason", ["", "   ", "长" * 2001])
def test_a_step_says_why(reason: str) -> None:
    with pytest.raises(BadStepError, match="give a reason of up to 2000"):
        check_reason(reason)


@pytest.mark.parametrize(("fen", "most"), [(-1, 10), (11, 10), (0, -1)])
def test_an_amount_outside_its_limits_is_refused(fen: int, most: int) -> None:
    with pytest.raises(BadStepError, match=f"from 0 to {most} fen"):
        check_amount(fen, most)
