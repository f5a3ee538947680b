"""The small world of claims, with hospitals inside and outside the insured area."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.claims.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)
