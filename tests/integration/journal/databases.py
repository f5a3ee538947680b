"""PostgreSQL databases that are copies of a migrated one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from backend.adapters.database.engine import make_engine


@contextmanager
def copied(postgresql_server: str, postgresql_template: str) -> Iterator[sa.Engine]:
    """A copy of the migrated database, dropped afterwards."""
    name = f"journal_{secrets.token_hex(6)}"
    server = make_engine(postgresql_server)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    url = sa.make_url(postgresql_server).set(database=name)
    engine = make_engine(url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()
