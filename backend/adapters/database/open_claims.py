"""Which claims the worker has to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.tables import claim
from backend.domain.claim import CLOSED_STATES, ClaimState

OPEN_STATES: Final = [str(state) for state in ClaimState if state not in CLOSED_STATES]
_NEWEST: Final = sa.select(sa.func.max(claim.c.id))
_NEWER: Final = sa.select(claim.c.id).where(claim.c.id > sa.bindparam("id")).order_by(claim.c.id)


class _AsStored(sa.TypeDecorator[Any]):
    """An instant as the database keeps it, unread: a claim whose instant was damaged has its turn
    too, and only its own step fails."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        is_text = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.String() if is_text else sa.DateTime(timezone=True))


_CHANGED: Final = sa.type_coerce(claim.c.updated_at, _AsStored()).label("changed")


class OpenClaims:
    """The part of the claims' repository that the worker asks in every pass."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def newest(self) -> str:
        """The greatest claim id, which changes when a claim is made; empty at first."""
        return self._connection.execute(_NEWEST).scalar() or ""

    def newer_than(self, claim_id: str) -> list[str]:
        """The ids of the claims that were made after that one, in their order."""
        return list(self._connection.execute(_NEWER, {"id": claim_id}).scalars())

    def open_ids(self, limit: int = 500) -> list[tuple[str, str]]:
        """(claim id, person id) of claims that are not closed, oldest first."""
        rows = self._connection.execute(
            sa.select(claim.c.id, claim.c.person_id)
            .where(claim.c.state.in_(OPEN_STATES))
            .order_by(claim.c.updated_at, claim.c.id)
            .limit(limit)
        )
        return [(row.id, row.person_id) for row in rows]

    def due(
        self, states: Sequence[ClaimState], after: tuple[Any, str] | None, limit: int
    ) -> list[tuple[Any, str]]:
        """(last change as stored, claim id) of claims in these states behind such a place."""
        query = (
            sa.select(_CHANGED, claim.c.id)
            .where(claim.c.state.in_([str(state) for state in states]))
            .order_by(claim.c.updated_at, claim.c.id)
            .limit(limit)
        )
        if after is not None:
            at, last_id = sa.literal(after[0], _AsStored()), after[1]
            is_behind = sa.or_(
                claim.c.updated_at > at, sa.and_(claim.c.updated_at == at, claim.c.id > last_id)
            )
            query = query.where(is_behind)
        return [(row.changed, row.id) for row in self._connection.execute(query)]
