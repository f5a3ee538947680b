"""An alarm that is raised in every pass of a step that waits is one row, one question, no write."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from tests.migrated import migrate_fresh

pytestmark = pytest.mark.slow

NOW = dt.datetime(2026, 11, 20, 2, tzinfo=dt.UTC)
PASSES = 20


def test_an_alarm_raised_in_every_pass_grows_nothing(engine: sa.Engine) -> None:
    migrate_fresh(engine)
    clock, said = SetClock(NOW), []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement.split(maxsplit=1)[0])

    def raised(detail: str) -> None:
        with SqlUnitOfWork(engine, clock=clock) as work:
            work.alarms.raise_alarm("claim-step-failed", "clm_1", detail)
            work.commit()

    raised("settled: KeyError")
    said.clear()
    for _ in range(PASSES):
        clock.advance(1)
        raised("settled: KeyError")
    assert set(said) <= {"SELECT", "BEGIN"} and said.count("SELECT") == PASSES
    with SqlUnitOfWork(engine, clock=clock) as work:
        work.alarms.clear("claim-step-failed", "clm_1")
        work.commit()
    raised("settled: KeyError")
    with engine.connect() as db:
        rows = db.execute(sa.select(tables.alarm).order_by(tables.alarm.c.raised_at)).all()
    assert [row.cleared_at is None for row in rows] == [False, True]
    assert rows[0].raised_at == NOW


def test_open_alarms_are_found_without_reading_those_of_the_past(engine: sa.Engine) -> None:
    migrate_fresh(engine)
    past = [
        {"id": f"alm_{n}", "code": "claim-step-failed", "subject": f"clm_{n % 100}", "detail": "",
         "raised_at": NOW, "cleared_at": NOW}
        for n in range(3_000)
    ]  # fmt: skip
    with engine.begin() as db:
        db.execute(tables.alarm.insert(), past)
    explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    asked = (
        f"{explain} SELECT id FROM alarm "
        "WHERE code = 'claim-step-failed' AND subject = 'clm_1' AND cleared_at IS NULL"
    )
    with engine.connect() as db:
        plan = " ".join(str(row) for row in db.execute(sa.text(asked)))
    assert "ix_alarm_open" in plan
