"""The citizen withdraws: from every state that allows it, and from no other."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.ledger import IntentKind
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.handling.advance import advance_claims, advance_one
from backend.service_layer.handling.review import refuse_pended
from backend.service_layer.handling.withdraw import (
    WithdrawRefusedError,
    withdraw,
    withdraw_on_request,
)
from backend.service_layer.payout.run import payout_pass
from backend.service_layer.review.decide import ReviewRefusedError
from tests.integration.claims.revising import DAY, alarms, claim_on, decisions, payouts, slot_of
from tests.integration.claims.world import OUTSIDE, World

OTHER_NAME = "测试丁卯"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def at_state(world: World, state: ClaimState, **bill: object) -> tuple[Person, Claim]:
    """A claim in the state, with its intents mined except the last one."""
    person = world.person()
    invoice = world.bill(person, 500, DAY, **bill)
    if state is not ClaimState.SUBMITTED:
        world.anchor()
    (claim,) = claim_on(world, person, invoice)
    for _ in range(30):
        if world.claim(claim.id).state is state:
            return person, world.claim(claim.id)
        if not advance_one(world.services, claim.id) and not payout_pass(world.services):
            world.mine()
    raise AssertionError(f"{world.claim(claim.id).state} instead of {state}")


def test_a_clerk_withdraws_for_a_citizen_and_is_named(world: World) -> None:
    _, claim = at_state(world, ClaimState.SUBMITTED)
    for clerk, text in (("", "窗口申请"), ("柜员甲", " "), ("柜" * 61, "窗口申请")):
        with pytest.raises(ReviewRefusedError, match="请写明复核人"):
            withdraw_on_request(world.services, claim.number, clerk, text)
    assert world.claim(claim.id).state is ClaimState.SUBMITTED
    after = withdraw_on_request(world.services, claim.number, "柜员甲", "本人到窗口申请撤回")
    assert after.state is ClaimState.WITHDRAWN
    assert withdraw_on_request(world.services, claim.number, "柜员乙", "又来").state == after.state
    with world.services.work(write=False) as work:
        (event,) = work.revisions.events_of(claim.id)
    assert (event.kind, event.by, event.text) == ("withdrawn", "柜员甲", "本人到窗口申请撤回")


UNLOCKED = (ClaimState.SUBMITTED, ClaimState.SCREENED, ClaimState.CALCULATED)


@pytest.mark.slow
@pytest.mark.parametrize("state", UNLOCKED)
def test_before_the_lock_it_is_withdrawn_at_once(world: World, state: ClaimState) -> None:
    person, claim = at_state(world, state)
    after = withdraw(world.services, person.id, claim.id, "填错了")
    assert (after.state, after.live_invoice_id) == (ClaimState.WITHDRAWN, None)
    world.run()
    assert world.ledger.calls == []
    with world.services.work(write=False) as work:
        (event,) = work.revisions.events_of(claim.id)
    assert (event.kind, event.state_before, event.text) == ("withdrawn", str(state), "填错了")


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(ClaimState.LODGING, marks=pytest.mark.slow),
        ClaimState.LODGED,
        pytest.param(ClaimState.DECIDED, marks=pytest.mark.slow),
    ],
)
def test_a_lock_is_given_back_first_and_the_bill_is_claimed_again(
    world: World, state: ClaimState
) -> None:
    person, claim = at_state(world, state)
    assert withdraw(world.services, person.id, claim.id).state is ClaimState.WITHDRAWING
    world.run()
    assert world.claim(claim.id).state is ClaimState.WITHDRAWN
    assert [call for call, _ in world.ledger.calls] == ["lodge", "release"]
    with world.services.work(write=False) as work:
        (release,) = work.outbox.of_subject(claim.id, IntentKind.RELEASE)
    # ReleaseReason.Withdrawn, and no decision goes with it.
    assert (release.payload["reason"], release.payload["decision_version"]) == (0, 0)
    assert slot_of(world, claim)[1].open_payer == 0
    (again,) = claim_on(world, person, claim.invoice_id)
    world.run()
    assert world.claim(again.id).state is ClaimState.PAID
    assert [amount for _, amount in payouts(world, again)] == [12_000]
    assert payouts(world, claim) == []


@pytest.mark.slow
def test_a_pended_claim_leaves_the_list_of_the_reviewers(world: World) -> None:
    person, claim = at_state(world, ClaimState.PENDED, payer_name=OTHER_NAME)
    withdraw(world.services, person.id, claim.id)
    world.run()
    assert world.claim(claim.id).state is ClaimState.WITHDRAWN
    with world.services.work(write=False) as work:
        assert work.claims.pended() == []
        assert work.reviews.live_cases_of(claim.id) == []
    with pytest.raises(DomainError):
        refuse_pended(world.services, claim.number, "复核员甲", "不是本人")


@pytest.mark.slow
def test_a_withdrawn_claim_counts_no_longer_in_the_year(world: World) -> None:
    person = world.person()
    first = world.bill(person, 400, DAY, payer_name=OTHER_NAME)
    second = world.bill(person, 500, DAY.replace(day=10), payer_name=OTHER_NAME)
    world.anchor()
    early, late = claim_on(world, person, first, second)
    world.run()
    withdraw(world.services, person.id, early.id)
    with world.services.work(write=False) as work:
        calculation = work.decisions.latest_calculation(late.id)
    assert calculation is not None and calculation.paid_fen == 12_000  # it takes the 300.00 now
    assert alarms(world) == []


@pytest.mark.slow
def test_withdrawing_twice_is_one_withdrawal(world: World) -> None:
    person, claim = at_state(world, ClaimState.LODGED)
    withdraw(world.services, person.id, claim.id)
    withdraw(world.services, person.id, claim.id)
    world.run()
    withdraw(world.services, person.id, claim.id)
    with world.services.work(write=False) as work:
        assert len(work.revisions.events_of(claim.id)) == 1
        assert len(work.outbox.of_subject(claim.id, IntentKind.RELEASE)) == 1


@pytest.mark.slow
def test_a_withdrawal_under_a_lodge_that_was_refused_needs_no_release(world: World) -> None:
    person, claim = at_state(world, ClaimState.LODGING)
    withdraw(world.services, person.id, claim.id)
    key, slot = slot_of(world, claim)
    world.ledger.slots[key] = dataclasses.replace(slot, open_payer=7, lodge_counter=1)
    world.run()
    assert world.claim(claim.id).state is ClaimState.WITHDRAWN
    assert [call for call, _ in world.ledger.calls] == ["lodge"]


# --- what is refused ---------------------------------------------------------------------------

TAKEN = (ClaimState.SETTLING, ClaimState.SETTLED, ClaimState.PAYING, ClaimState.PAID)


@pytest.mark.slow
@pytest.mark.parametrize("state", TAKEN)
def test_a_decision_on_its_way_is_not_withdrawn(world: World, state: ClaimState) -> None:
    person, claim = at_state(world, state)
    with pytest.raises(WithdrawRefusedError, match="decided on the ledger"):
        withdraw(world.services, person.id, claim.id)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


@pytest.mark.parametrize("state", [ClaimState.DECIDED, ClaimState.RELEASING, ClaimState.REFUSED])
def test_a_refusal_is_not_withdrawn(world: World, state: ClaimState) -> None:
    person, claim = at_state(world, state, item=OUTSIDE)
    with pytest.raises(WithdrawRefusedError, match="can be appealed, not withdrawn"):
        withdraw(world.services, person.id, claim.id)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert [d.outcome for d in decisions(world, claim)] == ["refused"]


def test_nobody_else_withdraws(world: World) -> None:
    _, claim = at_state(world, ClaimState.LODGED)
    other = world.person("测试乙丑", "citizen02")
    with pytest.raises(NotFoundError, match="no such claim"):
        withdraw(world.services, other.id, claim.id)
    assert world.claim(claim.id).state is ClaimState.LODGED


def test_nothing_is_withdrawn_while_the_ledger_is_ahead_of_the_database(world: World) -> None:
    person, claim = at_state(world, ClaimState.LODGED)
    with world.services.work() as work:
        work.alarms.raise_alarm("database-behind-chain", "chain", "test")
        work.commit()
    with pytest.raises(WithdrawRefusedError, match="being reconciled"):
        withdraw(world.services, person.id, claim.id)
    assert world.claim(claim.id).state is ClaimState.LODGED


@pytest.mark.slow
def test_a_novel_is_no_reason(world: World) -> None:
    person, claim = at_state(world, ClaimState.LODGED)
    with pytest.raises(DomainError, match="more than 500 characters"):
        withdraw(world.services, person.id, claim.id, "长" * 501)
    assert world.claim(claim.id).state is ClaimState.LODGED


@pytest.mark.slow
def test_a_bill_that_is_not_released_yet_is_not_claimed_again(world: World) -> None:
    person, claim = at_state(world, ClaimState.LODGED)
    withdraw(world.services, person.id, claim.id)
    with pytest.raises(DomainError, match="another claim holds the bill"):
        claim_on(world, person, claim.invoice_id)


# --- races on PostgreSQL -----------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path, postgresql_url: str) -> Iterator[World]:
    made = World.make(tmp_path, postgresql_url)
    yield made
    made.services.engine.dispose()


def race(*acts: Callable[[], object]) -> list[str]:
    """Do all at once; what became of each: done, or the class of its refusal."""
    barrier = threading.Barrier(len(acts))
    told = [""] * len(acts)

    def one(index: int) -> None:
        barrier.wait()
        try:
            acts[index]()
            told[index] = "done"
        except DomainError as error:
            told[index] = type(error).__name__

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(6))
def test_settling_and_withdrawing_at_once_has_exactly_one_effect(
    shared: World, round_: int
) -> None:
    person, claim = at_state(shared, ClaimState.DECIDED)
    services = shared.services
    told = race(
        lambda: advance_one(services, claim.id), lambda: withdraw(services, person.id, claim.id)
    )
    shared.run()
    end = shared.claim(claim.id).state
    ending = {ClaimState.PAID: "settle", ClaimState.WITHDRAWN: "release"}[end]
    assert [call for call, _ in shared.ledger.calls] == ["lodge", ending]
    assert told[1] == ("done" if end is ClaimState.WITHDRAWN else "WithdrawRefusedError")
    assert len(payouts(shared, claim)) == (end is ClaimState.PAID)


@pytest.mark.slow
def test_deciding_and_withdrawing_at_once_never_pays_what_was_withdrawn(shared: World) -> None:
    person, claim = at_state(shared, ClaimState.LODGED)
    services = shared.services
    told = race(
        lambda: advance_claims(services),
        lambda: withdraw(services, person.id, claim.id),
        lambda: withdraw(services, person.id, claim.id),
    )
    shared.run()
    assert told[1:] == ["done", "done"]
    assert shared.claim(claim.id).state is ClaimState.WITHDRAWN
    assert [call for call, _ in shared.ledger.calls] == ["lodge", "release"]
    assert payouts(shared, claim) == []
    with services.work(write=False) as work:
        assert len(work.revisions.events_of(claim.id)) == 1
