"""The register and replay against the real system's database and sample."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import Touched
from tests.e2e.system import System

pytestmark = pytest.mark.slow


def test_every_decision_is_replayed_to_the_same_record(paid: System, touched: Touched) -> None:
    assert touched.citizen is not None  # its claims, and those of the planted cases, are decided
    said = paid.command("claim", "replay", "--all")
    assert re.search(r"一致 [1-9]\d*，不一致 0 ", said.splitlines()[-1])


def test_what_the_register_knows_of_a_sample_citizen_says_that_it_is_simulated(
    paid: System,
) -> None:
    said = paid.command("register", "show", "citizen08")
    assert "simulated register" in said and "filing long-term-filed 3301" in said
