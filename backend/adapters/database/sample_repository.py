"""Samples for post-audit: announcements, populations, draws, audits, outcomes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.tables import (
    bill_trait,
    claim,
    decision,
    group_figure,
    institution,
    invoice,
    invoice_version,
    sample_announcement,
    sample_audit,
    sample_draw,
    sample_member,
    sample_outcome,
    sample_population,
)
from backend.domain.sampling import Basis, read_announcement
from backend.service_layer.claims.records import MACHINE
from backend.service_layer.ports import Clock
from backend.service_layer.supervision.sampling_records import (
    Approval,
    DrawnAlreadyError,
    Member,
    PopulationRow,
    PostAudit,
    StoredAnnouncement,
    StoredDraw,
)
from verifier.commitment.canonical import canonical_bytes

_APPROVALS: Final = ("approved", "partial")
_WAITS: Final = sa.and_(
    decision.c.decided_by == MACHINE,
    decision.c.outcome.in_(_APPROVALS),
    ~sa.exists().where(sample_population.c.decision_id == decision.c.id),
)


def _announcement(row: Any) -> StoredAnnouncement:
    return StoredAnnouncement(
        id=row.id,
        digest=bytes(row.digest),
        announcement=read_announcement(json.loads(row.document)),
        period_until=row.period_until,
        announced_at=row.announced_at,
        announced_by=row.announced_by,
    )


def _draw(row: Any) -> StoredDraw:
    return StoredDraw(
        announcement_id=row.announcement_id,
        block_number=row.block_number,
        block_hash=bytes(row.block_hash),
        seed=bytes(row.seed),
        drawn_at=row.drawn_at,
    )


class SampleRepository:
    def __init__(self, connection: sa.Connection, clock: Clock | None = None) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()

    # --- announcements ------------------------------------------------------------------------

    def waiting(self, until: dt.datetime, limit: int) -> list[Approval]:
        counted_at = sa.select(sa.func.max(group_figure.c.counted_at)).scalar_subquery()
        rows = self._connection.execute(
            sa.select(
                decision.c.id,
                decision.c.fingerprint,
                decision.c.paid_fen,
                decision.c.decided_at,
                invoice_version.c.total_fen,
                group_figure.c.median_fen,
                group_figure.c.size,
            )
            .join(claim, claim.c.id == decision.c.claim_id)
            .join(invoice_version, invoice_version.c.id == claim.c.version_id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .join(institution, institution.c.code == invoice.c.institution_code)
            .outerjoin(bill_trait, bill_trait.c.version_id == invoice_version.c.id)
            .outerjoin(
                group_figure,
                sa.and_(
                    group_figure.c.counted_at == counted_at,
                    group_figure.c.hospital_level == institution.c.level,
                    group_figure.c.visit_kind == bill_trait.c.visit_kind,
                    group_figure.c.diagnosis == bill_trait.c.diagnosis,
                    bill_trait.c.diagnosis != "",
                ),
            )
            .where(_WAITS, decision.c.decided_at < until)
            .order_by(decision.c.decided_at, decision.c.id)
            .limit(limit)
        )
        return [
            Approval(
                decision_id=row.id,
                fingerprint=bytes(row.fingerprint),
                paid_fen=row.paid_fen,
                total_fen=row.total_fen,
                decided_at=row.decided_at,
                group=None if row.median_fen is None else (row.median_fen, row.size),
            )
            for row in rows
        ]

    def first_waiting(self) -> dt.datetime | None:
        found: dt.datetime | None = self._connection.execute(
            sa.select(decision.c.decided_at).where(_WAITS).order_by(decision.c.decided_at).limit(1)
        ).scalar()
        return found

    def add(self, entry: StoredAnnouncement, population: Sequence[PopulationRow]) -> None:
        announced = entry.announcement
        try:
            self._connection.execute(
                sa.insert(sample_announcement).values(
                    id=entry.id,
                    sequence=announced.sequence,
                    previous=announced.previous,
                    digest=announced.digest,
                    document=canonical_bytes(announced.to_record()).decode(),
                    period_until=entry.period_until,
                    block_number=announced.block_number,
                    announced_at=entry.announced_at,
                    announced_by=entry.announced_by,
                )
            )
            self._connection.execute(
                sa.insert(sample_population),
                [
                    {
                        "announcement_id": entry.id,
                        "decision_id": row.decision_id,
                        "fingerprint": row.fingerprint,
                        "is_value": row.is_value,
                        "is_variance": row.is_variance,
                    }
                    for row in population
                ],
            )
        except sa.exc.IntegrityError as error:
            raise DrawnAlreadyError from error

    def last(self) -> StoredAnnouncement | None:
        return self._one(
            sa.select(sample_announcement).order_by(sample_announcement.c.sequence.desc()).limit(1)
        )

    def digests(self) -> list[bytes]:
        """The digest of every announcement, the oldest first."""
        query = sa.select(sample_announcement.c.digest).order_by(sample_announcement.c.sequence)
        return [bytes(digest) for digest in self._connection.execute(query).scalars()]

    def by_sequence(self, sequence: int) -> StoredAnnouncement | None:
        return self._one(
            sa.select(sample_announcement).where(sample_announcement.c.sequence == sequence)
        )

    def _one(self, query: sa.Select[Any]) -> StoredAnnouncement | None:
        row = self._connection.execute(query).first()
        return None if row is None else _announcement(row)

    def all(self, limit: int = 1000) -> list[tuple[StoredAnnouncement, StoredDraw | None]]:
        """The newest announcements with their draws."""
        rows = self._connection.execute(
            sa.select(sample_announcement)
            .order_by(sample_announcement.c.sequence.desc())
            .limit(limit)
        )
        found = [_announcement(row) for row in rows]
        return [(entry, self.draw_of(entry.id)) for entry in found]

    def population(self, announcement_id: str) -> list[PopulationRow]:
        rows = self._connection.execute(
            sa.select(
                sample_population.c.decision_id,
                sample_population.c.fingerprint,
                sample_population.c.is_value,
                sample_population.c.is_variance,
                decision.c.fingerprint.label("stored_fingerprint"),
            )
            .join(decision, decision.c.id == sample_population.c.decision_id)
            .where(sample_population.c.announcement_id == announcement_id)
        )
        found = [
            PopulationRow(
                row.decision_id,
                bytes(row.fingerprint),
                row.is_value,
                row.is_variance,
                bytes(row.stored_fingerprint),
            )
            for row in rows
        ]
        return sorted(found, key=lambda row: row.fingerprint)

    # --- draws --------------------------------------------------------------------------------

    def undrawn(self, limit: int = 20) -> list[StoredAnnouncement]:
        rows = self._connection.execute(
            sa.select(sample_announcement)
            .where(~sa.exists().where(sample_draw.c.announcement_id == sample_announcement.c.id))
            .order_by(sample_announcement.c.sequence)
            .limit(limit)
        )
        return [_announcement(row) for row in rows]

    def add_draw(self, entry: StoredDraw, members: Sequence[Member]) -> None:
        try:
            self._connection.execute(
                sa.insert(sample_draw).values(
                    announcement_id=entry.announcement_id,
                    block_number=entry.block_number,
                    block_hash=entry.block_hash,
                    seed=entry.seed,
                    drawn_at=entry.drawn_at,
                )
            )
        except sa.exc.IntegrityError as error:
            raise DrawnAlreadyError from error
        if members:
            self._connection.execute(
                sa.insert(sample_member),
                [
                    {
                        "announcement_id": entry.announcement_id,
                        "decision_id": member.decision_id,
                        "basis": str(member.basis),
                        "position": member.position,
                    }
                    for member in members
                ],
            )

    def draw_of(self, announcement_id: str) -> StoredDraw | None:
        row = self._connection.execute(
            sa.select(sample_draw).where(sample_draw.c.announcement_id == announcement_id)
        ).first()
        return None if row is None else _draw(row)

    def members(self, announcement_id: str) -> list[Member]:
        rows = self._connection.execute(
            sa.select(sample_member.c.decision_id, sample_member.c.basis, sample_member.c.position)
            .where(sample_member.c.announcement_id == announcement_id)
            .order_by(sample_member.c.basis, sample_member.c.position)
        )
        return [Member(row.decision_id, Basis(row.basis), row.position) for row in rows]

    # --- audits -------------------------------------------------------------------------------

    def without_case(self, limit: int = 100) -> list[tuple[str, str, str]]:
        has_case = sa.exists().where(
            sample_audit.c.announcement_id == sample_member.c.announcement_id,
            sample_audit.c.decision_id == sample_member.c.decision_id,
        )
        rows = self._connection.execute(
            sa.select(
                sample_member.c.announcement_id, sample_member.c.decision_id, decision.c.claim_id
            )
            .join(decision, decision.c.id == sample_member.c.decision_id)
            .where(~has_case)
            .distinct()
            .order_by(sample_member.c.announcement_id, sample_member.c.decision_id)
            .limit(limit)
        )
        return [(row.announcement_id, row.decision_id, row.claim_id) for row in rows]

    def add_audit(
        self, announcement_id: str, decision_id: str, case_id: str, at: dt.datetime
    ) -> None:
        try:
            self._connection.execute(
                sa.insert(sample_audit).values(
                    announcement_id=announcement_id,
                    decision_id=decision_id,
                    case_id=case_id,
                    opened_at=at,
                )
            )
        except sa.exc.IntegrityError as error:
            raise DrawnAlreadyError from error

    def add_outcome(
        self, case_id: str, outcome: str, reason: str, by: str, at: dt.datetime
    ) -> None:
        self._connection.execute(
            sa.insert(sample_outcome).values(
                case_id=case_id, outcome=outcome, reason=reason, found_by=by, found_at=at
            )
        )

    def audits(self, announcement_id: str) -> list[PostAudit]:
        bases: dict[str, list[str]] = {}
        for member in self.members(announcement_id):
            bases.setdefault(member.decision_id, []).append(str(member.basis))
        rows = self._connection.execute(
            sa.select(
                sample_audit.c.decision_id,
                sample_audit.c.case_id,
                claim.c.id.label("claim_id"),
                claim.c.number,
                sample_outcome.c.outcome,
            )
            .join(decision, decision.c.id == sample_audit.c.decision_id)
            .join(claim, claim.c.id == decision.c.claim_id)
            .outerjoin(sample_outcome, sample_outcome.c.case_id == sample_audit.c.case_id)
            .where(sample_audit.c.announcement_id == announcement_id)
            .order_by(claim.c.number, sample_audit.c.decision_id)
        )
        return [
            PostAudit(
                announcement_id=announcement_id,
                decision_id=row.decision_id,
                claim_id=row.claim_id,
                claim_number=row.number,
                case_id=row.case_id,
                bases=tuple(sorted(bases.get(row.decision_id, []))),
                outcome=row.outcome,
            )
            for row in rows
        ]

    def counts(self) -> dict[str, int]:
        """How many cases are under audit, confirmed and findings, over all samples."""
        rows = self._connection.execute(
            sa.select(
                sa.func.coalesce(sample_outcome.c.outcome, "open").label("outcome"),
                sa.func.count(sa.distinct(sample_audit.c.case_id)).label("cases"),
            )
            .select_from(sample_audit)
            .outerjoin(sample_outcome, sample_outcome.c.case_id == sample_audit.c.case_id)
            .group_by(sa.func.coalesce(sample_outcome.c.outcome, "open"))
        )
        return {row.outcome: row.cases for row in rows}
