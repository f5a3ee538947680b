"""What the journal needs from the database, as structural types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Protocol

from backend.domain.journal import ClaimFund, Entry
from backend.service_layer.journal.records import (
    Balance,
    ClaimBalance,
    CloseProposal,
    JournalClose,
    Turnover,
)


class Journal(Protocol):
    """Insert-only: nothing here changes or removes a row. Balances are added up when asked."""

    def add(self, entries: Sequence[Entry]) -> set[str]:
        """Insert entries whose ids differ; returns the ids that were new. The others are there
        already, from another transaction that was faster."""
        ...

    def find(self, entry_ids: Sequence[str]) -> Mapping[str, Entry]:
        """The stored entries among these ids."""
        ...

    def entries_of(self, claim_id: str) -> Sequence[Entry]:
        """The entries of one claim in the order of booking."""
        ...

    def entries(
        self,
        *,
        starts_on: dt.date | None = None,
        ends_on: dt.date | None = None,
        account: str | None = None,
        limit: int = 200,
    ) -> Sequence[Entry]:
        """The newest entries of these days (both included), oldest of them first."""
        ...

    def balance(
        self, account: str, until: dt.date | None = None, insurance_type: str | None = None
    ) -> int:
        """On the account's normal side, after the day ``until`` (None: now)."""
        ...

    def balances(self, until: dt.date | None = None, region: str | None = None) -> list[Balance]:
        """Every account that was ever used, by account and insurance type."""
        ...

    def turnover(
        self, starts_on: dt.date | None, ends_on: dt.date | None, region: str | None = None
    ) -> list[Turnover]:
        """What moved on these days, both included; None has no end on that side."""
        ...

    def claim_balances(
        self, account: str, until: dt.date | None = None, claim_id: str | None = None
    ) -> list[ClaimBalance]:
        """Every claim whose balance on the account is not zero, oldest first."""
        ...

    def open_draws(self, region: str, insurance_type: str) -> Mapping[str, int]:
        """What each layer bears of the payables of a fund that are not paid and not with the bank,
        by the layer's account."""
        ...

    def unbalanced(self) -> list[str]:
        """Ids of entries or loose transfers that are not whole: none, unless somebody wrote to
        the database file past its rules."""
        ...

    def claim_fund(self, claim_id: str) -> ClaimFund | None: ...
    def look_ahead(self, claim_ids: Sequence[str]) -> None:
        """Read in a few questions what ``claim_fund`` and ``entries_of`` are going to be asked for
        in this transaction; the entries are forgotten when it books one."""
        ...

    def fix_claim_fund(self, entry: ClaimFund) -> ClaimFund:
        """Store it unless the claim has one; returns the one that is stored."""
        ...

    def lock_months(self, region: str, *, to_close: bool = False) -> str:
        """Keep the region's months from being closed (or, ``to_close``, from being booked to)
        until the transaction ends; returns the last closed month, ``2026-11`` or empty."""
        ...

    def propose_close(self, entry: CloseProposal) -> None: ...
    def close_proposals(self, region: str, month: str) -> list[CloseProposal]:
        """Every proposal to close a month, the first one first."""
        ...

    def close_month(self, entry: JournalClose) -> None: ...
    def closes(self, region: str | None = None) -> list[JournalClose]: ...
    def first_day(self, region: str) -> dt.date | None:
        """The day of the region's first entry."""
        ...

    def regions(self) -> list[str]:
        """The regions that have accounts."""
        ...


class JournalWork(Protocol):
    """A transaction with the journal."""

    @property
    def journal(self) -> Journal: ...
