"""What a provider itself sends about a lead, as frozen values, and what keeps it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.supervision import StepKind
from backend.service_layer.intake.records import StoredInvoice, StoredVersion
from backend.service_layer.supervision.lead_records import (
    Lead,
    Leads,
    SupervisionServices,
    SupervisionWork,
)


@dataclass(frozen=True, slots=True)
class StatementFile:
    """An attachment by its SHA-256. ``media_type`` is empty and ``byte_count`` 0 where the
    provider named the digest alone and keeps the file."""

    position: int
    name: str
    digest: bytes
    media_type: str
    byte_count: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The provider's answer or appeal: ``kind`` is that of the step ``ordinal``, ``digest`` that
    of words and attachments, ``due_on`` the last day that the provider was told."""

    lead_id: str
    kind: StepKind
    institution_code: str
    ordinal: int
    text: str
    digest: bytes
    received_at: dt.datetime
    received_on: dt.date
    due_on: dt.date
    files: tuple[StatementFile, ...] = ()


class Statements(Protocol):
    """The statements of providers; rows are only inserted."""

    def add(self, entry: Statement) -> None:
        """Raises ConflictError where there is one of this kind."""
        ...

    def of_lead(self, lead_id: str) -> list[Statement]: ...
    def leads_of(self, institution_code: str, after: str, limit: int) -> Sequence[Lead]:
        """Leads about which the institution was asked, in the order of their opening, after the
        one with the id ``after``."""
        ...

    def bill_of(self, lead: Lead) -> tuple[str, str | None] | None:
        """The id of the bill that the lead is about, and of its claim where it is about one."""
        ...


class Invoices(Protocol):
    def get(self, invoice_id: str) -> StoredInvoice: ...
    def current_version(self, bill: StoredInvoice) -> StoredVersion: ...


class StatementWork(SupervisionWork, Protocol):
    @property
    def leads(self) -> Leads: ...
    @property
    def statements(self) -> Statements: ...
    @property
    def invoices(self) -> Invoices: ...


class StatementServices(SupervisionServices, Protocol):
    def work(self, *, write: bool = True) -> StatementWork: ...
