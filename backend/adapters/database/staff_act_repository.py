"""What members of staff asked for under a key of theirs, so that it is done once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import staff_act
from backend.domain.errors import ConflictError
from backend.service_layer.supervision.once import StaffAct


class StaffActRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def get(self, person: str, request_key: str) -> StaffAct | None:
        row = self._connection.execute(
            sa.select(staff_act).where(
                staff_act.c.person == person, staff_act.c.request_key == request_key
            )
        ).first()
        return None if row is None else StaffAct(**row._mapping)

    def add(self, entry: StaffAct) -> None:
        """Raises ConflictError when the same key was used at the same moment."""
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        try:
            with self._connection.begin_nested():
                self._connection.execute(staff_act.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "同一个 Idempotency-Key 正在处理，请再发一次",
                "the same Idempotency-Key is being worked on: send it again",
            ) from error
