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
    Receipt,
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

    def find_by_hashes(self, tx_hashes: Sequence[bytes]) -> Sequence[TransactionRecord]:
        """Those of these transactions that are ours."""
        return self._select(table.c.tx_hash.in_(tx_hashes)) if tx_hashes else []

    def in_states(
        self, *states: TransactionState, account: str | None = None
    ) -> Sequence[TransactionRecord]:
        conditions: list[sa.ColumnElement[bool]] = [table.c.state.in_([str(s) for s in states])]
        if account is not None:
            conditions.append(_unindexed(table.c.account) == account)
        return self._select(*conditions)

    def of_nonce(self, account: str, nonce: int) -> Sequence[TransactionRecord]:
        """All candidates for one nonce, oldest first."""
        return self._select(table.c.account == account, table.c.nonce == nonce)

    def mined_above(self, block_number: int) -> Sequence[TransactionRecord]:
        return self._select(table.c.block_number > block_number)

    def items(self, transaction_id: str) -> Sequence[LedgerIntent]:
        """The intents of a transaction in call order."""
        return self.items_of([transaction_id])[transaction_id]

    def items_of(self, transaction_ids: Sequence[str]) -> Mapping[str, Sequence[LedgerIntent]]:
        """The intents of several transactions, by transaction, in call order."""
        found: dict[str, list[LedgerIntent]] = {name: [] for name in transaction_ids}
        if not found:
            return found
        carrier = ledger_transaction_item.c.transaction_id
        rows = self._connection.execute(
            sa.select(ledger_intent, carrier)
            .join(
                ledger_transaction_item,
                ledger_transaction_item.c.intent_id == ledger_intent.c.id,
            )
            .where(carrier.in_(list(found)))
            .order_by(carrier, ledger_transaction_item.c.item_index)
        )
        for row in rows:
            found[row.transaction_id].append(to_intent(row._mapping))
        return found

    def rivals_of(
        self, transaction_ids: Sequence[str]
    ) -> Mapping[str, Sequence[TransactionRecord]]:
        """The other candidates for the nonces of these transactions that are not *replaced* yet,
        by transaction. Most have none and are left out."""
        found: dict[str, list[TransactionRecord]] = {}
        if not transaction_ids:
            return found
        own = table.alias("own")
        rows = self._connection.execute(
            sa.select(table, own.c.id.label("own_id"))
            .join(own, (own.c.account == table.c.account) & (own.c.nonce == table.c.nonce))
            .where(
                own.c.id.in_(transaction_ids),
                table.c.id != own.c.id,
                table.c.state != str(TransactionState.REPLACED),
            )
            .order_by(table.c.created_at, table.c.id)
        )
        for row in rows:
            found.setdefault(row.own_id, []).append(_to_record(row._mapping))
        return found

    def update(self, transaction_id: str, state: TransactionState, **values: Any) -> None:
        self._connection.execute(
            sa.update(table).where(table.c.id == transaction_id).values(state=str(state), **values)
        )

    def set_state(self, transaction_ids: Sequence[str], state: TransactionState) -> None:
        """Change the state of several transactions and nothing else."""
        if transaction_ids:
            self._connection.execute(
                sa.update(table).where(table.c.id.in_(transaction_ids)).values(state=str(state))
            )

    def record_mined(self, receipts: Sequence[tuple[str, Receipt]]) -> None:
        """Where these transactions were mined."""
        if receipts:
            self._connection.execute(
                sa.update(table)
                .where(table.c.id == sa.bindparam("own_id"))
                .values(
                    state=str(TransactionState.MINED),
                    block_number=sa.bindparam("new_number"),
                    block_hash=sa.bindparam("new_hash"),
                    gas_used=sa.bindparam("new_gas"),
                ),
                [
                    {
                        "own_id": transaction_id,
                        "new_number": receipt.block_number,
                        "new_hash": receipt.block_hash,
                        "new_gas": receipt.gas_used,
                    }
                    for transaction_id, receipt in receipts
                ],
            )

    def pending_count(self, account: str) -> int:
        """How many transactions of an account are not mined yet."""
        count = self._connection.execute(
            sa.select(sa.func.count())
            .select_from(table)
            .where(
                _unindexed(table.c.account) == account,
                table.c.state.in_([str(s) for s in _UNRESOLVED]),
            )
        ).scalar_one()
        return int(count)

    def final_after(self, transaction_id: str, limit: int) -> Sequence[TransactionRecord]:
        """Final transactions in the order of their ids, after one of them ("": the first)."""
        rows = self._connection.execute(
            sa.select(table)
            .where(
                table.c.id > transaction_id,
                _unindexed(table.c.state) == str(TransactionState.FINAL),
            )
            .order_by(table.c.id)
            .limit(limit)
        )
        return [_to_record(row._mapping) for row in rows]

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[TransactionRecord]:
        statement = sa.select(table).where(*conditions)
        ordered = statement.order_by(table.c.account, table.c.nonce, table.c.created_at, table.c.id)
        return [_to_record(row._mapping) for row in self._connection.execute(ordered)]


def _unindexed(column: sa.Column[Any]) -> sa.ColumnElement[str]:
    """A column whose index is of no use here: SQLite, which keeps no statistics, would choose it
    and read an account's whole history, or sort every final transaction, in each pass."""
    return column.concat("")


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
