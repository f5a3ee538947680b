"""Requests for material, the citizen's answers and the digests of their attachments."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    material_answer,
    material_file,
    material_request,
    review_case,
)
from backend.domain.review import StepName
from backend.service_layer.review.ports import CaseChangedError
from backend.service_layer.review.records import MaterialAnswer, MaterialFile, MaterialRequest


class MaterialRepository:
    """Reads and writes of ``material_request``, ``material_answer`` and ``material_file``."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add_request(self, request: MaterialRequest) -> None:
        """Raises :class:`CaseChangedError` when the database refuses a third, or one of the same
        ordinal."""
        values = {name: getattr(request, name) for name in MaterialRequest.__dataclass_fields__}
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    material_request.insert().values({**values, "step": str(request.step)})
                )
        except sa.exc.IntegrityError as error:
            raise CaseChangedError from error

    def requests_of(self, case_id: str) -> list[MaterialRequest]:
        return self._requests(material_request.c.case_id == case_id)

    def request(self, request_id: str) -> MaterialRequest | None:
        found = self._requests(material_request.c.id == request_id)
        return found[0] if found else None

    def open_request_of_claim(self, claim_id: str) -> MaterialRequest | None:
        """What the citizen is asked for now, on any case of the claim."""
        cases = sa.select(review_case.c.id).where(review_case.c.claim_id == claim_id)
        found = self._requests(
            material_request.c.case_id.in_(cases), material_request.c.closed_at.is_(None)
        )
        return found[0] if found else None

    def open_requests(self, limit: int = 500) -> list[MaterialRequest]:
        return self._requests(material_request.c.closed_at.is_(None))[:limit]

    def _requests(self, *conditions: sa.ColumnElement[bool]) -> list[MaterialRequest]:
        rows = self._connection.execute(
            sa.select(material_request)
            .where(*conditions)
            .order_by(material_request.c.requested_at, material_request.c.ordinal)
        )
        return [MaterialRequest(**{**row._mapping, "step": StepName(row.step)}) for row in rows]

    def close_request(self, request_id: str, outcome: str, at: dt.datetime) -> None:
        self._connection.execute(
            material_request.update()
            .where(material_request.c.id == request_id, material_request.c.closed_at.is_(None))
            .values(closed_at=at, outcome=outcome)
        )

    def add_answer(self, answer: MaterialAnswer) -> None:
        """Raises :class:`CaseChangedError` when the request was answered already."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    material_answer.insert().values(
                        request_id=answer.request_id,
                        text=answer.text,
                        answered_at=answer.answered_at,
                    )
                )
                for entry in answer.files:
                    self._connection.execute(
                        material_file.insert().values(
                            {n: getattr(entry, n) for n in MaterialFile.__dataclass_fields__}
                        )
                    )
        except sa.exc.IntegrityError as error:
            raise CaseChangedError from error

    def answer_of(self, request_id: str) -> MaterialAnswer | None:
        row = self._connection.execute(
            sa.select(material_answer).where(material_answer.c.request_id == request_id)
        ).first()
        if row is None:
            return None
        files = self._connection.execute(
            sa.select(material_file)
            .where(material_file.c.request_id == request_id)
            .order_by(material_file.c.position)
        )
        return MaterialAnswer(
            row.request_id,
            row.text,
            row.answered_at,
            tuple(
                MaterialFile(**{**entry._mapping, "digest": bytes(entry.digest)}) for entry in files
            ),
        )
