"""The database engine: SQLite for the embedded system, PostgreSQL for production.

SQLite runs in WAL mode, so that readers never wait for the writer; a writing unit of work begins
with BEGIN IMMEDIATE, so that two writers meet at the start, where waiting is safe, and not at
their first write, where one of them would have to be rolled back.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from backend.domain.errors import DomainError

BUSY_TIMEOUT_SECONDS: Final = 10
#: PostgreSQL ends a session that holds its transaction open for so long without asking anything: a
#: frozen worker (suspended machine, SIGSTOP) would keep its row locks, and nobody could take over.
IDLE_IN_TRANSACTION_SECONDS: Final = 30
POOL_SIZE: Final = 10
READ_ONLY_OPTION: Final = "yichu_read_only"


class DatabaseURLError(DomainError):
    """The database URL names a database that is not supported or cannot be read."""

    code = "bad-database-url"


def make_engine(url: str) -> sa.Engine:
    """An engine for ``sqlite:///path`` or ``postgresql[+psycopg]://...``.

    The folder of a SQLite file is created. Nothing is opened until the first use. Errors name
    the statement without its values, which are personal data and end in logs.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise DatabaseURLError("数据库地址无法识别", "the database URL cannot be read") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite_engine(parsed)
    if backend == "postgresql":
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            pool_size=POOL_SIZE,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": BUSY_TIMEOUT_SECONDS,
                # In another zone an instant at the end of the calendar cannot be read again.
                "options": "-c timezone=UTC -c idle_in_transaction_session_timeout="
                f"{IDLE_IN_TRANSACTION_SECONDS * 1000}",
            },
        )
    raise DatabaseURLError(
        f"不支持的数据库：{backend}，请用 sqlite 或 postgresql",
        f"unsupported database {backend}: use sqlite or postgresql",
    )


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise DatabaseURLError(
            "SQLite 数据库必须是文件",
            "a SQLite database must be a file: several processes share it",
        )
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_SIZE,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    # The driver's own BEGIN is switched off: _begin_sqlite says which kind is wanted.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged upload survives power loss
    connection.execute("PRAGMA foreign_keys = ON")
    # Without it INSERT OR REPLACE would delete rows without firing the insert-only triggers.
    connection.execute("PRAGMA recursive_triggers = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY_OPTION, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
