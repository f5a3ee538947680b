"""The small world of claims, from a copy of a migrated database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from tests.integration.claims.world import World


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with nobody having tried anything."""
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=50, seconds=60))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.make(tmp_path)
    yield made
    made.services.engine.dispose()
