"""Staff: who may review, with skills, hospital and absence."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import login, staff
from backend.domain.errors import NotFoundError
from backend.service_layer.review.records import Staff


class StaffRepository:
    """Reads and writes of ``staff`` with the login that each belongs to."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def get(self, login_id: str) -> Staff | None:
        found = self._select(staff.c.login_id == login_id)
        return found[0] if found else None

    def find(self, name: str) -> list[Staff]:
        """Staff of that username, else everybody of that name."""
        return self._select(login.c.username == name) or self._select(staff.c.name == name)

    def all(self) -> list[Staff]:
        return self._select()

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Staff]:
        rows = self._connection.execute(
            sa.select(staff, login.c.username, login.c.role, login.c.is_sample)
            .join(login, login.c.id == staff.c.login_id)
            .where(*conditions)
            .order_by(login.c.username)
        )
        return [
            Staff(
                id=row.login_id,
                username=row.username,
                name=row.name,
                role=row.role,
                queues=tuple(json.loads(row.queues)),
                hospital_code=row.hospital_code,
                away_until=row.away_until,
                is_active=row.is_active,
                is_sample=row.is_sample,
            )
            for row in rows
        ]

    def add(self, entry: Staff) -> None:
        """The staff part of a login that is there already. Raises :class:`NotFoundError` when
        there is no such hospital."""
        values = {
            "login_id": entry.id,
            "name": entry.name,
            "queues": json.dumps(sorted(entry.queues), ensure_ascii=False),
            "hospital_code": entry.hospital_code,
            "away_until": entry.away_until,
            "is_active": entry.is_active,
        }
        try:
            with self._connection.begin_nested():
                self._connection.execute(staff.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise NotFoundError("没有这家医疗机构", "there is no such institution") from error

    def set_away(self, login_id: str, until: dt.datetime | None) -> None:
        self._connection.execute(
            staff.update().where(staff.c.login_id == login_id).values(away_until=until)
        )

    def end(self, login_id: str) -> None:
        """The person is no longer at work here; the row stays for what they did."""
        self._connection.execute(
            staff.update().where(staff.c.login_id == login_id).values(is_active=False)
        )
