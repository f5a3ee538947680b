"""Stored rows of intake as types."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.ledger import LeafPosition, LedgerIntent

#: Version of the network key; it is written into every leaf.
KEY_VERSION: Final = 1
NO_KEY: Final = bytes(32)
SELF_CUSTODY: Final = "self"
CUSTODIAL: Final = "custodial"


class InvoiceState(StrEnum):
    ACTIVE = "active"
    VOID = "void"
    REVERSED = "reversed"


class DisputeState(StrEnum):
    OPEN = "open"
    RULING = "ruling"  # a rule intent is on its way to the ledger
    RULED = "ruled"


@dataclass(frozen=True, slots=True)
class Institution:
    """A designated institution (定点医疗机构) with the terms of its agreement."""

    code: str
    name: str
    level: int
    area_code: str
    custody: str
    agreement_from: dt.date
    agreement_until: dt.date
    grace_days: int
    ledger_number: int | None
    ledger_account: str | None
    created_at: dt.datetime
    role: str = "hospital"  # or agency: the issuer of bills from outside

    @property
    def is_self_custody(self) -> bool:
        return self.custody == SELF_CUSTODY


@dataclass(frozen=True, slots=True)
class StoredInvoice:
    """A bill by its upload identity; its content is in its versions."""

    id: str
    institution_code: str
    invoice_code: str
    invoice_number: str
    invoice_key: bytes
    second_key: bytes
    key_version: int
    kind: int
    state: str
    current_version: int
    payer_id_lookup: bytes
    public_token: str
    original_id: str | None
    created_at: dt.datetime

    @property
    def keys(self) -> tuple[bytes, ...]:
        return tuple(key for key in (self.invoice_key, self.second_key) if key != NO_KEY)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One content of a bill. ``header`` is the canonical record without its lines."""

    id: str
    invoice_id: str
    version: int
    header: str
    line_count: int
    total_fen: int
    borne_fen: int
    service_on: dt.date
    fingerprint: bytes
    wrapped_secret: bytes | None
    content_digest: bytes
    source_format: str
    source_document: bytes
    marks: str
    uploaded_at: dt.datetime


@dataclass(frozen=True, slots=True)
class UnbatchedVersion:
    """What a batch is formed of: a version that is in none, with what its leaf says of its bill."""

    id: str
    invoice_id: str
    version: int
    kind: int
    state: str
    original_id: str | None
    key_version: int
    invoice_key: bytes
    second_key: bytes
    fingerprint: bytes
    total_fen: int
    borne_fen: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """The same number from more than one institution; no such bill is lodged until it is ruled."""

    id: str
    invoice_key: bytes
    state: str
    opened_at: dt.datetime
    upheld_invoice_id: str | None
    ruled_by: str | None
    ruled_at: dt.datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class FormedBatch:
    """A batch about to be stored (the columns of table ``batch``)."""

    id: str
    institution_code: str
    sequence: int
    previous_head: bytes
    root: bytes
    size: int
    head: bytes
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """All that the API answers about one bill."""

    invoice: StoredInvoice
    version: StoredVersion
    position: LeafPosition | None
    anchor: LedgerIntent | None
    calls: tuple[LedgerIntent, ...]
    disputes: tuple[Dispute, ...]
    claim_state: str | None

    @property
    def anchor_state(self) -> str:
        """waiting (in no batch yet), batched, sent, mined or final."""
        if self.anchor is None:
            return "waiting"
        state = str(self.anchor.state)
        return {"queued": "batched", "offered": "batched", "signed": "batched"}.get(state, state)
