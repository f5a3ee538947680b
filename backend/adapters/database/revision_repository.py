"""Why decisions got further versions: causes, requests with their outcomes, and claim events."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    claim,
    claim_event,
    decision_cause,
    revision_outcome,
    revision_request,
)
from backend.domain.claim import ClaimState
from backend.domain.revision import Cause, RequestKind, RequestOutcome
from backend.service_layer.claims.revision_records import (
    BILL_HELD,
    ClaimEvent,
    Revision,
    RevisionOutcome,
    RevisionRequest,
)


class RevisionRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    # --- causes ------------------------------------------------------------------------------

    def add_cause(
        self, decision_id: str, claim_id: str, version: int, cause: Cause, at: dt.datetime
    ) -> None:
        self._connection.execute(
            decision_cause.insert().values(
                decision_id=decision_id,
                claim_id=claim_id,
                version=version,
                cause=str(cause),
                recorded_at=at,
            )
        )

    def causes_of(self, claim_id: str) -> dict[int, Cause]:
        """The cause of each decision version."""
        rows = self._connection.execute(
            sa.select(decision_cause.c.version, decision_cause.c.cause).where(
                decision_cause.c.claim_id == claim_id
            )
        )
        return {row.version: Cause(row.cause) for row in rows}

    # --- requests ----------------------------------------------------------------------------

    def add(self, entry: RevisionRequest) -> None:
        values = {one.name: getattr(entry, one.name) for one in fields(RevisionRequest)}
        self._connection.execute(
            revision_request.insert().values(**{**values, "kind": str(entry.kind)})
        )

    def conclude(self, entry: RevisionOutcome) -> None:
        values = {one.name: getattr(entry, one.name) for one in fields(RevisionOutcome)}
        self._connection.execute(
            revision_outcome.insert().values(**{**values, "outcome": str(entry.outcome)})
        )

    def of_claim(self, claim_id: str) -> list[Revision]:
        """The requests on a claim, each with its outcome when it has one, oldest first."""
        return self._read(revision_request.c.claim_id == claim_id)

    def get(self, request_id: str) -> Revision | None:
        found = self._read(revision_request.c.id == request_id)
        return found[0] if found else None

    def open_ones(self, kind: RequestKind, limit: int = 500) -> list[Revision]:
        """Requests of a kind that nobody has concluded yet, oldest first."""
        return self._read(
            revision_request.c.kind == str(kind),
            revision_outcome.c.request_id.is_(None),
            limit=limit,
        )

    def _read(self, *conditions: Any, limit: int = 500) -> list[Revision]:
        outcome = [
            revision_outcome.c[one.name].label(f"o_{one.name}") for one in fields(RevisionOutcome)
        ]
        rows = self._connection.execute(
            sa.select(revision_request, *outcome)
            .outerjoin(revision_outcome, revision_outcome.c.request_id == revision_request.c.id)
            .where(*conditions)
            .order_by(revision_request.c.filed_at, revision_request.c.id)
            .limit(limit)
        )
        return [_revision(dict(row._mapping)) for row in rows]

    # --- events ------------------------------------------------------------------------------

    def add_event(self, entry: ClaimEvent) -> None:
        self._connection.execute(
            claim_event.insert().values(
                **{one.name: getattr(entry, one.name) for one in fields(ClaimEvent)}
            )
        )

    def events_of(self, claim_id: str) -> list[ClaimEvent]:
        """What happened to a claim beside its decisions, oldest first."""
        rows = self._connection.execute(
            sa.select(claim_event)
            .where(claim_event.c.claim_id == claim_id)
            .order_by(claim_event.c.at, claim_event.c.id)
        )
        return [ClaimEvent(**row._mapping) for row in rows]

    def freed(self, limit: int = 100) -> list[str]:
        """Ids of refused claims that wait for their bill and whose bill nobody holds any more."""
        other = claim.alias("other")
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .where(
                claim.c.state == str(ClaimState.REFUSED),
                claim.c.waiting_for == BILL_HELD,
                ~sa.exists().where(other.c.live_invoice_id == claim.c.invoice_id),
            )
            .order_by(claim.c.updated_at, claim.c.id)
            .limit(limit)
        )
        return list(rows.scalars())


def _revision(row: dict[str, Any]) -> Revision:
    closed = {name.removeprefix("o_"): row.pop(name) for name in list(row) if name[:2] == "o_"}
    request = RevisionRequest(**{**row, "kind": RequestKind(row["kind"])})
    if closed["request_id"] is None:
        return Revision(request, None)
    return Revision(
        request, RevisionOutcome(**{**closed, "outcome": RequestOutcome(closed["outcome"])})
    )
