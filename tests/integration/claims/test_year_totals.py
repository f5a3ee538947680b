"""The year's totals when an earlier claim stops counting (docs/adr/0005)."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.service_layer.claims.benefits import history_before
from backend.service_layer.claims.records import Claim, Decision, Person
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.review import approve_pended, refuse_pended
from tests.integration.claims.world import OUTSIDE, World

# An employee in service at level 2 bears 300.00 of a year first, then the fund pays 60 %.
OTHER_NAME = "测试丁卯"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def claim_of(world: World, person: Person, *invoice_ids: str) -> tuple[Claim, ...]:
    token = secrets.token_urlsafe(32)
    return submit(world.services, person.id, invoice_ids, token, has_consent=True).claims


def day(number: int) -> dt.date:
    return dt.date(2026, 11, number)


def decided(world: World, claim: Claim) -> Decision:
    with world.services.work(write=False) as work:
        found = work.decisions.latest(claim.id)
    assert found is not None
    return found


def changed(world: World) -> list[tuple[str, str]]:
    """(claim id, detail) of the open alarms."""
    with world.services.engine.begin() as connection:
        rows = connection.execute(
            sa.select(tables.alarm.c.subject, tables.alarm.c.detail).where(
                tables.alarm.c.code == "year-totals-changed", tables.alarm.c.cleared_at.is_(None)
            )
        )
        return [(row.subject, row.detail) for row in rows]


def overpaid(world: World, person: Person) -> tuple[Claim, Claim]:
    """400.00 that waits for a person, then 500.00 that is paid on its reservation."""
    first = world.bill(person, 400, day(3), payer_name=OTHER_NAME)
    second = world.bill(person, 500, day(10))
    world.anchor()
    early, late = claim_of(world, person, first, second)
    world.run()
    assert world.claim(early.id).state is ClaimState.PENDED
    assert world.claim(late.id).state is ClaimState.PAID
    assert decided(world, late).paid_fen == 30_000  # 500.00 x 60 %
    return early, late


def test_an_amount_settled_on_a_dropped_reservation_is_never_silent(world: World) -> None:
    early, late = overpaid(world, world.person())
    assert changed(world) == []
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    advance_claims(world.services)  # the decision alone, its release is not even asked for
    # (500.00 - 300.00) x 60 % = 120.00 is right, 300.00 was paid: 180.00 too much.
    ((subject, detail),) = changed(world)
    assert subject == late.id
    assert late.number in detail and early.number in detail
    assert "30000 fen" in detail and "12000 fen" in detail and "+18000 fen" in detail
    world.run()
    assert len(changed(world)) == 1
    assert decided(world, late).paid_fen == 30_000


def test_the_deductible_is_still_taken_once_in_that_year(world: World) -> None:
    person = world.person()
    early, _ = overpaid(world, person)
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    world.run()
    # Nobody has taken the 300.00 yet: the third takes it, (500.00 - 300.00) x 60 %.
    (third,) = claim_of(world, person, world.bill(person, 500, day(12)))
    world.anchor()
    world.run()
    assert decided(world, third).paid_fen == 12_000
    # And the fourth takes nothing more: 100.00 x 60 %.
    (fourth,) = claim_of(world, person, world.bill(person, 100, day(13)))
    world.anchor()
    world.run()
    assert decided(world, fourth).paid_fen == 6_000
    with world.services.work(write=False) as work:
        entries = history_before(work, person.id, 2026, None).entries
    assert [(e.in_scope_fen, e.deductible_fen, e.counted_fen) for e in entries] == [
        (50_000, 0, 0),
        (50_000, 30_000, 50_000),
        (10_000, 0, 10_000),
    ]
    assert len(changed(world)) == 1


def test_a_part_of_the_deductible_is_taken_by_the_next_claim(world: World) -> None:
    person = world.person()
    first = world.bill(person, 200, day(3), payer_name=OTHER_NAME)
    second = world.bill(person, 500, day(10))
    world.anchor()
    early, late = claim_of(world, person, first, second)
    world.run()
    assert decided(world, late).paid_fen == 24_000  # 100.00 were left of the deductible
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    world.run()
    # 200.00 are left now: (500.00 - 200.00) x 60 %.
    (third,) = claim_of(world, person, world.bill(person, 500, day(12)))
    world.anchor()
    world.run()
    assert decided(world, third).paid_fen == 18_000


def test_an_approved_earlier_claim_changes_nothing_and_raises_nothing(world: World) -> None:
    early, late = overpaid(world, world.person())
    approve_pended(world.services, early.number, "复核员甲", "曾用名")
    world.run()
    assert decided(world, early).paid_fen == 6_000
    assert changed(world) == []
    assert world.claim(late.id).state is ClaimState.PAID


def test_a_refused_decision_counts_no_longer_before_its_release_is_final(world: World) -> None:
    person = world.person()
    first = world.bill(person, 400, day(3), payer_name=OTHER_NAME)
    second = world.bill(person, 500, day(10), payer_name=OTHER_NAME)
    world.anchor()
    early, late = claim_of(world, person, first, second)
    world.run()
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    for _ in range(2):
        advance_claims(world.services)  # nothing is mined: the release is not final
    approve_pended(world.services, late.number, "复核员甲", "曾用名")
    advance_claims(world.services)
    assert world.claim(early.id).state is ClaimState.RELEASING
    assert decided(world, late).paid_fen == 12_000
    world.run()
    assert changed(world) == []


def test_a_refused_decision_shows_at_once_in_the_later_estimate(world: World) -> None:
    person = world.person()
    first = world.bill(person, 400, day(3), payer_name=OTHER_NAME)
    second = world.bill(person, 500, day(10), payer_name=OTHER_NAME)
    world.anchor()
    early, late = claim_of(world, person, first, second)
    world.run()
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    advance_claims(world.services)
    assert world.claim(early.id).state is ClaimState.DECIDED
    with world.services.work(write=False) as work:
        calculation = work.decisions.latest_calculation(late.id)
    assert calculation is not None and calculation.paid_fen == 12_000


def test_a_refusal_of_what_is_not_covered_changes_nothing_of_the_year(world: World) -> None:
    person = world.person()
    first = world.bill(person, 400, day(3), item=OUTSIDE, payer_name=OTHER_NAME)
    second = world.bill(person, 500, day(10))
    world.anchor()
    early, late = claim_of(world, person, first, second)
    world.run()
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    world.run()
    assert decided(world, late).paid_fen == 12_000
    assert changed(world) == []


def test_a_damaged_later_claim_does_not_keep_an_earlier_one_from_being_refused(
    world: World,
) -> None:
    early, late = overpaid(world, world.person())
    world.sql(
        "UPDATE invoice_version SET header = '{}' WHERE id = :version", version=late.version_id
    )
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    world.run()
    assert world.claim(early.id).state is ClaimState.REFUSED
    with world.services.engine.begin() as connection:
        row = connection.execute(sa.select(tables.alarm)).one()
    assert (row.code, row.subject) == ("claim-step-failed", late.id)
    assert row.detail == "year totals: malformed-record"
