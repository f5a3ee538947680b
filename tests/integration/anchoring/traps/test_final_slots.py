"""Slots for which money leaves, on dev ledger and anvil: see ``final_slot_cases``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.anvil import running_anvil
from tests.integration.anchoring.final_slot_cases import CASES
from tests.integration.anchoring.network import TestNetwork, deploy_network

OPTIONS = (
    "--gas-price", "0", "--block-base-fee-per-gas", "0",
    "--chain-id", "1337", "--code-size-limit", "100000",
)  # fmt: skip
FIRST, *OTHERS = CASES
Case = Callable[[TestNetwork], None]


def name_of(case: Case) -> str:
    return case.__name__


@pytest.mark.parametrize("case", [FIRST], ids=name_of)
def test_money_rests_on_final_and_newest_slot(network: TestNetwork, case: Case) -> None:
    case(network)


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERS, ids=name_of)
def test_nothing_rests_on_a_node_that_cannot_tell(network: TestNetwork, case: Case) -> None:
    case(network)


@pytest.fixture(scope="module")
def on_anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestNetwork]:
    with running_anvil(*OPTIONS) as url:
        network = deploy_network(url, tmp_path_factory.mktemp("anvil"))
        yield network
        network.close()


@pytest.mark.slow
@pytest.mark.node
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_anvil_tells_the_same(on_anvil: TestNetwork, tmp_path: Path, case: Case) -> None:
    snapshot = on_anvil.rpc("evm_snapshot")
    copy = on_anvil.copy_to(tmp_path)
    try:
        case(copy)
    finally:
        copy.close()
        on_anvil.rpc("evm_revert", snapshot)
