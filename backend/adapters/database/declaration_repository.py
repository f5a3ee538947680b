"""Declarations of claims: accidents, excuses of late filings, corrections of a claim's kind."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import claim_declaration
from backend.service_layer.claims.declaration_records import (
    Declaration,
    DeclarationRaceError,
    Subject,
)
from verifier.commitment.canonical import canonical_bytes


class DeclarationRepository:
    """Inserts and reads of ``claim_declaration``."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add(self, entry: Declaration) -> None:
        """Raises :class:`DeclarationRaceError` when another one took the version."""
        values = {name: getattr(entry, name) for name in Declaration.__dataclass_fields__}
        values |= {
            "subject": str(entry.subject),
            "content": canonical_bytes(entry.content).decode(),
        }
        try:
            with self._connection.begin_nested():
                self._connection.execute(claim_declaration.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise DeclarationRaceError from error

    def of_claim(self, claim_id: str, subject: Subject) -> list[Declaration]:
        """Every version, oldest first."""
        rows = self._connection.execute(
            sa.select(claim_declaration)
            .where(
                claim_declaration.c.claim_id == claim_id,
                claim_declaration.c.subject == str(subject),
            )
            .order_by(claim_declaration.c.version)
        )
        return [_declaration(row) for row in rows]


def _declaration(row: sa.Row[Any]) -> Declaration:
    digest = row.undertaking_digest
    return Declaration(
        **{
            **row._mapping,
            "subject": Subject(row.subject),
            "content": json.loads(row.content),
            "undertaking_digest": None if digest is None else bytes(digest),
        }
    )
