"""What the anchoring service needs from database and ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.anchoring.model import (
    Call,
    Case,
    Deployment,
    Fees,
    KnownBatch,
    Lease,
    LedgerEvent,
    MinedTransaction,
    Parties,
    Purpose,
    Receipt,
    SignedTransaction,
    TransactionRecord,
    TransactionState,
    UnsignedTransaction,
)
from backend.service_layer.ports import Alarms, BlockStamp, Clock, IdSource


class AnchoringOutbox(Protocol):
    def get(self, intent_id: str) -> LedgerIntent: ...

    def queued_accounts(self, *, held: bool) -> Sequence[str]:
        """Accounts with intents that no transaction carries yet, the longest waiting first."""
        ...

    def queued(
        self, *, held: bool, account: str | None = None, limit: int = 1_000
    ) -> Sequence[LedgerIntent]: ...

    def in_states(
        self, *states: IntentState, kind: IntentKind | None = None
    ) -> Sequence[LedgerIntent]: ...

    def mined_above(self, block_number: int) -> Sequence[LedgerIntent]: ...

    def set_state(self, intent_ids: Sequence[str], state: IntentState, **values: Any) -> None: ...

    def record_outcomes(self, outcomes: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Intents that were mined: (id, outcome, outcome_detail, tx_hash, block_number,
        block_hash, log_index and block_at by name)."""
        ...

    def count_tries(self, intent_ids: Sequence[str]) -> None: ...

    def backlog(self) -> Mapping[str, tuple[int, dt.datetime]]: ...


class AnchoringBatches(Protocol):
    def anchor_at(self, institution_number: int, sequence: int) -> LedgerIntent | None: ...

    def anchor_before(self, batch_id: str) -> LedgerIntent | None:
        """The anchor intent of the batch before this one in the institution's sequence."""
        ...


class Accounts(Protocol):
    def acquire(self, name: str, owner: str, seconds: float) -> Lease:
        """Take or renew a lease; raises LeaseHeldError while another owner's is running."""
        ...

    def confirm(self, lease: Lease, seconds: float) -> None:
        """Extend a lease inside the caller's transaction; raises LeaseLostError if it is gone."""
        ...

    def release(self, lease: Lease) -> None: ...

    def next_nonce(self, account: str) -> int | None:
        """The next nonce of an account, None before its first use."""
        ...

    def set_nonce(self, account: str, expected: int | None, new: int, fencing_token: int) -> None:
        """Compare-and-swap of the next nonce; raises LeaseLostError when it has moved."""
        ...


class Transactions(Protocol):
    def add(self, record: TransactionRecord, intent_ids: Sequence[str]) -> None: ...

    def get(self, transaction_id: str) -> TransactionRecord: ...

    def find_by_hash(self, tx_hash: bytes) -> TransactionRecord | None: ...

    def find_by_hashes(self, tx_hashes: Sequence[bytes]) -> Sequence[TransactionRecord]:
        """Those of these transactions that are ours."""
        ...

    def in_states(
        self, *states: TransactionState, account: str | None = None
    ) -> Sequence[TransactionRecord]: ...

    def of_nonce(self, account: str, nonce: int) -> Sequence[TransactionRecord]: ...

    def mined_above(self, block_number: int) -> Sequence[TransactionRecord]: ...

    def items(self, transaction_id: str) -> Sequence[LedgerIntent]: ...

    def items_of(self, transaction_ids: Sequence[str]) -> Mapping[str, Sequence[LedgerIntent]]:
        """The intents of several transactions, by transaction, in call order."""
        ...

    def rivals_of(
        self, transaction_ids: Sequence[str]
    ) -> Mapping[str, Sequence[TransactionRecord]]:
        """Other candidates for the same nonces that are not *replaced* yet, by transaction."""
        ...

    def set_state(self, transaction_ids: Sequence[str], state: TransactionState) -> None: ...

    def record_mined(self, receipts: Sequence[tuple[str, Receipt]]) -> None: ...

    def update(self, transaction_id: str, state: TransactionState, **values: Any) -> None: ...

    def pending_count(self, account: str) -> int: ...

    def final_after(self, transaction_id: str, limit: int) -> Sequence[TransactionRecord]:
        """Final transactions in the order of their ids, after one of them ("": the first)."""
        ...


class Chain(Protocol):
    def deployment(self) -> Deployment | None: ...

    def cursor(self) -> BlockStamp | None:
        """The newest block that was followed."""
        ...

    def add_cursor(self, stamp: BlockStamp) -> None: ...

    def stamps_below(self, block_number: int, limit: int) -> Sequence[BlockStamp]:
        """Followed blocks below a height, newest first."""
        ...

    def forget_above(self, block_number: int) -> None: ...

    def accounts_of_institution(self, institution_code: str) -> Sequence[str]: ...


class HeldNumber(Protocol):
    @property
    def invoice_key(self) -> bytes: ...


class Disputes(Protocol):
    def unsettled(self) -> Sequence[HeldNumber]:
        """Numbers that two institutions sent and that are not ruled yet."""
        ...


