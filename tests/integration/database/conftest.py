"""Both databases: a SQLite file and a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database.engine import make_engine

MakeEngine = Callable[[], sa.Engine]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    if request.param == "sqlite":
        made = make_engine(f"sqlite:///{tmp_path}/test.db")
        yield made
        made.dispose()
        return
    made = make_engine(request.getfixturevalue("postgresql_url"))
    yield made
    made.dispose()
