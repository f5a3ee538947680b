"""The rows of payee accounts, guardians, contacts and notices. Instants are aware UTC; account
and telephone numbers are wrapped, only their last four digits stand in clear."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.lost_period import Doubt
from backend.domain.payee import DeclaredAccount

CANCELLED: Final = "cancelled"
CLOSED: Final = "closed"
PROOF_OF: Final = "proof:"
"""Begins the token of an account version that a confirmed proof has made."""
UNCHECKED: Final = "unchecked"  # NameVerdict of an account about which no bank could be asked


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One version of a person's account. ``holder_id`` is the person themself or the guardian;
    ``verdict`` what the bank said of the holder's name; ``effective_at`` None unless it matched."""

    id: str
    person_id: str
    version: int
    holder_id: str
    holder: str
    bank_name: str
    bank_code: str
    wrapped_number: bytes
    tail: str
    number_lookup: bytes
    verdict: str
    is_simulated: bool
    effective_at: dt.datetime | None
    form_token: str
    declared_by: str
    declared_at: dt.datetime

    @property
    def is_proven(self) -> bool:
        """Whether people saw a proof, where no bank could be asked."""
        return self.form_token.startswith(PROOF_OF)


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """What happened to an account afterwards: ``kind`` is cancelled or closed."""

    account_id: str
    kind: str
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Confirmation:
    """After a restored backup: the word that an account is still right. ``by`` is the login or the
    staff member."""

    id: str
    account_id: str
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A version with its events. ``doubt``: the database was restored, and what was said of the
    account since the backup may be lost."""

    row: AccountRow
    events: tuple[AccountEvent, ...] = ()
    doubt: Doubt | None = None

    def at(self, kind: str) -> dt.datetime | None:
        return min((event.at for event in self.events if event.kind == kind), default=None)

    @property
    def declared(self) -> DeclaredAccount:
        return DeclaredAccount(
            self.row.version,
            self.row.effective_at,
            self.at(CANCELLED),
            self.at(CLOSED),
            is_unchecked=self.row.verdict == UNCHECKED,
            doubted_from=None if self.doubt is None else self.doubt.at,
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """A step in checking the proof of an account: ``action`` is proposed, confirmed or refused.
    ``confirmed_id`` is the account version that a confirmation has made."""

    account_id: str
    ordinal: int  # from 1
    action: str
    by: str
    reason: str
    document_digest: bytes  # SHA-256 of the copy that was seen
    at: dt.datetime
    confirmed_id: str | None = None


@dataclass(frozen=True, slots=True)
class Guardian:
    """Who acts for a minor (监护人) from when to when, as the register has it."""

    id: str
    minor_id: str
    guardian_id: str
    valid_from: dt.date
    valid_to: dt.date | None
    source: str
    recorded_by: str
    reason: str
    recorded_at: dt.datetime

    def holds_on(self, day: dt.date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Contact:
    """A telephone number of a person; the newest version counts."""

    id: str
    person_id: str
    version: int
    wrapped_phone: bytes
    tail: str
    source: str
    recorded_by: str
    recorded_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a person. It says nothing of health and no whole number of an account."""

    id: str
    person_id: str
    kind: str
    zh: str
    en: str
    contact_id: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class NoticeDelivery:
    """That a notice was handed to the messenger, and whether that one is simulated."""

    notice_id: str
    reference: str
    is_simulated: bool
    at: dt.datetime
