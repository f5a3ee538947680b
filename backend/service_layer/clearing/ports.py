"""What a yearly clearing needs from outside, as structural types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Protocol

from backend.service_layer.claims.ports import CountedYears
from backend.service_layer.clearing.records import (
    ClearedPerson,
    Item,
    Run,
    SettledBill,
    StatedClaim,
)
from backend.service_layer.intake.ports import Institutions
from backend.service_layer.policies.ports import DecidedClaims
from backend.service_layer.recovery.ports import RecoveryServices, RecoveryWork


class Clearings(CountedYears, Protocol):
    """Inserts and reads; nothing is ever changed."""

    def start(self, entry: Run) -> bool:
        """False when the year has a run of this ordinal already."""
        ...

    def end(self, run_id: str, at: dt.datetime) -> bool:
        """False when it had ended already."""
        ...

    def get_run(self, run_id: str) -> Run | None: ...
    def runs(self, year: int | None = None, limit: int = 200) -> list[Run]:
        """The newest first."""
        ...

    def is_done(self, run_id: str, person_id: str) -> bool: ...
    def people_done(self, run_id: str) -> frozenset[str]:
        """The ids of everybody whom the run has been through."""
        ...

    def last_at(self, run_id: str) -> dt.datetime | None:
        """When the run was through with somebody last; None before the first."""
        ...

    def add_person(self, entry: ClearedPerson) -> None: ...
    def people_of(self, run_id: str) -> Mapping[str, tuple[int, int]]:
        """(people, claims) by what became of them."""
        ...

    def left(self, run_id: str, limit: int = 1_000) -> list[ClearedPerson]:
        """People of whom something is left for a later run, with the reason."""
        ...

    def add_item(self, entry: Item) -> None: ...
    def get_item(self, item_id: str) -> Item | None: ...
    def items_of(self, run_id: str) -> list[Item]: ...
    def items_page(self, run_id: str, after: str, limit: int) -> list[Item]:
        """Differences that a run found first, by their ids, beyond ``after``."""
        ...

    def sums_of(self, run_id: str) -> Mapping[str, tuple[int, int]]:
        """By finding, how many differences a run found first, and the fen of them (with sign)."""
        ...

    def items_of_claim(self, claim_id: str) -> list[Item]:
        """Oldest first."""
        ...

    def proposals(self, before: str = "", limit: int = 200) -> list[Item]:
        """One page of the differences that ask money back, the newest first; ``before`` is the
        last id of the page before."""
        ...

    def stated_claims(
        self, year: int, hospital: str | None, after: str, limit: int
    ) -> list[StatedClaim]:
        """Settled claims of the year by claim id. With ``hospital`` those on its bills and on bills
        that the agency anchored, whose place of care stands in the decision."""
        ...

    def borne_by(self, claim_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """By claim and layer, the fen that the journal has the funds bear: debits less credits."""
        ...

    def settled_bills(
        self, year: int, hospital: str | None, after: str, limit: int
    ) -> list[SettledBill]:
        """Active bills of the year that were settled at the counter, by version id."""
        ...


class ClearingWork(RecoveryWork, Protocol):
    @property
    def clearings(self) -> Clearings: ...
    @property
    def decided_claims(self) -> DecidedClaims: ...
    @property
    def institutions(self) -> Institutions: ...


class ClearingServices(RecoveryServices, Protocol):
    def work(self, *, write: bool = True) -> ClearingWork: ...
