"""Decided claims, person by person: what a shadow run of a policy pack reads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.claim_repository import _claim
from backend.adapters.database.tables import claim, invoice, submission
from backend.service_layer.claims.records import Claim
from backend.service_layer.policies.ports import PersonYear


class DecidedClaimsRepository:
    """Reads only."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def person_years(
        self, after: PersonYear | None, first: dt.date, last: dt.date, limit: int
    ) -> list[PersonYear]:
        """The next person-years with a decided claim of a service day in the range, in order."""
        query = (
            sa.select(claim.c.person_id, claim.c.benefit_year)
            .where(claim.c.decision_version > 0, claim.c.service_on.between(first, last))
            .group_by(claim.c.person_id, claim.c.benefit_year)
            .order_by(claim.c.person_id, claim.c.benefit_year)
            .limit(limit)
        )
        if after is not None:
            person_id, year = after
            query = query.where(
                sa.or_(
                    claim.c.person_id > person_id,
                    sa.and_(claim.c.person_id == person_id, claim.c.benefit_year > year),
                )
            )
        return [(row.person_id, row.benefit_year) for row in self._connection.execute(query)]

    def decided_of_year(self, person_id: str, year: int) -> list[Claim]:
        """The decided claims of one person and year in the order of their reservation:
        submission, then service date, then invoice key (C17)."""
        rows = self._connection.execute(
            sa.select(claim)
            .join(submission, submission.c.id == claim.c.submission_id)
            .join(invoice, invoice.c.id == claim.c.invoice_id)
            .where(
                claim.c.person_id == person_id,
                claim.c.benefit_year == year,
                claim.c.decision_version > 0,
            )
            .order_by(
                submission.c.accepted_at, submission.c.id, claim.c.service_on,
                invoice.c.invoice_key,
            )
        )  # fmt: skip
        return [_claim(row) for row in rows]
