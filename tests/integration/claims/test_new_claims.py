"""A new claim is taken through its local steps at once, between whatever else is to be done."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain.claim import ClaimState
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import NewClaims, advance_claims
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def touch(world: World, person: Person, day: dt.date = DAY, *, is_anchored: bool = True) -> Claim:
    bill = world.bill(person, 500, day)
    if is_anchored:
        world.anchor()
    form = secrets.token_urlsafe(32)
    (claim,) = submit(world.services, person.id, [bill], form, has_consent=True).claims
    return claim


def state(world: World, claim: Claim) -> ClaimState:
    return world.claim(claim.id).state


def test_a_new_claim_is_worked_out_and_asks_for_its_lock_before_any_other_moves(
    world: World,
) -> None:
    first, second = world.person(), world.person("测试乙丑", "citizen02")
    new_claims = NewClaims(world.services)
    assert new_claims.advance() == 0
    waiting = touch(world, first, is_anchored=False)
    assert new_claims.advance() == 1  # it says once that it waits for its anchor
    claim = touch(world, second)
    assert new_claims.advance() == 1
    assert state(world, claim) is ClaimState.LODGING
    assert state(world, waiting) is ClaimState.SUBMITTED
    assert world.claim(waiting.id).waiting_for == "anchor"
    assert new_claims.advance() == 0


def test_what_was_there_before_is_left_to_the_pass_over_all(world: World) -> None:
    claim = touch(world, world.person())
    new_claims = NewClaims(world.services)
    assert [new_claims.advance() for _ in range(2)] == [0, 0]
    assert state(world, claim) is ClaimState.SUBMITTED
    assert advance_claims(world.services) == 1


def test_the_pass_over_all_lets_a_new_claim_in_between_two_others(world: World) -> None:
    """Two claims with three steps before them; a third comes while the pass is at the first."""
    people = [world.person(f"测试甲{letter}", f"citizen0{n}") for n, letter in enumerate("子寅辰")]
    old = [touch(world, person) for person in people[:2]]
    new_claims = NewClaims(world.services)
    new_claims.advance()
    seen: list[list[ClaimState]] = []
    late: list[Claim] = []

    def between() -> int:
        if not late:
            late.append(touch(world, people[2]))
        moved = new_claims.advance()
        seen.append([state(world, claim) for claim in (*old, *late)])
        return moved

    assert advance_claims(world.services, between=between) == 3
    screened, lodging = ClaimState.SCREENED, ClaimState.LODGING
    assert seen == [[screened, ClaimState.SUBMITTED, lodging], [screened, screened, lodging]]


def test_a_new_claim_that_cannot_be_read_alarms_once_and_holds_up_nobody(world: World) -> None:
    person = world.person()
    new_claims = NewClaims(world.services)
    new_claims.advance()
    broken = touch(world, person)
    with world.services.engine.begin() as connection:
        # The state is no member of its enumeration: the first reader stumbles over it.
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql(f"UPDATE claim SET state = 'lost' WHERE id = '{broken.id}'")
    sound = touch(world, world.person("测试乙丑", "citizen02"))
    assert new_claims.advance() == 1
    assert new_claims.advance() == 0
    assert state(world, sound) is ClaimState.LODGING
    with world.services.engine.connect() as connection:
        codes = connection.execute(sa.select(tables.alarm.c.code)).scalars().all()
    assert codes == ["claim-step-failed"]


def test_while_the_ledger_is_silent_a_new_claim_says_so_and_is_not_asked_again(
    world: World,
) -> None:
    person = world.person()
    new_claims = NewClaims(world.services)
    new_claims.advance()
    claim = touch(world, person)
    world.ledger.is_down = True
    assert [new_claims.advance() for _ in range(2)] == [1, 0]
    assert world.claim(claim.id).waiting_for == "ledger"
    world.ledger.is_down = False
    world.run()
    assert state(world, claim) is ClaimState.PAID


def test_ids_of_claims_tell_their_order(world: World) -> None:
    person = world.person()
    claims = [touch(world, person, DAY + dt.timedelta(days=n)) for n in range(3)]
    with SqlUnitOfWork(world.services.engine, write=False) as work:
        assert work.claims.newer_than("") == [claim.id for claim in claims]
        assert work.claims.newer_than(claims[1].id) == [claims[2].id]
        assert work.claims.newer_than(work.claims.newest()) == []
