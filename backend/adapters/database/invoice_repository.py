"""Bills, their versions and their lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.bill_traits import trait_row
from backend.adapters.database.tables import (
    bill_trait,
    claim,
    expense_line,
    invoice,
    invoice_version,
    payer_claim,
    payer_claim_end,
)
from backend.domain.errors import NotFoundError
from backend.service_layer.intake.ports import AlreadyStoredError
from backend.service_layer.intake.records import StoredInvoice, StoredVersion
from backend.service_layer.ports import Clock
from verifier.commitment.batch import RecordKind


class InvoiceRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def lock_keys(self, keys: Sequence[bytes]) -> None:
        """Serialise what concerns these invoice keys until the transaction ends.

        On SQLite a writing transaction is alone anyway. On PostgreSQL an advisory lock a key,
        in one order, makes two uploads of one number see each other, also from two institutions.
        """
        if self._connection.dialect.name != "postgresql":
            return
        numbers = sorted({int.from_bytes(key[:8], "big", signed=True) for key in keys})
        for number in numbers:
            self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def get(self, invoice_id: str) -> StoredInvoice:
        row = self._connection.execute(sa.select(invoice).where(invoice.c.id == invoice_id)).first()
        if row is None:
            raise NotFoundError("没有这张票据", "there is no such invoice")
        return StoredInvoice(**row._mapping)

    def find(self, institution: str, code: str, number: str) -> StoredInvoice | None:
        row = self._connection.execute(
            sa.select(invoice).where(
                invoice.c.institution_code == institution,
                invoice.c.invoice_code == code,
                invoice.c.invoice_number == number,
            )
        ).first()
        return None if row is None else StoredInvoice(**row._mapping)

    def current_version(self, bill: StoredInvoice) -> StoredVersion:
        row = self._connection.execute(
            sa.select(invoice_version).where(
                invoice_version.c.invoice_id == bill.id,
                invoice_version.c.version == bill.current_version,
            )
        ).first()
        assert row is not None, "a bill has its current version"
        return StoredVersion(**row._mapping)

    def version_by_id(self, version_id: str) -> StoredVersion:
        row = self._connection.execute(
            sa.select(invoice_version).where(invoice_version.c.id == version_id)
        ).first()
        if row is None:
            raise NotFoundError("没有这个版本", "there is no such invoice version")
        return StoredVersion(**row._mapping)

    def versions(self, invoice_id: str) -> list[StoredVersion]:
        """All versions, oldest first."""
        rows = self._connection.execute(
            sa.select(invoice_version)
            .where(invoice_version.c.invoice_id == invoice_id)
            .order_by(invoice_version.c.version)
        )
        return [StoredVersion(**row._mapping) for row in rows]

    def record_of(self, version_id: str) -> dict[str, Any]:
        """The canonical record put together from header and lines as they are stored now."""
        header = self.version_by_id(version_id).header
        rows = self._connection.execute(
            sa.select(expense_line.c.record)
            .where(expense_line.c.version_id == version_id)
            .order_by(expense_line.c.line_index)
        )
        record: dict[str, Any] = json.loads(header)
        record["lines"] = [json.loads(text) for (text,) in rows]
        return record

    def add(self, bill: StoredInvoice, version: StoredVersion, lines: Sequence[str]) -> None:
        values = {name: getattr(bill, name) for name in StoredInvoice.__slots__}
        try:
            self._connection.execute(sa.insert(invoice).values(values))
        except sa.exc.IntegrityError as error:
            raise AlreadyStoredError(
                "这张票据刚刚已经收下", "this bill has just been stored"
            ) from error
        self._insert_version(version, lines)

    def add_version(
        self, bill: StoredInvoice, version: StoredVersion, lines: Sequence[str]
    ) -> None:
        try:
            self._insert_version(version, lines)
        except sa.exc.IntegrityError as error:
            raise AlreadyStoredError(
                "另一更正刚刚已经收下", "another correction has just been stored"
            ) from error
        self._connection.execute(
            sa.update(invoice)
            .where(invoice.c.id == bill.id)
            .values(
                current_version=version.version,
                kind=bill.kind,
                second_key=bill.second_key,
                payer_id_lookup=bill.payer_id_lookup,
            )
        )

    def _insert_version(self, version: StoredVersion, lines: Sequence[str]) -> None:
        values = {name: getattr(version, name) for name in StoredVersion.__slots__}
        self._connection.execute(sa.insert(invoice_version).values(values))
        if lines:
            self._connection.execute(
                sa.insert(expense_line),
                [
                    {"version_id": version.id, "line_index": index, "record": text}
                    for index, text in enumerate(lines)
                ],
            )
        trait = trait_row(version.id, version.service_on, version.header, lines)
        self._connection.execute(sa.insert(bill_trait).values(trait))

    def set_state(self, invoice_id: str, state: str) -> None:
        self._connection.execute(
            sa.update(invoice).where(invoice.c.id == invoice_id).values(state=state)
        )

    def link_original(self, red_id: str, original_id: str) -> None:
        self._connection.execute(
            sa.update(invoice).where(invoice.c.id == red_id).values(original_id=original_id)
        )

    def waiting_reds(self, institution: str, code: str, number: str) -> list[StoredInvoice]:
        """Red bills that arrived before the original that they name. There are never many."""
        rows = self._connection.execute(
            sa.select(invoice, invoice_version.c.header)
            .join(
                invoice_version,
                (invoice_version.c.invoice_id == invoice.c.id)
                & (invoice_version.c.version == invoice.c.current_version),
            )
            .where(
                invoice.c.institution_code == institution,
                invoice.c.kind == int(RecordKind.RED),
                invoice.c.original_id.is_(None),
            )
            .order_by(invoice.c.id)
        )
        found = []
        for row in rows:
            header = json.loads(row.header)
            named = (header.get("related_invoice_code", ""), header.get("related_invoice_number"))
            if named == (code, number):
                values = {name: getattr(row, name) for name in StoredInvoice.__slots__}
                found.append(StoredInvoice(**values))
        return found

    def reds_of(self, original_id: str) -> list[StoredInvoice]:
        return self._select(invoice.c.original_id == original_id)

    def with_keys(self, keys: Sequence[bytes]) -> list[StoredInvoice]:
        """Bills of any institution that print one of these numbers, as first or second."""
        return self._select(sa.or_(invoice.c.invoice_key.in_(keys), invoice.c.second_key.in_(keys)))

    def live_claim_state(self, invoice_id: str) -> str | None:
        """The state of the claim that holds the bill, None when none does."""
        state: str | None = self._connection.execute(
            sa.select(claim.c.state).where(claim.c.live_invoice_id == invoice_id)
        ).scalar()
        return state

    def is_held_by_insurer(self, invoice_id: str) -> bool:
        """Whether an insurer's claim on the bill has not ended; the ledger may not know it yet."""
        ended = sa.select(payer_claim_end.c.claim_id)
        is_open = self._connection.execute(
            sa.select(payer_claim.c.id).where(
                payer_claim.c.invoice_id == invoice_id, payer_claim.c.id.not_in(ended)
            )
        ).first()
        return is_open is not None

    def of_institution(self, institution: str, after: str, limit: int) -> list[StoredInvoice]:
        """Bills in the order of their ids (that is, of upload), after the id ``after``."""
        rows = self._connection.execute(
            sa.select(invoice)
            .where(invoice.c.institution_code == institution, invoice.c.id > after)
            .order_by(invoice.c.id)
            .limit(limit)
        )
        return [StoredInvoice(**row._mapping) for row in rows]

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[StoredInvoice]:
        rows = self._connection.execute(
            sa.select(invoice).where(*conditions).order_by(invoice.c.id)
        )
        return [StoredInvoice(**row._mapping) for row in rows]
