"""What payouts need from outside: a bank, a file format, the payee's account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol

from backend.domain.errors import ConflictError, DomainError, UnavailableError
from backend.service_layer.anchoring.model import Case, CaseEvent
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Payout
from backend.service_layer.journal.ports import Journal
from backend.service_layer.payout.records import (
    AccountAnswer,
    BankStatement,
    IncomingFile,
    Lane,
    LeftAlone,
    NameMatch,
    PaymentFile,
    StatusReport,
)
from backend.service_layer.payout.stored import (
    Attempt,
    BankMessage,
    Hold,
    PaymentAnswer,
    Reading,
    StoredFile,
    Tried,
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

    def left_alone(self) -> Sequence[LeftAlone]:
        """What lies among the bank's files and cannot be taken in as it is."""
        ...

    def ask_for_statements(self) -> bool:
        """Whether asking made the bank leave statements now; a real bank leaves them by itself."""
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

    def is_whole(self, content: bytes) -> bool:
        """False for what is cut off or empty, or is none of the format at all."""
        ...

    def is_statement(self, content: bytes) -> bool:
        """Whether a file says that it is a statement of an account."""
        ...

    def read_statement(self, content: bytes) -> BankStatement:
        """Raises :class:`BadStatusFileError` for anything that is not a whole, valid one."""
        ...

    def read(self, content: bytes) -> StatusReport:
        """Raises :class:`BadStatusFileError` for anything that is not a whole, valid report."""
        ...


class PayeeAccounts(Protocol):
    """Where a person's money goes."""

    def account_for(self, work: Any, person_id: str, at: dt.datetime) -> AccountAnswer:
        """The verified account in effect at an instant, or why there is none."""
        ...

    def mark_closed(
        self, work: Any, person_id: str, version: int, *, by: str, reason: str, at: dt.datetime
    ) -> bool:
        """The bank said that an account is closed or wrong: no more money goes there. False when
        that was known."""
        ...


class OpenCases(Protocol):
    """The cases that wait for a person."""

    def open_cases(self) -> Sequence[Case]: ...
    def holding_cases(self) -> Sequence[Case]:
        """Cases while which the claim that they name is not paid."""
        ...

    def case(self, case_id: str) -> Case | None: ...
    def events_of(self, case_id: str) -> Sequence[CaseEvent]: ...
    def add_event(
        self, case_id: str, kind: str, *, by: str, text: str, **more: Any
    ) -> CaseEvent: ...
    def end_case(self, case_id: str, by: str, resolution: str) -> None: ...
    def put_case(self, case_id: str, kind: str, detail: dict[str, Any]) -> None: ...
    def cases_of(self, kind: str) -> Sequence[Case]: ...
    def resolve_case(self, case_id: str, by: str, resolution: str) -> bool: ...
    def lock_open(self, case_id: str) -> bool:
        """Keep everybody else from closing a case; False when there is no such open one."""
        ...


class Payments(Protocol):
    """Instructions, their files and what the bank said; insert-only but for the hand-over."""

    def payables(
        self, *, after: tuple[dt.datetime, str] | None, limit: int, only_fresh: bool = False
    ) -> list[Payout]:
        """Payables without an instruction that is open or carried out, oldest first."""
        ...

    def look_ahead(self, payables: Sequence[Payout]) -> None:
        """Read in a few questions what ``tried``, ``fell_away`` and ``last_hold`` are going to be
        asked for in this transaction; forgotten when it writes an attempt, answer or hold."""
        ...

    def tried(self, payout_id: str) -> list[Tried]:
        """The attempts of a payable, first to last."""
        ...

    def payables_of(self, claim_id: str) -> list[Payout]:
        """Every payable of a claim, by version."""
        ...

    def is_owed(self, claim_id: str) -> bool:
        """Whether a payable of the claim is not paid, or no longer; not one that fell away."""
        ...

    def fell_away(self, payout_id: str) -> bool:
        """Whether a payable is owed no longer, since its bill became void or was reversed."""
        ...

    def take_turn(self, lane: Lane) -> dt.datetime | None:
        """Serialise the forming of files until the transaction ends."""
        ...

    def last_run(self, lane: Lane) -> dt.datetime | None: ...
    def finish_run(self, lane: Lane, at: dt.datetime) -> None: ...
    def instructed_fen(
        self, lane: Lane, day: dt.date, *, person_id: str | None = None, region: str | None = None
    ) -> int:
        """What was instructed in a lane on a local day, failed attempts included."""
        ...

    def add_file(self, entry: StoredFile, attempts: Sequence[Attempt]) -> None: ...
    def add_attempts(self, attempts: Sequence[Attempt]) -> None: ...
    def files_to_hand_over(self, limit: int = 100) -> list[StoredFile]: ...
    def mark_handed_over(self, file_id: str, at: dt.datetime) -> bool: ...
    def file_by_message(self, message_id: str) -> StoredFile | None: ...
    def files(self, limit: int = 50) -> list[StoredFile]: ...
    def of_file(self, file_id: str) -> list[Tried]: ...
    def unanswered_files(self, before: dt.datetime, limit: int = 100) -> list[str]: ...
    def message(self, name: str, digest: bytes) -> BankMessage | None: ...
    def message_by_id(self, message_id: str) -> BankMessage | None: ...
    def message_of_report(self, report_id: str) -> BankMessage | None: ...
    def messages_on(self, original_id: str) -> list[BankMessage]:
        """The booked reports on a file of ours, oldest first."""
        ...

    def refused_on(self, original_id: str) -> list[BankMessage]:
        """The reports on a file of ours of which nothing was booked, oldest first, at most
        1,000."""
        ...

    def messages(self, limit: int = 50) -> list[BankMessage]:
        """Newest first, their content left empty; ``message_by_id`` has it."""
        ...

    def add_message(self, entry: BankMessage) -> None: ...
    def add_answer(self, entry: PaymentAnswer) -> None: ...
    def reported_at(self, attempt_ids: Sequence[str]) -> dt.datetime | None: ...
    def add_reading(self, entry: Reading) -> None: ...
    def readings_of(self, message_id: str) -> list[Reading]:
        """Who read a bank file, first to last."""
        ...

    def add_hold(self, entry: Hold) -> None: ...
    def last_hold(self, claim_id: str) -> Hold | None: ...
    def holds_of(self, claim_id: str) -> list[Hold]:
        """Every step of people who stopped a claim's payments or let them go, first to last."""
        ...


class PayoutWork(ClaimWork, Protocol):
    """One database transaction with what payouts write."""

    @property
    def payments(self) -> Payments: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def reconciliation(self) -> OpenCases: ...


class PayoutServices(ClaimServices, Protocol):
    @property
    def bank(self) -> BankExchange: ...
    @property
    def payment_format(self) -> PaymentFormat: ...
    @property
    def payees(self) -> PayeeAccounts: ...

    def work(self, *, write: bool = True) -> PayoutWork: ...
