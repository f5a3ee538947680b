"""Real systems for the end-to-end tests. The shared one is never stopped or altered by a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from scripts.sample_data.planted import PLANTED_CITIZEN
from tests.e2e.auditor import Auditor
from tests.e2e.citizen import Citizen
from tests.e2e.pages import Page
from tests.e2e.system import System


@dataclass
class Touched:
    """The demo citizen's path, page by page."""

    system: System
    citizen: Citizen
    bills: list[str]
    check: Page
    receipt: Page
    closed: Page


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The small sample, anchored; nothing is claimed yet."""
    system = System(tmp_path_factory.mktemp("system"))
    try:
        system.up()
        system.load_sample()
        yield system
    finally:
        system.down()


@pytest.fixture(scope="session")
def touched(loaded: System) -> Touched:
    """The demo citizen and the citizen of the planted cases have each touched everything that
    was offered, in one submission, and nothing moves any more."""
    demo = loaded.citizen("citizen01")
    bills = demo.offered()
    check = demo.check(bills)
    receipt = demo.confirm(check)
    planted = loaded.citizen(f"citizen{PLANTED_CITIZEN:02d}")
    planted.touch(planted.offered())
    loaded.wait_for_claims()
    return Touched(loaded, demo, bills, check, receipt, demo.at_rest(receipt))


@pytest.fixture(scope="session")
def paid(touched: Touched) -> System:
    """The shared system, with every claim paid or waiting for a person."""
    return touched.system


@pytest.fixture(scope="session")
def bundle(paid: System) -> dict[str, Any]:
    """The exported evidence of the demo citizen's first bill, a self-custody hospital's."""
    return paid.export(paid.population.demo()[0].invoice)


@pytest.fixture
def auditor(paid: System, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    return Auditor(tmp_path_factory.mktemp("auditor"), paid.rpc_url, paid.trust_file())
