"""Batches of leaves: what an institution anchors, and where each invoice version stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from backend.adapters.database.outbox_repository import to_intent
from backend.adapters.database.tables import (
    batch,
    batch_leaf,
    institution,
    invoice,
    invoice_version,
    ledger_intent,
    unbatched_version,
)
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent
from backend.service_layer.intake.records import InvoiceState, UnbatchedVersion
from backend.service_layer.ports import Clock
from verifier.commitment import merkle


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One formed batch. ``head`` commits to previous head, root and size (SPEC.md)."""

    id: str
    institution_code: str
    sequence: int
    previous_head: bytes
    root: bytes
    size: int
    head: bytes
    created_at: dt.datetime


class BatchRepository:
    """Batches and their leaves; both are insert-only."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, record: BatchRecord, leaves: Sequence[tuple[bytes, str]]) -> None:
        """Store a batch with its (leaf bytes, invoice version id) in tree order."""
        assert 0 < len(leaves) == record.size, "a batch holds as many leaves as it says"
        self._insert(record)
        self._connection.execute(
            sa.insert(batch_leaf),
            [
                {"batch_id": record.id, "leaf_index": i, "leaf": leaf, "version_id": version_id}
                for i, (leaf, version_id) in enumerate(leaves)
            ],
        )

    def add_information(self, record: BatchRecord) -> None:
        """Store a batch of one leaf that is no bill: the leaf's hash is the batch's root."""
        assert record.size == 1, "information is anchored in a batch of its own"
        self._insert(record)

    def _insert(self, record: BatchRecord) -> None:
        self._connection.execute(
            sa.insert(batch).values(
                id=record.id,
                institution_code=record.institution_code,
                sequence=record.sequence,
                previous_head=record.previous_head,
                root=record.root,
                size=record.size,
                head=record.head,
                created_at=record.created_at,
            )
        )

    def with_root(self, root: bytes) -> BatchRecord | None:
        """The batch of this root. A root with a leaf's secret fingerprint in it is in one only."""
        row = self._connection.execute(sa.select(batch).where(batch.c.root == root)).first()
        return None if row is None else BatchRecord(**row._mapping)

    def get(self, batch_id: str) -> BatchRecord:
        row = self._connection.execute(sa.select(batch).where(batch.c.id == batch_id)).first()
        if row is None:
            raise NotFoundError("没有这个批次", f"no batch {batch_id}")
        return BatchRecord(**row._mapping)

    def find(self, institution_code: str, sequence: int) -> BatchRecord | None:
        row = self._connection.execute(
            sa.select(batch).where(
                batch.c.institution_code == institution_code, batch.c.sequence == sequence
            )
        ).first()
        return None if row is None else BatchRecord(**row._mapping)

    def last(self, institution_code: str) -> BatchRecord | None:
        """The newest formed batch of an institution; the next one chains to its head."""
        row = self._connection.execute(
            sa.select(batch)
            .where(batch.c.institution_code == institution_code)
            .order_by(batch.c.sequence.desc())
            .limit(1)
        ).first()
        return None if row is None else BatchRecord(**row._mapping)

    def leaves(self, batch_id: str) -> list[tuple[bytes, str]]:
        """(leaf bytes, invoice version id) of a batch in tree order."""
        rows = self._connection.execute(
            sa.select(batch_leaf.c.leaf, batch_leaf.c.version_id)
            .where(batch_leaf.c.batch_id == batch_id)
            .order_by(batch_leaf.c.leaf_index)
        )
        return [(leaf, version_id) for leaf, version_id in rows]

    def unbatched(self, institution_code: str, limit: int = 1_024) -> list[UnbatchedVersion]:
        """Versions that are in no batch, oldest upload first (the ids are sortable by time).

        A version that was replaced or whose bill was voided before it was in any batch is left
        out: it was never anchored and never will be.
        """
        # Neither header nor document is read: they make up nearly all of a stored bill.
        rows = self._connection.execute(
            sa.select(
                invoice_version.c.id,
                invoice_version.c.invoice_id,
                invoice_version.c.version,
                invoice.c.kind,
                invoice.c.state,
                invoice.c.original_id,
                invoice.c.key_version,
                invoice.c.invoice_key,
                invoice.c.second_key,
                invoice_version.c.fingerprint,
                invoice_version.c.total_fen,
                invoice_version.c.borne_fen,
            )
            .select_from(unbatched_version)
            .join(invoice_version, invoice_version.c.id == unbatched_version.c.version_id)
            .join(invoice, invoice.c.id == invoice_version.c.invoice_id)
            .where(
                unbatched_version.c.institution_code == institution_code,
                invoice_version.c.version == invoice.c.current_version,
                invoice.c.state != str(InvoiceState.VOID),
            )
            .order_by(unbatched_version.c.version_id)
            .limit(limit)
        )
        return [UnbatchedVersion(**row._mapping) for row in rows]

    def position_of(self, version_id: str) -> LeafPosition | None:
        """Where an invoice version's leaf stands, or None while it is in no batch."""
        row = self._connection.execute(
            sa.select(batch, batch_leaf.c.leaf_index, institution.c.ledger_number)
            .join(batch_leaf, batch_leaf.c.batch_id == batch.c.id)
            .join(institution, institution.c.code == batch.c.institution_code)
            .where(batch_leaf.c.version_id == version_id)
        ).first()
        if row is None:
            return None
        assert row.ledger_number is not None, "a batch is formed for a registered institution only"
        leaves = [leaf for leaf, _ in self.leaves(row.id)]
        hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
        return LeafPosition(
            institution_number=row.ledger_number,
            sequence=row.sequence,
            previous_head=row.previous_head,
            root=row.root,
            size=row.size,
            leaf_index=row.leaf_index,
            leaf=leaves[row.leaf_index],
            proof=tuple(merkle.inclusion_proof(hashes, row.leaf_index)),
        )

    def anchor_of(self, version_id: str) -> LedgerIntent | None:
        """The anchor intent of the version's batch, or None while it is in no batch."""
        return self._anchor(
            sa.select(ledger_intent)
            .join(batch_leaf, batch_leaf.c.batch_id == ledger_intent.c.subject_id)
            .where(batch_leaf.c.version_id == version_id)
        )

    def anchor_at(self, institution_number: int, sequence: int) -> LedgerIntent | None:
        """The anchor intent of a batch named by its place on the ledger."""
        return self._anchor(
            sa.select(ledger_intent)
            .join(batch, batch.c.id == ledger_intent.c.subject_id)
            .join(institution, institution.c.code == batch.c.institution_code)
            .where(institution.c.ledger_number == institution_number, batch.c.sequence == sequence)
        )

    def anchor_before(self, batch_id: str) -> LedgerIntent | None:
        """The anchor intent of the batch before this one in the institution's sequence."""
        before = batch.alias("before")
        return self._anchor(
            sa.select(ledger_intent)
            .join(before, before.c.id == ledger_intent.c.subject_id)
            .join(
                batch,
                sa.and_(
                    batch.c.institution_code == before.c.institution_code,
                    batch.c.sequence == before.c.sequence + 1,
                ),
            )
            .where(batch.c.id == batch_id)
        )

    def _anchor(self, statement: sa.Select[tuple[object, ...]]) -> LedgerIntent | None:
        row = self._connection.execute(
            statement.where(ledger_intent.c.kind == str(IntentKind.ANCHOR))
        ).first()
        return None if row is None else to_intent(row._mapping)
