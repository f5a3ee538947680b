"""Networks that many processes make: the one named in YICHU_RPC_URLS, or four geth validators."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from scripts.geth_binary import NO_GETH_NO_GO, find_geth, find_go
from scripts.network import EPOCH_BLOCKS
from tests.e2e.system import System
from tests.network.four import Four, prepare

#: Settings of a system on four geth validators with blocks of a second.
ON_FOUR = {"YICHU_FINALITY": f"clique:{EPOCH_BLOCKS}", "YICHU_STALL_SECONDS": "4"}


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Four]:
    """Four validators, running."""
    if find_geth() is None:
        pytest.skip(NO_GETH_NO_GO if find_go() is None else "run scripts/network.py build first")
    network = Four(tmp_path_factory.mktemp("four"))
    try:
        network.command("up", "--validators", "4", "--first-port", "0")
        yield network
    finally:
        network.command("down")


@pytest.fixture(scope="session")
def on_four(four: Four, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system on the four; the worker writes to the first, the fourth is read."""
    urls = [four.url(number) for number in (1, 2, 3, 4)]
    system = System(tmp_path_factory.mktemp("on-four"), nodes=urls, settings=ON_FOUR)
    try:
        system.up()
        prepare(system)
        yield system
    finally:
        system.down()


@pytest.fixture(scope="session")
def on_network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """A system on the network of YICHU_RPC_URLS, with the YICHU_FEE_MODE and YICHU_FINALITY that
    fit it; on the four where none is named."""
    urls = [url for url in os.environ.get("YICHU_RPC_URLS", "").split(",") if url]
    if not urls:
        yield request.getfixturevalue("on_four")
        return
    named = {n: os.environ[n] for n in ("YICHU_FEE_MODE", "YICHU_FINALITY") if n in os.environ}
    system = System(tmp_path_factory.mktemp("on-network"), nodes=urls, settings=named)
    try:
        system.up()
        prepare(system)
        yield system
    finally:
        system.down()
