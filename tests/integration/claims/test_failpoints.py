"""SIGKILL at every named point of the claims steps: nothing is lost, nothing happens twice."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.review import Outcome
from backend.service_layer import failpoints
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.withdraw import withdraw
from tests.integration.claims.revising import (
    WORDS,
    claim_on,
    conclude,
    matched,
    mixed_bill,
    payouts,
)
from tests.integration.claims.world import OUTSIDE, World
from tests.memory_bank import equip_durably

POINTS = [
    name
    for name in failpoints.NAMES
    if name.startswith(("claims.", "payout.")) and name not in failpoints.AFTERWARDS
]
DAY = dt.date(2026, 11, 3)
ENDS = {ClaimState.PAID, ClaimState.REFUSED}


def worker(world: World, point: str) -> bool:
    """Run the claims steps in a process of its own until nothing moves; True when it was killed.

    The ledger of the test lives in the parent, which mines between two workers.
    """
    child = os.fork()
    if child == 0:
        world.services.engine.dispose(close=False)
        failpoints._armed = point
        while advance_claims(world.services):
            pass
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def killed_in(world: World, point: str, act: Callable[[], object]) -> bool:
    """Do something in a process of its own with the point armed; True when it was killed."""
    child = os.fork()
    if child == 0:
        world.services.engine.dispose(close=False)
        failpoints._armed = point
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_there_are_at_least_eight_points() -> None:
    assert len(POINTS) >= 8


# Two points in the quick suite; the slow one takes them all, and the whole system at each again.
QUICK = ("claims.decided", "claims.settle-enqueued")


@pytest.mark.parametrize(
    "point",
    [pytest.param(p, marks=() if p in QUICK else pytest.mark.slow) for p in POINTS],
)
def test_killed_at(tmp_path: Path, point: str) -> None:
    world = World.make(tmp_path)
    bank = equip_durably(world.services, tmp_path)
    person = world.person()
    is_refusal = point == "claims.released"
    bills = [
        world.bill(person, 400, DAY, **({"item": OUTSIDE} if is_refusal else {})),
        world.bill(person, 500, dt.date(2026, 11, 5), **({"item": OUTSIDE} if is_refusal else {})),
    ]
    world.anchor()
    result = submit(world.services, person.id, bills, secrets.token_urlsafe(32), has_consent=True)
    world.services.engine.dispose()
    kills = passes_after = 0
    for _ in range(40):
        kills += worker(world, point if kills < 2 else "")
        world.mine()
        passes_after += {world.claim(claim.id).state for claim in result.claims} <= ENDS
        world.services.engine.dispose()
        if passes_after == 5:  # nothing may happen a second time, either
            break
    # One file carries both bills, so that its points may be passed once only.
    assert kills >= (1 if point.startswith("payout.") else 2), f"{point} was not reached"
    states = {world.claim(claim.id).state for claim in result.claims}
    calls = sorted(world.ledger.calls)
    last = "release" if is_refusal else "settle"
    assert states == {ClaimState.REFUSED if is_refusal else ClaimState.PAID}
    ids = [claim.id for claim in result.claims]
    assert calls == sorted([("lodge", i) for i in ids] + [(last, i) for i in ids])
    with world.services.engine.begin() as connection:
        paid = connection.execute(sa.select(tables.payout.c.claim_id)).scalars().all()
        amounts = connection.execute(sa.select(sa.func.sum(tables.payout.c.amount_fen))).scalar()
    assert sorted(paid) == ([] if is_refusal else sorted(ids))
    # 400.00 takes the yearly 300.00 first: 60.00; then 500.00 x 60 % = 300.00.
    assert amounts == (None if is_refusal else 36_000)
    with bank.book.open() as page:
        credits = page.credits()
    assert sum(credit.amount_fen for credit in credits) == (amounts or 0)
    assert len({credit.end_to_end_id for credit in credits}) == len(credits)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["claims.supplement-enqueued", "claims.supplemented"])
def test_killed_in_a_supplement_pays_the_difference_once(tmp_path: Path, point: str) -> None:
    world = World.make(tmp_path)
    equip_durably(world.services, tmp_path)
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    file_appeal(world.services, person.id, claim.id, "item", WORDS)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    world.services.engine.dispose()
    kills = 0
    for _ in range(20):
        kills += worker(world, point if kills < 1 else "")
        world.mine()
        world.services.engine.dispose()
    assert kills == 1, f"{point} was not reached"
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [amount for _, amount in payouts(world, claim)] == [12_000, 6_000]
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle", "supplement"]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["claims.withdraw-asked", "claims.withdrawn"])
def test_killed_in_a_withdrawal_gives_the_lock_back_once(tmp_path: Path, point: str) -> None:
    world = World.make(tmp_path)
    person = world.person()
    bill = world.bill(person, 500, DAY, payer_name="测试丁卯")
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    world.services.engine.dispose()
    is_killed = killed_in(world, point, lambda: withdraw(world.services, person.id, claim.id))
    assert is_killed == (point == "claims.withdraw-asked")
    kills = 0
    for _ in range(10):
        kills += worker(world, point if kills < 1 else "")
        world.mine()
        world.services.engine.dispose()
    assert kills == (point == "claims.withdrawn")
    assert world.claim(claim.id).state is ClaimState.WITHDRAWN
    assert [call for call, _ in world.ledger.calls] == ["lodge", "release"]
