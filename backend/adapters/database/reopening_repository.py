"""Proposed reopenings and how each ended; rows are only inserted."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import reopen_answer, reopen_proposal
from backend.domain.errors import ConflictError
from backend.service_layer.handling.reopening_records import ReopenAnswer, ReopenProposal


class ReopeningRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add(self, entry: ReopenProposal) -> None:
        self._connection.execute(reopen_proposal.insert().values(_values(entry)))

    def get(self, proposal_id: str) -> ReopenProposal | None:
        found = self._proposals(reopen_proposal.c.id == proposal_id)
        return found[0] if found else None

    def of_claim(self, claim_id: str) -> list[tuple[ReopenProposal, ReopenAnswer | None]]:
        """The proposals of a claim with their answers, oldest first."""
        return [
            (one, self.answer_of(one.id))
            for one in self._proposals(reopen_proposal.c.claim_id == claim_id)
        ]

    def open_at(self, now: dt.datetime, limit: int = 500) -> list[ReopenProposal]:
        """Proposals that nobody answered and that have not expired, the soonest to expire first."""
        rows = self._connection.execute(
            sa.select(reopen_proposal)
            .where(
                reopen_proposal.c.expires_at >= now,
                ~sa.exists().where(reopen_answer.c.proposal_id == reopen_proposal.c.id),
            )
            .order_by(reopen_proposal.c.expires_at, reopen_proposal.c.id)
            .limit(limit)
        )
        return [ReopenProposal(**row._mapping) for row in rows]

    def add_answer(self, entry: ReopenAnswer) -> None:
        """Raises ConflictError when the proposal was answered meanwhile."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(reopen_answer.insert().values(_values(entry)))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "这个提案刚被别人处理，或不能由此人确认；请重新查看",
                "somebody else answered the proposal, or this person cannot: look at it again",
            ) from error

    def answer_of(self, proposal_id: str) -> ReopenAnswer | None:
        row = self._connection.execute(
            sa.select(reopen_answer).where(reopen_answer.c.proposal_id == proposal_id)
        ).first()
        return None if row is None else ReopenAnswer(**row._mapping)

    def _proposals(self, *conditions: Any) -> list[ReopenProposal]:
        rows = self._connection.execute(
            sa.select(reopen_proposal)
            .where(*conditions)
            .order_by(reopen_proposal.c.proposed_at, reopen_proposal.c.id)
        )
        return [ReopenProposal(**row._mapping) for row in rows]


def _values(entry: Any) -> dict[str, Any]:
    return {one.name: getattr(entry, one.name) for one in fields(entry)}
