"""The rows of review as frozen values. Money is integer fen, instants aware UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.review import (
    CaseKind,
    CaseState,
    Finding,
    Outcome,
    Risk,
    StepName,
)
from backend.domain.ruling import LineRuling

OPEN_STEPS_MAX: Final = 10_000
"""Steps that one list holds, the most urgent first: far more than an agency has open."""


@dataclass(frozen=True, slots=True)
class Staff:
    """One member of staff. ``queues`` are the skills; ``hospital_code`` is the hospital that they
    belong to and whose cases they never get."""

    id: str
    username: str
    name: str
    role: str
    queues: tuple[str, ...]
    hospital_code: str | None
    away_until: dt.datetime | None
    is_active: bool
    is_sample: bool

    def is_here(self, at: dt.datetime) -> bool:
        return self.is_active and (self.away_until is None or self.away_until <= at)


@dataclass(frozen=True, slots=True)
class Case:
    """A review case. ``due_on`` is the promise, moved by the days waited for the citizen."""

    id: str
    claim_id: str
    ordinal: int
    kind: CaseKind
    subject_id: str | None
    risk: Risk
    state: CaseState
    live_key: str | None
    queue: str
    priority: int
    amount_fen: int
    hospital_code: str
    opened_at: dt.datetime
    due_on: dt.date
    legal_limit_on: dt.date
    waited_days: int
    outcome: str | None = None
    closed_at: dt.datetime | None = None

    @property
    def is_closed(self) -> bool:
        return self.state is CaseState.CLOSED


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a case; ``holder_id`` has it until ``held_until``, nobody while it is None."""

    case_id: str
    step: StepName
    position: int
    opened_at: dt.datetime
    due_on: dt.date
    holder_id: str | None = None
    held_until: dt.datetime | None = None
    finished_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class StepFinding:
    """What the person of one step found; insert-only. ``paid_fen`` is what the system computed
    under these rulings at that moment."""

    case_id: str
    step: StepName
    staff_id: str
    outcome: Outcome
    reason: str
    rulings: tuple[LineRuling, ...]
    paid_fen: int
    found_at: dt.datetime

    @property
    def finding(self) -> Finding:
        return Finding(self.step, self.outcome, self.paid_fen)


@dataclass(frozen=True, slots=True)
class Resolution:
    """One reason looked at in one step, with its rulings; insert-only."""

    case_id: str
    step: StepName
    pend_id: str
    staff_id: str
    resolution: str
    rulings: tuple[LineRuling, ...]
    resolved_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Draw:
    """How a step came to a person. ``candidates`` are (id, load) as they were drawn from: of
    people, or of cases where ``cause`` is *asked*; anyone can repeat the draw."""

    id: str
    case_id: str
    step: StepName
    cause: str
    seed: bytes
    candidates: tuple[tuple[str, int], ...]
    chosen_id: str
    request_key: str | None
    drawn_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Release:
    """A step given back: declined, lapsed or because its holder is away; insert-only."""

    id: str
    case_id: str
    step: StepName
    staff_id: str
    cause: str
    reason: str
    released_at: dt.datetime


@dataclass(frozen=True, slots=True)
class MaterialRequest:
    """What the citizen is asked for. ``outcome``: answered, expired or closed."""

    id: str
    case_id: str
    ordinal: int
    step: StepName
    staff_id: str
    needed_zh: str
    needed_en: str
    requested_at: dt.datetime
    due_on: dt.date
    closed_at: dt.datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class MaterialFile:
    """One attachment of an answer; the content lies outside the database under ``digest``."""

    request_id: str
    position: int
    digest: bytes
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MaterialAnswer:
    request_id: str
    text: str
    answered_at: dt.datetime
    files: tuple[MaterialFile, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step that is not finished, with its case: a row of the lists."""

    case: Case
    step: Step
    claim_number: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a case ended: the outcome, the rulings that are then in force, who, and why."""

    outcome: Outcome
    rulings: tuple[LineRuling, ...]
    by: str
    reason: str
