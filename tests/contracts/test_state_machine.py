"""Any calls in any order, on the contract and on a plain Python model of it: after each call the
outcomes, events and slots are the same, and no invoice is paid twice.

The invariants, which the model need not know, are in `arena`: at most one settlement a payer and
one basic insurer a bill; nothing paid beyond the total, of which what others bore is a part; a lock
ends only by settle, release, expiry or retirement; a refused call changes nothing; counters never
fall; under a claim, the second number of a bill is held as well.
"""

from __future__ import annotations

import pytest

from tests.contracts.bills import Call, Outcome
from tests.contracts.chain import Chain
from tests.contracts.walks import Ground


@pytest.fixture
def ground(chain: Chain) -> Ground:
    return Ground(chain)


def test_no_interleaving_of_calls_breaks_p1(ground: Ground) -> None:
    """A first look; the long one below takes many times as much."""
    ground.run_machine(examples=8, steps=40)


@pytest.mark.parametrize(
    ("call", "outcome"),
    [(Call.LODGE, Outcome.LOCKED), (Call.SETTLE, Outcome.STALE)],
    ids=lambda value: value.name.lower(),
)
def test_a_rule_that_only_one_side_keeps_is_noticed(
    ground: Ground, call: Call, outcome: Outcome
) -> None:
    with pytest.raises(AssertionError, match=rf"contract .*{outcome.name}.*\nmodel "):
        ground.walk(runs=9, steps=40, without=frozenset({(call, outcome)}))


@pytest.mark.slow
def test_no_long_interleaving_of_calls_breaks_p1(ground: Ground) -> None:
    ground.run_machine(examples=50, steps=60)
    ground.walk(runs=25, steps=60)
