"""A faulty node in front of the development ledger, and the same services behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.anchoring.faulty_node import FaultyNode, faulty_node
from tests.integration.anchoring.network import TestNetwork


@pytest.fixture
def node(network: TestNetwork) -> Iterator[FaultyNode]:
    with faulty_node(network.url) as node:
        yield node


@pytest.fixture
def behind(network: TestNetwork, node: FaultyNode) -> Iterator[TestNetwork]:
    """The test's database, with the faulty node as its only one."""
    behind = TestNetwork(node.url, network.folder)
    yield behind
    behind.close()
