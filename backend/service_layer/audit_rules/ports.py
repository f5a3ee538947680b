"""What the use cases of the audit rules need from outside, as structural types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.audit.facts import InstitutionFacts
from backend.domain.errors import ConflictError
from backend.service_layer.audit_rules.records import (
    Answer,
    GroupFigure,
    HitEvent,
    Proposal,
    RuleCount,
    RuleVersion,
    StoredHit,
    TrialRun,
)
from backend.service_layer.audit_rules.rule_book import RuleBook
from backend.service_layer.claims.ports import ClaimServices, ClaimWork


class SwitchRaceError(ConflictError):
    """Somebody else answered the proposal, or switched the rule, at the same moment."""

    code = "rule-switch-race"

    def __init__(self) -> None:
        super().__init__(
            "这条规则刚刚被别人改动，或提出人和确认人相同；请重新查看后再试",
            "somebody else has just changed this rule, or proposer and confirmer are the same: "
            "look again, then repeat",
        )


class AuditRules(Protocol):
    def versions(self) -> list[RuleVersion]: ...
    def add_shipped(self, entries: Sequence[RuleVersion]) -> int: ...
    def add_version(self, entry: RuleVersion) -> None: ...
    def add_proposal(self, entry: Proposal) -> None: ...
    def proposal(self, proposal_id: str) -> Proposal | None: ...
    def proposals(
        self, rule_code: str | None = None, limit: int = 200
    ) -> list[tuple[Proposal, Answer | None]]: ...
    def answer_of(self, proposal_id: str) -> Answer | None: ...
    def add_answer(self, entry: Answer) -> None: ...
    def add_trial(self, entry: TrialRun) -> None: ...
    def trials_of(self, rule_code: str, limit: int = 20) -> list[TrialRun]: ...
    def keep_rule_set(self, digest: bytes, document: str, at: dt.datetime) -> None: ...
    def rule_set_document(self, digest: bytes) -> str | None: ...
    def add_hits(self, entries: Sequence[StoredHit]) -> int: ...
    def hits_of(self, claim_id: str) -> list[StoredHit]: ...
    def hits_of_rule(self, rule_code: str, limit: int = 20) -> list[StoredHit]: ...
    def add_hit_event(self, entry: HitEvent) -> None: ...
    def hit_events_of(self, claim_id: str) -> dict[str, list[HitEvent]]: ...
    def outcomes_of(self, claim_id: str) -> dict[str, str]: ...
    def add_outcome(self, hit_id: str, outcome: str, found_by: str, at: dt.datetime) -> None: ...
    def counts(self) -> list[RuleCount]: ...


@dataclass(frozen=True, slots=True)
class ComparedBill:
    """A stored bill with its traits, as the rules compare it. ``header`` is canonical JSON."""

    version_id: str
    institution_code: str
    invoice_code: str
    invoice_number: str
    payer_id_lookup: bytes
    service_on: dt.date
    total_fen: int
    header: str
    lines_digest: bytes | None


class BillComparison(Protocol):
    def own_bills(
        self, payer_id_lookup: bytes, from_on: dt.date, to_on: dt.date, limit: int
    ) -> list[ComparedBill]:
        """A person's bills by date of service, over all hospitals; void, reversed and red bills
        are left out."""
        ...

    def twins(
        self, lines_digest: bytes, from_on: dt.date, to_on: dt.date, limit: int
    ) -> list[ComparedBill]:
        """Bills of anybody that charge the same things."""
        ...

    def charges_of(self, version_ids: Sequence[str]) -> dict[str, list[str]]:
        """The canonical JSON of the expense lines of several bills."""
        ...

    def same_number(self, invoice_key: bytes, limit: int) -> list[ComparedBill]:
        """Bills of any hospital that print this number."""
        ...

    def lookup_of(self, version_id: str) -> bytes:
        """The keyed hash under which the bill's person is found."""
        ...

    def institution_facts(self, code: str) -> tuple[InstitutionFacts, str]:
        """What the register says of the institution, and its area code."""
        ...

    def add_missing_traits(self, limit: int) -> int:
        """Work out the traits of bills that have none; returns how many were added."""
        ...

    def add_figures(self, since: dt.date, at: dt.datetime) -> int:
        """Count the groups of bills served from ``since`` on and keep them under ``at``; returns
        how many groups there are."""
        ...

    def figures_counted_at(self) -> dt.datetime | None:
        """When groups were last counted."""
        ...

    def grouped_bills(self, counted_at: dt.datetime) -> int:
        """Bills in the groups of that count."""
        ...

    def bills_to_group(self, since: dt.date) -> int:
        """About how many bills served from ``since`` on could be in a group now."""
        ...

    def figure(
        self, counted_at: dt.datetime, hospital_level: int, visit_kind: str, diagnosis: str
    ) -> GroupFigure | None: ...

    def versions_between(
        self, from_on: dt.date, to_on: dt.date, after: tuple[dt.date, str], limit: int
    ) -> list[tuple[dt.date, str]]:
        """(date of service, version id) of claimable current bills, in this order, after
        ``after``."""
        ...


class NamedStaff(Protocol):
    @property
    def username(self) -> str: ...


class StaffNames(Protocol):
    def find(self, name: str) -> Sequence[NamedStaff]:
        """Staff of that username, else of that name."""
        ...


class AuditWork(ClaimWork, Protocol):
    """One database transaction with what the rules compare and leave."""

    @property
    def audit_rules(self) -> AuditRules: ...
    @property
    def bill_comparison(self) -> BillComparison: ...
    @property
    def staff(self) -> StaffNames: ...


class AuditServices(ClaimServices, Protocol):
    @property
    def rule_book(self) -> RuleBook: ...

    def work(self, *, write: bool = True) -> AuditWork: ...
