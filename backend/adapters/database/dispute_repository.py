"""Disputes over a number that more than one institution has uploaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import dispute
from backend.domain.errors import NotFoundError
from backend.service_layer.intake.records import Dispute, DisputeState
from backend.service_layer.ports import Clock


class DisputeRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def open(self, dispute_id: str, invoice_key: bytes, at: dt.datetime) -> Dispute:
        """Open a dispute, or open it again when it was ruled; the same one when it is open."""
        found = self.of_keys([invoice_key])
        if not found:
            self._connection.execute(
                sa.insert(dispute).values(
                    id=dispute_id,
                    invoice_key=invoice_key,
                    state=str(DisputeState.OPEN),
                    opened_at=at,
                )
            )
        elif found[0].state == DisputeState.RULED:
            self.set_state(found[0].id, DisputeState.OPEN, upheld_invoice_id=None)
        return self.of_keys([invoice_key])[0]

    def get(self, dispute_id: str) -> Dispute:
        row = self._connection.execute(sa.select(dispute).where(dispute.c.id == dispute_id)).first()
        if row is None:
            raise NotFoundError("没有这个争议", "there is no such dispute")
        return Dispute(**row._mapping)

    def of_keys(self, keys: Sequence[bytes]) -> list[Dispute]:
        return self._select(dispute.c.invoice_key.in_(keys))

    def unsettled(self) -> list[Dispute]:
        """Open disputes and those whose ruling is on its way to the ledger."""
        return self._select(dispute.c.state != str(DisputeState.RULED))

    def all(self) -> list[Dispute]:
        return self._select()

    def set_state(self, dispute_id: str, state: str, **values: Any) -> None:
        self._connection.execute(
            sa.update(dispute).where(dispute.c.id == dispute_id).values(state=str(state), **values)
        )

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Dispute]:
        rows = self._connection.execute(
            sa.select(dispute).where(*conditions).order_by(dispute.c.opened_at, dispute.c.id)
        )
        return [Dispute(**row._mapping) for row in rows]
