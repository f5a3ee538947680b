"""A year to clear: two people, care in Hangzhou, facts that the register learns afterwards."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.register import FactKind, RegisterFact
from backend.service_layer.claims.records import Claim, Person
from tests.integration.claims.world import World
from tests.integration.register.register_world import (
    file_remote,
    move_hospital,
    run_approved,
    touch,
)

FIRST_DAY = dt.date(2026, 11, 3)
SECOND_DAY = dt.date(2026, 11, 10)
NEW_YEAR = dt.datetime(2027, 1, 15, 2, 0, tzinfo=dt.UTC)

# An employee in service at level 2 bears 300.00 of the year first, then the pool pays 60 %; of
# that 70 % for care elsewhere that nobody filed, and 90 % after a referral.
UNFILED_FEN, FILED_FEN = 29_400, 37_800  # of 1,000.00
SECOND_UNFILED_FEN, SECOND_FILED_FEN = 21_000, 27_000  # of 500.00 after it


def paid_twice(world: World, person: Person) -> tuple[Claim, Claim]:
    """1,000.00 on the 3rd and 500.00 on the 10th, in one submission, paid."""
    bills = [world.bill(person, 1000, FIRST_DAY), world.bill(person, 500, SECOND_DAY)]
    move_hospital(world)
    world.anchor()
    claims = touch(world, person.id, *bills)
    run_approved(world, *claims)
    return claims[0], claims[1]


def paid_with_filing(world: World, person: Person) -> Claim:
    """1,000.00 on the 3rd with a referral that was filed in time, paid."""
    bill = world.bill(person, 1000, FIRST_DAY)
    move_hospital(world)
    world.anchor()
    file_remote(world, person.id)
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    return claim


def learn_filing(world: World, person: Person, *, withdrawn: bool = False) -> None:
    """The register of another office says it, and nobody has the claims worked out again."""
    with world.services.work() as work:
        known = [f for f in work.register.facts_of(person.id) if f.kind is FactKind.FILING]
        work.register.add(
            RegisterFact(
                id=world.services.ids.new_id("fct"),
                person_id=person.id,
                kind=FactKind.FILING,
                code="referred-filed",
                detail="3301",
                valid_from=dt.date(2026, 10, 1),
                valid_to=dt.date(2026, 12, 31),
                filed_on=dt.date(2026, 11, 20),
                supersedes=known[-1].id if withdrawn else None,
                is_withdrawn=withdrawn,
                source="simulated",
                recorded_by="test",
                reason="test",
                recorded_at=world.services.clock.now(),
            )
        )
        work.commit()


def new_year(world: World) -> None:
    """It is January: the year of the bills is over."""
    clock = world.services.clock
    assert isinstance(clock, SetClock)
    clock.advance((NEW_YEAR - clock.now()).total_seconds())


def rows(world: World, table: sa.Table) -> int:
    with world.services.engine.begin() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


BOOKED = (
    tables.decision,
    tables.revision_request,
    tables.recovery_order,
    tables.journal_entry,
    tables.ledger_intent,
    tables.payout,
    tables.clearing_item,
)


def booked(world: World) -> dict[str, int]:
    """How many rows there are of everything that a clearing may book."""
    return {table.name: rows(world, table) for table in BOOKED}


def recoveries(world: World, claim: Claim) -> list[Any]:
    with world.services.work(write=False) as work:
        return list(work.recoveries.of_claim(claim.id))
