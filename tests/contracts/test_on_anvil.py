"""What takes anvil's speed, or both ledgers at once: long walks and gas, under Berlin rules."""

from __future__ import annotations

import pytest

from scripts.bench import gas
from tests.contracts.anvil_chain import anvil_chain
from tests.contracts.chain import Chain, open_chain
from tests.contracts.walks import Ground

pytestmark = pytest.mark.slow

_BARS = "DONE RETIRED SUSPENDED"
_LEAF = "KIND_REFUSED BAD_LEAF SECOND_KEY_BOUND BAD_BATCH FOREIGN_LEAF BAD_PROOF"
_PAYABLE = "IS_VOID IS_REVERSED QUARANTINED"
_FREE = "LOCKED SETTLED IS_PAPER IS_VOID IS_REVERSED IS_ON_PAPER BOUND_ELSEWHERE QUARANTINED"
_WITHDRAW = f"{_BARS} IS_PAPER BOUND_ELSEWHERE REPEATED {_LEAF}"
# What each call can come to. A settlement after another basic insurer's is left out: it cannot come
# up while lodge refuses the claim, and the contract asks again because money follows.
OUTCOMES = {
    "LODGE": f"{_BARS} {_LEAF} {_PAYABLE} REPEATED PAUSED LOCKED SETTLED_BY_PAYER SETTLED_BY_BASIC"
    " IS_PAPER IS_ON_PAPER BOUND_ELSEWHERE STALE KIND_NOT_FOR_BASIC NOTHING_LEFT BAD_DEADLINE",
    "SETTLE": f"{_BARS} {_PAYABLE} ALREADY_SETTLED STALE OVER_TOTAL POLICY_UNKNOWN",
    "RELEASE": f"{_BARS} REPEATED STALE POLICY_UNKNOWN",
    "RENEW": f"{_BARS} {_PAYABLE} STALE REPEATED BAD_DEADLINE",
    "EXPIRE": "DONE RETIRED REPEATED STALE PAUSED NOT_DUE",
    "SUPERSEDE": f"{_BARS} {_LEAF} {_FREE} REPEATED PAUSED NOT_LATER",
    "VOID": _WITHDRAW,
    "REVERSE": _WITHDRAW,
    "RULE": f"DONE RETIRED {_LEAF} LOCKED SETTLED REPEATED BAD_FLAGS",
    "SUPPLEMENT": f"{_BARS} {_PAYABLE} NOT_SETTLED LOCKED STALE BAD_AMOUNT OVER_TOTAL BAD_VERSION"
    " POLICY_UNKNOWN",
    "RECOVER": f"{_BARS} NOT_SETTLED REPEATED NUMBER_USED BAD_AMOUNT",
    "EXCHANGE": f"{_BARS} {_LEAF} {_FREE} REPEATED PAPER_KEY_BOUND",
    "RETURN": f"{_BARS} BOUND_ELSEWHERE REPEATED KIND_REFUSED BAD_LEAF BAD_BATCH FOREIGN_LEAF"
    " BAD_PROOF",
    "anchor": "ANCHORED REPEATED CONFLICT NOT_NEXT SUSPENDED BEFORE_AGREEMENT AFTER_GRACE PAUSED"
    " RETIRED",
}


def test_walks_come_by_every_outcome_of_every_call() -> None:
    """So a contract that lacks one of the rules, or has another order, differs from the model."""
    with anvil_chain() as chain:
        ground = Ground(chain)
        ground.walk(runs=200, steps=60)
    expected = {(call, one) for call, outcomes in OUTCOMES.items() for one in outcomes.split()}
    assert expected - ground.seen.keys() == set()


def _gas_by_call(monkeypatch: pytest.MonkeyPatch, chain: Chain) -> dict[str, float]:
    """Gas an item of the benchmark's batch calls, none over its bar."""
    monkeypatch.setattr(gas, "open_chain", lambda: chain)
    rows, _level = gas.measure()
    assert [row.name for row in rows if row.is_over] == []
    return {row.name: row.measured for row in rows}


def test_anvil_charges_what_the_dev_ledger_charges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 1,000 anchored, 100 lodged, settled, refused and more: within one in a hundred."""
    there = _gas_by_call(monkeypatch, open_chain())
    with anvil_chain() as chain:
        here = _gas_by_call(monkeypatch, chain)
    assert len(there) >= 16
    assert here == pytest.approx(there, rel=0.01)
