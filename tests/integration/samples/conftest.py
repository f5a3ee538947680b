"""An agency with machine approvals on a fresh database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.database.engine import make_engine
from backend.adapters.database.schema import migrate
from tests.integration.samples.post import Post


@pytest.fixture(scope="session")
def migrated_for_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "yichu.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def post(tmp_path: Path, migrated_for_samples: Path) -> Iterator[Post]:
    shutil.copy(migrated_for_samples, tmp_path / "yichu.db")
    made = Post.make(tmp_path)
    yield made
    made.services.engine.dispose()


@pytest.fixture
def postgresql_post(tmp_path: Path, postgresql_url: str) -> Iterator[Post]:
    made = Post.make(tmp_path, postgresql_url)
    yield made
    made.services.engine.dispose()
