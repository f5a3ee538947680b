"""What providers sent about leads; rows are only inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    claim,
    invoice,
    invoice_version,
    lead,
    lead_step,
    provider_file,
    provider_statement,
)
from backend.domain.errors import ConflictError
from backend.domain.supervision import Source, StepKind, SubjectKind
from backend.service_layer.supervision.lead_records import Lead
from backend.service_layer.supervision.statement_records import Statement, StatementFile


class StatementRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add(self, entry: Statement) -> None:
        """Raises ConflictError where there is one of this kind."""
        values = {one.name: getattr(entry, one.name) for one in fields(entry)}
        values["kind"] = str(entry.kind)
        files = values.pop("files")
        key = {"lead_id": entry.lead_id, "kind": str(entry.kind)}
        try:
            with self._connection.begin_nested():
                self._connection.execute(provider_statement.insert().values(values))
                for one in files:
                    row = {field.name: getattr(one, field.name) for field in fields(one)}
                    self._connection.execute(provider_file.insert().values(**key, **row))
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                "这一步已经收到机构的材料", "the provider's statement is here already"
            ) from error

    def of_lead(self, lead_id: str) -> list[Statement]:
        """The statements on a lead with their files, the answer before the appeal."""
        rows = self._connection.execute(
            sa.select(provider_statement)
            .where(provider_statement.c.lead_id == lead_id)
            .order_by(provider_statement.c.ordinal)
        )
        return [
            Statement(
                **{**row._mapping, "kind": StepKind(row.kind)},
                files=self._files(lead_id, row.kind),
            )
            for row in rows
        ]

    def _files(self, lead_id: str, kind: str) -> tuple[StatementFile, ...]:
        columns = [provider_file.c[one.name] for one in fields(StatementFile)]
        rows = self._connection.execute(
            sa.select(*columns)
            .where(provider_file.c.lead_id == lead_id, provider_file.c.kind == kind)
            .order_by(provider_file.c.position)
        )
        return tuple(StatementFile(**row._mapping) for row in rows)

    def leads_of(self, institution_code: str, after: str, limit: int) -> Sequence[Lead]:
        """Leads about which the institution was asked, in the order of their opening, after the
        one with the id ``after``."""
        asked = sa.exists().where(
            lead_step.c.lead_id == lead.c.id, lead_step.c.kind == str(StepKind.ASKED)
        )
        query = sa.select(lead).where(lead.c.institution_code == institution_code, asked)
        if after:
            start = self._connection.execute(
                sa.select(lead.c.opened_at).where(
                    lead.c.id == after, lead.c.institution_code == institution_code
                )
            ).scalar()
            if start is None:
                return []
            later = sa.or_(
                lead.c.opened_at > start, sa.and_(lead.c.opened_at == start, lead.c.id > after)
            )
            query = query.where(later)
        rows = self._connection.execute(query.order_by(lead.c.opened_at, lead.c.id).limit(limit))
        return [_lead(row) for row in rows]

    def bill_of(self, entry: Lead) -> tuple[str, str | None] | None:
        """The id of the bill that the lead is about, and of its claim where it is about one."""
        if entry.subject_kind is SubjectKind.INVOICE:
            return entry.subject_id, None
        if entry.subject_kind is SubjectKind.INSTITUTION:
            return None
        found = self._connection.execute(
            sa.select(invoice.c.id)
            .join(invoice_version, invoice_version.c.invoice_id == invoice.c.id)
            .join(claim, claim.c.version_id == invoice_version.c.id)
            .where(claim.c.id == entry.subject_id)
        ).scalar()
        return None if found is None else (str(found), entry.subject_id)


def _lead(row: Any) -> Lead:
    values = dict(row._mapping)
    values["source"] = Source(values["source"])
    values["subject_kind"] = SubjectKind(values["subject_kind"])
    return Lead(**values)
