"""No cover, cover outside the days of care, and a stay over the edge of cover, to the fen and in
the words of the citizen's pages."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.domain.claim import ClaimState
from backend.domain.invoice import ExpenseLine, Invoice
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Claim, Person
from tests.integration.claims.test_pages import BASE, client_of, log_in
from tests.integration.claims.world import CLASS_A, HOSPITAL, World, cover_of
from tests.integration.register.register_world import (
    DAY,
    decisions,
    payouts,
    run_approved,
    touch,
)


def page_of(world: World, claim: Claim, username: str = "citizen01") -> str:
    client = client_of(create_app(world.services))
    log_in(client, username)
    return client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)


def insured(world: World, *periods: tuple[dt.date, dt.date | None]) -> Person:
    person = world.person(is_covered=False)
    with world.services.work() as work:
        for starts_on, ends_on in periods:
            work.register.add(
                cover_of(world.services, person, starts_on=starts_on, ends_on=ends_on)
            )
        work.commit()
    return person


def stay(world: World, person: Person, days: list[dt.date | None]) -> str:
    """An inpatient bill of 1,000.00 a line, one line a day, discharged on DAY."""
    code, name, _ = CLASS_A
    world.numbers += 1
    invoice = Invoice(
        institution_code=HOSPITAL,
        institution_name="示例市第一医院",
        invoice_code="33060126",
        invoice_number=f"{world.numbers:010d}",
        total_fen=100_000 * len(days),
        issued_on=DAY,
        admitted_on=DAY - dt.timedelta(days=len(days) - 1),
        discharged_on=DAY,
        hospitalization_number="S1",
        payer_name=person.name,
        payer_id=person.identity_number,
        own_pay_fen=100_000 * len(days),
        lines=tuple(
            ExpenseLine(
                name, 10_000, 1_000_000_000, 10_000_000, code, level="01",
                occurred_at="" if day is None else day.isoformat(),
            )
            for day in days
        ),
    )  # fmt: skip
    return world.store(invoice)


def test_nobody_without_cover_is_refused_and_told_what_to_do(world: World) -> None:
    person = insured(world)
    bill = world.bill(person, 400, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert world.ledger.calls == [] and decisions(world, claim) == []
    page = page_of(world, claim)
    assert "2026-11-03 您不在参保期内，这张票据不能报销" in page
    assert "请先到参保地经办机构更正" in page and "可以在这笔申请的页面申请复核" in page
    assert f'href="/m/claims/{claim.id}/appeal"' in page


@pytest.mark.slow
@pytest.mark.parametrize("days_off", [-1, 1])
def test_a_bill_in_a_gap_of_cover_is_refused(world: World, days_off: int) -> None:
    first = (dt.date(2020, 1, 1), DAY - dt.timedelta(days=1))
    second = (DAY + dt.timedelta(days=1), None)
    person = insured(world, first, second)
    inside = world.bill(person, 1000, DAY + dt.timedelta(days=days_off))
    outside = world.bill(person, 400, DAY)
    world.anchor()
    claims = touch(world, person.id, inside, outside)
    run_approved(world, *claims)
    states = {one.service_on: world.claim(one.id).state for one in claims}
    assert states[DAY] is ClaimState.REFUSED
    assert states[DAY + dt.timedelta(days=days_off)] is ClaimState.PAID


def test_a_stay_over_the_end_of_cover_is_paid_by_the_days_of_its_lines(world: World) -> None:
    # Two of four days are covered: (2,000.00 - 400.00) x 87 %.
    person = insured(world, (dt.date(2020, 1, 1), DAY - dt.timedelta(days=2)))
    bill = stay(world, person, [DAY - dt.timedelta(days=n) for n in (3, 2, 1, 0)])
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    (decision,) = decisions(world, claim)
    assert (decision.outcome, payouts(world, claim)) == ("partial", [139_200])
    assert "费用发生时不在参保期内" in page_of(world, claim)


@pytest.mark.slow
def test_a_stay_over_the_start_of_cover_is_paid_by_the_days_of_its_lines(world: World) -> None:
    # Three of four days: (3,000.00 - 400.00) x 87 %.
    person = insured(world, (DAY - dt.timedelta(days=2), None))
    bill = stay(world, person, [DAY - dt.timedelta(days=n) for n in (3, 2, 1, 0)])
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    assert payouts(world, claim) == [226_200]


@pytest.mark.slow
def test_a_stay_over_the_edge_of_cover_without_days_goes_to_a_person(world: World) -> None:
    person = insured(world, (dt.date(2020, 1, 1), DAY - dt.timedelta(days=2)))
    bill = stay(world, person, [None, None, None, None])
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    with world.services.work(write=False) as work:
        pends = {pend.code: pend.queue for pend in work.claims.pends_of(claim.id)}
    assert pends["cover-unclear"] == "entitlement"


@pytest.mark.slow
def test_a_stay_outside_every_period_is_refused(world: World) -> None:
    person = insured(world, (dt.date(2020, 1, 1), DAY - dt.timedelta(days=10)))
    bill = stay(world, person, [DAY - dt.timedelta(days=1), None])
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    assert payouts(world, claim) == []


@pytest.mark.slow
def test_insurance_is_that_of_the_day_of_service(world: World) -> None:
    """Resident until June, employee since July: 40 % over 100.00, then 60 % over 300.00."""
    person = world.person(is_covered=False)
    with world.services.work() as work:
        for starts_on, ends_on, insurance in (
            (dt.date(2020, 1, 1), dt.date(2026, 6, 30), ("390", "resident")),
            (dt.date(2026, 7, 1), None, ("310", "1101")),
        ):
            work.register.add(
                cover_of(
                    world.services,
                    person,
                    starts_on=starts_on,
                    ends_on=ends_on,
                    insurance=insurance,
                )
            )
        work.commit()
    as_resident = world.bill(person, 600, dt.date(2026, 3, 2))
    as_employee = world.bill(person, 800, DAY)
    world.anchor()
    claims = touch(world, person.id, as_resident, as_employee)
    run_approved(world, *claims)
    assert {one.service_on.month: payouts(world, one) for one in claims} == {
        3: [20_000], 11: [30_000],
    }  # fmt: skip
