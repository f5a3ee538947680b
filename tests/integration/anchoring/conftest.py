"""A development ledger with the real contracts, and a fresh database a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from tests.integration.anchoring.network import TestNetwork, deploy_network


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestNetwork]:
    """One ledger for the whole run; contracts are deployed and roles registered once."""
    engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
    server = LedgerServer(engine, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    network = deploy_network(
        f"http://127.0.0.1:{server.server_address[1]}", tmp_path_factory.mktemp("network")
    )
    yield network
    network.close()
    server.stop()
    thread.join()
    engine.close()


@pytest.fixture
def network(deployed: TestNetwork, tmp_path: Path) -> Iterator[TestNetwork]:
    """The ledger as it was after the set-up, with a database of the test's own."""
    snapshot = deployed.rpc("evm_snapshot")
    copy = deployed.copy_to(tmp_path)
    yield copy
    copy.close()
    deployed.rpc("evm_revert", snapshot)
