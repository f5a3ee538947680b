"""Claims by their derived cause: counts, and the list behind every count."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.claim_repository import _claim
from backend.adapters.database.tables import claim
from backend.service_layer.claims.causes import CauseCount
from backend.service_layer.claims.records import Claim


def _within(first: dt.date | None, last: dt.date | None) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if first is not None:
        conditions.append(claim.c.service_on >= first)
    if last is not None:
        conditions.append(claim.c.service_on <= last)
    return conditions


class CauseRepository:
    """Reads only."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def counts(self, first: dt.date | None, last: dt.date | None) -> list[CauseCount]:
        """How many claims there are of each stored code and origin."""
        query = (
            sa.select(claim.c.cause, claim.c.origin, sa.func.count())
            .where(*_within(first, last))
            .group_by(claim.c.cause, claim.c.origin)
            .order_by(claim.c.cause, claim.c.origin)
        )
        return [CauseCount(*row) for row in self._connection.execute(query)]

    def of_code(
        self, code: str | None, first: dt.date | None, last: dt.date | None, limit: int
    ) -> list[Claim]:
        """The claims with that code (None: with none yet), newest service first."""
        is_code = claim.c.cause.is_(None) if code is None else claim.c.cause == code
        query = (
            sa.select(claim)
            .where(is_code, *_within(first, last))
            .order_by(claim.c.service_on.desc(), claim.c.number)
            .limit(limit)
        )
        return [_claim(row) for row in self._connection.execute(query)]

    def without_cause(self, after: str, limit: int) -> list[str]:
        """Ids after ``after`` of claims that have no cause, in order."""
        query = (
            sa.select(claim.c.id)
            .where(claim.c.cause.is_(None), claim.c.id > after)
            .order_by(claim.c.id)
            .limit(limit)
        )
        return list(self._connection.execute(query).scalars())
