"""What payee accounts need from outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol

from backend.domain.errors import ConflictError
from backend.service_layer.claims.ports import People
from backend.service_layer.payees.records import (
    Account,
    AccountEvent,
    AccountRow,
    Confirmation,
    Contact,
    Guardian,
    Notice,
    NoticeDelivery,
    Proof,
)
from backend.service_layer.payout.ports import BankExchange
from backend.service_layer.ports import Clock, IdSource, SecretBox, Transaction


class AccountRaceError(ConflictError):
    """Another account of the person was stored at the same time; nothing was stored now."""

    code = "account-race"


class PayeeRows(Protocol):
    """Inserts and reads; nothing is ever changed."""

    def accounts_of(self, person_id: str) -> list[Account]: ...
    def account(self, account_id: str) -> AccountRow | None: ...
    def by_token(self, form_token: str) -> AccountRow | None: ...
    def add_account(self, entry: AccountRow) -> None:
        """Raises :class:`AccountRaceError` when the version or the form's token is taken."""
        ...

    def add_event(self, entry: AccountEvent) -> bool: ...
    def add_confirmation(self, entry: Confirmation) -> None: ...
    def proofs_of(self, account_id: str) -> list[Proof]:
        """The steps in checking the proof of an account, first to last."""
        ...

    def add_proof(self, entry: Proof) -> None: ...
    def unproven(self, limit: int = 200) -> list[AccountRow]:
        """Accounts about which no bank could be asked and whose proof nobody has confirmed or
        refused, oldest first; of a person the newest alone."""
        ...

    def guardians_of(self, minor_id: str) -> list[Guardian]: ...
    def add_guardian(self, entry: Guardian) -> None: ...
    def contact_of(self, person_id: str) -> Contact | None: ...
    def get_contact(self, contact_id: str) -> Contact: ...
    def add_contact(self, entry: Contact) -> None: ...
    def add_notice(self, entry: Notice) -> None: ...
    def notices_of(self, person_id: str, limit: int = 50) -> list[Notice]: ...
    def undelivered(self, limit: int = 100) -> list[Notice]: ...
    def add_delivery(self, entry: NoticeDelivery) -> bool: ...


class PayeeWork(Transaction, Protocol):
    @property
    def payees(self) -> PayeeRows: ...
    @property
    def people(self) -> People: ...


class PayeeSettings(Protocol):
    @property
    def payee_delay(self) -> dt.timedelta:
        """How long a change of account waits before it takes effect."""
        ...


class Messenger(Protocol):
    """Hands a text to a telephone. The embedded one writes a file and says so."""

    @property
    def is_simulated(self) -> bool: ...

    def send(self, notice_id: str, phone: str, text: str) -> str:
        """The messenger's reference. The same id again sends nothing twice."""
        ...


class Bank(Protocol):
    """One bank that a person may name: its name and its clearing number (CNAPS, 12 digits)."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str: ...


class NoticeServices(Protocol):
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> IdSource: ...


class PayeeServices(NoticeServices, Protocol):
    @property
    def secret_box(self) -> SecretBox: ...
    @property
    def settings(self) -> PayeeSettings: ...
    @property
    def bank(self) -> BankExchange: ...
    @property
    def banks(self) -> Sequence[Bank]: ...
    @property
    def messenger(self) -> Messenger: ...

    def work(self, *, write: bool = True) -> Any: ...
