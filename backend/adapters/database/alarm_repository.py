"""Alarms: conditions that a person must see, one open row a code and subject."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from backend.adapters.database.tables import alarm
from backend.adapters.identifiers import RandomIds
from backend.service_layer.ports import Clock

DETAIL_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Alarm:
    id: str
    code: str
    subject: str
    detail: str
    raised_at: dt.datetime
    cleared_at: dt.datetime | None


OPEN_REMEMBERED: Final = 10_000


class AlarmRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._open: dict[str, set[str]] = {}

    def raise_alarm(self, code: str, subject: str, detail: str) -> None:
        """Record an alarm once per open (code, subject)."""
        if code in self._open:
            self._open[code].add(subject)
        is_open = sa.and_(
            alarm.c.code == code, alarm.c.subject == subject, alarm.c.cleared_at.is_(None)
        )
        if self._connection.execute(sa.select(alarm.c.id).where(is_open)).first() is None:
            self._connection.execute(
                sa.insert(alarm).values(
                    id=RandomIds().new_id("alm"),
                    code=code,
                    subject=subject,
                    detail=detail[:DETAIL_CHARACTERS_MAX],
                    raised_at=self._clock.now(),
                )
            )

    def look_ahead(self, code: str) -> None:
        """Read which alarms of a code are open, so that ``clear`` of another subject asks nothing
        in this transaction. With very many open ones nothing is remembered."""
        found = self._connection.execute(
            sa.select(alarm.c.subject)
            .where(alarm.c.code == code, alarm.c.cleared_at.is_(None))
            .limit(OPEN_REMEMBERED + 1)
        )
        subjects = set(found.scalars())
        if len(subjects) <= OPEN_REMEMBERED:
            self._open[code] = subjects

    def clear(self, code: str, subject: str) -> None:
        """Close an alarm whose condition has ended."""
        if subject not in self._open.get(code, {subject}):
            return
        self._connection.execute(
            sa.update(alarm)
            .where(alarm.c.code == code, alarm.c.subject == subject, alarm.c.cleared_at.is_(None))
            .values(cleared_at=self._clock.now())
        )

    def open_alarms(self) -> list[Alarm]:
        rows = self._connection.execute(
            sa.select(alarm).where(alarm.c.cleared_at.is_(None)).order_by(alarm.c.raised_at)
        )
        return [Alarm(**row._mapping) for row in rows]

    def open_subjects(self, code: str) -> list[str]:
        """What the open alarms of a code are about."""
        is_open = sa.and_(alarm.c.code == code, alarm.c.cleared_at.is_(None))
        return list(self._connection.scalars(sa.select(alarm.c.subject).where(is_open)))

    def open_counts(self) -> dict[str, int]:
        """How many alarms of each code are open."""
        rows = self._connection.execute(
            sa.select(alarm.c.code, sa.func.count())
            .where(alarm.c.cleared_at.is_(None))
            .group_by(alarm.c.code)
        )
        return {row[0]: row[1] for row in rows}
