"""Which money goes at once, how much of it, and when the daily run is due."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.domain.payout import InstantLimits
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.payout.approve import approve
from backend.service_layer.payout.records import Lane
from backend.service_layer.payout.run import payout_pass, run_lane
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    DAY,
    FIRST_FEN,
    attempts,
    claim_of,
    files,
    instant,
    settled,
    state,
    with_rules,
)

NAMES = ("测试甲子", "测试乙丑", "测试丙寅", "测试丁卯", "测试戊辰", "测试己巳")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def people(world: World, count: int) -> list[str]:
    """Approved claims of ``count`` people, 60.00 each."""
    claims = []
    for index in range(count):
        person = world.person(NAMES[index], f"citizen{index:02d}")
        claims.append(claim_of(world, person, 400 + index, DAY - dt.timedelta(days=index)))
    ids = [settled(world, claim).id for claim in claims]
    for claim_id in ids:
        approve(world.services, world.claim(claim_id))
    return ids


def test_a_clean_small_claim_is_paid_at_once(world: World) -> None:
    instant(world)
    claim = claim_of(world, world.person())
    world.run()
    assert state(world, claim) == ("paid", None)
    assert attempts(world) == [(f"{claim.number}-V1-A1", FIRST_FEN, "instant")]
    assert [file.lane for file in files(world)] == [Lane.INSTANT]


@pytest.mark.parametrize(
    "limits",
    [
        InstantLimits(),
        InstantLimits(FIRST_FEN - 1, 10**9, 10**9),
        InstantLimits(10**9, FIRST_FEN - 1, 10**9),
        InstantLimits(10**9, 10**9, FIRST_FEN - 1),
        InstantLimits(10**9, 10**9, 0),
    ],
)
def test_what_is_over_a_limit_waits_for_the_daily_run(world: World, limits: InstantLimits) -> None:
    instant(world, limits.bill_fen, limits.person_day_fen, limits.pool_day_fen)
    claim = claim_of(world, world.person())
    world.run()
    assert state(world, claim) == ("paying", "payout-run") and attempts(world) == []
    with_rules(world, every_seconds=0)
    world.run()
    assert [lane for _, _, lane in attempts(world)] == ["daily"]
    assert state(world, claim) == ("paid", None)


def test_exactly_at_the_limits_it_goes_at_once(world: World) -> None:
    instant(world, FIRST_FEN, FIRST_FEN, FIRST_FEN)
    claim = claim_of(world, world.person())
    world.run()
    assert state(world, claim) == ("paid", None)


def test_what_a_person_had_to_look_at_never_goes_at_once(world: World) -> None:
    instant(world)
    bill = world.bill(person := world.person(), 400, DAY, payer_name="测试丁卯")
    world.anchor()
    from tests.integration.claims.revising import claim_on

    (claim,) = claim_on(world, person, bill)
    world.run()
    approve_pended(world.services, claim.number, "复核员甲", "同一人")
    world.run()
    assert state(world, claim) == ("paying", "payout-run")


def test_what_failed_once_goes_with_the_daily_run(world: World) -> None:
    from backend.service_layer.payout.records import AnswerStatus

    instant(world)
    person = world.person()
    claim = claim_of(world, person)
    world.bank.plan[f"TEST-{person.id[-12:]}-6217"] = (AnswerStatus.REJECTED, "AC04")
    world.run()
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    assert state(world, claim)[0] == "paying" and len(attempts(world)) == 1
    with_rules(world, every_seconds=0)
    world.run()
    assert [lane for _, _, lane in attempts(world)] == ["instant", "daily"]


def test_the_day_of_a_person_is_shanghais_and_begins_anew(world: World) -> None:
    # 10:00 in Shanghai at first; 15 hours later it is 01:00 of the next day.
    instant(world, 10**6, FIRST_FEN, 10**9)
    person = world.person()
    first = claim_of(world, person)
    world.run()
    second = claim_of(world, person, 10, DAY + dt.timedelta(days=1))  # 10.00 x 60 % = 6.00
    world.run()
    assert (state(world, first)[0], state(world, second)[1]) == ("paid", "payout-run")
    world.services.clock.advance(15 * 3600)
    third = claim_of(world, person, 20, DAY + dt.timedelta(days=2))
    world.run()
    assert state(world, third) == ("paid", None)


# --- the daily run -------------------------------------------------------------------------------


def test_the_run_begins_at_four_on_a_working_day_and_is_done_once(world: World) -> None:
    # The clock stands at 10:00 in Shanghai on Friday 20 November 2026.
    with_rules(world, every_seconds=None)
    claim = claim_of(world, world.person())
    world.run()
    assert state(world, claim) == ("paying", "payout-run")
    world.services.clock.advance(6 * 3600 - 1)
    assert payout_pass(world.services) == 0
    world.services.clock.advance(1)
    world.run()
    assert state(world, claim) == ("paid", None)
    late = claim_of(world, world.person("测试乙丑", "citizen02"))
    world.run()
    assert state(world, late) == ("paying", "payout-run")
    for hours, expected in ((24, "paying"), (24, "paying"), (24, "paid")):  # Sat, Sun, Mon
        world.services.clock.advance(hours * 3600)
        world.run()
        assert state(world, late)[0] == expected


def test_a_run_that_could_not_read_the_ledger_is_still_due(world: World) -> None:
    with_rules(world, every_seconds=None)
    claim = claim_of(world, world.person())
    world.run()
    world.services.clock.advance(6 * 3600)
    world.ledger.is_down = True
    payout_pass(world.services)
    assert attempts(world) == []
    world.ledger.is_down = False
    payout_pass(world.services)
    assert len(attempts(world)) == 1
    advance_claims(world.services)
    assert state(world, claim) == ("paid", None)


# --- two workers ---------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = World.make(tmp_path, url)
    yield made
    made.services.engine.dispose()


def race(world: World, lane: Lane, workers: int = 4) -> None:
    """The same lane from several threads at once; raises what went wrong in any."""
    barrier = threading.Barrier(workers)

    def one() -> None:
        barrier.wait()
        run_lane(world.services, lane)

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(one) for _ in range(workers)]:
            done.result(timeout=60)


def test_racing_workers_stay_within_the_pools_day_together(shared: World) -> None:
    instant(shared, 10**6, 10**6, 4 * FIRST_FEN)
    people(shared, 6)  # 60.00 and a little more each: three fit into 240.00
    race(shared, Lane.INSTANT)
    paid = [fen for _, fen, lane in attempts(shared) if lane == "instant"]
    assert len(paid) == 3 and sum(paid) <= 4 * FIRST_FEN


def test_racing_workers_instruct_each_payable_once(shared: World) -> None:
    ids = people(shared, 6)
    race(shared, Lane.DAILY)
    assert len(attempts(shared)) == len(ids) == 6
    shared.run()
    assert sorted(shared.bank.paid) == [name for name, _, _ in attempts(shared)]
    assert {str(shared.claim(claim_id).state) for claim_id in ids} == {"paid"}
