"""Care outside the insured area, by hand: 1,000.00 in scope at a level-2 hospital, an employee in
service: (1,000.00 - 300.00) x 60 % = 420.00 inside the area, times the factor outside it."""

from __future__ import annotations

import pytest

from backend.domain.claim import ClaimState
from backend.domain.register import FactKind
from backend.entrypoints.web import create_app
from backend.service_layer.claims.claimable import list_claimable
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.register.entries import Entry
from backend.service_layer.register.record_fact import record_fact
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


@pytest.mark.parametrize(
    ("area", "status", "department", "paid_fen"),
    [
        # another county of the same city: local
        pytest.param("330881", None, "", 42_000, marks=pytest.mark.slow),
        ("330106", None, "", 29_400),  # 420.00 x 70 %: on one's own
        ("330106", None, "急诊内科", 35_700),  # x 85 %: an emergency, not filed
        ("330106", "referred-filed", "", 37_800),  # x 90 %
        # x 100 %
        pytest.param("330106", "long-term-filed", "", 42_000, marks=pytest.mark.slow),
        # what is filed comes before emergency
        pytest.param("330106", "referred-filed", "急诊内科", 37_800, marks=pytest.mark.slow),
        # filed for Hangzhou, treated in Shanghai
        pytest.param("310101", "referred-filed", "", 29_400, marks=pytest.mark.slow),
    ],
)
def test_amount_follows_area_filing_and_emergency(
    world: World, area: str, status: str | None, department: str, paid_fen: int
) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY, department=department)
    move_hospital(world, area)
    if status is not None:
        file_remote(world, person.id, status)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [one.paid_fen for one in decisions(world, claim)] == [paid_fen]


@pytest.mark.slow
def test_the_better_of_two_filings_counts(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    file_remote(world, person.id, "referred-filed")
    file_remote(world, person.id, "long-term-filed", area="330106")
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    assert payouts(world, claim) == [42_000]


def test_a_status_that_the_policy_has_not_goes_to_a_person_and_not_into_an_alarm(
    world: World,
) -> None:
    person = world.person()
    odd = world.bill(person, 1000, DAY)
    move_hospital(world)
    file_remote(world, person.id, "dual-residence")
    world.anchor()
    with world.services.work(write=False) as work:
        found = list_claimable(world.services, work, person)
    assert [entry.bill.invoice_id for entry in found.offered] == [odd]
    (claim,) = touch(world, person.id, odd)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    with world.services.work(write=False) as work:
        (pend,) = work.claims.pends_of(claim.id)
    assert (pend.code, pend.queue) == ("no-rule", "policy")
    assert "dual-residence" in pend.zh
    assert alarms(world) == []
    client = client_of(create_app(world.services))
    log_in(client, "citizen01")
    page = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "由工作人员核定" in page and "参保登记和银行都是模拟的" in page
    assert "损坏" not in page


@pytest.mark.slow
def test_an_approval_without_a_rule_comes_back_to_a_person(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    filing = file_remote(world, person.id, "dual-residence").fact
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    approve_pended(world.services, claim.number, "王复核", "材料齐全")
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    assert decisions(world, claim) == [] and alarms(world) == []
    # Once the filing says what the policy knows, the next approval is decided: 420.00 x 90 %.
    right = Entry(
        FactKind.FILING,
        "referred-filed",
        filing.valid_from,
        filing.valid_to,
        detail=filing.detail,
        filed_on=filing.filed_on,
        corrects=filing.id,
    )
    record_fact(world.services, person.id, right, by="李登记", reason="状态写错")
    approve_pended(world.services, claim.number, "赵复核", "备案已更正")
    world.run()
    assert payouts(world, claim) == [37_800]


def test_a_person_may_refuse_a_claim_without_a_rule_and_the_decision_is_stamped(
    world: World,
) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    file_remote(world, person.id, "dual-residence")
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    refuse_pended(world.services, claim.number, "王复核", "不属于可备案的情形")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    (decision,) = decisions(world, claim)
    assert (decision.outcome, decision.paid_fen) == ("refused", 0)
    assert world.ledger.calls[-1] == ("release", claim.id)


@pytest.mark.slow
def test_a_bill_without_a_rule_keeps_no_other_from_being_claimed(world: World) -> None:
    person = world.person()
    usual = world.bill(person, 1000, DAY)
    world.anchor()
    (first,) = touch(world, person.id, usual)
    world.run()
    odd = world.bill(person, 1000, DAY)
    world.anchor()
    move_hospital(world)
    file_remote(world, person.id, "dual-residence", starts_on=DAY, ends_on=DAY)
    (second,) = touch(world, person.id, odd)
    world.run()
    assert world.claim(first.id).state is ClaimState.PAID
    assert world.claim(second.id).state is ClaimState.PENDED
