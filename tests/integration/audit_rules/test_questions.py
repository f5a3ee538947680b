"""What the audit of one claim asks goes through indexes; older bills get their traits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate, migrate_down
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from tests.integration.audit_rules.office import DAY, RuleOffice

WEEK = dt.timedelta(days=7)
QUESTIONS: dict[str, tuple[Callable[[Any], object], str]] = {
    "bills of the person": (
        lambda ask: ask.own_bills(bytes(32), DAY - WEEK, DAY, 10), "ix_invoice_payer_id_lookup"),
    "bills with the same lines": (
        lambda ask: ask.twins(bytes(32), DAY - WEEK, DAY, 10),
        "ix_bill_trait_lines_digest_service_on"),
    "bills with the same number": (
        lambda ask: ask.same_number(bytes(32), 10), "ix_invoice_invoice_key"),
    "figures of a group": (
        lambda ask: ask.figure(dt.datetime.now(dt.UTC), 2, "outpatient", "J06"),
        "autoindex_group_figure_1"),
    "last count": (lambda ask: ask.figures_counted_at(), "autoindex_group_figure_1"),
}  # fmt: skip


def test_no_question_of_a_claim_scans_the_bills(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/test.db")
    migrate(engine)
    asked: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    for name, (ask, index) in QUESTIONS.items():
        asked.clear()
        with SqlUnitOfWork(engine, write=False) as work:
            sa.event.listen(engine, "before_cursor_execute", note)
            ask(work.bill_comparison)
            sa.event.remove(engine, "before_cursor_execute", note)
            ((statement, parameters),) = asked
            rows = work.connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            plan = [row[3] for row in rows]
        assert any(index in step for step in plan), (name, plan)
        scans = [step for step in plan if step.startswith("SCAN") and "group_figure" not in step]
        assert scans == [], (name, plan)
    engine.dispose()


@pytest.mark.slow
def test_migration_works_out_the_traits_of_older_bills(office: RuleOffice) -> None:
    world = office.world
    person = world.person()
    world.bill(person, 400, DAY, lines=3, diagnosis_code="J06.900")
    world.bill(person, 500, DAY, hospitalization_number="ZY1", admitted_on=DAY, discharged_on=DAY)
    question = sa.select(tables.bill_trait).order_by(tables.bill_trait.c.version_id)
    with world.services.engine.begin() as connection:
        before = connection.execute(question).all()
    assert len(before) == 2
    migrate_down(world.services.engine, "0007")
    migrate(world.services.engine)
    with world.services.engine.begin() as connection:
        assert connection.execute(question).all() == before
