"""Payout rows as they are stored."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.service_layer.payout.records import AnswerStatus, Lane, Verdict

KEPT_WITHIN: Final = dt.timedelta(days=3_653)
"""An instant of a bank that is further away is no fact about it, and is not kept in a column."""


def kept_instant(said: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """When a bank says that it made a file, None where that is ten years away: a file that is
    refused is kept too, and a database may be unable to show the year 9999 in its own zone."""
    return said if abs(said - now) <= KEPT_WITHIN else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One instruction for a payable; holder and account number are wrapped with its id."""

    id: str
    payout_id: str
    claim_id: str
    person_id: str
    attempt: int
    end_to_end_id: str
    account_version: int
    wrapped_holder: bytes
    wrapped_account: bytes
    account_tail: str
    bank_name: str
    amount_fen: int
    lane: Lane
    region: str
    instructed_on: dt.date
    file_id: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A payment file. Its bytes are committed before the first one leaves."""

    id: str
    message_id: str
    lane: Lane
    region: str
    created_at: dt.datetime
    item_count: int
    control_sum_fen: int
    digest: bytes
    wrapped_content: bytes
    handed_over_at: dt.datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.message_id}.xml"


@dataclass(frozen=True, slots=True)
class BankMessage:
    """A file of the bank, kept whatever became of it."""

    id: str
    name: str
    digest: bytes
    wrapped_content: bytes
    received_at: dt.datetime
    report_id: str | None
    original_id: str | None
    reported_at: dt.datetime | None
    simulated: bool | None
    verdict: Verdict
    difference: str


@dataclass(frozen=True, slots=True)
class PaymentAnswer:
    """One ending that the bank has reported; an attempt that was paid may still be returned."""

    attempt_id: str
    status: AnswerStatus
    reason_code: str
    reason_text: str
    bank_reference: str
    simulated: bool
    answered_at: dt.datetime
    booked_at: dt.datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt with how it stands: the ending that counts, or None while it is open."""

    attempt: Attempt
    answer: PaymentAnswer | None

    @property
    def is_open(self) -> bool:
        return self.answer is None

    @property
    def is_paid(self) -> bool:
        return self.answer is not None and self.answer.status is AnswerStatus.PAID

    @property
    def has_failed(self) -> bool:
        return not self.is_open and not self.is_paid


@dataclass(frozen=True, slots=True)
class AtTheBank:
    """An instruction that has no ending yet, as people read it."""

    end_to_end_id: str
    claim_number: str
    amount_fen: int
    file: str  # message id
    handed_over_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody read a bank file, which holds names and account numbers."""

    id: str
    message_id: str
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """A person stops the payments of a claim (hold), or lets them go on (release)."""

    claim_id: str
    ordinal: int
    action: str
    by: str
    reason: str
    at: dt.datetime
