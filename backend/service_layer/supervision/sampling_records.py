"""The rows of samples as frozen values, and what sampling needs from outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.errors import ConflictError
from backend.domain.sampling import Announcement, Basis, SampleLimits
from backend.service_layer.anchoring.model import Deployment
from backend.service_layer.claims.final_slots import FollowedChain
from backend.service_layer.ports import BlockStamp, LedgerReader
from backend.service_layer.review.ports import ReviewServices, ReviewSettings, ReviewWork


class DrawnAlreadyError(ConflictError):
    """The announcement was drawn, or the period closed, by somebody else: there is one of each."""

    code = "drawn-already"

    def __init__(self) -> None:
        super().__init__(
            "本期抽查已经公告或抽取过，不能再来一次",
            "this sample was announced or drawn already: there is one draw an announcement",
        )


@dataclass(frozen=True, slots=True)
class Approval:
    """A machine approval that is in no population yet. ``group`` is (median in fen, size) of the
    bills alike, None where there is none."""

    decision_id: str
    fingerprint: bytes
    paid_fen: int
    total_fen: int
    decided_at: dt.datetime
    group: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class PopulationRow:
    """``fingerprint`` as announced; ``stored_fingerprint`` as the decision has it now."""

    decision_id: str
    fingerprint: bytes
    is_value: bool
    is_variance: bool
    stored_fingerprint: bytes


@dataclass(frozen=True, slots=True)
class StoredAnnouncement:
    """``digest`` as it was stored when the announcement was made."""

    id: str
    digest: bytes
    announcement: Announcement
    period_until: dt.datetime
    announced_at: dt.datetime
    announced_by: str


@dataclass(frozen=True, slots=True)
class StoredDraw:
    announcement_id: str
    block_number: int
    block_hash: bytes
    seed: bytes
    drawn_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Member:
    """``position`` counts in the order drawn, from 0, within its basis."""

    decision_id: str
    basis: Basis
    position: int


@dataclass(frozen=True, slots=True)
class PostAudit:
    """A member under audit. ``outcome`` is confirmed, finding or None while people look at it."""

    announcement_id: str
    decision_id: str
    claim_id: str
    claim_number: str
    case_id: str
    bases: tuple[str, ...]
    outcome: str | None


class Samples(Protocol):
    """Announcements, populations, draws, audits and outcomes; rows are only inserted."""

    def waiting(self, until: dt.datetime, limit: int) -> list[Approval]:
        """Machine approvals decided before ``until`` that are in no population."""
        ...

    def first_waiting(self) -> dt.datetime | None: ...
    def add(self, entry: StoredAnnouncement, population: Sequence[PopulationRow]) -> None:
        """Raises :class:`DrawnAlreadyError` when somebody else announced meanwhile."""
        ...

    def last(self) -> StoredAnnouncement | None: ...
    def digests(self) -> list[bytes]: ...
    def by_sequence(self, sequence: int) -> StoredAnnouncement | None: ...
    def all(self, limit: int = 1000) -> list[tuple[StoredAnnouncement, StoredDraw | None]]: ...
    def population(self, announcement_id: str) -> list[PopulationRow]: ...
    def undrawn(self, limit: int = 20) -> list[StoredAnnouncement]: ...
    def add_draw(self, entry: StoredDraw, members: Sequence[Member]) -> None:
        """Raises :class:`DrawnAlreadyError` for a second draw."""
        ...

    def draw_of(self, announcement_id: str) -> StoredDraw | None: ...
    def members(self, announcement_id: str) -> list[Member]: ...
    def without_case(self, limit: int = 100) -> list[tuple[str, str, str]]:
        """(announcement, decision, claim) of members that nobody was asked to look at."""
        ...

    def add_audit(
        self, announcement_id: str, decision_id: str, case_id: str, at: dt.datetime
    ) -> None: ...
    def add_outcome(
        self, case_id: str, outcome: str, reason: str, by: str, at: dt.datetime
    ) -> None: ...
    def audits(self, announcement_id: str) -> list[PostAudit]: ...
    def counts(self) -> Mapping[str, int]: ...


class Chain(FollowedChain, Protocol):
    def deployment(self) -> Deployment | None: ...


class SampleWork(ReviewWork, Protocol):
    @property
    def samples(self) -> Samples: ...
    @property
    def chain(self) -> Chain: ...


class SampleSettings(ReviewSettings, Protocol):
    @property
    def sample(self) -> SampleLimits: ...


class BlockReader(LedgerReader, Protocol):
    """What a draw reads of the ledger."""

    def blocks(self, numbers: Sequence[int]) -> Sequence[BlockStamp | None]: ...


class SampleServices(ReviewServices, Protocol):
    @property
    def settings(self) -> SampleSettings: ...
    @property
    def ledger(self) -> BlockReader: ...

    def work(self, *, write: bool = True) -> SampleWork: ...
