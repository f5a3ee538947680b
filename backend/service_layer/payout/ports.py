"""What payouts need from outside: a bank, a file format, the payee's account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol

from backend.domain.errors import ConflictError, DomainError, UnavailableError
from backend.service_layer.payout.records import (
    AccountAnswer,
    IncomingFile,
    NameMatch,
    PaymentFile,
    StatusReport,
)


class BankConflictError(ConflictError):
    """A file of this name was handed over with other bytes."""

    code = "bank-conflict"


class BankUnavailableError(UnavailableError):
    """The bank's exchange cannot be reached now: nothing is lost, it is tried again."""

    code = "bank-unavailable"


class BadStatusFileError(DomainError):
    """A bank file is not a status report that can be believed: cut off, too large, another
    format, an amount in another currency. The message says what; nothing of it is booked."""

    code = "bad-bank-file"


class BadPaymentFileError(DomainError):
    """A payment file that the format cannot write: a text or an amount is outside its limits."""

    code = "bad-payment-file"


class BankExchange(Protocol):
    """The place where files are handed to the bank and left by it.

    Every method raises :class:`BankUnavailableError` when the place cannot be reached.
    """

    @property
    def is_simulated(self) -> bool:
        """Whether no money moves. A simulated bank says so in each of its answers too."""
        ...

    def hand_over(self, name: str, content: bytes) -> None:
        """Give a file to the bank, durably. The same name and bytes again are no-op; other bytes
        under a known name raise :class:`BankConflictError`."""
        ...

    def incoming(self) -> Sequence[IncomingFile]:
        """The files that the bank has left and that were not put away, oldest first; content is
        cut at ``INCOMING_BYTES_MAX`` + 1 bytes."""
        ...

    def put_away(self, name: str) -> None:
        """A file was dealt with and its content kept: do not offer it again. A name that is not
        there is no error."""
        ...

    def check_name(self, holder: str, account_number: str, bank_code: str) -> NameMatch:
        """Whether the account belongs to the holder."""
        ...


class PaymentFormat(Protocol):
    """Turns a payment file into bytes and a status report's bytes into a report."""

    def write(self, file: PaymentFile) -> bytes:
        """The file's bytes, valid by the published schema. The same file gives the same bytes.
        Raises :class:`BadPaymentFileError`."""
        ...

    def read(self, content: bytes) -> StatusReport:
        """Raises :class:`BadStatusFileError` for anything that is not a whole, valid report."""
        ...


class PayeeAccounts(Protocol):
    """Where a person's money goes."""

    def account_for(self, work: Any, person_id: str, at: dt.datetime) -> AccountAnswer:
        """The verified account in effect at an instant, or why there is none."""
        ...
