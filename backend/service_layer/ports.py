"""Ports that several use cases need. Each package of use cases declares its own beside it.

A unit of work is one database transaction: ``with factory() as work: ...; work.commit()``.
Leaving the block without ``commit`` rolls back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from backend.domain.errors import UnavailableError
from backend.domain.ledger import IntentKind, LeafPosition, LedgerIntent, SlotState


class LedgerUnavailableError(UnavailableError):
    """No ledger node answered. Unknown is not absent: nothing may be concluded from this."""

    code = "ledger-unavailable"


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """The present instant, aware UTC."""
        ...


class IdSource(Protocol):
    def new_id(self, prefix: str) -> str:
        """A new sortable identifier such as ``inv_01J...`` (at most 40 characters)."""
        ...

    def new_secret(self) -> bytes:
        """32 random bytes."""
        ...


class SecretBox(Protocol):
    def wrap(self, secret: bytes, context: str) -> bytes:
        """Encrypt a 32-byte secret (AES-GCM), bound to ``context`` (the row's id)."""
        ...

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The inverse; raises when the bytes or the context were changed."""
        ...

    def lookup(self, purpose: str, value: str) -> bytes:
        """A keyed 32-byte hash for equality searches over core-sensitive values."""
        ...


@dataclass(frozen=True, slots=True)
class BlockStamp:
    number: int
    hash: bytes
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class BillOnLedger:
    """What the ledger says of a bill, read in one question to one node: its newest block, the
    bill's slot, and the head of the bill's batch (None where no batch was asked about)."""

    head: BlockStamp
    slot: SlotState
    batch_head: bytes | None


@dataclass(frozen=True, slots=True)
class FinalSlot:
    """A bill's slot in final block ``number`` and in a node's newest block, in one question to
    one node. The final block says what cannot be taken back; the newest one what was declared
    since, which may be. Money leaves only when both allow it."""

    number: int
    final: SlotState
    newest: SlotState


class LedgerReader(Protocol):
    """Reads of the ledger. Every method raises :class:`LedgerUnavailableError` when no node
    answers or the node is on another network than the deployment names."""

    def head(self) -> BlockStamp: ...

    def final_number(self) -> int:
        """The newest block number that counts as final by the network's setting."""
        ...

    def batch_head(self, institution_number: int, sequence: int) -> bytes:
        """The stored head of a batch, 32 zero bytes if there is none."""
        ...

    def slot(self, invoice_key: bytes) -> SlotState:
        """The slot in a node's newest block. Where money follows from it, ask ``final_slots``."""
        ...

    def final_slots(
        self, invoice_keys: Sequence[bytes], followed: BlockStamp | None
    ) -> Mapping[bytes, FinalSlot]:
        """Slots in the newest final block and in the newest block of the same node, some hundreds
        a question. Only a node that has the block ``followed`` on its chain is believed: one that
        lags, or is on a fork, is none that answers."""
        ...

    def bill(self, invoice_key: bytes, batch: tuple[int, int] | None = None) -> BillOnLedger:
        """Slot and newest block, with the head of a batch (institution's number, sequence)."""
        ...

    def policy_published_at(self, policy_hash: bytes) -> int:
        """Unix time of publication, 0 if the hash was never published."""
        ...


class Outbox(Protocol):
    def add(self, intent: LedgerIntent) -> bool:
        """Enqueue; False (and nothing written) when the dedupe key is already there."""
        ...

    def get(self, intent_id: str) -> LedgerIntent: ...

    def find(self, dedupe_key: str) -> LedgerIntent | None: ...

    def of_subject(self, subject_id: str, *kinds: IntentKind) -> Sequence[LedgerIntent]:
        """All intents of one subject and these kinds, oldest first."""
        ...

    def look_ahead(self, subject_ids: Sequence[str], *kinds: IntentKind) -> None:
        """Read in a few questions what ``of_subject`` is going to be asked for in this transaction
        with these subjects and kinds; forgotten when the transaction writes an intent."""
        ...


class Batches(Protocol):
    def position_of(self, version_id: str) -> LeafPosition | None:
        """Where an invoice version's leaf stands, or None while it is in no batch."""
        ...

    def anchor_of(self, version_id: str) -> LedgerIntent | None:
        """The anchor intent of the version's batch, or None while it is in no batch."""
        ...


class Alarms(Protocol):
    def raise_alarm(self, code: str, subject: str, detail: str) -> None:
        """Record an alarm once per open (code, subject)."""
        ...


class Transaction(Protocol):
    """What every unit of work can do."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...
