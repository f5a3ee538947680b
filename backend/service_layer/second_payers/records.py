"""The rows of second payers as frozen values. Money is integer fen, instants aware UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backend.domain.second_payer import Part


@dataclass(frozen=True, slots=True)
class SecondPayer:
    """A payer of the ledger that is no basic insurer, as its key names it."""

    number: int
    name: str
    payer_class: str


@dataclass(frozen=True, slots=True)
class Consent:
    """One bill opened by its person to one payer, from ``given_at`` to ``until``.

    ``parts`` are the ticked parts, comma separated as they are stored; ``text_digest`` the SHA-256
    of the text that the person agreed to.
    """

    id: str
    person_id: str
    invoice_id: str
    payer_number: int
    parts: str
    until: dt.datetime
    text_digest: bytes
    form_token: str
    given_at: dt.datetime
    revoked_at: dt.datetime | None = None

    def opens(self, part: Part) -> bool:
        return str(part) in self.parts.split(",")

    def is_live(self, now: dt.datetime) -> bool:
        return self.revoked_at is None and self.given_at <= now < self.until


@dataclass(frozen=True, slots=True)
class PayerClaim:
    """An insurer's claim on a bill: the ``attempt``-th of this payer. How it stands is read from
    its intents, whose subject is ``id``."""

    id: str
    payer_number: int
    person_id: str
    invoice_id: str
    version_id: str
    invoice_key: bytes
    consent_id: str
    lodge_counter: int
    attempt: int
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was asked under an Idempotency-Key (``digest`` of it) and what was answered."""

    payer_number: int
    request_key: str
    digest: bytes
    status: int
    body: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """A day on which an insurer read a bill; ``parts`` what it was shown."""

    consent_id: str
    read_on: dt.date
    parts: str
    first_at: dt.datetime
