"""SIGKILL at every commit boundary of a payment that is rejected first, or comes back: the bank's
own book holds each fen once, and the journal agrees with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.adapters.database import tables
from backend.service_layer import failpoints
from tests.integration.claims.test_failpoints import worker
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    FIRST_FEN,
    alarms,
    answers,
    balance,
    claim_of,
    rows,
    state,
)
from tests.memory_bank import equip_durably

POINTS = [name for name in failpoints.NAMES if name.startswith("payout.")]
CLOSED, RETURNED = "0004", "0008"  # endings that the simulated bank rejects, or pays and returns


def run_killed(world: World, point: str, rounds: int = 12) -> int:
    """Workers one after the other; the first two die at the point when they reach it."""
    kills = 0
    for _ in range(rounds):
        world.services.engine.dispose()
        kills += worker(world, point if kills < 2 else "")
        world.mine()
        world.services.clock.advance(60)  # what the bank returns comes after half a minute
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("ending", [CLOSED, RETURNED])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_point_the_corrected_account_is_paid_once(
    tmp_path: Path, point: str, ending: str
) -> None:
    world = World.make(tmp_path)
    bank = equip_durably(world.services, tmp_path)
    funded = balance(world, "bank")
    person = world.person()
    world.accounts.correct(person.id, person.name, f"TEST-{ending}", version=1)
    claim = claim_of(world, person)
    kills = run_killed(world, point)
    assert kills >= 1, f"{point} was not reached"
    assert state(world, claim) == ("paying", "payee") and alarms(world) == {"payment-returned"}
    assert (balance(world, "bank"), balance(world, "payable")) == (funded, FIRST_FEN)
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED-6217")
    run_killed(world, point)
    assert state(world, claim) == ("paid", None) and alarms(world) == set()
    with bank.book.open() as page:
        kept = {one.end_to_end_id[-2:]: (one.account, one.amount_fen) for one in page.credits()}
    wanted = {"A2": ("TEST-CORRECTED-6217", FIRST_FEN)}
    if ending == RETURNED:
        wanted["A1"] = ("TEST-0008", FIRST_FEN)  # came back
    assert kept == wanted
    said = [status for _, status in answers(world)]
    assert said == (["paid", "returned", "paid"] if ending == RETURNED else ["rejected", "paid"])
    assert len(rows(world, tables.payment_attempt)) == 2
    assert (balance(world, "payable"), balance(world, "transit")) == (0, 0)
    assert balance(world, "bank") == funded - FIRST_FEN
    world.services.engine.dispose()
