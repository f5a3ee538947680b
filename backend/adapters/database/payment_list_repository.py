"""What people read of payment files: how much of each is answered, and what waits for an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from backend.adapters.database.tables import claim, payment_answer, payment_attempt, payout_file
from backend.service_layer.payout.stored import AtTheBank


class PaymentListRepository:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def unanswered_counts(self, file_ids: Sequence[str]) -> Mapping[str, int]:
        """How many instructions of each file have no ending yet; a file without one is left out."""
        rows = self._connection.execute(
            sa.select(payment_attempt.c.file_id, sa.func.count())
            .where(payment_attempt.c.file_id.in_(file_ids), ~_is_answered())
            .group_by(payment_attempt.c.file_id)
        )
        return {row[0]: row[1] for row in rows}

    def at_the_bank(self, limit: int) -> list[AtTheBank]:
        """Instructions without an ending, those of the oldest file first."""
        rows = self._connection.execute(
            sa.select(
                payment_attempt.c.end_to_end_id,
                claim.c.number.label("claim_number"),
                payment_attempt.c.amount_fen,
                payout_file.c.message_id.label("file"),
                payout_file.c.handed_over_at,
            )
            .join(payout_file, payout_file.c.id == payment_attempt.c.file_id)
            .join(claim, claim.c.id == payment_attempt.c.claim_id)
            .where(~_is_answered())
            .order_by(payout_file.c.created_at, payment_attempt.c.end_to_end_id)
            .limit(limit)
        )
        return [AtTheBank(**row._mapping) for row in rows]


def _is_answered() -> sa.Exists:
    return sa.exists().where(payment_answer.c.attempt_id == payment_attempt.c.id)
