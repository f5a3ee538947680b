"""The journal's rows as SQL text, past every line of the application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

AT = "2026-11-20 03:00:00.000000+00:00"
DAY = "2026-11-20"


def insert(table: str, row: Mapping[str, Any]) -> str:
    """One INSERT with literals that both databases read alike."""
    return (
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(map(literal, row.values()))})"
    )


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def account(code: str = "bank:330800", **changed: Any) -> str:
    kind, region, *layer = code.split(":")
    classes = {"bank": "asset", "receivable": "asset", "fund": "net", "clearing": "clearing"}
    row = {
        "code": code,
        "kind": kind,
        "account_class": classes.get(kind, "liability"),
        "normal_side": "debit" if kind in ("bank", "receivable") else "credit",
        "region": region,
        "layer": layer[0] if layer else None,
        "created_at": AT,
    }
    return insert("journal_account", row | changed)


def transfer(part: int = 1, parts: int = 1, **changed: Any) -> str:
    row = {
        "entry_id": "jrn_1",
        "part": part,
        "parts": parts,
        "debit_account": "bank:330800",
        "credit_account": "fund:330800:pool",
        "amount_fen": 100,
    }
    return insert("journal_transfer", row | changed)


def entry(**changed: Any) -> str:
    row = {
        "id": "jrn_1",
        "source_type": "deposit",
        "source_id": "D1",
        "kind": "funded",
        "region": "330800",
        "insurance_type": "310",
        "agency_code": "330800",
        "agency_name": "测试中心",
        "claim_id": None,
        "booked_at": AT,
        "booked_on": DAY,
        "transfer_count": 1,
        "total_fen": 100,
        "is_simulated": False,
        "recorded_by": "raw",
        "text": "",
    }
    return insert("journal_entry", row | changed)


def proposal(**changed: Any) -> str:
    row = {
        "region": "330800",
        "month": "2026-11",
        "ordinal": 1,
        "by": "another",
        "reason": "raw",
        "digest": "d",
        "carried": "",
        "at": AT,
    }
    return insert("journal_close_proposal", row | changed)


def close(**changed: Any) -> str:
    row = {
        "id": "jcl_1",
        "region": "330800",
        "month": "2026-11",
        "open_count": 0,
        "open_fen": 0,
        "statement": "{}",
        "digest": "d",
        "closed_by": "raw",
        "reason": "raw",
        "closed_at": AT,
    }
    return insert("journal_close", row | changed)


ACCOUNTS = tuple(
    account(code) for code in ("bank:330800", "fund:330800:pool", "payable:330800", "bank:110000")
)

STANDING = (
    *ACCOUNTS,
    transfer(entry_id="jrn_0"),
    entry(id="jrn_0", source_id="D0"),
    proposal(month="2020-01"),
    close(id="jcl_0", month="2020-01"),
)


def run(engine: sa.Engine, *statements: str) -> None:
    """All statements in one transaction, committed."""
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
