"""Rows of the audit rules as frozen values. Instants are aware UTC, money integer fen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

SHIPPED: Final = "shipped"
DECIDED: Final = "decided"
CONFIRMED: Final = "confirmed"
WITHDRAWN: Final = "withdrawn"
WHOLE_BILL: Final = -1
"""The line index of a hit that concerns no single line."""

REFUSED: Final = "refused"
PENDED: Final = "pended"
ON_TRIAL: Final = "trial"
KNOWN: Final = "known"
"""Effect of a hit that a person has cleared on this claim before: none."""
UPHELD: Final = "upheld"
CLEARED: Final = "cleared"

ANSWERED: Final = "answered"
RESTATED: Final = "restated"
"""What a later declaration did to a hit: the rule finds it no more, or finds it with other
figures."""

HitPlace = tuple[str, int | None]
"""Rule code and line index (None for the bill as a whole): what one pend reason is about."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule from ``recorded_at`` on: its state, and parameters when they changed with it.

    ``parameters`` is a JSON object and holds for services from ``valid_from`` on.
    """

    rule_code: str
    version: int
    state: str
    parameters: str | None
    valid_from: dt.date | None
    origin: str
    proposal_id: str | None
    recorded_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody wants changed; ``base_version`` is the version that it was written upon."""

    id: str
    rule_code: str
    base_version: int
    state: str
    parameters: str | None
    valid_from: dt.date | None
    reason: str
    proposed_by: str
    proposed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """How a proposal ended; ``trial_run_id`` is the run that a confirmation rests on."""

    proposal_id: str
    proposed_by: str
    answer: str
    answered_by: str
    reason: str
    answered_at: dt.datetime
    trial_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class TrialRun:
    """One rule over stored bills, without effect. ``rule_digest`` is of the rule as it was run."""

    id: str
    rule_code: str
    rule_digest: bytes
    from_on: dt.date
    to_on: dt.date
    bills: int
    bills_hit: int
    hits: int
    not_judged: int
    unreadable: int
    is_complete: bool
    examples: str
    run_by: str
    started_at: dt.datetime
    finished_at: dt.datetime

    @property
    def hit_bp(self) -> int:
        """Bills hit, in basis points of those evaluated."""
        return self.bills_hit * 10_000 // self.bills if self.bills else 0


@dataclass(frozen=True, slots=True)
class StoredHit:
    """A rule that spoke up in a claim's audit. ``line_index`` is -1 for the bill as a whole."""

    id: str
    claim_id: str
    rule_code: str
    rule_set_digest: bytes
    line_index: int
    effect: str
    zh: str
    en: str
    evidence: str
    found_at: dt.datetime


@dataclass(frozen=True, slots=True)
class HitEvent:
    """What a declaration that came after a hit did to it. ``zh``, ``en`` and ``evidence`` say why
    it is answered, or how the rule words it now."""

    hit_id: str
    effect: str
    declaration_id: str
    zh: str
    en: str
    evidence: str
    at: dt.datetime


def place_of(hit: StoredHit) -> HitPlace:
    """What the hit is about."""
    return hit.rule_code, None if hit.line_index == WHOLE_BILL else hit.line_index


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often a rule spoke up and what people made of it. Counts are of hits; ``claims`` of
    claims with at least one. A trial hit has no outcome."""

    rule_code: str
    claims: int = 0
    pended: int = 0
    refused: int = 0
    trial: int = 0
    upheld: int = 0
    cleared: int = 0

    @property
    def judged(self) -> int:
        return self.upheld + self.cleared

    @property
    def upheld_bp(self) -> int | None:
        """Upheld hits in basis points of those that a person judged; None while none was."""
        return self.upheld * 10_000 // self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """The median total of bills alike, as counted at an instant; ``examples`` is JSON, no
    names."""

    counted_at: dt.datetime
    hospital_level: int
    visit_kind: str
    diagnosis: str
    size: int
    median_fen: int
    examples: str
