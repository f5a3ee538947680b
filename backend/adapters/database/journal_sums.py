"""Sums over the journal, worked out from the transfers of stored entries and kept nowhere."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.money_rules.claim_rules import (
    PAYABLE_FELL,
    PAYABLE_PAID,
    PAYABLE_WITH_BANK,
)
from backend.adapters.database.tables import claim, journal_entry, journal_transfer
from backend.domain.journal import Account, AccountKind, Side
from backend.service_layer.journal.records import Balance, ClaimBalance, Turnover

_AMOUNT = journal_transfer.c.amount_fen
_DEBIT = journal_transfer.c.debit_account
_CREDIT = journal_transfer.c.credit_account


def days(starts_on: dt.date | None, ends_on: dt.date | None) -> list[sa.ColumnElement[bool]]:
    """Conditions for entries of these days, both included."""
    found: list[sa.ColumnElement[bool]] = []
    if starts_on is not None:
        found.append(journal_entry.c.booked_on >= starts_on)
    if ends_on is not None:
        found.append(journal_entry.c.booked_on <= ends_on)
    return found


def balance(
    connection: sa.Connection, account: str, until: dt.date | None, insurance_type: str | None
) -> int:
    """One account, on its normal side."""
    where = days(None, until)
    if insurance_type is not None:
        where.append(journal_entry.c.insurance_type == insurance_type)

    def of(side: sa.Column[Any]) -> int:
        statement = sa.select(sa.func.coalesce(sa.func.sum(_AMOUNT), 0)).where(side == account)
        # The entry is asked for as well: a transfer without one is not booked.
        statement = statement.select_from(_JOINED).where(*where)
        return int(connection.execute(statement).scalar_one())

    difference = of(_DEBIT) - of(_CREDIT)
    return difference if Account.parse(account).normal_side is Side.DEBIT else -difference


def balances(connection: sa.Connection, until: dt.date | None, region: str | None) -> list[Balance]:
    """Every account, both sides, from one walk over the transfers."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in _moved(connection, days(None, until), region):
        for position, account in ((0, row.debit_account), (1, row.credit_account)):
            sums.setdefault((account, row.insurance_type), [0, 0])[position] += int(row.amount)
    return [
        Balance(account, insurance, debit, credit)
        for (account, insurance), (debit, credit) in sorted(sums.items())
    ]


def turnover(
    connection: sa.Connection,
    starts_on: dt.date | None,
    ends_on: dt.date | None,
    region: str | None,
) -> list[Turnover]:
    """What moved on these days by agency, kind of event and pair of accounts."""
    keys = (
        journal_entry.c.region,
        journal_entry.c.insurance_type,
        journal_entry.c.agency_code,
        journal_entry.c.agency_name,
        journal_entry.c.kind,
        journal_transfer.c.debit_account,
        journal_transfer.c.credit_account,
        journal_entry.c.is_simulated,
    )
    where = days(starts_on, ends_on)
    if region is not None:
        where.append(journal_entry.c.region == region)
    rows = connection.execute(
        sa.select(*keys, sa.func.sum(_AMOUNT).label("amount"), sa.func.count().label("many"))
        .select_from(_JOINED)
        .where(*where)
        .group_by(*keys)
        .order_by(*keys)
    )
    found = []
    for *named, amount, many in rows:
        region, insurance, code, name, kind, debit, credit, is_simulated = named
        found.append(
            Turnover(
                region, insurance, code, name, kind, debit, credit, is_simulated, int(amount), many
            )
        )
    return found


