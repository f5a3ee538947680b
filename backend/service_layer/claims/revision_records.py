"""The rows of appeals, reopenings, differences and claim events as frozen values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Protocol

from backend.domain.revision import Cause, RequestKind, RequestOutcome

WITHDRAWN: Final = "withdrawn"
RETURNED: Final = "returned"
BILL_HELD: Final = "bill-held"
ASKED_TO_DECLARE: Final = "declaration-asked"
"""Kinds of claim events; ``BILL_HELD`` is also what such a refused claim waits for, and the last
says which reviewer asked for a declaration, and why."""


@dataclass(frozen=True, slots=True)
class RevisionRequest:
    """What was asked for on one decision version (0: the claim was refused before any).

    ``code`` is the coded reason, of a revision its cause. ``amount_after_fen`` is known for a
    revision only. ``seconded_by`` is the second name of a reopening, else empty.
    """

    id: str
    claim_id: str
    kind: RequestKind
    decision_version: int
    number: int
    code: str
    text: str
    source_reference: str
    named_by: str
    seconded_by: str
    amount_before_fen: int
    amount_after_fen: int | None
    explanation: str
    filed_at: dt.datetime
    promised_on: dt.date
    legal_limit_on: dt.date


@dataclass(frozen=True, slots=True)
class RevisionOutcome:
    """How a request ended. ``effect``: version (a new decision), returned (the refused claim came
    back), bill-held (it will, when the bill is free), unchanged, lower, or none."""

    request_id: str
    outcome: RequestOutcome
    reason: str
    decided_by: str
    decided_at: dt.datetime
    effect: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    request: RevisionRequest
    outcome: RevisionOutcome | None

    @property
    def is_open(self) -> bool:
        return self.outcome is None


@dataclass(frozen=True, slots=True)
class ClaimEvent:
    id: str
    claim_id: str
    kind: str
    decision_version: int
    state_before: str
    code: str
    text: str
    by: str
    at: dt.datetime


class Revisions(Protocol):
    def add_cause(
        self, decision_id: str, claim_id: str, version: int, cause: Cause, at: dt.datetime
    ) -> None: ...
    def causes_of(self, claim_id: str) -> dict[int, Cause]: ...
    def add(self, entry: RevisionRequest) -> None: ...
    def conclude(self, entry: RevisionOutcome) -> None: ...
    def of_claim(self, claim_id: str) -> list[Revision]: ...
    def get(self, request_id: str) -> Revision | None: ...
    def open_ones(self, kind: RequestKind, limit: int = 500) -> list[Revision]: ...
    def add_event(self, entry: ClaimEvent) -> None: ...
    def events_of(self, claim_id: str) -> list[ClaimEvent]: ...
    def freed(self, limit: int = 100) -> list[str]: ...
