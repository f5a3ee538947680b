"""A journal in memory that says what a test has put into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from backend.domain.journal import Entry, Fund, LayerAmounts, Occasion, funded
from backend.service_layer.journal.records import Balance, ClaimBalance, JournalClose, Turnover

NOON = dt.datetime(2026, 11, 20, 4, 0, tzinfo=dt.UTC)
CITY = Fund("330800", "310", "330800", "市中心（测试）")


def entry(
    source_id: str = "d1", fen: int = 100, at: dt.datetime = NOON, fund: Fund = CITY
) -> Entry:
    occasion = Occasion("deposit", source_id, fund, None, at)
    return funded(occasion, LayerAmounts(fen))


def balance(account: str, debit: int = 0, credit: int = 0, insurance: str = "310") -> Balance:
    return Balance(account, insurance, debit, credit)


def turnover(  # noqa: PLR0917 - a row
    kind: str,
    debit: str,
    credit: str,
    fen: int,
    agency: tuple[str, str] = ("330802", "柯城测试"),
    insurance: str = "310",
    count: int = 1,
    **fields: Any,
) -> Turnover:
    values: dict[str, Any] = {"region": "330800", "is_simulated": False} | fields
    return Turnover(
        insurance_type=insurance,
        agency_code=agency[0],
        agency_name=agency[1],
        kind=kind,
        debit_account=debit,
        credit_account=credit,
        amount_fen=fen,
        count=count,
        **values,
    )


@dataclass
class Books:
    stored: dict[str, Entry] = field(default_factory=dict)
    #: Entries that another transaction books between our two questions.
    faster: dict[str, Entry] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    sums: list[Balance] = field(default_factory=list)
    of_claims: list[ClaimBalance] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    months: list[JournalClose] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    @property
    def work(self) -> Any:
        return SimpleNamespace(journal=self)

    def find(self, entry_ids: Sequence[str]) -> dict[str, Entry]:
        return {name: self.stored[name] for name in entry_ids if name in self.stored}

    def add(self, entries: Sequence[Entry]) -> set[str]:
        self.stored |= self.faster
        new = {one.id: one for one in entries if one.id not in self.stored}
        self.stored |= new
        return set(new)

    def lock_months(self, region: str, *, to_close: bool = False) -> str:
        self.asked.append(("lock", region, to_close))
        return self.closed.get(region, "")

    def balances(self, until: dt.date | None = None, region: str | None = None) -> list[Balance]:
        self.asked.append(("balances", until, region))
        return self.sums

    def claim_balances(
        self, account: str, until: dt.date | None = None, claim_id: str | None = None
    ) -> list[ClaimBalance]:
        self.asked.append(("claims", account, until))
        return [one for one in self.of_claims if one.account == account]

    def regions(self) -> list[str]:
        return sorted({one.account.split(":")[1] for one in self.sums})

    def unbalanced(self) -> list[str]:
        return self.broken

    def closes(self, region: str | None = None) -> list[JournalClose]:
        return self.months
