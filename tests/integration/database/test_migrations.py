"""Migrations up, down and up again with rows, equal to the tables; insert-only rows."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from backend.adapters.database import tables
from backend.adapters.database.schema import (
    alembic_config,
    current_revision,
    migrate,
    migrate_down,
    newest_revision,
)

AT = dt.datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=dt.UTC)
VERSIONS = Path(__file__).parents[3] / "migrations" / "versions"


def put_rows(engine: sa.Engine) -> None:
    """An institution with a bill, a line, a batch and its leaf."""
    with engine.begin() as connection:
        connection.execute(
            sa.insert(tables.institution).values(
                code="H1", name="医院", level=3, area_code="330800", custody="self",
                agreement_from=dt.date(2026, 1, 1), agreement_until=dt.date(2026, 12, 31),
                grace_days=30, created_at=AT,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(tables.invoice).values(
                id="inv_1", institution_code="H1", invoice_code="33060123",
                invoice_number="0000000001", invoice_key=b"k" * 32, second_key=bytes(32),
                key_version=1, kind=1, state="active", current_version=1,
                payer_id_lookup=b"l" * 32, public_token="t", created_at=AT,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(tables.invoice_version).values(
                id="ver_1", invoice_id="inv_1", version=1, header="{}", line_count=1,
                total_fen=2**40 - 1, borne_fen=0, service_on=dt.date(2026, 1, 2),
                fingerprint=b"f" * 32, wrapped_secret=b"w" * 61, content_digest=b"c" * 32,
                source_format="json", source_document=b"{}", marks="[]", uploaded_at=AT,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(tables.expense_line).values(version_id="ver_1", line_index=0, record="{}")
        )
        connection.execute(
            sa.insert(tables.batch).values(
                id="bat_1", institution_code="H1", sequence=1, previous_head=bytes(32),
                root=b"r" * 32, size=1, head=b"h" * 32, created_at=AT,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(tables.batch_leaf).values(
                batch_id="bat_1", leaf_index=0, leaf=b"\x01" * 132, version_id="ver_1"
            )
        )


def test_up_down_and_up_again_with_rows(engine: sa.Engine) -> None:
    assert current_revision(engine) == ""
    assert migrate(engine) == newest_revision()
    put_rows(engine)
    migrate_down(engine, "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version"}
    assert migrate(engine) == newest_revision()
    put_rows(engine)
    assert migrate(engine) == newest_revision()  # again: nothing happens
    with engine.connect() as connection:
        row = connection.execute(sa.select(tables.invoice_version)).one()
    assert (row.total_fen, row.uploaded_at, row.fingerprint) == (2**40 - 1, AT, b"f" * 32)


def test_versions_in_no_batch_are_listed_whichever_way_they_are_stored(engine: sa.Engine) -> None:
    listed = sa.select(
        tables.unbatched_version.c.institution_code, tables.unbatched_version.c.version_id
    )
    migrate(engine, "0004")
    put_rows(engine)
    put_second_version(engine, "ver_2")
    migrate(engine)
    with engine.begin() as connection:
        assert connection.execute(listed).all() == [("H1", "ver_2")]  # stored before the table
    put_second_version(engine, "ver_3", version=3)
    with engine.begin() as connection:
        assert sorted(row.version_id for row in connection.execute(listed)) == ["ver_2", "ver_3"]
        leaf = {"batch_id": "bat_1", "leaf": b"\x01" * 132}
        connection.execute(
            sa.insert(tables.batch_leaf).values(leaf_index=1, version_id="ver_3", **leaf)
        )
        assert connection.execute(listed).all() == [("H1", "ver_2")]
        connection.rollback()  # a batch that is not stored after all leaves them listed
    with engine.begin() as connection:
        assert sorted(row.version_id for row in connection.execute(listed)) == ["ver_2", "ver_3"]


def put_second_version(engine: sa.Engine, version_id: str, version: int = 2) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(tables.invoice_version).values(
                id=version_id, invoice_id="inv_1", version=version, header="{}", line_count=1,
                total_fen=1, borne_fen=0, service_on=dt.date(2026, 1, 2), fingerprint=b"g" * 32,
                content_digest=b"c" * 32, source_format="json", source_document=b"{}", marks="[]",
                uploaded_at=AT,
            )
        )  # fmt: skip


def test_migrated_database_equals_the_tables(engine: sa.Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE expense_line SET record = '{\"a\":1}'",
        "DELETE FROM expense_line",
        "UPDATE batch SET root = head",
        "DELETE FROM batch_leaf",
        "UPDATE batch_leaf SET leaf_index = 1",
        "UPDATE invoice_version SET total_fen = 1",
        "UPDATE invoice_version SET wrapped_secret = fingerprint",
        "UPDATE invoice_version SET wrapped_secret = NULL, total_fen = 1",
        "DELETE FROM invoice_version",
    ],
)
def test_facts_cannot_be_changed(engine: sa.Engine, statement: str) -> None:
    migrate(engine)
    put_rows(engine)
    table = statement.split()[1 if statement.startswith("UPDATE") else 2]
    with pytest.raises(sa.exc.DBAPIError, match=f"{table} is insert-only"), engine.begin() as c:
        c.exec_driver_sql(statement)


def test_replacing_or_truncating_facts_is_refused(engine: sa.Engine) -> None:
    migrate(engine)
    put_rows(engine)
    statement = (
        "INSERT OR REPLACE INTO expense_line VALUES ('ver_1', 0, 'x')"
        if engine.dialect.name == "sqlite"
        else "TRUNCATE expense_line"
    )
    with pytest.raises(sa.exc.DBAPIError, match="expense_line is insert-only"), engine.begin() as c:
        c.exec_driver_sql(statement)


def test_a_secret_can_be_erased_and_nothing_else(engine: sa.Engine) -> None:
    migrate(engine)
    put_rows(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE invoice_version SET wrapped_secret = NULL")
    with engine.connect() as connection:
        row = connection.execute(sa.select(tables.invoice_version)).one()
    assert (row.wrapped_secret, row.total_fen) == (None, 2**40 - 1)


def test_insert_only_tables_are_those_of_the_tables_module(engine: sa.Engine) -> None:
    migrate(engine)
    catalogue = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with engine.connect() as connection:
        names = {row[0] for row in connection.exec_driver_sql(catalogue)}
    ends = r"_(no_update|no_delete|insert_only|no_truncate)$"
    guarded = {re.sub(ends, "", name) for name in names if re.search(ends, name)}
    assert guarded == set(tables.INSERT_ONLY)


def test_every_column_declares_its_data_class() -> None:
    for table in tables.metadata.tables.values():
        for column in table.columns:
            assert "data_class" in column.info, f"{table.name}.{column.name}"


def test_migrations_have_one_head_and_import_nothing_of_the_application() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1
    for path in VERSIONS.glob("*.py"):
        assert not re.search(r"^\s*(from|import) (backend|verifier)", path.read_text(), re.M), path
