"""Databases with the journal: SQLite files, and PostgreSQL databases copied from a migrated one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate
from tests.integration.journal import raw
from tests.integration.journal.databases import copied
from tests.migrated import migrate_fresh


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a migrated database that others are copied from."""
    name = f"journal_template_{secrets.token_hex(4)}"
    server = make_engine(postgresql_server)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.dispose()
    url = sa.make_url(postgresql_server).set(database=name)
    engine = make_engine(url.render_as_string(hide_password=False))
    migrate(engine)
    engine.dispose()
    return name


@pytest.fixture
def postgresql(postgresql_server: str, postgresql_template: str) -> Iterator[sa.Engine]:
    """A migrated PostgreSQL database of the test's own."""
    with copied(postgresql_server, postgresql_template) as engine:
        yield engine


@pytest.fixture(scope="session")
def standing_postgresql(postgresql_server: str, postgresql_template: str) -> Iterator[sa.Engine]:
    """A database for everything that is refused and so leaves no trace: one entry of 100 fen."""
    with copied(postgresql_server, postgresql_template) as engine:
        raw.run(
            engine,
            *raw.STANDING,
            "DO $$ BEGIN CREATE ROLE journal_writer LOGIN; "
            "EXCEPTION WHEN duplicate_object THEN END $$",
            "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public "
            "TO journal_writer",
        )
        yield engine


@pytest.fixture(scope="session")
def standing_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('standing')}/journal.db")
    migrate_fresh(engine)
    raw.run(engine, *raw.STANDING)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def standing(request: pytest.FixtureRequest) -> sa.Engine:
    """Either database with one entry, shared by the tests that are refused."""
    made: sa.Engine = request.getfixturevalue(f"standing_{request.param}")
    return made


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = make_engine(f"sqlite:///{tmp_path}/journal.db")
    migrate_fresh(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    """Either database, migrated."""
    made: sa.Engine = request.getfixturevalue(request.param)
    return made
