"""Somebody with the rights of the database's owner changes a stored line, and mends it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from backend.adapters.database import tables
from tests.integration.claims.world import CLASS_A, OUTSIDE, World
from tests.machine import promises


def swap_last_line(world: World, version_id: str) -> str:
    """The last line becomes a covered item, or a covered one becomes none; returns it as it was."""
    kept = promises.rows(world, tables.expense_line, tables.expense_line.c.version_id == version_id)
    record: str = max(kept, key=lambda row: row.line_index).record
    pair = (OUTSIDE, CLASS_A) if OUTSIDE[0] in record else (CLASS_A, OUTSIDE)
    changed = record.replace(pair[0][0], pair[1][0])
    assert changed != record
    set_last_line(world, version_id, changed)
    return record


def set_last_line(world: World, version_id: str, record: str) -> None:
    line = tables.expense_line
    last = (
        sa.select(sa.func.max(line.c.line_index))
        .where(line.c.version_id == version_id)
        .scalar_subquery()
    )
    with world.services.engine.begin() as connection, _without_triggers(connection, line.name):
        connection.execute(
            line.update()
            .where(line.c.version_id == version_id, line.c.line_index == last)
            .values(record=record)
        )


@contextmanager
def _without_triggers(connection: sa.Connection, table: str) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    triggers = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"),
        {"t": table},
    ).all()
    for trigger in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
    yield
    for trigger in triggers:
        connection.exec_driver_sql(trigger.sql)
