"""Statements of the bank that were filed before one could be withdrawn: each is a first filing."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from backend.adapters.database.schema import migrate, migrate_down

pytestmark = pytest.mark.slow

AT = dt.datetime(2026, 11, 20, 2, 0, 0, 123456, tzinfo=dt.UTC)
AS_TEXT = "2026-11-20 02:00:00.123456"
STATEMENTS = (("bst_1", "ST-1"), ("bst_2", "ST-2"))


def put_statements(engine: sa.Engine) -> None:
    at = AS_TEXT if engine.dialect.name == "sqlite" else AT
    with engine.begin() as db:
        db.execute(
            sa.text(
                "INSERT INTO bank_message (id, name, digest, wrapped_content, received_at, "
                "verdict, difference) VALUES ('bmg_1', 's.xml', :digest, :digest, :at, 'filed', '')"
            ),
            {"at": at, "digest": bytes(32)},
        )
        for stored_id, name in STATEMENTS:
            db.execute(
                sa.text(
                    "INSERT INTO bank_statement (id, region, account, statement_id, from_at, "
                    "to_at, opening_fen, closing_fen, entry_count, simulated, message_id) VALUES "
                    "(:id, '330800', 'ACC', :name, :at, :at, -5, 7, 1, :no, 'bmg_1')"
                ),
                {"id": stored_id, "name": name, "at": at, "no": False},
            )
            db.execute(
                sa.text(
                    "INSERT INTO bank_statement_entry VALUES "
                    "(:id, 1, 'credit', 12, 'B1', '', '2026-11-20')"
                ),
                {"id": stored_id},
            )


def filed(engine: sa.Engine, columns: str) -> list[tuple[object, ...]]:
    with engine.connect() as db:
        rows = db.execute(sa.text(f"SELECT {columns} FROM bank_statement ORDER BY id"))
        return [tuple(row) for row in rows]


def test_filed_statements_stay_with_their_movements_up_down_and_up(engine: sa.Engine) -> None:
    kept = "id, region, account, statement_id, from_at, to_at, opening_fen, closing_fen, message_id"
    migrate(engine, "0025")
    put_statements(engine)
    before = filed(engine, kept)
    migrate(engine)
    assert filed(engine, kept) == before and len(before) == 2
    assert filed(engine, "filing") == [(1,), (1,)]
    with engine.connect() as db:
        moved = "SELECT count(*) FROM bank_statement_entry JOIN bank_statement s ON s.id = "
        assert db.execute(sa.text(f"{moved} bank_statement_entry.statement_id")).scalar() == 2
        if engine.dialect.name == "sqlite":
            assert db.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    for refused in (
        "UPDATE bank_statement SET filing = 2",
        "DELETE FROM bank_statement",
        "INSERT INTO bank_statement_entry VALUES ('bst_9', 1, 'credit', 1, '', '', '2026-11-20')",
        "INSERT INTO bank_statement SELECT 'bst_3', region, account, statement_id, from_at, to_at, "
        "opening_fen, closing_fen, entry_count, simulated, message_id, 1 FROM bank_statement",
    ):
        with pytest.raises(sa.exc.DBAPIError), engine.begin() as db:
            db.execute(sa.text(refused))
    migrate_down(engine, "0025")
    assert filed(engine, kept) == before
    with pytest.raises(sa.exc.DBAPIError, match="insert-only"), engine.begin() as db:
        db.execute(sa.text("DELETE FROM bank_statement"))
    migrate(engine)
    assert filed(engine, kept) == before