class Reconciliation(Protocol):
    def parties(self, payer_number: int) -> Parties: ...

    def batch_at(self, institution_code: str, sequence: int) -> KnownBatch | None: ...

    def add_batch(self, known: KnownBatch) -> None:
        """Store a batch of which only what the ledger says is known."""
        ...

    def batches_without_leaves(self) -> Sequence[KnownBatch]: ...

    def add_leaves(self, batch_id: str, leaves: Sequence[tuple[bytes, str]]) -> None: ...

    def unbatched(self, institution_code: str, limit: int) -> Sequence[str]: ...

    def custody_of(self, institution_code: str) -> str: ...

    def live_claims_on_key(self, invoice_key: bytes) -> Sequence[str]: ...

    def put_case(self, case_id: str, kind: str, detail: dict[str, Any]) -> None:
        """Open a case, or renew what an open one says; a resolved one stays resolved."""
        ...

    def case(self, case_id: str) -> Case | None: ...

    def open_cases(self) -> Sequence[Case]: ...

    def resolve_case(self, case_id: str, by: str, resolution: str) -> bool: ...


class OpenAlarm(Protocol):
    @property
    def code(self) -> str: ...

    @property
    def subject(self) -> str: ...


class AlarmBoard(Alarms, Protocol):
    def clear(self, code: str, subject: str) -> None:
        """Close an alarm whose condition has ended."""
        ...

    def open_alarms(self) -> Sequence[OpenAlarm]: ...


class PayerAccounts(Protocol):
    def relieve_slow_accounts(self) -> int:
        """Move what is queued at a slow account to another one of the payer; returns how many
        intents moved."""
        ...


class AnchoringWork(Protocol):
    @property
    def outbox(self) -> AnchoringOutbox: ...

    @property
    def batches(self) -> AnchoringBatches: ...

    @property
    def disputes(self) -> Disputes: ...

    @property
    def alarms(self) -> AlarmBoard: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def payers(self) -> PayerAccounts: ...

    @property
    def reconciliation(self) -> Reconciliation: ...

    @property
    def transactions(self) -> Transactions: ...

    @property
    def chain(self) -> Chain: ...

    def commit(self) -> None: ...


class WorkFactory(Protocol):
    def __call__(self, *, write: bool = True) -> AbstractContextManager[AnchoringWork]: ...


class LedgerNode(Protocol):
    """The ledger as the worker needs it. Every method raises LedgerUnavailableError when no node
    of the right network answers: the truth is then unknown, not absent."""

    def deployment(self) -> Deployment: ...

    def head(self) -> BlockStamp: ...

    def final_number(self) -> int: ...

    def block(self, number: int) -> BlockStamp | None: ...

    def blocks(self, numbers: Sequence[int]) -> Sequence[BlockStamp | None]: ...

    def events(self, first: int, last: int) -> Sequence[LedgerEvent]: ...

    def first_settlement(self, invoice_key: bytes, payer: int) -> LedgerEvent | None: ...

    def receipt(self, tx_hash: bytes) -> Receipt | None: ...

    def receipts(self, tx_hashes: Sequence[bytes]) -> Mapping[bytes, Receipt | None]:
        """Several receipts in few exchanges. Of a hash that is left out the node gave no readable
        answer: unknown, which is not None (T18)."""
        ...

    def transaction(self, tx_hash: bytes) -> MinedTransaction | None: ...

    def knows(self, tx_hash: bytes) -> bool:
        """Whether a node has the transaction, in its pool or in a block."""
        ...

    def transaction_count(self, account: str, block_number: int | None = None) -> int:
        """The account's next nonce in a block, the latest unless one is given."""
        ...

    def transaction_counts(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """The next nonces of several accounts in the latest block, from one node."""
        ...

    def batch_head(self, institution_number: int, sequence: int) -> bytes: ...

    def is_intake_paused(self) -> bool: ...

    def anchor_bar(self, account: str) -> str:
        """Why the account may not anchor now: empty, or suspended, paused, after-grace, ..."""
        ...

    def encode(self, kind: IntentKind, payloads: Sequence[Mapping[str, Any]]) -> Call: ...

    def check(self, account: str, call: Call) -> None:
        """Raise CallRefusedError when the call would revert now."""
        ...

    def fees(self) -> Fees: ...

    def troubles(self) -> Mapping[str, str]:
        """What is wrong with which node, by its address; empty when all answer."""
        ...

    def send(self, raw: bytes) -> str:
        """Hand bytes to every node; returns the refusals, empty when a node took them.

        A refusal text is a hint only: nodes say "known" in many ways (T3)."""
        ...


class Signer(Protocol):
    def holds(self, account: str) -> bool: ...

    def sign(self, account: str, unsigned: UnsignedTransaction) -> SignedTransaction: ...


class Decoder(Protocol):
    def __call__(self, raw: bytes) -> SignedTransaction: ...


__all__ = [
    "Accounts",
    "AlarmBoard",
    "AnchoringBatches",
    "AnchoringOutbox",
    "AnchoringWork",
    "Call",
    "Chain",
    "Clock",
    "Decoder",
    "Disputes",
    "HeldNumber",
    "IdSource",
    "LedgerNode",
    "Purpose",
    "Reconciliation",
    "Signer",
    "Transactions",
    "WorkFactory",
]
