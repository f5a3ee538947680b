"""An office on a fresh database; nobody has signed in or asked before a test begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from tests.integration.claims.world import World
from tests.integration.review.office import Office


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=20, seconds=60))
    monkeypatch.setattr(session, "_REQUESTS", RateLimit(count=600, seconds=60))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(World.make(tmp_path))
    yield made
    made.world.services.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """The same office on both databases."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = Office(World.make(tmp_path, url))
    yield made
    made.world.services.engine.dispose()
