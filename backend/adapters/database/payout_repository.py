"""Payout instructions and the bank's answers, both insert-only."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import payout, payout_answer
from backend.service_layer.claims.records import Payout, PayoutAnswer


class PayoutRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add(self, entry: Payout) -> bool:
        """Insert; False when the derived id is there already (the step ran before)."""
        if self.get(entry.id) is not None:
            return False
        self._connection.execute(
            payout.insert().values(
                {name: getattr(entry, name) for name in Payout.__dataclass_fields__}
            )
        )
        return True

    def get(self, payout_id: str) -> Payout | None:
        row = self._connection.execute(sa.select(payout).where(payout.c.id == payout_id)).first()
        return None if row is None else Payout(**row._mapping)

    def of_claim(self, claim_id: str) -> Payout | None:
        row = self._connection.execute(
            sa.select(payout)
            .where(payout.c.claim_id == claim_id)
            .order_by(payout.c.decision_version.desc())
        ).first()
        return None if row is None else Payout(**row._mapping)

    def answer(self, entry: PayoutAnswer) -> None:
        self._connection.execute(
            payout_answer.insert().values(
                {name: getattr(entry, name) for name in PayoutAnswer.__dataclass_fields__}
            )
        )

    def answer_of(self, payout_id: str) -> PayoutAnswer | None:
        row = self._connection.execute(
            sa.select(payout_answer).where(payout_answer.c.payout_id == payout_id)
        ).first()
        return None if row is None else PayoutAnswer(**row._mapping)
