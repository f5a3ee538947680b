"""One deployment a session; every test starts from its state and leaves none behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.bills import Desk
from tests.contracts.chain import Chain, open_chain


@pytest.fixture(scope="session")
def deployed() -> Chain:
    return open_chain()


@pytest.fixture
def chain(deployed: Chain) -> Iterator[Chain]:
    snapshot = deployed.tester.take_snapshot()
    before = deployed.now()
    yield deployed
    # Going back costs as much as a transaction; many tests have only asked.
    if deployed.now() != before:
        deployed.tester.revert_to_snapshot(snapshot)


@pytest.fixture
def desk(chain: Chain) -> Desk:
    return Desk(chain)
