"""A clearing beside other things of the same person: appeals, recoveries, money that came back."""

from __future__ import annotations

import dataclasses

import pytest

from backend.domain.clearing import ClearingConflictError
from backend.domain.recovery import Cause, State
from backend.domain.review import Outcome
from backend.domain.supervision import SubjectKind
from backend.service_layer.claims.records import Claim
from backend.service_layer.clearing.confirm import confirm
from backend.service_layer.clearing.run import Found, run_year
from backend.service_layer.clearing.statement import yearly_statement
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.payout.records import AnswerStatus, StatusItem
from backend.service_layer.recovery.run import recovery_pass
from tests.integration.claims.revising import WORDS, conclude
from tests.integration.claims.world import World
from tests.integration.clearing.cleared_world import (
    FILED_FEN,
    UNFILED_FEN,
    booked,
    learn_filing,
    new_year,
    paid_twice,
    paid_with_filing,
    recoveries,
)
from tests.integration.payout.office import files, say
from tests.integration.recovery.debts import withdraw_bill
from tests.integration.recovery.test_causes import ordered
from tests.integration.register.register_world import payouts

pytestmark = pytest.mark.slow
LESS_FEN = FILED_FEN - UNFILED_FEN
RIGHT = [(FILED_FEN, UNFILED_FEN, "proposed")]


def clear(world: World) -> tuple[list[Found], list[tuple[str, str]]]:
    """What a run told, and whom it left: (outcome, detail)."""
    told: list[Found] = []
    run, _ = run_year(world.services, 2026, by="清算员甲", report=told.append)
    world.run()
    with world.services.work(write=False) as work:
        left = [(one.outcome, one.detail) for one in work.clearings.left(run.id)]
    return told, left


def shown(told: list[Found]) -> list[tuple[int, int, str]]:
    return [(one.before_fen, one.after_fen, one.outcome) for one in told]


def owing_less(world: World, *, late: bool = True) -> Claim:
    """Paid with a referral that was withdrawn afterwards: 84.00 too much."""
    person = world.person()
    claim = paid_with_filing(world, person)
    learn_filing(world, person, withdrawn=True)
    if late:
        new_year(world)
    return claim


def test_an_open_appeal_leaves_its_person_for_later_and_nothing_is_booked(world: World) -> None:
    claim = owing_less(world, late=False)
    file_appeal(world.services, claim.person_id, claim.id, "item", WORDS)
    new_year(world)
    before = booked(world)
    assert clear(world) == ([], [("deferred", f"open: {claim.number}")])
    assert booked(world) == before and recoveries(world, claim) == []
    conclude(world, claim, "appeal", Outcome.REFUSE)
    told, left = clear(world)
    assert (shown(told), left) == (RIGHT, [])


def test_a_proposal_is_not_confirmed_while_an_appeal_is_open(world: World) -> None:
    claim = owing_less(world)
    clear(world)
    with world.services.work(write=False) as work:
        (item,) = work.clearings.items_of_claim(claim.id)
    # As soon as the appeal is there, nobody confirms on facts that may change.
    settings = dataclasses.replace(world.services.settings, appeal_days=400)
    object.__setattr__(world.services, "settings", settings)
    file_appeal(world.services, claim.person_id, claim.id, "item", WORDS)
    with pytest.raises(ClearingConflictError, match=f"open: {claim.number}"):
        confirm(world.services, item.id, "经办甲", "已核对备案")
    (order,) = recoveries(world, claim)
    assert order.state is State.PROPOSED and order.approvals == ()


def test_a_payment_that_came_back_is_waited_for_before_less_is_asked(world: World) -> None:
    claim = owing_less(world, late=False)
    (file,) = files(world)
    say(world, StatusItem(file.items[0].end_to_end_id, AnswerStatus.RETURNED, "AC04"))
    world.run()
    assert world.claim(claim.id).state == "paying"
    new_year(world)
    assert clear(world) == ([], [("deferred", f"payment under way: {claim.number}")])
    assert recoveries(world, claim) == []
    world.accounts.correct(claim.person_id, "测试甲子", "TEST-CORRECTED")
    world.run()
    assert world.claim(claim.id).state == "paid"
    told, left = clear(world)
    assert (shown(told), left) == (RIGHT, [])


def test_more_is_added_to_a_payment_that_came_back_and_both_are_paid_once(world: World) -> None:
    person = world.person()
    first, _ = paid_twice(world, person)
    learn_filing(world, person)
    for item in files(world)[0].items:
        say(world, StatusItem(item.end_to_end_id, AnswerStatus.RETURNED, "AC04"))
    world.run()
    new_year(world)
    told, left = clear(world)
    assert ({one.outcome for one in told}, left) == ({"version"}, [])
    assert payouts(world, first) == [UNFILED_FEN]
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    world.run()
    assert payouts(world, first) == [UNFILED_FEN, LESS_FEN]
    paid = sorted(fen for number, fen in world.bank.paid.values() if number == "TEST-CORRECTED")
    assert paid == [6_000, 8_400, 21_000, UNFILED_FEN]
    assert clear(world) == ([], [])


def test_a_withdrawn_bill_of_the_person_is_asked_back_whole_and_the_rest_is_cleared(
    world: World,
) -> None:
    person = world.person()
    _, second = paid_twice(world, person)
    withdraw_bill(world, second)
    recovery_pass(world.services)
    learn_filing(world, person)
    new_year(world)
    told, left = clear(world)
    assert (shown(told), left) == ([(UNFILED_FEN, FILED_FEN, "version")], [])
    (order,) = recoveries(world, second)
    assert (order.order.cause, order.order.amount_fen, order.state) == (
        Cause.VOID, 21_000, State.OPEN,
    )  # fmt: skip
    before = booked(world)
    assert clear(world) == ([], []) and booked(world) == before
    (year,) = yearly_statement(world.services, 2026)
    assert (year.claims, year.paid_fen, year.untied) == (1, FILED_FEN, [])


def test_what_two_people_asked_back_is_not_asked_for_twice(world: World) -> None:
    claim = owing_less(world)
    clear(world)
    with world.services.work(write=False) as work:
        (item,) = work.clearings.items_of_claim(claim.id)
    for name in ("经办甲", "经办乙"):
        confirm(world.services, item.id, name, "已核对备案")
    before = booked(world)
    assert clear(world) == ([], []) and booked(world) == before  # it is owed, not paid back yet
    (order,) = recoveries(world, claim)
    assert (order.state, order.left_fen) == (State.OPEN, LESS_FEN)


def test_an_order_of_supervision_is_not_about_what_the_claim_comes_to(world: World) -> None:
    claim = owing_less(world, late=False)
    ordered(world, SubjectKind.CLAIM, claim.id, 1_000)
    recovery_pass(world.services)
    new_year(world)
    told, left = clear(world)
    assert (shown(told), left) == (RIGHT, [])
    assert sorted((str(o.order.cause), o.order.amount_fen) for o in recoveries(world, claim)) == [
        ("clearing", LESS_FEN), ("finding", 1_000),
    ]  # fmt: skip
