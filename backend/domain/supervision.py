"""A lead of supervision and its way to a closed case: states, steps, hands and deadlines.

lead -> evidence -> the provider is asked and answers -> finding -> appeal -> review -> recovery
ordered and recovered, referral, or closed unfounded. What happened is a list of :class:`Step`,
never changed; the state is worked out from it. Sources: requirements S7, A2 (the chain), H10
(appeal within 10 working days of the notice, review within 20, expert time does not count), A15
(leads by people).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.errors import ConflictError, DomainError, ForbiddenError
from backend.domain.working_days import DueDate, WorkingDayCalendar, compute_due_date

REASON_MAX: Final = 2_000
STEPS_MAX: Final = 100
AMOUNT_FEN_MAX: Final = 10**13
_PAUSE_DAYS_MAX: Final = 1_000


class Source(StrEnum):
    """Where a lead came from."""

    AUDIT_HIT = "audit-hit"
    POST_AUDIT = "post-audit"
    REPORT = "report"
    REVISION = "revision"


class SubjectKind(StrEnum):
    """What a lead is about; its id is that of the stored row."""

    CLAIM = "claim"
    INVOICE = "invoice"
    INSTITUTION = "institution"


class StepKind(StrEnum):
    OPENED = "opened"
    DISMISSED = "dismissed"  # closed before anybody was asked
    ASKED = "asked"
    ANSWERED = "answered"
    FOUND = "found"
    APPEALED = "appealed"
    EXPERT_ASKED = "expert-asked"
    EXPERT_ANSWERED = "expert-answered"
    REVIEWED = "reviewed"
    ORDERED = "ordered"
    REFERRED = "referred"
    SET_ASIDE = "set-aside"  # by the administrative department or a court, after it was final
    RECOVERED = "recovered"  # by the system: the money came back, or was given up


class State(StrEnum):
    LEAD = "lead"
    ASKED = "asked"
    ANSWERED = "answered"
    FOUND = "found"  # the provider may appeal; final when that time has passed
    APPEALED = "appealed"
    EXPERT = "expert"  # the clock of the review stands still
    UPHELD = "upheld"  # reviewed; final
    ORDERED = "recovery-ordered"
    REFERRED = "referred"
    UNFOUNDED = "closed-unfounded"
    SET_ASIDE = "set-aside"
    RECOVERED = "recovered"  # what was ordered came back, or two people gave it up

    @property
    def is_closed(self) -> bool:
        return self in CLOSED


CLOSED: Final = frozenset(
    {State.ORDERED, State.REFERRED, State.UNFOUNDED, State.SET_ASIDE, State.RECOVERED}
)


class FindingOutcome(StrEnum):
    SUBSTANTIATED = "substantiated"
    UNFOUNDED = "unfounded"


class ReviewOutcome(StrEnum):
    UPHELD = "upheld"
    REDUCED = "reduced"  # the finding stays with a lower amount
    OVERTURNED = "overturned"


class Part(StrEnum):
    """What a person holds in a case: one part each, so that no step judges its own work."""

    REPORTER = "reporter"
    FINDER = "finder"
    DECIDER = "decider"  # decides the appeal and how the case ends


PART_OF: Final = {
    StepKind.OPENED: Part.REPORTER,
    StepKind.DISMISSED: Part.FINDER,
    StepKind.FOUND: Part.FINDER,
    StepKind.REVIEWED: Part.DECIDER,
    StepKind.ORDERED: Part.DECIDER,
    StepKind.REFERRED: Part.DECIDER,
    StepKind.SET_ASIDE: Part.DECIDER,
}
"""The part that a step needs. Other steps (asking, taking down an answer) need none."""

_FROM: Final = {
    StepKind.DISMISSED: frozenset({State.LEAD}),
    StepKind.ASKED: frozenset({State.LEAD}),
    StepKind.ANSWERED: frozenset({State.ASKED}),
    StepKind.FOUND: frozenset({State.ASKED, State.ANSWERED}),
    StepKind.APPEALED: frozenset({State.FOUND}),
    StepKind.EXPERT_ASKED: frozenset({State.APPEALED}),
    StepKind.EXPERT_ANSWERED: frozenset({State.EXPERT}),
    StepKind.REVIEWED: frozenset({State.APPEALED}),
    StepKind.ORDERED: frozenset({State.FOUND, State.UPHELD}),
    StepKind.REFERRED: frozenset({State.FOUND, State.UPHELD}),
    StepKind.SET_ASIDE: frozenset(
        {State.FOUND, State.UPHELD, State.ORDERED, State.REFERRED, State.RECOVERED}
    ),
}

_TO: Final = {
    StepKind.OPENED: State.LEAD,
    StepKind.DISMISSED: State.UNFOUNDED,
    StepKind.ASKED: State.ASKED,
    StepKind.ANSWERED: State.ANSWERED,
    StepKind.APPEALED: State.APPEALED,
    StepKind.EXPERT_ASKED: State.EXPERT,
    StepKind.EXPERT_ANSWERED: State.APPEALED,
    StepKind.ORDERED: State.ORDERED,
    StepKind.REFERRED: State.REFERRED,
    StepKind.SET_ASIDE: State.SET_ASIDE,
    StepKind.RECOVERED: State.RECOVERED,
}


class WrongStepError(ConflictError):
    """The case is not where this step is taken."""

    code = "lead-wrong-step"


class SameHandsError(ForbiddenError):
    """The person holds another part of the case."""

    code = "lead-same-hands"


class TooEarlyError(ConflictError):
    """A time that belongs to the provider has not passed yet."""

    code = "lead-too-early"


class TooLateError(ConflictError):
    """The provider's time for this has passed."""

    code = "lead-too-late"


