"""The types of the anchoring service: transactions, receipts, events, leases."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.domain.errors import ConflictError, DomainError


class LeaseHeldError(ConflictError):
    """Somebody else holds the lease; at most one sender acts for a key."""

    code = "lease-held"


class LeaseLostError(ConflictError):
    """The lease ran out and another holder has taken it; nothing may be signed any more."""

    code = "lease-lost"


class KeyUnavailableError(DomainError):
    """A key that should sign is missing, unreadable or does not open."""

    code = "key-unavailable"


class CallRefusedError(DomainError):
    """The node says that a call would revert; ``data`` is the revert data in hex."""

    code = "call-refused"

    def __init__(self, message: str, data: str = "") -> None:
        super().__init__("账本拒绝了这个调用", f"the ledger would refuse this call: {message}")
        self.data = data


class TransactionState(StrEnum):
    """offered (self-custody only) -> signed -> sent -> mined -> final.

    ``replaced``: another transaction of the same account took the nonce for good.
    ``withdrawn``: an offer that is no longer valid.
    """

    OFFERED = "offered"
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class Purpose(StrEnum):
    CALL = "call"
    FILL = "fill"  # a no-op transfer to oneself, so that no nonce stays open
    PROBE = "probe"  # a no-op at the start, which shows that the network takes our transactions
    ADMIN = "admin"  # registry calls of the set-up commands
    ADOPTED = "adopted"  # found on the chain by `yichu reconcile`; its bytes are not kept


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """Transaction fields. Fees are explicit: ``gas_price`` (legacy) or the two 1559 fields, in
    wei; a node's or a library's default is never used (reference T9)."""

    chain_id: int
    nonce: int
    to: str
    data: bytes
    gas: int
    value: int = 0
    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None

    def to_text(self) -> str:
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["data"] = self.data.hex()
        return json.dumps({k: v for k, v in fields.items() if v is not None}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> UnsignedTransaction:
        fields = json.loads(text)
        return cls(**(fields | {"data": bytes.fromhex(fields["data"])}))


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A raw transaction with what it says; ``sender`` is recovered from its signature."""

    raw: bytes
    hash: bytes
    sender: str
    unsigned: UnsignedTransaction


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A stored transaction: one candidate for the nonce of an account."""

    id: str
    account: str
    nonce: int
    chain_id: int
    purpose: Purpose
    raw: bytes | None
    unsigned: UnsignedTransaction
    tx_hash: bytes | None
    fencing_token: int
    state: TransactionState
    block_number: int | None
    block_hash: bytes | None
    gas_used: int | None
    created_at: dt.datetime
    sent_at: dt.datetime | None
    send_count: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act for ``name`` until ``expires_at``; the token grows with each new holder."""

    name: str
    owner: str
    fencing_token: int
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers to pay, in wei."""

    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """An encoded contract call: address, calldata, gas limit."""

    to: str
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """A decoded event of the invoice ledger.

    ``call`` is anchor, lodge, settle, ...; ``outcome`` as in ``backend.domain.ledger``;
    ``item_index`` the place of the item in its call. ``key`` is the invoice key, for an anchor
    the batch root. ``values`` holds the remaining figures.
    """

    call: str
    outcome: str
    item_index: int
    key: bytes
    values: Mapping[str, Any]
    tx_hash: bytes
    block_number: int
    block_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction: ``succeeded`` is false when it was reverted."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    events: tuple[LedgerEvent, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The network's identity: every endpoint must agree before it is believed (T14)."""

    chain_id: int
    genesis_hash: bytes
    registry: str
    registry_code_hash: bytes
    invoice_ledger: str
    invoice_ledger_code_hash: bytes
    block_number: int


@dataclass(frozen=True, slots=True)
class Parties:
    """Who this database is on the ledger: accounts whose nonces it hands out, its payer, and its
    institutions by number as (code, sequence of the last batch known here)."""

    accounts: tuple[str, ...]
    payer_number: int
    institutions: Mapping[int, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """A batch as far as the ledger tells it: everything but its leaves."""

    id: str
    institution_code: str
    sequence: int
    previous_head: bytes
    root: bytes
    size: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """What could not be adopted, and what a person decided about it."""

    id: str
    kind: str
    detail: dict[str, Any]
    found_at: dt.datetime
    resolved_at: dt.datetime | None
    resolved_by: str | None
    resolution: str | None
    due_at: dt.datetime | None = None  # None: no deadline


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """What happened to a case after it was opened. ``kind`` is renewed, note, assigned, proposed,
    confirmed, adopted or agrees; ``answers`` the ordinal of the proposal that is confirmed,
    ``report_number`` the report that shows that all sides agree."""

    case_id: str
    ordinal: int  # from 1
    kind: str
    by: str
    text: str
    at: dt.datetime
    case_kind: str | None = None
    detail: dict[str, Any] | None = None
    outcome: str | None = None
    answers: int | None = None
    report_number: int | None = None


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction as a node returns it, without its signature."""

    sender: str
    unsigned: UnsignedTransaction
