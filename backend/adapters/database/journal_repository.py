"""The journal in the database: only inserts, and sums that are worked out when asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from backend.adapters.database import journal_sums
from backend.adapters.database.tables import (
    claim_fund,
    journal_account,
    journal_close,
    journal_close_proposal,
    journal_entry,
    journal_transfer,
)
from backend.domain.journal import Account, ClaimFund, Entry, EventKind, Fund, Occasion, Transfer
from backend.service_layer.journal.records import (
    Balance,
    ClaimBalance,
    CloseProposal,
    JournalClose,
    Turnover,
)
from backend.service_layer.ports import Clock

_Item = TypeVar("_Item")

_KINDS: Final = {str(kind): place for place, kind in enumerate(EventKind)}
_CHUNK: Final = 500
"""Ids or rows in one statement; both databases limit the parameters of one."""


class JournalRepository:
    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._accounts: set[str] = set()
        self._closed: dict[str, str] = {}
        self._funds: dict[str, ClaimFund] = {}
        self._ahead: dict[str, list[Entry]] = {}

    # --- writing -------------------------------------------------------------------------------

    def add(self, entries: Sequence[Entry]) -> set[str]:
        """The transfers first and the entry last: an entry that is there is whole."""
        self._ahead.clear()
        self._open_accounts({c for e in entries for t in e.transfers for c in (t.debit, t.credit)})
        # The first transfer of an entry is the claim to it: whoever inserts that one books.
        ours = self._insert_firsts([_transfer_row(entry, 1) for entry in entries])
        new = [entry for entry in entries if entry.id in ours]
        others = [
            _transfer_row(entry, part)
            for entry in new
            for part in range(2, len(entry.transfers) + 1)
        ]
        if others:
            self._connection.execute(journal_transfer.insert(), others)
        if new:
            self._connection.execute(journal_entry.insert(), [_entry_row(one) for one in new])
        return ours

    def _insert_firsts(self, rows: list[dict[str, Any]]) -> set[str]:
        if self._connection.dialect.name == "sqlite":  # one writer: nobody can be faster
            self._connection.execute(journal_transfer.insert(), rows)
            return {row["entry_id"] for row in rows}
        ours: set[str] = set()
        for some in _chunks(rows):
            statement = (
                postgresql_insert(journal_transfer)
                .values(some)
                .on_conflict_do_nothing()
                .returning(journal_transfer.c.entry_id)
            )
            ours |= set(self._connection.execute(statement).scalars())
        return ours

    def _open_accounts(self, codes: set[str]) -> None:
        unknown = codes - self._accounts
        if not unknown:
            return
        code = journal_account.c.code
        stored = set(self._connection.execute(sa.select(code).where(code.in_(unknown))).scalars())
        rows = [self._account_row(one) for one in sorted(unknown - stored)]
        if rows:
            is_sqlite = self._connection.dialect.name == "sqlite"
            insert = sqlite_insert if is_sqlite else postgresql_insert
            self._connection.execute(insert(journal_account).on_conflict_do_nothing(), rows)
        self._accounts |= unknown

    def _account_row(self, code: str) -> dict[str, Any]:
        account = Account.parse(code)
        return {
            "code": account.code,
            "kind": str(account.kind),
            "account_class": str(account.kind.account_class),
            "normal_side": str(account.normal_side),
            "region": account.region,
            "layer": None if account.layer is None else str(account.layer),
            "created_at": self._clock.now(),
        }

    # --- entries -------------------------------------------------------------------------------

    def find(self, entry_ids: Sequence[str]) -> Mapping[str, Entry]:
        found: dict[str, Entry] = {}
        for some in _chunks(entry_ids):
            for entry in self._read(journal_entry.c.id.in_(some)):
                found[entry.id] = entry
        return found

    def entries_of(self, claim_id: str) -> list[Entry]:
        if claim_id in self._ahead:
            return list(self._ahead[claim_id])
        return self._read(journal_entry.c.claim_id == claim_id)

    def entries(
        self,
        *,
        starts_on: dt.date | None = None,
        ends_on: dt.date | None = None,
        account: str | None = None,
        limit: int = 200,
    ) -> list[Entry]:
        wanted = (
            sa.select(journal_entry.c.id)
            .where(*journal_sums.days(starts_on, ends_on))
            .order_by(journal_entry.c.booked_at.desc(), journal_entry.c.id.desc())
            .limit(limit)
        )
        if account is not None:
            wanted = wanted.where(
                journal_entry.c.id.in_(
                    sa.select(journal_transfer.c.entry_id).where(
                        sa.or_(
                            journal_transfer.c.debit_account == account,
                            journal_transfer.c.credit_account == account,
                        )
                    )
                )
            )
        found = self.find(list(self._connection.execute(wanted).scalars()))
        return sorted(found.values(), key=_order)

    def _read(self, *where: sa.ColumnElement[bool]) -> list[Entry]:
        rows = self._connection.execute(
            sa.select(
                journal_entry,
                journal_transfer.c.debit_account,
                journal_transfer.c.credit_account,
                journal_transfer.c.amount_fen,
            )
            .join(journal_transfer, journal_transfer.c.entry_id == journal_entry.c.id)
            .where(*where)
            .order_by(journal_transfer.c.entry_id, journal_transfer.c.part)
        ).all()
        grouped: dict[str, list[Any]] = {}
        for row in rows:
            grouped.setdefault(row.id, []).append(row)
        return sorted((_to_entry(some) for some in grouped.values()), key=_order)

    # --- sums ----------------------------------------------------------------------------------

    def balance(
        self, account: str, until: dt.date | None = None, insurance_type: str | None = None
    ) -> int:
        return journal_sums.balance(self._connection, account, until, insurance_type)

    def balances(self, until: dt.date | None = None, region: str | None = None) -> list[Balance]:
        return journal_sums.balances(self._connection, until, region)

    def turnover(
        self, starts_on: dt.date | None, ends_on: dt.date | None, region: str | None = None
    ) -> list[Turnover]:
        return journal_sums.turnover(self._connection, starts_on, ends_on, region)

    def claim_balances(
        self, account: str, until: dt.date | None = None, claim_id: str | None = None
    ) -> list[ClaimBalance]:
        return journal_sums.claim_balances(self._connection, account, until, claim_id)

    def open_draws(self, region: str, insurance_type: str) -> dict[str, int]:
        return journal_sums.open_draws(self._connection, region, insurance_type)

    def unbalanced(self) -> list[str]:
        return journal_sums.unbalanced(self._connection)

    # --- fund and agency of a claim ------------------------------------------------------------

    def claim_fund(self, claim_id: str) -> ClaimFund | None:
        """A fund is fixed once: what was read in this transaction is not read again."""
        if claim_id not in self._funds:
            self._read_funds([claim_id])
        return self._funds.get(claim_id)

    def _read_funds(self, claim_ids: Sequence[str]) -> None:
        for row in self._connection.execute(
            sa.select(claim_fund).where(claim_fund.c.claim_id.in_(claim_ids))
        ):
            fund = Fund(row.region, row.insurance_type, row.agency_code, row.agency_name)
            self._funds[row.claim_id] = ClaimFund(row.claim_id, fund, row.basis, row.recorded_at)

    def look_ahead(self, claim_ids: Sequence[str]) -> None:
        found: dict[str, list[Entry]] = {claim_id: [] for claim_id in claim_ids}
        for some in _chunks(claim_ids):
            self._read_funds(some)
            for entry in self._read(journal_entry.c.claim_id.in_(some)):
                assert entry.occasion.claim_id is not None, "it was asked for by its claim"
                found[entry.occasion.claim_id].append(entry)
        self._ahead |= found

    def fix_claim_fund(self, entry: ClaimFund) -> ClaimFund:
        known = self.claim_fund(entry.claim_id)
        if known is not None:
            return known
        is_sqlite = self._connection.dialect.name == "sqlite"
        insert = sqlite_insert if is_sqlite else postgresql_insert
        self._connection.execute(
            insert(claim_fund)
            .values(
                claim_id=entry.claim_id,
                region=entry.fund.region,
                insurance_type=entry.fund.insurance_type,
                agency_code=entry.fund.agency_code,
                agency_name=entry.fund.agency_name,
                basis=entry.basis,
                recorded_at=entry.recorded_at,
            )
            .on_conflict_do_nothing()
        )
        stored = self.claim_fund(entry.claim_id)
        assert stored is not None, "it was inserted just now, by us or by another"
        return stored

    # --- months --------------------------------------------------------------------------------

    def lock_months(self, region: str, *, to_close: bool = False) -> str:
        if region in self._closed and not to_close:
            return self._closed[region]
        if self._connection.dialect.name == "postgresql":
            how = "pg_advisory_xact_lock" if to_close else "pg_advisory_xact_lock_shared"
            self._connection.execute(
                sa.text(f"SELECT {how}(hashtextextended('yichu-journal|' || :region, 0))"),
                {"region": region},
            )
        month = self._connection.execute(
            sa.select(sa.func.max(journal_close.c.month)).where(journal_close.c.region == region)
        ).scalar_one()
        self._closed[region] = month or ""
        return self._closed[region]

    def propose_close(self, entry: CloseProposal) -> None:
        self._connection.execute(
            journal_close_proposal.insert().values(
                {name: getattr(entry, name) for name in CloseProposal.__dataclass_fields__}
            )
        )

    def close_proposals(self, region: str, month: str) -> list[CloseProposal]:
        rows = self._connection.execute(
            sa.select(journal_close_proposal)
            .where(journal_close_proposal.c.region == region)
            .where(journal_close_proposal.c.month == month)
            .order_by(journal_close_proposal.c.ordinal)
        )
        return [CloseProposal(**row._mapping) for row in rows]

    def close_month(self, entry: JournalClose) -> None:
        self._connection.execute(
            journal_close.insert().values(
                {name: getattr(entry, name) for name in JournalClose.__dataclass_fields__}
            )
        )
        self._closed.pop(entry.region, None)

    def closes(self, region: str | None = None) -> list[JournalClose]:
        statement = sa.select(journal_close).order_by(journal_close.c.region, journal_close.c.month)
        if region is not None:
            statement = statement.where(journal_close.c.region == region)
        return [JournalClose(**row._mapping) for row in self._connection.execute(statement)]

    def first_day(self, region: str) -> dt.date | None:
        day: dt.date | None = self._connection.execute(
            sa.select(sa.func.min(journal_entry.c.booked_on)).where(
                journal_entry.c.region == region
            )
        ).scalar_one()
        return day

    def regions(self) -> list[str]:
        region = journal_account.c.region
        return list(
            self._connection.execute(sa.select(region).distinct().order_by(region)).scalars()
        )


def _order(entry: Entry) -> tuple[dt.datetime, int, str]:
    """By time; of one instant in the order in which the kinds of events follow each other."""
    return entry.occasion.booked_at, _KINDS.get(entry.kind, len(_KINDS)), entry.id


def _transfer_row(entry: Entry, part: int) -> dict[str, Any]:
    moved = entry.transfers[part - 1]
    return {
        "entry_id": entry.id,
        "part": part,
        "parts": len(entry.transfers),
        "debit_account": moved.debit,
        "credit_account": moved.credit,
        "amount_fen": moved.amount_fen,
    }


def _entry_row(entry: Entry) -> dict[str, Any]:
    occasion, fund = entry.occasion, entry.occasion.fund
    return {
        "id": entry.id,
        "source_type": occasion.source_type,
        "source_id": occasion.source_id,
        "kind": str(entry.kind),
        "region": fund.region,
        "insurance_type": fund.insurance_type,
        "agency_code": fund.agency_code,
        "agency_name": fund.agency_name,
        "claim_id": occasion.claim_id,
        "booked_at": occasion.booked_at,
        "booked_on": entry.booked_on,
        "transfer_count": len(entry.transfers),
        "total_fen": entry.total_fen,
        "is_simulated": occasion.is_simulated,
        "recorded_by": occasion.recorded_by,
        "text": occasion.text,
    }


def _to_entry(rows: list[Any]) -> Entry:
    row = rows[0]
    return Entry(
        row.kind,
        Occasion(
            source_type=row.source_type,
            source_id=row.source_id,
            fund=Fund(row.region, row.insurance_type, row.agency_code, row.agency_name),
            claim_id=row.claim_id,
            booked_at=row.booked_at,
            recorded_by=row.recorded_by,
            is_simulated=row.is_simulated,
            text=row.text,
        ),
        tuple(Transfer(one.debit_account, one.credit_account, one.amount_fen) for one in rows),
    )


def _chunks(items: Sequence[_Item]) -> Iterable[list[_Item]]:
    for start in range(0, len(items), _CHUNK):
        yield list(items[start : start + _CHUNK])
