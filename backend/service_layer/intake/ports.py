"""What intake needs from outside, as structural types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol

from backend.domain.errors import ConflictError
from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent
from backend.service_layer.intake.records import (
    Dispute,
    Institution,
    StoredInvoice,
    StoredVersion,
    UnbatchedVersion,
)
from backend.service_layer.ports import (
    Alarms,
    Clock,
    IdSource,
    LedgerReader,
    Outbox,
    SecretBox,
    Transaction,
)

PAYER_ID_PURPOSE = "payer-id"
"""Purpose of the keyed hash under which the bills of one identity number are found."""
CONTENT_PURPOSE = "invoice-content"


class AlreadyStoredError(ConflictError):
    """Another transaction has stored this identity first; read it and answer with it."""

    code = "already-stored"


class Institutions(Protocol):
    def get(self, code: str) -> Institution: ...
    def find(self, code: str) -> Institution | None: ...
    def with_unbatched(self) -> Sequence[str]:
        """Codes of institutions of which a batch can be formed, longest waiting first."""
        ...


class Invoices(Protocol):
    def lock_keys(self, keys: Sequence[bytes]) -> None:
        """Serialise everything that concerns these invoice keys until the transaction ends."""
        ...

    def get(self, invoice_id: str) -> StoredInvoice: ...
    def find(self, institution: str, code: str, number: str) -> StoredInvoice | None: ...
    def current_version(self, invoice: StoredInvoice) -> StoredVersion: ...
    def versions(self, invoice_id: str) -> Sequence[StoredVersion]: ...
    def version_by_id(self, version_id: str) -> StoredVersion: ...
    def record_of(self, version_id: str) -> dict[str, Any]: ...

    def add(self, invoice: StoredInvoice, version: StoredVersion, lines: Sequence[str]) -> None:
        """Store a bill with its first version; raises AlreadyStoredError."""
        ...

    def add_version(
        self, invoice: StoredInvoice, version: StoredVersion, lines: Sequence[str]
    ) -> None:
        """Store a version and make it the bill's current one (kind and keys included)."""
        ...

    def set_state(self, invoice_id: str, state: str) -> None: ...
    def link_original(self, red_id: str, original_id: str) -> None: ...
    def waiting_reds(self, institution: str, code: str, number: str) -> Sequence[StoredInvoice]: ...
    def reds_of(self, original_id: str) -> Sequence[StoredInvoice]: ...
    def with_keys(self, keys: Sequence[bytes]) -> Sequence[StoredInvoice]: ...
    def live_claim_state(self, invoice_id: str) -> str | None: ...
    def of_institution(
        self, institution: str, after: str, limit: int
    ) -> Sequence[StoredInvoice]: ...


class Disputes(Protocol):
    def open(self, dispute_id: str, invoice_key: bytes, at: dt.datetime) -> Dispute:
        """Open a dispute, or open it again when it was ruled; the same one when it is open."""
        ...

    def get(self, dispute_id: str) -> Dispute: ...
    def of_keys(self, keys: Sequence[bytes]) -> Sequence[Dispute]: ...
    def unsettled(self) -> Sequence[Dispute]: ...
    def set_state(self, dispute_id: str, state: str, **values: Any) -> None: ...


class IntakeBatches(Protocol):
    def position_of(self, version_id: str) -> LeafPosition | None: ...
    def anchor_of(self, version_id: str) -> LedgerIntent | None: ...
    def last(self, institution_code: str) -> Any: ...
    def add(self, record: Any, leaves: Sequence[tuple[bytes, str]]) -> None: ...
    def add_information(self, record: Any) -> None:
        """Store a batch that holds no bill."""
        ...

    def with_root(self, root: bytes) -> Any:
        """The batch with this root, or None."""
        ...

    def unbatched(self, institution_code: str, limit: int = 1_024) -> Sequence[UnbatchedVersion]:
        """Versions that are in no batch and will be, oldest upload first."""
        ...


class IntakeWork(Transaction, Protocol):
    """One database transaction with the repositories that intake uses."""

    @property
    def institutions(self) -> Institutions: ...
    @property
    def invoices(self) -> Invoices: ...
    @property
    def disputes(self) -> Disputes: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def batches(self) -> IntakeBatches: ...
    @property
    def alarms(self) -> Alarms: ...


class Catalogue(Protocol):
    def find(self, code: str, on_date: dt.date) -> Any: ...
    def find_negative(self, code: str, on_date: dt.date) -> Any: ...


class IntakeServices(Protocol):
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> IdSource: ...
    @property
    def secret_box(self) -> SecretBox: ...
    @property
    def network_key(self) -> bytes: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def ledger(self) -> LedgerReader: ...

    def work(self, *, write: bool = True) -> IntakeWork: ...


__all__ = [
    "CONTENT_PURPOSE",
    "PAYER_ID_PURPOSE",
    "AlreadyStoredError",
    "IntakeServices",
    "IntakeWork",
    "IntentKind",
]
