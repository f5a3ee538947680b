"""Signed reports of the reconciliation."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import money_report, payout
from backend.service_layer.money_reconciliation.report import MoneyReport


class MoneyReportRepository:
    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    def add(self, entry: MoneyReport) -> None:
        self._connection.execute(
            money_report.insert().values(
                {name: getattr(entry, name) for name in MoneyReport.__dataclass_fields__}
            )
        )

    def last(self) -> MoneyReport | None:
        return self._one(sa.select(money_report).order_by(money_report.c.number.desc()).limit(1))

    def first_payable_at(self) -> dt.datetime | None:
        """When anything was first approved for payment."""
        found: dt.datetime | None = self._connection.execute(
            sa.select(sa.func.min(payout.c.instructed_at))
        ).scalar_one()
        return found

    def find(self, number: int) -> MoneyReport | None:
        return self._one(sa.select(money_report).where(money_report.c.number == number))

    def all(self, limit: int = 100) -> list[MoneyReport]:
        """Newest first."""
        rows = self._connection.execute(
            sa.select(money_report).order_by(money_report.c.number.desc()).limit(limit)
        )
        return [MoneyReport(**row._mapping) for row in rows]

    def _one(self, statement: sa.Select[Any]) -> MoneyReport | None:
        row = self._connection.execute(statement).first()
        return None if row is None else MoneyReport(**row._mapping)
