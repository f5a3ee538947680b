"""What second payers need from outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, Protocol

from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.claims.ports import ClaimServices, ClaimSettings, ClaimWork
from backend.service_layer.payees.ports import Bank, Messenger, PayeeRows, PayeeSettings
from backend.service_layer.second_payers.records import (
    Consent,
    KeptAnswer,
    PayerClaim,
    Reading,
    SecondPayer,
)


class NotOpenedError(NotFoundError):
    """There is no such bill or claim for this payer. Whether it exists is not said."""

    def __init__(self) -> None:
        super().__init__(
            "没有这份票据或申请，或者没有（仍然有效的）本人同意",
            "there is no such bill or claim, or no consent for it that is still valid",
        )


class PayerCallRefusedError(ConflictError):
    """The call cannot be made now; nothing was sent to the ledger."""

    code = "payer-call-refused"


class PayerPolicyError(DomainError):
    """The named policy was never published on the ledger."""

    code = "policy-not-published"


class RequestKeyReusedError(ConflictError):
    """The Idempotency-Key stands for another request."""

    code = "idempotency-key-reused"


class RequestInFlightError(ConflictError):
    """The same Idempotency-Key is being worked on."""

    code = "request-in-flight"


class SecondPayers(Protocol):
    """Inserts and reads; nothing is ever changed but a key's revocation."""

    def payer_of_key(self, key: str) -> SecondPayer | None: ...
    def payers(self) -> list[SecondPayer]: ...
    def add_consent(self, entry: Consent) -> bool:
        """False when the form was sent before."""
        ...

    def revoke(self, consent_id: str, at: dt.datetime) -> bool: ...
    def consent(self, consent_id: str) -> Consent | None: ...
    def consents_of_person(self, person_id: str, limit: int = 200) -> list[Consent]: ...
    def consents_on(self, payer_number: int, invoice_id: str) -> list[Consent]: ...
    def live_consents(
        self, payer_number: int, now: dt.datetime, after: str, limit: int
    ) -> list[Consent]: ...
    def add_reading(self, entry: Reading) -> bool: ...
    def readings_of(self, consent_ids: Sequence[str]) -> list[Reading]: ...
    def add_claim(self, entry: PayerClaim) -> None: ...
    def claim(self, claim_id: str) -> PayerClaim | None: ...
    def claims_on(self, payer_number: int, invoice_id: str) -> list[PayerClaim]: ...
    def claims_of(self, payer_number: int, after: str, limit: int) -> list[PayerClaim]: ...
    def claims_of_person(self, person_id: str, limit: int = 200) -> list[PayerClaim]: ...
    def open_claims(self, limit: int = 1_000) -> list[PayerClaim]: ...
    def close(self, claim_id: str, phase: str, at: dt.datetime) -> bool: ...
    def kept_answer(self, payer_number: int, request_key: str) -> KeptAnswer | None: ...
    def keep_answer(self, entry: KeptAnswer) -> None:
        """Raises :class:`RequestInFlightError` when the key was taken at the same moment."""
        ...


class PayerWork(ClaimWork, Protocol):
    @property
    def second_payers(self) -> SecondPayers: ...
    @property
    def payees(self) -> PayeeRows: ...


class PayerSettings(ClaimSettings, PayeeSettings, Protocol):
    """The settings that claims and notices need."""


class PayerServices(ClaimServices, Protocol):
    @property
    def settings(self) -> PayerSettings: ...
    @property
    def banks(self) -> Sequence[Bank]: ...
    @property
    def messenger(self) -> Messenger: ...

    def work(self, *, write: bool = True) -> Any: ...


CALL_KINDS: Final = (
    IntentKind.LODGE,
    IntentKind.RENEW,
    IntentKind.SETTLE,
    IntentKind.RELEASE,
    IntentKind.EXPIRE,
)


def calls_of(work: PayerWork, claim: PayerClaim) -> list[LedgerIntent]:
    """Every call of a claim, by kind and within a kind oldest first; the lodge comes first."""
    return [call for kind in CALL_KINDS for call in work.outbox.of_subject(claim.id, kind)]
