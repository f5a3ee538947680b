"""A small world with one person; rules of a file of the test's own where it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.audit_rules.office import RuleOffice
from tests.integration.claims.world import World


@pytest.fixture
def office(tmp_path: Path) -> RuleOffice:
    return RuleOffice(World.make(tmp_path))
