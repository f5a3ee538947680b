"""``yichu db grant``: the application's own role books, and cannot change what was booked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.adapters.database.grants import GrantError, grant_application
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.service_layer.journal.checking import check_journal
from tests.integration.journal import raw
from tests.integration.journal.month_world import close_month, noon, services_on, two_months
from tests.integration.journal.test_closing import SIGNED

ROLE = "yichu_application"
CREATE = f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"


@pytest.fixture
def application(postgresql: sa.Engine) -> Iterator[sa.Engine]:
    """The database as the application sees it: every connection is of its role."""
    raw.run(postgresql, CREATE)
    grant_application(postgresql, ROLE)
    grant_application(postgresql, ROLE)  # safe to run again
    engine = make_engine(postgresql.url.render_as_string(hide_password=False))

    def become(connection: Any, _entry: Any) -> None:
        connection.execute(f"SET SESSION AUTHORIZATION {ROLE}")
        connection.commit()

    sa.event.listen(engine, "connect", become)
    yield engine
    engine.dispose()


def test_application_books_two_months_and_closes_one(application: sa.Engine) -> None:
    two_months(application)
    services = services_on(application, noon(12, 1))
    close_month(services, "330800", "2026-10", carry_forward=True, **SIGNED)
    with SqlUnitOfWork(application, write=False) as work:
        assert work.connection.exec_driver_sql("SELECT current_user").scalar_one() == ROLE
        assert check_journal(work) == []


@pytest.mark.parametrize("verb", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_application_may_not_even_ask_to_change_what_is_insert_only(
    application: sa.Engine, verb: str
) -> None:
    for name in sorted(tables.INSERT_ONLY):
        columns = [column.name for column in tables.metadata.tables[name].columns]
        statement = verb.format(name, columns[-1], columns[-1])
        with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|is insert-only"):
            raw.run(application, statement)
    for name in ("journal_entry", "journal_transfer", "journal_account", "journal_close"):
        column = tables.metadata.tables[name].columns.keys()[-1]
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            raw.run(application, verb.format(name, column, column))


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("nobody_of_this_name", "there is no role nobody_of_this_name"),
        ("postgres", "postgres is a superuser or owns the tables"),
        ("Robert'); DROP TABLE claim; --", "a role is of a-z"),
        ("", "a role is of a-z"),
    ],
)
def test_role_that_the_rules_would_not_bind_is_refused(
    standing_postgresql: sa.Engine, role: str, message: str
) -> None:
    with pytest.raises(GrantError, match=message):
        grant_application(standing_postgresql, role)


def test_sqlite_has_no_roles(standing_sqlite: sa.Engine) -> None:
    with pytest.raises(GrantError, match="only PostgreSQL has roles"):
        grant_application(standing_sqlite, ROLE)
