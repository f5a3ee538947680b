"""Found by the state machine: a bill changed after its first decision was paid on once more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.claims.revising import alarms, decisions
from tests.machine.state_machine import Machine

pytestmark = pytest.mark.slow
ACTS: dict[str, Callable[[Machine, str], None]] = {
    "an appeal that is upheld": lambda town, claim: town.appeal(claim, True, True),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_no_version_is_made_of_a_bill_that_was_changed(act: Callable[[Machine, str], None]) -> None:
    town = Machine()
    town.begin()
    town.promises_hold()
    claim = next(iter(town.accepted))
    town.change_line(town.accepted[claim])
    act(town, claim)
    town.run_on(3)
    town.promises_hold()
    stored = town.world.claim(claim)
    assert len(decisions(town.world, stored)) == 1
    assert stored.version_id in [subject for _, subject in alarms(town.world)]
