"""What is owed to a claim, and how it stands at the bank."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    payment_answer,
    payment_attempt,
    payout,
    payout_answer,
)
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

    def answer_of(self, payout_id: str) -> PayoutAnswer | None:
        """What the bank said last of the newest attempt; of a payout of a release that kept no
        attempts, its one answer. ``outcome`` is paid, rejected or returned."""
        newest = (
            sa.select(payment_attempt.c.id)
            .where(payment_attempt.c.payout_id == payout_id)
            .order_by(payment_attempt.c.attempt.desc())
            .limit(1)
            .scalar_subquery()
        )
        said = self._connection.execute(
            sa.select(payment_answer)
            .where(payment_answer.c.attempt_id == newest)
            .order_by(payment_answer.c.status.desc())  # returned comes after paid
        ).first()
        if said is not None:
            return PayoutAnswer(
                payout_id, said.status, said.bank_reference, said.simulated, said.answered_at
            )
        row = self._connection.execute(
            sa.select(payout_answer).where(payout_answer.c.payout_id == payout_id)
        ).first()
        return None if row is None else PayoutAnswer(**row._mapping)
