"""What the reconciliation of money needs from outside, and the rows that it compares."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Settled:
    """A claim in effect; ``paid_fen`` is what its slot must show, what others bore at the counter
    included, since block ``since_block``. ``is_changing``: a supplement is on its way, so that the
    slot may be ahead."""

    claim_id: str
    number: str
    payer_number: int
    invoice_key: bytes
    paid_fen: int
    since_block: int
    is_changing: bool


@dataclass(frozen=True, slots=True)
class StoredDecision:
    id: str
    claim_id: str
    number: str
    version: int
    paid_fen: int
    explanation: str
    fingerprint: bytes
    wrapped_secret: bytes | None


@dataclass(frozen=True, slots=True)
class FileRow:
    id: str
    message_id: str
    digest: bytes
    wrapped_content: bytes
    handed_over_at: dt.datetime | None
    item_count: int
    control_sum_fen: int

    @property
    def name(self) -> str:
        return f"{self.message_id}.xml"


@dataclass(frozen=True, slots=True)
class ItemRow:
    id: str
    claim_id: str
    end_to_end_id: str
    amount_fen: int
    account_tail: str
    wrapped_account: bytes  # under the instruction's id and ":account"
    wrapped_holder: bytes  # under the instruction's id and ":holder"


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: str
    name: str
    digest: bytes
    verdict: str
    original_id: str | None
    has_statement: bool = False  # a filed one has, for ever


@dataclass(frozen=True, slots=True)
class BookedAnswer:
    attempt_id: str
    status: str
    message_id: str
    end_to_end_id: str
    claim_id: str
    amount_fen: int
    file: str  # message id of the payment file


class MoneyServices(Protocol):
    """What the reconciliation of money is built from."""

    def work(self, *, write: bool = True) -> Any: ...

    @property
    def settings(self) -> Any: ...
    @property
    def clock(self) -> Any: ...
    @property
    def ids(self) -> Any: ...
    @property
    def secret_box(self) -> Any: ...
    @property
    def bank(self) -> Any: ...
    @property
    def payment_format(self) -> Any: ...
    @property
    def payees(self) -> Any: ...
    @property
    def report_copies(self) -> Any: ...
    @property
    def signature_reader(self) -> Any: ...
    @property
    def ledger(self) -> Any: ...
