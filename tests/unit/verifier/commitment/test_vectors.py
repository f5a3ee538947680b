"""Production == committed vectors == reference implementation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reference import conformance

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_production_agrees_with_the_vectors(check: Callable[[], None]) -> None:
    check()


def test_vectors_hold_several_times_more_refusals_than_acceptances() -> None:
    merkle = conformance.load("merkle.json")
    refused = [case for case in merkle["inclusion"] if case["expect"] == "refuse"]
    accepted = [case for case in merkle["inclusion"] if case["expect"] == "ok"]
    assert len(refused) > len(accepted) > 0
    for name in ("canonical.json", "invoice_key.json"):
        cases = conformance.load(name)
        refusals = sum(case["expect"] == "refuse" for case in cases)
        assert refusals > len(cases) - refusals > 0


def test_vectors_regenerate_without_a_difference() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate_vectors.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "")
