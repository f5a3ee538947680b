"""Periods that a restored backup has lost; and how new the newest entry of this database is."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Final

import sqlalchemy as sa

from backend.adapters.database.tables import (
    lost_period,
    metadata,
    payee_confirmation,
    payment_attempt,
    reconciliation_case,
)
from backend.adapters.database.tables.metadata import AT
from backend.domain.lost_period import LostPeriod

_WRITTEN: Final = frozenset(
    ("accepted_at", "added_at", "at", "booked_at", "calculated_at", "counted_at", "created_at",
     "decided_at", "declared_at", "done_at", "drawn_at", "filed_at", "finished_at", "found_at",
     "given_at", "instructed_at", "last_run_at", "looked_at", "made_at", "noticed_at", "opened_at",
     "proposed_at", "raised_at", "received_at", "recorded_at", "released_at", "requested_at",
     "ruled_at", "sent_at", "started_at", "updated_at", "uploaded_at")
)  # fmt: skip
"""Columns that our own clock fills when a row is written; no deadline, and no other clock's."""


class LostPeriodRepository:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._known: list[LostPeriod] | None = None

    def periods(self) -> list[LostPeriod]:
        """Every period, oldest first; asked once in a transaction."""
        if self._known is None:
            rows = self._connection.execute(
                sa.select(lost_period, reconciliation_case.c.resolved_at.is_(None).label("is_open"))
                .join(reconciliation_case, reconciliation_case.c.id == lost_period.c.case_id)
                .order_by(lost_period.c.found_at, lost_period.c.id)
            )
            self._known = [
                LostPeriod(
                    id=row.id,
                    since=row.since,
                    until=row.until,
                    first_unknown_at=row.first_unknown_at,
                    accounts_from=row.accounts_from,
                    found_at=row.found_at,
                    is_open=bool(row.is_open),
                )
                for row in rows
            ]
        return self._known

    def add(self, period: LostPeriod, case_id: str) -> None:
        values = {
            one.name: getattr(period, one.name)
            for one in fields(LostPeriod)
            if one.name != "is_open"
        }
        self._connection.execute(sa.insert(lost_period).values(**values, case_id=case_id))
        self._known = None

    def newest_entry(self, up_to: dt.datetime) -> dt.datetime | None:
        """The newest instant up to ``up_to`` at which a row that is here was written."""
        newest: dt.datetime | None = None
        for table in metadata.sorted_tables:
            for column in table.columns:
                if column.name not in _WRITTEN or not isinstance(column.type, AT):
                    continue
                found = self._connection.execute(
                    sa.select(sa.func.max(column)).where(column <= up_to)
                ).scalar_one()
                newest = max(filter(None, (newest, found)), default=None)
        return newest

    def confirmed_at(self, account_ids: list[str]) -> dict[str, list[dt.datetime]]:
        """When people said that these accounts are still right, by account."""
        rows = self._connection.execute(
            sa.select(payee_confirmation.c.account_id, payee_confirmation.c.at).where(
                payee_confirmation.c.account_id.in_(account_ids)
            )
        )
        found: dict[str, list[dt.datetime]] = {}
        for account_id, at in rows:
            found.setdefault(account_id, []).append(at)
        return found

    def paid_elsewhere(self, person_id: str) -> list[dt.datetime]:
        """When the bank was told to pay a person on an account that is not on record here."""
        rows = self._connection.execute(
            sa.select(payment_attempt.c.created_at).where(
                payment_attempt.c.person_id == person_id, payment_attempt.c.account_version == 0
            )
        )
        return list(rows.scalars())
