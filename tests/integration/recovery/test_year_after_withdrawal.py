"""A bill that is void or reversed counts for nothing in its year, also when it was paid."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from backend.service_layer.claims.benefits import history_before
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.clearing.run import run_year
from backend.service_layer.recovery.run import recovery_pass
from tests.integration.claims.revising import alarms, claim_on, decisions, payouts
from tests.integration.claims.world import World
from tests.integration.clearing.cleared_world import new_year
from tests.integration.recovery.debts import orders, withdraw_bill

pytestmark = pytest.mark.slow

DAYS = tuple(dt.date(2026, 11, day) for day in (3, 5, 7))
# 300.00 of a year first, then 60 %. 400.00: 60.00; 500.00 after it: 300.00, alone: 120.00.


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def paid(world: World, person: Person, yuan: int, day: dt.date) -> Claim:
    bill = world.bill(person, yuan, day)
    world.anchor()
    world.services.clock.advance(60)  # type: ignore[attr-defined]
    (claim,) = claim_on(world, person, bill)
    world.run()
    assert world.claim(claim.id).state == "paid"
    return world.claim(claim.id)


def counted(world: World, person: Person) -> list[tuple[str, int]]:
    """(claim, deductible that it took) of the year."""
    with world.services.work(write=False) as work:
        history = history_before(work, person.id, 2026, None)
    return [(entry.claim_number, entry.deductible_fen) for entry in history.entries]


@pytest.mark.parametrize("state", ["void", "reversed"])
def test_a_later_decision_does_not_use_what_a_withdrawn_paid_bill_had_taken(
    world: World, state: str
) -> None:
    person = world.person()
    first = paid(world, person, 400, DAYS[0])
    assert counted(world, person) == [(first.number, 30_000)]
    withdraw_bill(world, first, state)
    assert counted(world, person) == []  # before anybody has looked at it
    recovery_pass(world.services)
    (order,) = orders(world, first)
    assert order.order.amount_fen == 6_000
    second = paid(world, person, 500, DAYS[1])
    assert payouts(world, second) == [(f"pay_{second.number}_v1", 12_000)]
    assert counted(world, person) == [(second.number, 30_000)]


def test_what_was_decided_on_it_is_said_and_the_next_claim_bears_what_is_missing(
    world: World,
) -> None:
    """Nothing is taken back by itself; over the year the deductible is borne once."""
    person = world.person()
    first = paid(world, person, 400, DAYS[0])
    second = paid(world, person, 500, DAYS[1])
    assert payouts(world, second) == [(f"pay_{second.number}_v1", 30_000)]
    withdraw_bill(world, first)
    recovery_pass(world.services)
    recovery_pass(world.services)
    assert [d.paid_fen for d in decisions(world, second)] == [30_000]
    assert ("year-totals-changed", second.id) in alarms(world)
    with world.services.work(write=False) as work:
        (asked,) = work.revisions.of_claim(second.id)
    assert (asked.request.amount_before_fen, asked.request.amount_after_fen) == (30_000, 12_000)
    third = paid(world, person, 500, DAYS[2])
    assert payouts(world, third) == [(f"pay_{third.number}_v1", 12_000)]
    assert [taken for _, taken in counted(world, person)] == [0, 30_000]


def test_a_bill_on_which_nothing_was_paid_counts_no_longer_either(world: World) -> None:
    person = world.person()
    first = paid(world, person, 100, DAYS[0])  # all of it is deductible: 0 paid
    second = paid(world, person, 500, DAYS[1])  # bears the other 200.00: 180.00
    assert payouts(world, second) == [(f"pay_{second.number}_v1", 18_000)]
    withdraw_bill(world, first)
    recovery_pass(world.services)
    assert orders(world, first) == []  # nothing was paid on it
    assert [d.paid_fen for d in decisions(world, second)] == [18_000]
    (asked,) = asked_of(world, second)
    assert asked.request.amount_after_fen == 12_000  # it bears the 300.00 alone


def asked_of(world: World, claim: Claim) -> list[Any]:
    with world.services.work(write=False) as work:
        return list(work.revisions.of_claim(claim.id))


def test_a_reversed_claim_does_not_keep_its_year_from_being_cleared(world: World) -> None:
    """Settled, and its bill void before any money left: it ends, and counts for nothing."""
    from tests.integration.payout.office import claim_of, settled

    person = world.person()
    reversed_one = settled(world, claim_of(world, person))
    withdraw_bill(world, reversed_one)
    recovery_pass(world.services)
    assert world.claim(reversed_one.id).state == "reversed"
    assert counted(world, person) == []
    second = paid(world, person, 500, DAYS[1])
    assert payouts(world, second) == [(f"pay_{second.number}_v1", 12_000)]
    new_year(world)
    _, figures = run_year(world.services, 2026, by="清算员")
    assert (figures.people, figures.claims, figures.found) == ({"cleared": 1}, 1, {})


def test_the_clearing_leaves_a_withdrawn_bill_out_and_asks_for_what_was_decided_on_it(
    world: World,
) -> None:
    person = world.person()
    first = paid(world, person, 400, DAYS[0])
    second = paid(world, person, 500, DAYS[1])
    withdraw_bill(world, first)
    recovery_pass(world.services)
    new_year(world)
    told: list[Any] = []
    run_year(world.services, 2026, by="清算员", report=told.append)
    assert [(one.claim_number, one.before_fen, one.after_fen, one.outcome) for one in told] == [
        (second.number, 30_000, 12_000, "proposed")
    ]
    (whole,) = orders(world, first)
    (lower,) = orders(world, second)
    assert (whole.order.amount_fen, whole.state) == (6_000, "open")
    assert (lower.order.amount_fen, lower.state) == (18_000, "proposed")
