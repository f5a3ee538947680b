"""What recoveries need from outside, as structural types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.recovery import (
    Approval,
    Cause,
    Instalment,
    Order,
    Receipt,
    Recovery,
    Waiver,
)
from backend.service_layer.claims.records import Payout
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.payees.ports import PayeeRows
from backend.service_layer.payout.ports import OpenCases
from backend.service_layer.supervision.lead_records import SupervisionWork


@dataclass(frozen=True, slots=True)
class PayableReversal:
    """A payable that fell away. ``offset_fen`` of it was set against an order: the bank had given
    that payment back."""

    payout_id: str
    claim_id: str
    offset_fen: int
    cause: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Dismissal:
    order_id: str
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class WaiverRequest:
    """One person asks that what is left be given up; another one decides."""

    order_id: str
    ordinal: int
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class ReversalRequest:
    """One person asks that a receipt be taken back; another one approves. ``ordinal`` is the
    receipt's, ``place`` counts the requests about it."""

    reference: str
    order_id: str
    ordinal: int
    place: int
    by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class ReceiptReversal:
    """A receipt that two people have taken back."""

    reference: str
    order_id: str
    ordinal: int
    request_place: int
    proposed_by: str
    approved_by: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class OrderedLead:
    """A lead with an order of recovery: what it is about and the fen ordered."""

    id: str
    subject_kind: str
    subject_id: str
    institution_code: str
    amount_fen: int
    reason: str


@dataclass(frozen=True, slots=True)
class LoweredRevision:
    """A revision that people confirmed and that gives less than was decided."""

    id: str
    claim_id: str
    explanation: str
    reason: str


class Recoveries(Protocol):
    """Inserts and reads; nothing is ever changed but the cursor."""

    def add(self, order: Order) -> None: ...
    def get(self, order_id: str, *, lock: bool = False) -> Recovery:
        """Raises NotFoundError. ``lock`` until the transaction ends."""
        ...

    def of_claim(self, claim_id: str) -> list[Recovery]: ...
    def of_person(self, person_id: str) -> list[Recovery]: ...
    def of_lead(self, lead_id: str, source_reference: str) -> list[Recovery]:
        """What a lead's finding orders, and what the revision that it came from gives less."""
        ...

    def of_source(self, cause: Cause, source_id: str) -> list[Recovery]: ...
    def all(self, *, after: str = "", limit: int = 200) -> list[Recovery]:
        """The newest first; ``after`` is the id of the last one that was seen."""
        ...

    def owed(self, limit: int = 10_000) -> list[Recovery]:
        """Orders that may still have something left, oldest first."""
        ...

    def receipt(self, reference: str) -> Receipt | None:
        """The first one that stands under a reference, of any order."""
        ...

    def add_receipt(self, entry: Receipt) -> None: ...
    def reversal_requests(self, receipt: Receipt) -> list[ReversalRequest]: ...
    def add_reversal_request(self, entry: ReversalRequest) -> None: ...
    def take_back(self, entry: ReceiptReversal) -> None: ...
    def add_approval(self, entry: Approval) -> None: ...
    def add_dismissal(self, entry: Dismissal) -> None: ...
    def add_plan(self, parts: Sequence[Instalment]) -> None: ...
    def waiver_requests(self, order_id: str) -> list[WaiverRequest]: ...
    def add_waiver_request(self, entry: WaiverRequest) -> None: ...
    def add_waiver(self, entry: Waiver, request_ordinal: int) -> None: ...
    def add_reversal(self, entry: PayableReversal) -> None: ...
    def reversed_payables(self, claim_id: str) -> frozenset[str]: ...
    def withdrawn_claims(self, limit: int = 200) -> list[str]:
        """Claims with money in motion, or out and not asked back, whose bill is void or reversed,
        oldest first."""
        ...

    def ordered_leads(self, limit: int = 200) -> list[OrderedLead]:
        """Leads whose last step orders a recovery that has no order here."""
        ...

    def ordered_lead(self, lead_id: str) -> OrderedLead: ...
    def lowered(self, limit: int = 200) -> list[LoweredRevision]: ...
    def claims_of_invoice(self, invoice_id: str) -> list[str]:
        """Claims on a bill that have a decision in effect, newest first."""
        ...

    def refused_on_ledger(self) -> list[tuple[str, str]]:
        """(order, outcome) of recoveries that the ledger refused for good."""
        ...

    def of_findings_set_aside(self, limit: int = 200) -> list[tuple[str, str, str]]:
        """(order, who set its finding aside, why) where nobody has asked for a waiver yet."""
        ...

    def leads_to_close(self, limit: int = 200) -> list[str]:
        """Open leads of revisions, and ordered ones, whose recovery is over."""
        ...

    def cursor(self) -> int | None: ...
    def set_cursor(self, block_number: int) -> None: ...


class CasesOfLedger(OpenCases, Protocol):
    """The cases that wait for a person, and what the ledger's events are matched with."""

    def live_claims_on_key(self, invoice_key: bytes) -> Sequence[str]: ...
    def holding_alarms(self, codes: Sequence[str]) -> Sequence[tuple[str, str]]:
        """(code, subject) of the open alarms with one of these codes."""
        ...


class RecoveryWork(HandlingWork, SupervisionWork, Protocol):
    """One database transaction with what a claim's handling, leads and recoveries write."""

    @property
    def recoveries(self) -> Recoveries: ...
    @property
    def payees(self) -> PayeeRows: ...
    @property
    def reconciliation(self) -> CasesOfLedger: ...


class RecoveryServices(HandlingServices, Protocol):
    def work(self, *, write: bool = True) -> RecoveryWork: ...


def fallen_away(work: RecoveryWork, claim_id: str) -> frozenset[str]:
    """The payables of a claim that are owed no longer."""
    return work.recoveries.reversed_payables(claim_id)


def still_owed(work: RecoveryWork, claim_id: str) -> list[Payout]:
    """The payables of a claim that did not fall away."""
    gone = fallen_away(work, claim_id)
    return [one for one in work.payments.payables_of(claim_id) if one.id not in gone]
