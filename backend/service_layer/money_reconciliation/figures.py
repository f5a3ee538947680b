"""The figures of a signed report: the three tables of two days and each account's 调节表.

A report is made in the night, of a day that is over, or by hand in the midst of one. So it has the
tables of the day before, which is whole, and of the day on which it is made, up to that instant.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from backend.domain.local_time import local_day
from backend.service_layer.journal.money_tables import read_tables, to_json
from backend.service_layer.money_reconciliation.balance_statement import read_balance_statement

ITEMS_MAX: Final = 1_000
"""Open items written out on each side of a balance statement; their count is always there."""

_SIDES: Final = ("we_received", "we_paid", "bank_received", "bank_paid")


def money_figures(work: Any, now: dt.datetime) -> dict[str, Any]:
    """For canonical JSON: amounts in fen, yes and no as 1 and 0."""
    today = local_day(now)
    yesterday = today - dt.timedelta(days=1)
    return {
        "tables": [_plain(to_json(read_tables(work, day, day))) for day in (yesterday, today)],
        "balance_statements": [_balance(work, region) for region in work.bank_statements.regions()],
    }


def _balance(work: Any, region: str) -> dict[str, Any]:
    found = read_balance_statement(work, region)
    if found is None:  # the only statement was withdrawn
        return {"region": region, "statement_id": ""}
    record = found.to_record()
    for side in _SIDES:
        items = record[side]
        record[f"{side}_count"] = len(items)
        record[f"{side}_fen"] = sum(item["amount_fen"] for item in items)
        record[side] = items[:ITEMS_MAX]
    plain: dict[str, Any] = _plain(record)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
