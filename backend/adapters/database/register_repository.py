"""Facts of the register and the documents of rules: insert-only rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.tables import catalogue_document, claim, register_fact
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError
from backend.domain.register import FactKind, RegisterFact
from backend.service_layer.ports import Clock

FACTS_MAX = 2_000
"""Facts of one person, corrections included."""

_FACTS: Final = (  # what every claim asks is put together once
    sa.select(register_fact)
    .where(register_fact.c.person_id == sa.bindparam("id"))
    .order_by(register_fact.c.recorded_at, register_fact.c.id)
    .limit(FACTS_MAX)
)


class RegisterRepository:
    """Reads and inserts of ``register_fact`` and ``catalogue_document`` in one transaction."""

    def __init__(self, connection: sa.Connection, clock: Clock | None = None) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()

    def add(self, fact: RegisterFact) -> None:
        """Insert a fact. Raises :class:`ConflictError` when what it corrects is corrected
        already."""
        values = {name: getattr(fact, name) for name in RegisterFact.__dataclass_fields__}
        values["kind"] = str(fact.kind)
        try:
            with self._connection.begin_nested():
                self._connection.execute(register_fact.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "这条参保信息已被更正或已存在，请重新查看后再改",
                "the fact is there or corrected already; look at the register again",
            ) from error

    def facts_of(self, person_id: str) -> list[RegisterFact]:
        """Every fact ever recorded of the person, superseded ones too, as recorded."""
        rows = self._connection.execute(_FACTS, {"id": person_id})
        return [_fact(row) for row in rows]

    def claim_years(self, person_id: str) -> Sequence[int]:
        """The benefit years in which the person has claims, earliest first."""
        rows = self._connection.execute(
            sa.select(claim.c.benefit_year)
            .where(claim.c.person_id == person_id)
            .distinct()
            .order_by(claim.c.benefit_year)
        )
        return [row.benefit_year for row in rows]

    def refused_claims(self, person_id: str) -> list[str]:
        """Ids of the person's refused claims, earliest service first."""
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .where(claim.c.person_id == person_id, claim.c.state == str(ClaimState.REFUSED))
            .order_by(claim.c.service_on, claim.c.created_at, claim.c.id)
        )
        return [row.id for row in rows]

    def add_catalogue(self, digest: bytes, name: str, document: str, at: dt.datetime) -> bool:
        """Keep a catalogue that decisions rest on; False when it is kept already."""
        if self.is_catalogue_kept(digest):
            return False
        self._connection.execute(
            catalogue_document.insert().values(
                digest=digest, name=name, document=document, created_at=at
            )
        )
        return True

    def is_catalogue_kept(self, digest: bytes) -> bool:
        found = sa.select(catalogue_document.c.digest).where(catalogue_document.c.digest == digest)
        return self._connection.execute(found).first() is not None

    def catalogue_text(self, digest: bytes) -> str | None:
        """The canonical text of a kept catalogue."""
        return self._connection.execute(
            sa.select(catalogue_document.c.document).where(catalogue_document.c.digest == digest)
        ).scalar_one_or_none()


def _fact(row: sa.Row[tuple[object, ...]]) -> RegisterFact:
    values = dict(row._mapping)
    values["kind"] = FactKind(values["kind"])
    return RegisterFact(**values)
