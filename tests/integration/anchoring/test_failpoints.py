"""SIGKILL at every named point of the anchoring steps, then a restart: one anchor, no gap."""

from __future__ import annotations

import signal

import pytest

from backend.domain.ledger import IntentState
from backend.service_layer.failpoints import NAMES
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork, leaf
from tests.integration.anchoring.worker_process import run_worker

pytestmark = pytest.mark.slow

STEPS = ("send.", "outcome.", "follow.", "finality.")
ANCHORING = [name for name in NAMES if name.startswith(STEPS)]
#: One before and one after the bytes are safe, one of what comes back; the others are slow ones.
QUICK = ("send.after-sign", "send.after-commit", "outcome.before-commit")


def test_there_are_enough_points() -> None:
    assert len(ANCHORING) >= 12 and len(set(NAMES)) == len(NAMES)


def test_quick_points_exist() -> None:
    assert set(QUICK) < set(ANCHORING)


@pytest.mark.parametrize(
    "failpoint",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow, id=name)
        for name in ANCHORING
    ],
)
def test_killed_worker_neither_loses_nor_doubles_an_anchor_or_a_lodge(
    network: TestNetwork, failpoint: str
) -> None:
    anchor, (place, *_) = network.want_anchor(CUSTODIAL, [leaf(CUSTODIAL, n) for n in range(3)])
    url, folder = network.url, network.folder
    assert run_worker(url, folder, failpoint) == -signal.SIGKILL, f"{failpoint} is never reached"
    assert run_worker(url, folder) == 0
    assert network.intent(anchor).state is IntentState.FINAL
    lodge = network.want_lodge(place)
    assert run_worker(url, folder, failpoint) == -signal.SIGKILL
    assert run_worker(url, folder) == 0
    assert network.intent(lodge).outcome == "done"
    assert len(network.events("Anchored")) == 1 and network.events("AnchorUnchanged") == []
    assert len(network.events("Lodged")) == 1 and network.events("Unchanged") == []
    for account in (network.account_of(CUSTODIAL), network.payer_account(1)):
        assert network.nonce(account) == network.next_nonce(account) == 1
    assert network.alarms() == []
