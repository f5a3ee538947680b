"""What the machine would add by itself stops where an approval takes two people: a late filing
that raises a decision above that amount waits for them before any supplement is asked for."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from backend.domain.claim import ClaimState
from backend.domain.review import CaseKind, ReviewLimits, Risk
from backend.domain.revision import Cause, RequestOutcome
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Claim, Decision
from backend.service_layer.handling.advance import advance_one
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.register.record_fact import Recorded
from tests.integration.claims.test_pages import BASE, client_of, log_in
from tests.integration.claims.world import World
from tests.integration.register.register_world import (
    DAY,
    alarms,
    decisions,
    file_remote,
    move_hospital,
    payouts,
    run_approved,
    touch,
)

BEFORE, AFTER = 29_400, 37_800  # of 1,000.00: 70 % and 90 % of (1,000.00 - 300.00) x 60 %


def limit(world: World, **limits: int) -> None:
    settings = dataclasses.replace(world.services.settings, review=ReviewLimits(**limits))
    object.__setattr__(world.services, "settings", settings)


def paid_elsewhere(world: World) -> Claim:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    assert payouts(world, claim) == [BEFORE]
    return claim


def page(world: World, claim: Claim) -> str:
    client = client_of(create_app(world.services))
    log_in(client, "citizen01")
    return str(client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True))


def raised(world: World, above: int) -> tuple[Claim, Recorded]:
    claim = paid_elsewhere(world)
    limit(world, second_approver_above_fen=above)
    done = file_remote(world, claim.person_id)
    world.run()
    return claim, done


def last(world: World, claim: Claim) -> Decision:
    return decisions(world, claim)[-1]


def test_up_to_the_limit_the_machine_goes_on(world: World) -> None:
    claim, done = raised(world, AFTER)
    assert [one.what for one in done.effects] == ["new-version"]
    assert payouts(world, claim) == [BEFORE, AFTER - BEFORE]
    assert last(world, claim).decided_by == "machine"


def test_above_the_limit_two_people_approve_before_a_supplement_is_asked_for(
    world: World,
) -> None:
    claim, done = raised(world, AFTER - 1)
    assert [(one.what, one.before_fen, one.after_fen) for one in done.effects] == [
        ("for-a-person", BEFORE, AFTER)
    ]
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle"]
    with world.services.work(write=False) as work:
        case = work.reviews.live_case(claim.id, CaseKind.REVISION)
        (revision,) = work.revisions.of_claim(claim.id)
    assert case is not None and (case.amount_fen, case.risk) == (AFTER, Risk.LOW)
    assert (revision.request.code, revision.request.amount_after_fen) == ("late-filing", AFTER)

    assert "可能补付 ¥84.00" in page(world, claim) and "重新计算后应为 ¥378.00" in page(
        world, claim
    )
    approve_pended(world.services, claim.number, "复核员丙", "备案属实")
    world.run()
    assert payouts(world, claim) == [BEFORE]  # one is not enough
    approve_pended(world.services, claim.number, "复核员丁", "备案属实，同意")
    world.run()
    assert payouts(world, claim) == [BEFORE, AFTER - BEFORE]
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle", "supplement"]
    assert (last(world, claim).decided_by, last(world, claim).reason) == (
        "复核员丁", "备案属实，同意",
    )  # fmt: skip
    with world.services.work(write=False) as work:
        (revision,) = work.revisions.of_claim(claim.id)
        assert work.revisions.causes_of(claim.id)[2] is Cause.LATE_FILING
    assert revision.outcome is not None
    assert (revision.outcome.effect, revision.outcome.version) == ("version", 2)
    assert alarms(world) == []
    assert "可能补付" not in page(world, claim)


def test_what_two_people_reject_is_not_paid_and_not_asked_again(world: World) -> None:
    claim, _ = raised(world, AFTER - 1)
    refuse_pended(world.services, claim.number, "复核员丙", "备案无效")
    refuse_pended(world.services, claim.number, "复核员丁", "备案无效")
    file_remote(world, claim.person_id, ends_on=dt.date(2026, 12, 30))
    world.run()
    assert payouts(world, claim) == [BEFORE] and len(decisions(world, claim)) == 1
    with world.services.work(write=False) as work:
        (revision,) = work.revisions.of_claim(claim.id)
        assert work.reviews.live_case(claim.id, CaseKind.REVISION) is None
    assert revision.outcome is not None
    assert revision.outcome.outcome is RequestOutcome.REJECTED


def test_a_rise_to_a_high_risk_amount_takes_four_people(world: World) -> None:
    claim = paid_elsewhere(world)
    limit(world, second_approver_above_fen=1, high_risk_above_fen=AFTER - 1)
    file_remote(world, claim.person_id)
    with world.services.work(write=False) as work:
        case = work.reviews.live_case(claim.id, CaseKind.REVISION)
    assert case is not None and case.risk is Risk.HIGH
    for name in ("复核员丙", "复核员丁", "复核员戊"):
        approve_pended(world.services, claim.number, name, "属实")
        world.run()
        assert payouts(world, claim) == [BEFORE]
    approve_pended(world.services, claim.number, "复核员己", "属实")
    world.run()
    assert payouts(world, claim) == [BEFORE, AFTER - BEFORE]


@pytest.mark.slow
def test_a_decided_claim_that_is_not_settled_yet_waits_as_well(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    approve_pended(world.services, claim.number, "复核员甲", "已核对")
    advance_one(world.services, claim.id)
    assert world.claim(claim.id).state is ClaimState.DECIDED
    limit(world, second_approver_above_fen=AFTER - 1)
    file_remote(world, claim.person_id)
    world.run()
    assert payouts(world, claim) == [BEFORE]
    for name in ("复核员丙", "复核员丁"):
        approve_pended(world.services, claim.number, name, "属实")
    world.run()
    assert payouts(world, claim) == [BEFORE, AFTER - BEFORE]


@pytest.mark.slow
def test_what_rose_further_after_the_question_is_asked_about_anew(world: World) -> None:
    claim, _ = raised(world, AFTER - 1)
    # Long-term filed care elsewhere has the full ratio: 420.00.
    file_remote(world, claim.person_id, "long-term-filed")
    with world.services.work(write=False) as work:
        asked = [one.request.amount_after_fen for one in work.revisions.of_claim(claim.id)]
        case = work.reviews.live_case(claim.id, CaseKind.REVISION)
    assert case is not None
    assert (asked, case.amount_fen) == ([AFTER, 42_000], 42_000)
    for name in ("复核员丙", "复核员丁"):
        approve_pended(world.services, claim.number, name, "属实")
    world.run()
    assert payouts(world, claim) == [BEFORE, 42_000 - BEFORE]