class BadStepError(DomainError):
    """A step that says too little, too much, or an impossible amount."""

    code = "lead-bad-step"


@dataclass(frozen=True, slots=True)
class SupervisionClocks:
    """Working days. The answer's time is ours (no source gives one); appeal and review are those
    of requirements H10."""

    answer_days: int = 10
    appeal_days: int = 10
    review_days: int = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. ``on`` is the local day, ``due_on`` the day that the provider was
    told, ``amount_fen`` what was found, left after review, or ordered back."""

    ordinal: int
    kind: StepKind
    by: str
    part: Part | None
    reason: str
    at: dt.datetime
    on: dt.date
    outcome: str = ""
    amount_fen: int | None = None
    due_on: dt.date | None = None


def state_of(steps: Sequence[Step]) -> State:
    """Where a case stands after its steps."""
    last = steps[-1]
    if last.kind is StepKind.FOUND:
        is_found = last.outcome == FindingOutcome.SUBSTANTIATED
        return State.FOUND if is_found else State.UNFOUNDED
    if last.kind is StepKind.REVIEWED:
        return State.UNFOUNDED if last.outcome == ReviewOutcome.OVERTURNED else State.UPHELD
    return _TO[last.kind]


def last_of(steps: Sequence[Step], kind: StepKind) -> Step | None:
    """The newest step of a kind."""
    return next((step for step in reversed(steps) if step.kind is kind), None)


def amount_of(steps: Sequence[Step]) -> int | None:
    """The fen that the finding stands at, after a review; None before a finding and where it
    was overturned, set aside or unfounded."""
    if state_of(steps) in (State.UNFOUNDED, State.SET_ASIDE):
        return None
    for step in reversed(steps):
        if step.amount_fen is not None:
            return step.amount_fen
    return None


def is_final(steps: Sequence[Step], today: dt.date, calendar: WorkingDayCalendar) -> bool:
    """Whether a substantiated finding can no longer be appealed here, or was upheld."""
    state = state_of(steps)
    if state in (State.UPHELD, State.ORDERED, State.REFERRED):
        return True
    if state is State.RECOVERED:
        return last_of(steps, StepKind.ORDERED) is not None
    if state is not State.FOUND:
        return False
    due = deadline(steps, SupervisionClocks(), calendar)
    assert due is not None, "a finding carries the last day for an appeal"
    return today > due.on


def deadline(
    steps: Sequence[Step], clocks: SupervisionClocks, calendar: WorkingDayCalendar
) -> DueDate | None:
    """The day that the case waits for: the provider's answer, its appeal, or the review.

    What the provider was told never moves forward. None while an expert is asked (the clock
    stands still) and where nothing has a deadline.
    """
    state = state_of(steps)
    if state in (State.ASKED, State.FOUND):
        kind = StepKind.ASKED if state is State.ASKED else StepKind.FOUND
        step = last_of(steps, kind)
        assert step is not None and step.due_on is not None, "these steps carry a day"
        return DueDate(step.due_on, not calendar.is_announced(step.due_on.year))
    if state is State.APPEALED:
        appealed = last_of(steps, StepKind.APPEALED)
        assert appealed is not None, "the state says so"
        days = clocks.review_days + paused_days(steps, calendar)
        return compute_due_date(appealed.on, days, calendar)
    return None


def paused_days(steps: Sequence[Step], calendar: WorkingDayCalendar) -> int:
    """Working days that passed while experts were asked: after the day of asking, up to and
    with the day of their opinion. An opinion on the same day costs none."""
    days, asked_on = 0, None
    for step in steps:
        if step.kind is StepKind.EXPERT_ASKED:
            asked_on = step.on
        elif step.kind is StepKind.EXPERT_ANSWERED and asked_on is not None:
            length = min((step.on - asked_on).days, _PAUSE_DAYS_MAX)
            span = (asked_on + dt.timedelta(days=1 + offset) for offset in range(length))
            days += sum(calendar.is_working_day(day) for day in span)
            asked_on = None
    return days


def check_step(
    steps: Sequence[Step], kind: StepKind, today: dt.date, calendar: WorkingDayCalendar
) -> None:
    """Refuse a step that the case does not allow today.

    Raises :class:`WrongStepError`, :class:`TooEarlyError` (the provider's time still runs) and
    :class:`TooLateError` (an appeal after its last day).
    """
    state = state_of(steps)
    if state not in _FROM.get(kind, frozenset()):
        raise WrongStepError(
            f"线索现在的状态是 {state}，不能做 {kind}；请先看 yichu lead show",
            f"the lead is {state}; {kind} is not possible now: look at `yichu lead show`",
        )
    if len(steps) >= STEPS_MAX:
        raise WrongStepError(
            f"一个案件最多 {STEPS_MAX} 步", f"a case has at most {STEPS_MAX} steps"
        )
    waits = {
        (State.ASKED, StepKind.FOUND): ("答复", "answer"),
        (State.FOUND, StepKind.ORDERED): ("申诉", "appeal"),
        (State.FOUND, StepKind.REFERRED): ("申诉", "appeal"),
        (State.FOUND, StepKind.SET_ASIDE): ("申诉", "appeal"),
    }
    due = deadline(steps, SupervisionClocks(), calendar)
    if (state, kind) in waits:
        zh, en = waits[state, kind]
        assert due is not None, "these states wait for a day"
        if today <= due.on:
            raise TooEarlyError(
                f"机构的{zh}期限到 {due.on.isoformat()}，过后再做",
                f"the provider has until {due.on.isoformat()} to {en}; do it after that day",
            )
    if kind is StepKind.APPEALED and due is not None and today > due.on:
        raise TooLateError(
            f"申诉期限 {due.on.isoformat()} 已过；可向同级医保行政部门提出",
            f"the last day for an appeal was {due.on.isoformat()}; "
            "the administrative department of the same level can still be asked",
        )


def check_hands(parts: dict[str, str], person: str, part: Part) -> None:
    """Refuse a person who holds another part of the case. Raises :class:`SameHandsError`."""
    held = parts.get(person)
    if held is not None and held != part:
        raise SameHandsError(
            f"{person} 在本案中已是 {held}，不能再做 {part}；请换人",
            f"{person} is the {held} of this case and cannot be its {part}: another person must",
        )


def check_reason(reason: str) -> str:
    """The reason without outer blanks. Raises :class:`BadStepError` for an empty or long one."""
    text = reason.strip()
    if not text or len(text) > REASON_MAX or "\x00" in text:
        raise BadStepError(
            f"请写明理由，不超过 {REASON_MAX} 字",
            f"give a reason of up to {REASON_MAX} characters",
        )
    return text


def check_amount(amount_fen: int, most_fen: int = AMOUNT_FEN_MAX) -> int:
    """The amount when it is from 0 to ``most_fen``. Raises :class:`BadStepError`."""
    if not 0 <= amount_fen <= most_fen:
        raise BadStepError(
            f"金额应在 0 到 {most_fen} 分之间", f"an amount goes from 0 to {most_fen} fen"
        )
    return amount_fen
