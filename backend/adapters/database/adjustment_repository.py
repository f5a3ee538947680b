"""Correcting entries that were proposed, and how each ended; rows are only inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    journal_adjustment,
    journal_adjustment_answer,
    journal_entry,
)
from backend.domain.errors import ConflictError
from backend.service_layer.journal.records import Adjustment, AdjustmentAnswer

_proposed, _answer = journal_adjustment.c, journal_adjustment_answer.c


class AdjustmentRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def next_number(self) -> int:
        newest = self._connection.execute(sa.select(sa.func.max(_proposed.number))).scalar_one()
        return int(newest or 0) + 1

    def add(self, entry: Adjustment) -> None:
        """Raises ConflictError when somebody else took the number at the same moment."""
        self._insert(journal_adjustment, entry)

    def add_answer(self, entry: AdjustmentAnswer) -> None:
        """Raises ConflictError when it was answered, or its subject corrected, meanwhile."""
        self._insert(journal_adjustment_answer, entry)

    def _insert(self, table: sa.Table, entry: Adjustment | AdjustmentAnswer) -> None:
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        try:
            with self._connection.begin_nested():
                self._connection.execute(table.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "刚才有人处理了这张更正凭证，或不能由此人处理；请重新查看",
                "somebody else dealt with this adjustment, or this person cannot: look again",
            ) from error

    def get(self, number: int) -> Adjustment | None:
        found = self._read(_proposed.number == number)
        return found[0][0] if found else None

    def answer_of(self, number: int) -> AdjustmentAnswer | None:
        found = self._read(_proposed.number == number)
        return found[0][1] if found else None

    def of_subject(self, subject: str) -> list[tuple[Adjustment, AdjustmentAnswer | None]]:
        """Every proposal about one entry or movement, oldest first."""
        return self._read(_proposed.subject == subject)

    def all(self, *, open_only: bool = False) -> list[tuple[Adjustment, AdjustmentAnswer | None]]:
        return self._read(_answer.number.is_(None) if open_only else sa.true())

    def page(
        self, after: int, limit: int, *, open_only: bool = False
    ) -> list[tuple[Adjustment, AdjustmentAnswer | None]]:
        """Those after a number, oldest first."""
        is_wanted = _answer.number.is_(None) if open_only else sa.true()
        return self._read(sa.and_(_proposed.number > after, is_wanted), limit)

    def corrected_by(self, subject: str) -> int | None:
        """The number of the adjustment that has corrected it."""
        found: int | None = self._connection.execute(
            sa.select(_answer.number).where(_answer.subject == subject)
        ).scalar_one_or_none()
        return found

    def sourced(self, source_types: Sequence[str], source_id: str) -> list[str]:
        """Ids of the entries of a source under any of these types, in the order of the types."""
        rows = self._connection.execute(
            sa.select(journal_entry.c.source_type, journal_entry.c.id).where(
                journal_entry.c.source_type.in_(source_types),
                journal_entry.c.source_id == source_id,
            )
        )
        return [row.id for row in sorted(rows, key=lambda row: source_types.index(row.source_type))]

    def _read(
        self, where: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[tuple[Adjustment, AdjustmentAnswer | None]]:
        answers = [
            _answer[one.name].label(f"answer_{one.name}") for one in fields(AdjustmentAnswer)
        ]
        rows = self._connection.execute(
            sa.select(journal_adjustment, *answers)
            .outerjoin(journal_adjustment_answer, _answer.number == _proposed.number)
            .where(where)
            .order_by(_proposed.number)
            .limit(limit)
        )
        found = []
        for row in rows:
            said = row._mapping
            proposed = Adjustment(**{one.name: said[one.name] for one in fields(Adjustment)})
            answer = {one.name: said[f"answer_{one.name}"] for one in fields(AdjustmentAnswer)}
            found.append(
                (proposed, None if answer["number"] is None else AdjustmentAnswer(**answer))
            )
        return found
