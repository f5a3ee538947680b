"""One deployment a session and ledger; every test starts from its state and leaves none behind.

Every test runs on the dev ledger, and in the slow suite on anvil as well.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from eth_keys.backends.native import main as plain_python_keys

from tests.contracts.anvil_chain import anvil_chain
from tests.contracts.bills import Desk
from tests.contracts.chain import Chain, open_chain


@pytest.fixture(scope="session")
def _remembered_signatures() -> Iterator[None]:
    """Signatures are computed in plain Python, each several times: as signed, recovered, verified,
    and again in every test that starts with the same transactions. They are pure functions."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ecdsa_raw_sign", "ecdsa_raw_recover", "ecdsa_raw_verify"):
            remembering = functools.lru_cache(maxsize=4096)(getattr(plain_python_keys, name))
            patch.setattr(plain_python_keys, name, remembering)
        yield


@pytest.fixture(scope="session", params=["dev", pytest.param("anvil", marks=pytest.mark.slow)])
def deployed(request: pytest.FixtureRequest, _remembered_signatures: None) -> Iterator[Chain]:
    if request.param == "dev":
        yield open_chain()
        return
    with anvil_chain() as chain:
        yield chain


@pytest.fixture
def chain(deployed: Chain) -> Iterator[Chain]:
    snapshot = deployed.tester.take_snapshot()
    before = deployed.height()
    yield deployed
    # Going back costs as much as a transaction; many tests have only asked.
    if deployed.height() != before:
        deployed.tester.revert_to_snapshot(snapshot)


@pytest.fixture
def desk(chain: Chain) -> Desk:
    return Desk(chain)
