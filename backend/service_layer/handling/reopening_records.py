"""The rows of proposed reopenings as frozen values, and what reopening needs from outside."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Protocol

from backend.service_layer.handling.ports import HandlingServices, HandlingWork

CONFIRMED: Final = "confirmed"
WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True)
class ReopenProposal:
    """What one person proposes on the decision version that there was. ``proposed_by`` is the id
    of a staff login, or ``name:`` and the name given at the command line."""

    id: str
    claim_id: str
    decision_version: int
    code: str
    text: str
    source_reference: str
    proposed_by: str
    proposed_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ReopenAnswer:
    """How a proposal ended; ``request_id`` is the reopening that a confirmation made."""

    proposal_id: str
    proposed_by: str
    expires_at: dt.datetime
    answer: str
    answered_by: str
    reason: str
    answered_at: dt.datetime
    request_id: str | None = None


class Reopenings(Protocol):
    def add(self, entry: ReopenProposal) -> None: ...
    def get(self, proposal_id: str) -> ReopenProposal | None: ...
    def of_claim(self, claim_id: str) -> list[tuple[ReopenProposal, ReopenAnswer | None]]:
        """The proposals of a claim with their answers, oldest first."""
        ...

    def open_at(self, now: dt.datetime, limit: int = 500) -> list[ReopenProposal]:
        """Proposals that nobody answered and that have not expired, the soonest to expire first."""
        ...

    def add_answer(self, entry: ReopenAnswer) -> None:
        """Raises ConflictError when the proposal was answered meanwhile."""
        ...

    def answer_of(self, proposal_id: str) -> ReopenAnswer | None: ...


class ReopeningWork(HandlingWork, Protocol):
    @property
    def reopenings(self) -> Reopenings: ...


class ReopeningServices(HandlingServices, Protocol):
    def work(self, *, write: bool = True) -> ReopeningWork: ...
