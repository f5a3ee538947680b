"""Signed and offered transactions, and which intents each carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.outbox_repository import to_intent
from backend.adapters.database.tables import (
    ledger_intent,
    ledger_transaction_item,
)
from backend.adapters.database.tables import ledger_transaction as table
from backend.domain.errors import NotFoundError
from backend.domain.ledger import LedgerIntent
from backend.service_layer.anchoring.model import (
    Purpose,
    TransactionRecord,
    TransactionState,
    UnsignedTransaction,
)
from backend.service_layer.ports import Clock

_UNRESOLVED = (TransactionState.OFFERED, TransactionState.SIGNED, TransactionState.SENT)


class TransactionRepository:
    """Candidates for the nonces of our accounts, in nonce order."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, record: TransactionRecord, intent_ids: Sequence[str]) -> None:
        """Store a transaction and its items in call order."""
        self._connection.execute(
            sa.insert(table).values(
                id=record.id,
                account=record.account,
                nonce=record.nonce,
                chain_id=record.chain_id,
                purpose=str(record.purpose),
                raw=record.raw,
                unsigned=record.unsigned.to_text(),
                tx_hash=record.tx_hash,
                fencing_token=record.fencing_token,
                state=str(record.state),
                created_at=record.created_at,
                send_count=record.send_count,
            )
        )
        if intent_ids:
            self._connection.execute(
                sa.insert(ledger_transaction_item),
                [
                    {"transaction_id": record.id, "item_index": i, "intent_id": intent_id}
                    for i, intent_id in enumerate(intent_ids)
                ],
            )

    def get(self, transaction_id: str) -> TransactionRecord:
        found = self._select(table.c.id == transaction_id)
        if not found:
            raise NotFoundError("没有这笔交易", f"no ledger transaction {transaction_id}")
        return found[0]

    def find_by_hash(self, tx_hash: bytes) -> TransactionRecord | None:
        found = self._select(table.c.tx_hash == tx_hash)
        return found[0] if found else None

    def in_states(
        self, *states: TransactionState, account: str | None = None
    ) -> Sequence[TransactionRecord]:
        conditions: list[sa.ColumnElement[bool]] = [table.c.state.in_([str(s) for s in states])]
        if account is not None:
            conditions.append(table.c.account == account)
        return self._select(*conditions)

    def of_nonce(self, account: str, nonce: int) -> Sequence[TransactionRecord]:
        """All candidates for one nonce, oldest first."""
        return self._select(table.c.account == account, table.c.nonce == nonce)

    def mined_above(self, block_number: int) -> Sequence[TransactionRecord]:
        return self._select(table.c.block_number > block_number)

    def items(self, transaction_id: str) -> Sequence[LedgerIntent]:
        """The intents of a transaction in call order."""
        rows = self._connection.execute(
            sa.select(ledger_intent)
            .join(
                ledger_transaction_item,
                ledger_transaction_item.c.intent_id == ledger_intent.c.id,
            )
            .where(ledger_transaction_item.c.transaction_id == transaction_id)
            .order_by(ledger_transaction_item.c.item_index)
        )
        return [to_intent(row._mapping) for row in rows]

    def update(self, transaction_id: str, state: TransactionState, **values: Any) -> None:
        self._connection.execute(
            sa.update(table).where(table.c.id == transaction_id).values(state=str(state), **values)
        )

    def pending_count(self, account: str) -> int:
        """How many transactions of an account are not mined yet."""
        count = self._connection.execute(
            sa.select(sa.func.count())
            .select_from(table)
            .where(table.c.account == account, table.c.state.in_([str(s) for s in _UNRESOLVED]))
        ).scalar_one()
        return int(count)

    def final_after(self, transaction_id: str, limit: int) -> Sequence[TransactionRecord]:
        """Final transactions in the order of their ids, after one of them ("": the first)."""
        rows = self._connection.execute(
            sa.select(table)
            .where(table.c.id > transaction_id, table.c.state == str(TransactionState.FINAL))
            .order_by(table.c.id)
            .limit(limit)
        )
        return [_to_record(row._mapping) for row in rows]

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[TransactionRecord]:
        statement = sa.select(table).where(*conditions)
        ordered = statement.order_by(table.c.account, table.c.nonce, table.c.created_at, table.c.id)
        return [_to_record(row._mapping) for row in self._connection.execute(ordered)]


def _to_record(row: Mapping[Any, Any]) -> TransactionRecord:
    return TransactionRecord(
        id=row["id"],
        account=row["account"],
        nonce=row["nonce"],
        chain_id=row["chain_id"],
        purpose=Purpose(row["purpose"]),
        raw=row["raw"],
        unsigned=UnsignedTransaction.from_text(row["unsigned"]),
        tx_hash=row["tx_hash"],
        fencing_token=row["fencing_token"],
        state=TransactionState(row["state"]),
        block_number=row["block_number"],
        block_hash=row["block_hash"],
        gas_used=row["gas_used"],
        created_at=row["created_at"],
        sent_at=row["sent_at"],
        send_count=row["send_count"],
    )
