"""The rows of yearly clearings as frozen values. Amounts are integer fen, instants aware UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.clearing import Finding, Order
from backend.domain.journal import LayerAmounts

CLEARED: Final = "cleared"
DEFERRED: Final = "deferred"
UNREADABLE: Final = "unreadable"
"""What became of a person in a run: worked out; left for a later run, because something of the
year is still open; or something stored of it cannot be read."""

VERSION: Final = "version"
FOR_PEOPLE: Final = "for-people"
PROPOSED: Final = "proposed"
NOTED: Final = "noted"
WAITS: Final = "waits"
"""What became of a difference: another decision version; a case for as many people as the amount
takes; a proposal to ask money back, which two people confirm; nothing; nothing yet, because it is
the other side of such a proposal, or its bill was changed (no row: the next run looks again)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One walk over a year. Without an end it was cut off, and the next call goes on with it."""

    id: str
    year: int
    ordinal: int
    is_year_open: bool
    started_by: str
    started_at: dt.datetime
    ended_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class ClearedPerson:
    run_id: str
    person_id: str
    outcome: str
    claim_count: int
    detail: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One difference of one decision. ``layers`` is what the claim comes to, by layer;
    ``history_snapshot`` the claims before it as the clearing counted them (None: no rule)."""

    id: str
    run_id: str
    person_id: str
    claim_id: str
    claim_number: str
    year: int
    finding: Finding
    outcome: str
    basis: Order
    decision_version: int
    before_fen: int
    after_fen: int
    layers: LayerAmounts
    history_snapshot: str | None
    created_at: dt.datetime

    @property
    def difference_fen(self) -> int:
        """Positive where the person gets more."""
        return self.after_fen - self.before_fen


@dataclass(frozen=True, slots=True)
class StatedClaim:
    """A settled claim as the statement reads it; ``explanation`` is its newest decision's."""

    claim_id: str
    number: str
    state: str
    explanation: str
    paid_fen: int
    is_bill_active: bool


@dataclass(frozen=True, slots=True)
class SettledBill:
    """A bill that was settled at the counter; ``header`` is its record without lines."""

    version_id: str
    institution_code: str
    total_fen: int
    header: str
