"""The rows of leads and points as frozen values. Money is integer fen, instants aware UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backend.domain.points import Booking, Counter
from backend.domain.supervision import (
    Part,
    Source,
    Step,
    StepKind,
    SubjectKind,
    SupervisionClocks,
)
from backend.service_layer.review.ports import ReviewServices, ReviewSettings, ReviewWork


@dataclass(frozen=True, slots=True)
class Subject:
    """What a lead is about: a stored row, which leads to the institution."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead; what happened to it are its steps. ``source_reference`` names the rule hit, the
    draw, the report or the revision, and is empty where the subject says enough."""

    id: str
    source: Source
    subject_kind: SubjectKind
    subject_id: str
    source_reference: str
    institution_code: str
    opened_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reference to a stored row (``kind`` is its table) or a file, with the SHA-256 of what
    it was when it was added."""

    lead_id: str
    ordinal: int
    kind: str
    reference: str
    digest: bytes
    description: str
    added_by: str
    added_at: dt.datetime


class Leads(Protocol):
    def add(self, entry: Lead) -> Lead:
        """Store a lead; the one that is there already for the same source and subject."""
        ...

    def get(self, lead_id: str, *, lock: bool = False) -> Lead: ...
    def all(self) -> list[Lead]: ...
    def waiting_after(self, kinds: Sequence[StepKind]) -> list[Lead]: ...
    def add_part(self, lead_id: str, person: str, part: Part, at: dt.datetime) -> None: ...
    def parts_of(self, lead_id: str) -> dict[str, str]: ...
    def add_step(self, lead_id: str, step: Step) -> None: ...
    def close_recovered(self, lead_id: str, step: Step) -> None:
        """The system's last step of a lead: its money came back, or was given up."""
        ...

    def steps_of(self, lead_id: str) -> list[Step]: ...
    def steps_by_lead(self) -> Mapping[str, Sequence[Step]]: ...
    def add_evidence(self, entry: Evidence) -> None: ...
    def evidence_of(self, lead_id: str) -> list[Evidence]: ...
    def stored_row(self, kind: str, row_id: str) -> dict[str, Any] | None:
        """A row of one of the tables that may be evidence, by its id."""
        ...

    def institution_of(self, kind: SubjectKind, subject_id: str) -> str | None:
        """The institution that the subject belongs to; None when there is no such row."""
        ...

    def lowered_without_lead(self, limit: int = 100) -> list[tuple[str, str]]:
        """Concluded revisions that lower an amount and have no lead: (id, claim)."""
        ...

    def add_booking(self, entry: Booking) -> None: ...
    def add_counter(self, entry: Counter) -> None: ...
    def booking(self, booking_id: str) -> Booking | None: ...
    def bookings_of(self, lead_id: str) -> list[Booking]: ...
    def bookings_of_person(self, institution_code: str | None, person: str) -> list[Booking]: ...
    def all_bookings(self) -> list[Booking]: ...
    def institution_role(self, code: str) -> str | None: ...


class SupervisionWork(ReviewWork, Protocol):
    @property
    def leads(self) -> Leads: ...


class SupervisionSettings(ReviewSettings, Protocol):
    @property
    def supervision(self) -> SupervisionClocks: ...


class SupervisionServices(ReviewServices, Protocol):
    @property
    def settings(self) -> SupervisionSettings: ...

    def work(self, *, write: bool = True) -> SupervisionWork: ...
