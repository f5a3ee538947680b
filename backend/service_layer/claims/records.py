"""The rows of claims as frozen values. Money is integer fen, instants aware UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Final

from backend.domain.claim import (
    CLOSED_STATES,
    UNDECIDED_STATES,
    ClaimState,
    Stage,
    StageOutcome,
)
from backend.domain.pend_reasons import GENERAL, PRIORITY_USUAL, REVIEWER, Routing, routing_of

MISMATCH: Final = "fingerprint-mismatch"
"""The reason code of a stored bill that is not what the ledger holds of it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a person is; cover and status are dated facts, read through ``FactsPort``."""

    id: str
    name: str
    identity_number: str
    birth_on: dt.date
    gender: str
    payee_bank: str
    payee_account_tail: str


@dataclass(frozen=True, slots=True)
class Login:
    id: str
    username: str
    password_hash: str
    role: str
    person_id: str | None
    is_sample: bool


@dataclass(frozen=True, slots=True)
class StoredBill:
    """The current version of an uploaded bill, without its lines.

    ``kind`` is the batch leaf's record kind (1 claimable, 2 settled, 3 red); ``header`` the
    canonical JSON of the record without its lines. ``is_disputed`` while another institution's
    bill of the same number is looked into, and after a ruling for that one, which
    ``is_ruled_against`` tells apart.
    """

    invoice_id: str
    version_id: str
    version: int
    institution_code: str
    institution_name: str
    hospital_level: int
    invoice_code: str
    invoice_number: str
    invoice_key: bytes
    second_key: bytes
    key_version: int
    kind: int
    state: str
    is_current: bool
    is_disputed: bool
    public_token: str
    header: str
    line_count: int
    total_fen: int
    borne_fen: int
    service_on: dt.date
    fingerprint: bytes
    wrapped_secret: bytes | None
    uploaded_at: dt.datetime
    is_ruled_against: bool = False
    hospital_area: str = ""
    is_outside: bool = False
    """Not anchored by its hospital (未经医院上链): the agency anchored it after its review."""


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """One leaf of a stored batch with the batch's opening."""

    institution_number: int
    sequence: int
    previous_head: bytes
    size: int
    leaf_index: int
    leaves: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    id: str
    number: str
    person_id: str
    form_token: str
    accepted_at: dt.datetime
    promised_on: dt.date
    legal_limit_on: dt.date
    consent_at: dt.datetime


ORDINARY: Final = "ordinary"
ACCIDENT: Final = "accident"
FROM_LEDGER: Final = "ledger"
"""The origin of a claim on a bill that its own hospital has anchored."""
FROM_OUTSIDE: Final = "outside"
"""The origin of a claim on a bill that the agency anchored for the person, after its review."""


@dataclass(frozen=True, slots=True)
class Claim:
    """``kind`` is ordinary or accident, ``origin`` where its bill came from, ``cause`` the derived
    code of why the bill was not settled at the counter, with ``cause_basis`` saying from what."""

    id: str
    number: str
    submission_id: str
    person_id: str
    invoice_id: str
    version_id: str
    live_invoice_id: str | None
    payer_number: int
    lodge_counter: int | None
    state: ClaimState
    waiting_for: str | None
    decision_version: int
    benefit_year: int
    service_on: dt.date
    created_at: dt.datetime
    updated_at: dt.datetime
    kind: str = ORDINARY
    origin: str = FROM_LEDGER
    cause: str | None = None
    cause_basis: str | None = None
    counted_from: dt.datetime | None = None

    @property
    def is_closed(self) -> bool:
        return self.state in CLOSED_STATES

    @property
    def is_undecided(self) -> bool:
        """Whether a decision is still to come: the first, or the next after it came back."""
        return self.state in UNDECIDED_STATES


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stage did not pass, in words for a person. ``line_index`` counts from 0.

    ``routing`` is set by an audit rule, which brings its own; otherwise the code's is used.
    ``severity`` goes from 1 to 5, 0 where nothing says it.
    """

    code: str
    zh: str
    en: str
    line_index: int | None = None
    holder: str = ""
    rule_code: str = ""
    routing: Routing | None = None
    severity: int = 0

    @property
    def routed(self) -> Routing:
        """Who is asked: as an audit rule says, else as the table says for the code."""
        return self.routing or routing_of(self.code)

    @property
    def priority(self) -> int:
        return self.routed.priority

    @property
    def queue(self) -> str:
        return self.routed.queue

    @property
    def role(self) -> str:
        return self.routed.role

    @property
    def reattach(self) -> bool:
        return self.routed.reattach

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"code": self.code, "zh": self.zh, "en": self.en}
        if self.line_index is not None:
            found["line_index"] = self.line_index
        if self.holder:
            found["holder"] = self.holder
        if self.rule_code:
            found["rule_code"] = self.rule_code
        return found

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Reason:
        return cls(
            value["code"],
            value["zh"],
            value["en"],
            value.get("line_index"),
            value.get("holder", ""),
            value.get("rule_code", ""),
        )


@dataclass(frozen=True, slots=True)
class StageResult:
    """What one stage of one attempt found."""

    stage: Stage
    outcome: StageOutcome
    inputs: dict[str, Any] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    waiting_for: str | None = None


@dataclass(frozen=True, slots=True)
class StageRow:
    id: str
    claim_id: str
    stage: Stage
    attempt: int
    outcome: StageOutcome
    inputs: dict[str, Any]
    reasons: tuple[Reason, ...]
    started_at: dt.datetime
    finished_at: dt.datetime


@dataclass(frozen=True, slots=True)
class PendReason:
    id: str
    claim_id: str
    code: str
    line_index: int | None
    zh: str
    en: str
    raised_at: dt.datetime
    resolved_at: dt.datetime | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    priority: int = PRIORITY_USUAL
    queue: str = GENERAL
    role: str = REVIEWER
    rule_code: str = ""
    severity: int = 0
    reattach: bool = False
    occurrence: int = 1


@dataclass(frozen=True, slots=True)
class Calculation:
    """A worked-out benefit of one claim; versions are kept. ``explanation`` is canonical JSON."""

    id: str
    claim_id: str
    version: int
    paid_fen: int
    explanation: str
    calculated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """An insert-only decision version; ``outcome`` is approved, partial or refused."""

    id: str
    claim_id: str
    version: int
    outcome: str
    paid_fen: int
    explanation: str
    fingerprint: bytes
    wrapped_secret: bytes | None
    policy_hash: bytes
    person_snapshot: str
    history_snapshot: str
    decided_by: str
    reason: str
    decided_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Payout:
    id: str
    claim_id: str
    decision_version: int
    amount_fen: int
    payee_bank: str
    payee_account_tail: str
    instructed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class PayoutAnswer:
    payout_id: str
    outcome: str
    bank_reference: str
    simulated: bool
    answered_at: dt.datetime


MACHINE: Final = "machine"