def open_draws(connection: sa.Connection, region: str, insurance_type: str) -> dict[str, int]:
    """What the layers bear of the payables that are not paid, not with the bank, and stand."""
    rows = connection.execute(
        sa.text(
            "SELECT t.debit_account, t.credit_account, SUM(t.amount_fen) AS fen FROM payout p "  # noqa: S608 - of constants
            "JOIN journal_entry e ON e.source_id = p.id AND e.source_type = 'payout' "
            "AND e.kind = 'approved' JOIN journal_transfer t ON t.entry_id = e.id "
            "WHERE e.region = :region AND e.insurance_type = :insurance_type "
            f"AND NOT {PAYABLE_PAID} AND NOT {PAYABLE_FELL} AND NOT {PAYABLE_WITH_BANK} "
            "GROUP BY t.debit_account, t.credit_account"
        ),
        {"region": region, "insurance_type": insurance_type},
    )
    found: dict[str, int] = {}
    for row in rows:
        for code, fen in ((row.debit_account, int(row.fen)), (row.credit_account, -int(row.fen))):
            if Account.parse(code).kind is AccountKind.FUND:
                found[code] = found.get(code, 0) + fen
    return found


def claim_balances(
    connection: sa.Connection, account: str, until: dt.date | None, claim_id: str | None
) -> list[ClaimBalance]:
    """The claims that are not at zero on the account, by the day of their first entry on it."""
    is_debit = Account.parse(account).normal_side is Side.DEBIT
    debits, credits = _DEBIT.in_((account,)), _CREDIT.in_((account,))
    sign = sa.case((debits, 1), else_=-1) * (1 if is_debit else -1)
    open_fen = sa.func.sum(sign * _AMOUNT)
    since = sa.func.min(journal_entry.c.booked_on)
    keys = (
        journal_entry.c.claim_id,
        claim.c.number,
        journal_entry.c.insurance_type,
        journal_entry.c.agency_code,
    )
    where = [sa.or_(debits, credits), *days(None, until)]
    if claim_id is not None:
        where.append(journal_entry.c.claim_id == claim_id)
    rows = connection.execute(
        sa.select(*keys, open_fen.label("open_fen"), since.label("since"))
        .select_from(_JOINED.join(claim, claim.c.id == journal_entry.c.claim_id))
        .where(*where)
        .group_by(*keys)
        .having(open_fen != 0)
        .order_by(since, claim.c.number)
    )
    return [
        ClaimBalance(row.claim_id, row.number, account, row.insurance_type, row.agency_code,
                     int(row.open_fen), row.since)
        for row in rows
    ]  # fmt: skip


def unbalanced(connection: sa.Connection) -> list[str]:
    """Entries whose transfers are not what the entry says, and transfers without an entry."""
    moved = (
        sa.select(
            journal_transfer.c.entry_id.label("entry_id"),
            sa.func.count().label("parts"),
            sa.func.sum(_AMOUNT).label("total"),
            sa.func.max(sa.case((_DEBIT == _CREDIT, 1), (_AMOUNT <= 0, 1), else_=0)).label("odd"),
        )
        .group_by(journal_transfer.c.entry_id)
        .subquery()
    )
    is_broken = sa.or_(
        moved.c.entry_id.is_(None),
        moved.c.parts != journal_entry.c.transfer_count,
        moved.c.total != journal_entry.c.total_fen,
        moved.c.odd == 1,
    )
    entries = (
        sa.select(journal_entry.c.id)
        .select_from(journal_entry.outerjoin(moved, moved.c.entry_id == journal_entry.c.id))
        .where(is_broken)
    )
    loose = sa.select(moved.c.entry_id).where(
        ~sa.exists().where(journal_entry.c.id == moved.c.entry_id)
    )
    return sorted(connection.execute(sa.union(entries, loose)).scalars())


_JOINED = journal_transfer.join(journal_entry, journal_entry.c.id == journal_transfer.c.entry_id)


def _moved(
    connection: sa.Connection, where: list[sa.ColumnElement[bool]], region: str | None
) -> sa.CursorResult[Any]:
    if region is not None:
        where = [*where, journal_entry.c.region == region]
    keys = (_DEBIT, _CREDIT, journal_entry.c.insurance_type)
    return connection.execute(
        sa.select(*keys, sa.func.sum(_AMOUNT).label("amount"))
        .select_from(_JOINED)
        .where(*where)
        .group_by(*keys)
    )
