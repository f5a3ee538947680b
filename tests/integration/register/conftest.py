"""The small world of claims, from a copy of a migrated database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate
from tests.integration.claims.world import World


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "yichu.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()  # the last one to leave writes the log into the file
    return path


@pytest.fixture
def world(tmp_path: Path, migrated: Path) -> Iterator[World]:
    shutil.copy(migrated, tmp_path / "yichu.db")
    made = World.make(tmp_path)
    yield made
    made.services.engine.dispose()
