"""What a payout is made of. Amounts are whole fen, instants aware UTC, account numbers clear text
only in memory: they are wrapped where they are stored."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ID_MAX: Final = 35
"""Characters of an identifier in a payment message (ISO 20022 ``Max35Text``)."""

ITEMS_MAX: Final = 5_000
"""Instructions in one payment file."""

REPORT_BYTES_MAX: Final = 16 * 2**20
"""The largest report on payments that is read."""

INCOMING_BYTES_MAX: Final = 64 * 2**20
"""The largest bank file that is read or kept: a statement of an account."""


class Lane(StrEnum):
    INSTANT = "instant"  # 秒到账
    DAILY = "daily"


class AnswerStatus(StrEnum):
    """What the bank says of one instruction. ``ACCEPTED`` is no end: nothing is booked for it."""

    ACCEPTED = "accepted"  # taken over, being carried out
    PAID = "paid"  # the account was credited
    REJECTED = "rejected"  # not carried out
    RETURNED = "returned"  # was paid, and came back


class NameVerdict(StrEnum):
    MATCH = "match"
    NO_MATCH = "no-match"  # the account belongs to somebody else
    CLOSED = "closed"
    UNKNOWN = "unknown"  # no such account, or the bank does not answer for it
    UNCHECKED = "unchecked"  # no bank can be asked: people check a proof


class Verdict(StrEnum):
    """What became of a bank file."""

    BOOKED = "booked"
    REFUSED = "refused"  # nothing of it was booked
    REPEATED = "repeated"  # says nothing new; nothing was booked again
    FILED = "filed"  # a statement of the account: kept to be compared with the journal


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The bank's answer to "does this account belong to this holder"."""

    verdict: NameVerdict
    simulated: bool
    detail: str = ""

    @property
    def is_match(self) -> bool:
        return self.verdict is NameVerdict.MATCH


@dataclass(frozen=True, slots=True)
class PayeeAccount:
    """The account to which a person's money goes, as it stands in one version."""

    person_id: str
    version: int  # from 1; a corrected account is another version
    holder: str
    bank_name: str
    bank_code: str  # clearing number of the bank (CNAPS, 12 digits); may be empty
    number: str  # at most 34 characters

    @property
    def tail(self) -> str:
        return self.number[-4:]


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """The account that money may go to now, or why there is none.

    ``reason`` is empty with an account, else one of ``HELD_BY_ACCOUNT``.
    """

    account: PayeeAccount | None
    reason: str = ""


ACCOUNT_MISSING: Final = "account-missing"
ACCOUNT_UNVERIFIED: Final = "account-unverified"
ACCOUNT_UNPROVEN: Final = "account-unproven"
ACCOUNT_CLOSED: Final = "account-closed"
ACCOUNT_DELAY: Final = "account-delay"
ACCOUNT_DOUBTED: Final = "account-doubted"
HELD_BY_ACCOUNT: Final = (
    ACCOUNT_MISSING, ACCOUNT_UNVERIFIED, ACCOUNT_UNPROVEN, ACCOUNT_CLOSED, ACCOUNT_DELAY,
    ACCOUNT_DOUBTED,
)  # fmt: skip
"""Reasons for which there is no account to pay to: none named, its holder's name not confirmed by
the bank, or, where no bank can be asked, its proof not yet seen by two people,
the bank says it is closed, a change of it has not taken effect yet, or the database was restored
and may lack the word that another took its place."""


@dataclass(frozen=True, slots=True)
class PaymentItem:
    """One credit transfer of a payment file."""

    end_to_end_id: str  # derived: claim number, decision version, attempt; at most 35 characters
    amount_fen: int  # > 0
    holder: str
    account_number: str
    bank_name: str
    bank_code: str
    purpose: str  # what the citizen reads on the statement: says no diagnosis and no hospital


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """One file for the bank: items of one region's account, all in one lane."""

    message_id: str  # at most 35 characters, A-Z a-z 0-9 and "-"
    created_at: dt.datetime
    execute_on: dt.date  # local day
    lane: Lane
    debtor_name: str  # the agency whose account is debited
    debtor_account: str
    debtor_bank_code: str
    items: tuple[PaymentItem, ...]

    @property
    def control_sum_fen(self) -> int:
        return sum(item.amount_fen for item in self.items)


@dataclass(frozen=True, slots=True)
class StatusItem:
    """What a status report says of one instruction; None where the report leaves it out."""

    end_to_end_id: str
    status: AnswerStatus
    reason_code: str = ""  # ISO 20022 external code such as AC04; empty when paid
    reason_text: str = ""
    amount_fen: int | None = None
    bank_reference: str = ""
    answered_at: dt.datetime | None = None
    settled_fen: int | None = None  # what moved between the banks
    account: str = ""  # the account that was to be credited; banks may hide part of it


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many instructions of the file a bank counts with a status, and their sum in fen. What
    came back is counted as rejected."""

    status: AnswerStatus
    count: int
    sum_fen: int | None = None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A bank's report on one payment file of ours.

    ``group_status`` speaks of the whole file; with ``REJECTED`` and no items every instruction of
    the file was rejected. ``items`` need not name every instruction. ``order_*``: what is said of
    the file's one payment order, ``other_order`` its name where that is not the file's; ``counts``:
    what is counted in the file, and in its order.
    """

    message_id: str
    created_at: dt.datetime
    original_message_id: str
    items: tuple[StatusItem, ...]
    simulated: bool
    group_status: AnswerStatus | None = None
    group_reason_code: str = ""
    original_item_count: int | None = None
    original_control_sum_fen: int | None = None
    other_order: str = ""
    order_item_count: int | None = None
    order_control_sum_fen: int | None = None
    counts: tuple[tuple[StatusCount, ...], ...] = ()


STATEMENT_ENTRIES_MAX: Final = 100_000
"""Movements in one statement of an account."""


class EntrySide(StrEnum):
    CREDIT = "credit"  # money came to our account
    DEBIT = "debit"  # money left it


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One movement on the account, as the bank booked it."""

    side: EntrySide
    amount_fen: int  # > 0
    reference: str  # the bank's own number; may be empty
    end_to_end_id: str  # of an instruction of ours, else empty
    booked_on: dt.date


@dataclass(frozen=True, slots=True)
class BankStatement:
    """A bank's statement of one account from one instant to another. ``opening_fen`` plus the
    entries is ``closing_fen``; both may be below zero."""

    message_id: str
    created_at: dt.datetime
    statement_id: str
    account: str
    from_at: dt.datetime
    to_at: dt.datetime
    opening_fen: int
    closing_fen: int
    entries: tuple[StatementEntry, ...]
    simulated: bool

    @property
    def moved_fen(self) -> int:
        return sum(
            one.amount_fen if one.side is EntrySide.CREDIT else -one.amount_fen
            for one in self.entries
        )


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that the bank has left for us. ``may_grow``: it was changed a moment ago, so that the
    rest of it may still be on its way."""

    name: str
    content: bytes
    may_grow: bool = False


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Something beside the bank's files that cannot be taken in; ``name`` as it can be shown."""

    name: str
    why: str
