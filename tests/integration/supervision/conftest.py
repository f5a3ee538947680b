"""Case files on a fresh database, and on both databases for the races."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.claims.world import World
from tests.integration.supervision.case_file import CaseFile


@pytest.fixture
def case_file(tmp_path: Path) -> Iterator[CaseFile]:
    made = CaseFile(World.make(tmp_path))
    yield made
    made.world.services.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_case_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CaseFile]:
    """The same on both databases."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = CaseFile(World.make(tmp_path, url))
    yield made
    made.world.services.engine.dispose()
