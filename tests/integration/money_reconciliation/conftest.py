"""One migrated PostgreSQL database, and worlds in copies of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.standing_server import copy_of, migrated_database
from tests.integration.money_reconciliation.test_two_people import prepared


@pytest.fixture(scope="session")
def migrated_template(postgresql_server: str) -> str:
    """The name of a migrated database that others are copied from."""
    return migrated_database(postgresql_server)


@pytest.fixture
def world_on_postgresql(
    postgresql_server: str,
    migrated_template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A world in a database of its own, at whose desks nobody has tried anything."""
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=50, seconds=60))
    with copy_of(postgresql_server, migrated_template) as url:
        made = prepared(tmp_path, url)
        yield made
        made.services.engine.dispose()
