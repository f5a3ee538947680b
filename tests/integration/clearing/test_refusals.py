"""What a clearing does not do."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from backend.adapters.database import tables
from backend.domain.clearing import ClearingConflictError, ClearingError, Finding, YearOpenError
from backend.domain.errors import DomainError, ForbiddenError, NotFoundError
from backend.domain.ledger import IntentKind
from backend.domain.recovery import RecoveryConflictError, SamePersonError, State
from backend.domain.review import ReviewLimits
from backend.domain.revision import Cause
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.replay import replay_decision
from backend.service_layer.clearing.confirm import confirm, decline
from backend.service_layer.clearing.records import Item
from backend.service_layer.clearing.run import Found, run_year, try_year
from backend.service_layer.clearing.statement import yearly_statement
from backend.service_layer.handling.review import approve_pended, refuse_pended
from tests.integration.claims.revising import alarms
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.clearing.cleared_world import (
    FILED_FEN,
    FIRST_DAY,
    SECOND_DAY,
    UNFILED_FEN,
    booked,
    learn_filing,
    new_year,
    paid_twice,
    paid_with_filing,
    recoveries,
)
from tests.integration.register.register_world import (
    decisions,
    file_remote,
    move_hospital,
    payouts,
    run_approved,
    touch,
)

BY = "清算员甲"
WHY = "已核对备案"


def clear(world: World) -> list[Found]:
    told: list[Found] = []
    run_year(world.services, 2026, by=BY, report=told.append)
    world.run()
    return told


def lowered(world: World) -> tuple[Claim, Item]:
    """One whose referral was withdrawn afterwards: 84.00 are proposed to be asked back."""
    person = world.person()
    claim = paid_with_filing(world, person)
    learn_filing(world, person, withdrawn=True)
    new_year(world)
    clear(world)
    with world.services.work(write=False) as work:
        (item,) = work.clearings.items_of_claim(claim.id)
    return claim, item


def test_requests_that_are_refused_write_nothing(world: World) -> None:
    services, before = world.services, booked(world)
    attempts: list[tuple[type[DomainError], str, object]] = [
        (YearOpenError, "2026 is not over", lambda: run_year(services, 2026, by=BY)),
        (ClearingError, "2027 is no year", lambda: run_year(services, 2027, by=BY)),
        (
            ClearingError,
            "2027 is no year",
            lambda: run_year(services, 2027, by=BY, may_be_open=True),
        ),
        (ClearingError, "2027 is no year", lambda: try_year(services, 2027)),
        (DomainError, "name who acts", lambda: run_year(services, 2025, by=" ")),
        (DomainError, "name who acts", lambda: run_year(services, 2025, by="x" * 61)),
        (NotFoundError, "no such difference", lambda: confirm(services, "cli_x", BY, WHY)),
        (NotFoundError, "no such difference", lambda: decline(services, "x" * 900, BY, WHY)),
        (NotFoundError, "no institution H999", lambda: yearly_statement(services, 2026, "H999")),
        (ClearingError, "1999 is no year", lambda: yearly_statement(services, 1999)),
    ]
    for error, words, attempt in attempts:
        with pytest.raises(error, match=words):
            attempt()  # type: ignore[operator]
    assert booked(world) == before
    (year,) = yearly_statement(services, 2026, HOSPITAL)
    assert (year.claims, year.settled_bills, year.paid_fen) == (0, 0, 0)
    run, figures = run_year(services, 2025, by=BY)  # a year without claims is cleared with nothing
    assert run.ended_at is not None and figures.claims == 0


@pytest.mark.slow
def test_one_person_twice_does_not_confirm(world: World) -> None:
    claim, item = lowered(world)
    confirm(world.services, item.id, "经办甲", WHY)
    with pytest.raises(SamePersonError, match="another person must too"):
        confirm(world.services, item.id, " 经办甲 ", WHY)
    (order,) = recoveries(world, claim)
    assert order.state is State.PROPOSED and order.left_fen == 0
    with pytest.raises(DomainError, match="give a reason"):
        confirm(world.services, item.id, "经办乙", " ")
    confirm(world.services, item.id, "经办乙", WHY)
    with pytest.raises(ClearingConflictError, match="not what was proposed any more"):
        confirm(world.services, item.id, "经办丙", WHY)
    with pytest.raises(RecoveryConflictError, match="waived by two people"):
        decline(world.services, item.id, "经办丙", WHY)


@pytest.mark.slow
def test_nobody_of_the_bills_hospital_confirms(world: World) -> None:
    _, item = lowered(world)
    with world.services.engine.begin() as connection:
        for name, hospital in (("inside", HOSPITAL), ("outside", None)):
            login = world.services.ids.new_id("log")
            connection.execute(
                tables.login.insert().values(
                    id=login, username=name, role="reviewer", is_sample=True, person_id=None,
                    password_hash=generate_password_hash("12345678", method="pbkdf2:sha256:1"),
                )
            )  # fmt: skip
            connection.execute(
                tables.staff.insert().values(
                    login_id=login, name=name, queues="[]", hospital_code=hospital, is_active=True
                )
            )
    with pytest.raises(ForbiddenError, match="their own institution"):
        confirm(world.services, item.id, "inside", WHY)
    with pytest.raises(ForbiddenError, match="their own institution"):
        decline(world.services, item.id, "inside", WHY)
    with pytest.raises(NotFoundError, match="no one active member of staff called nobody"):
        confirm(world.services, item.id, "nobody", WHY)
    with pytest.raises(NotFoundError, match="no one active member of staff"):
        run_year(world.services, 2026, by="nobody")
    assert len(confirm(world.services, item.id, "outside", WHY).approvals) == 1


@pytest.mark.slow
def test_a_proposal_that_no_longer_holds_is_refused_and_dismissed(world: World) -> None:
    claim, item = lowered(world)
    confirm(world.services, item.id, "经办甲", WHY)
    with world.services.work(write=False) as work:
        person = work.people.get(claim.person_id)
    learn_filing(world, person)  # the referral stands after all
    with pytest.raises(ClearingConflictError, match="not what was proposed any more"):
        confirm(world.services, item.id, "经办乙", WHY)
    assert [one for one in clear(world) if one.is_new] == []
    (order,) = recoveries(world, claim)
    assert order.state is State.DISMISSED
    with pytest.raises(ClearingConflictError, match="not what was proposed"):
        confirm(world.services, item.id, "经办乙", WHY)
    assert payouts(world, claim) == [FILED_FEN]


@pytest.mark.slow
def test_what_people_declined_is_not_proposed_again(world: World) -> None:
    claim, item = lowered(world)
    decline(world.services, item.id, "经办甲", "家庭困难，上级同意不追回")
    before = booked(world)
    (told,) = clear(world)
    assert (told.finding, told.is_new) == (Finding.LESS, False)
    assert booked(world) == before
    (order,) = recoveries(world, claim)
    assert order.state is State.DISMISSED
    with pytest.raises(RecoveryConflictError, match="there is nothing to approve"):
        confirm(world.services, item.id, "经办乙", WHY)
    (year,) = yearly_statement(world.services, 2026)
    assert (year.paid_fen, year.untied) == (FILED_FEN, [])


@pytest.mark.slow
def test_a_year_with_an_open_claim_is_left_for_a_later_run(world: World) -> None:
    person = world.person()
    paid_twice(world, person)
    bill = world.bill(person, 100, dt.date(2026, 11, 12), payer_name="测试丁卯")
    world.anchor()
    (waiting,) = touch(world, person.id, bill)
    world.run()
    learn_filing(world, person)
    new_year(world)
    assert clear(world) == []
    with world.services.work(write=False) as work:
        (run,) = work.clearings.runs(2026)
        (left,) = work.clearings.left(run.id)
    assert (left.outcome, left.detail) == ("deferred", f"open: {waiting.number}")
    approve_pended(world.services, waiting.number, "复核员甲", "是本人")
    world.run()
    assert sorted(one.after_fen - one.before_fen for one in clear(world)) == [6_000, 8_400]


@pytest.mark.slow
def test_above_the_limit_as_many_people_approve_as_the_amount_takes(world: World) -> None:
    person = world.person()
    first, _ = paid_twice(world, person)
    learn_filing(world, person)
    limits = ReviewLimits(second_approver_above_fen=FILED_FEN - 1)
    settings = dataclasses.replace(world.services.settings, review=limits)
    object.__setattr__(world.services, "settings", settings)
    new_year(world)
    told = {one.claim_number: one.outcome for one in clear(world)}
    assert sorted(told.values()) == ["for-people", "version"]
    assert told[first.number] == "for-people" and payouts(world, first) == [UNFILED_FEN]
    before = booked(world)
    assert [one.is_new for one in clear(world)] == [False]
    assert booked(world) == before
    approve_pended(world.services, first.number, "复核员丙", "备案属实")
    world.run()
    assert payouts(world, first) == [UNFILED_FEN]
    approve_pended(world.services, first.number, "复核员丁", "备案属实，同意")
    world.run()
    assert payouts(world, first) == [UNFILED_FEN, FILED_FEN - UNFILED_FEN]
    with world.services.work(write=False) as work:
        assert work.revisions.causes_of(first.id)[2] is Cause.CLEARING
    assert replay_decision(world.services, first.number).is_same
    assert clear(world) == [] and alarms(world) == []


def moved_by_order(world: World) -> tuple[Claim, Claim]:
    """The later bill was claimed first. A referral holds to the 5th alone."""
    person = world.person()
    early, late = world.bill(person, 500, FIRST_DAY), world.bill(person, 500, SECOND_DAY)
    move_hospital(world)
    world.anchor()
    file_remote(world, person.id, ends_on=dt.date(2026, 11, 5))
    (second,) = touch(world, person.id, late)
    run_approved(world, second)
    world.services.clock.advance(60)  # type: ignore[attr-defined]
    (first,) = touch(world, person.id, early)
    run_approved(world, first)
    # (500.00 - 300.00) x 60 % x 70 % = 84.00, then 500.00 x 60 % x 90 % = 270.00: 354.00.
    assert [payouts(world, one) for one in (second, first)] == [[8_400], [27_000]]
    return first, second


@pytest.mark.slow
def test_what_the_order_of_days_moves_is_paid_when_the_other_side_is_decided(world: World) -> None:
    first, second = moved_by_order(world)
    new_year(world)
    # By day 200.00 x 60 % x 90 % = 108.00, then 500.00 x 60 % x 70 % = 210.00: 318.00.
    told = {one.claim_number: (one.before_fen, one.after_fen, one.outcome) for one in clear(world)}
    assert told == {
        first.number: (27_000, 10_800, "proposed"),
        second.number: (8_400, 21_000, "waits"),
    }
    assert payouts(world, second) == [8_400]
    with world.services.work(write=False) as work:
        (item,) = work.clearings.items_of_claim(first.id)
    for name in ("经办甲", "经办乙"):
        confirm(world.services, item.id, name, WHY)
    told = {one.claim_number: (one.before_fen, one.after_fen, one.outcome) for one in clear(world)}
    assert told == {second.number: (8_400, 21_000, "version")}
    assert payouts(world, second) == [8_400, 12_600]
    before = booked(world)
    assert clear(world) == [] and booked(world) == before
    assert replay_decision(world.services, second.number).is_same
    (year,) = yearly_statement(world.services, 2026)
    assert (year.paid_fen, year.layers, year.untied) == (31_800, {"pool": 31_800}, [])
    assert [one.paid_fen for one in decisions(world, first)] == [27_000]

    # Another claim of the cleared year recalculates nothing: the next clearing does.
    with world.services.work(write=False) as work:
        person = work.people.get(first.person_id)
    bill = world.bill(person, 100, dt.date(2026, 11, 12), payer_name="测试丁卯")
    world.anchor()
    (third,) = touch(world, person.id, bill)
    world.run()
    refuse_pended(world.services, third.number, "复核员甲", "不是本人")
    world.run()
    assert payouts(world, second) == [8_400, 12_600]
    assert ("clearing-again", f"{person.id}:2026") in alarms(world)
    assert "year-totals-changed" not in {code for code, _ in alarms(world)}
    assert clear(world) == []
    assert "clearing-again" not in {code for code, _ in alarms(world)}


@pytest.mark.slow
def test_more_after_money_was_asked_back_is_for_a_person(world: World) -> None:
    claim, item = lowered(world)
    for name in ("经办甲", "经办乙"):
        confirm(world.services, item.id, name, WHY)
    with world.services.work(write=False) as work:
        person = work.people.get(claim.person_id)
    learn_filing(world, person)
    (told,) = clear(world)
    assert (told.finding, told.before_fen, told.after_fen, told.outcome) == (
        Finding.MORE, UNFILED_FEN, FILED_FEN, "noted",
    )  # fmt: skip
    assert ("clearing-for-a-person", claim.id) in alarms(world)
    assert payouts(world, claim) == [FILED_FEN] and len(decisions(world, claim)) == 1
    with world.services.work(write=False) as work:
        assert work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT) == []


@pytest.mark.slow
def test_rows_of_a_clearing_are_never_changed(world: World) -> None:
    lowered(world)
    for statement in (
        "UPDATE clearing_item SET after_fen = 0",
        "DELETE FROM clearing_person",
        "UPDATE clearing_run SET year = 2020",
        "DELETE FROM clearing_end",
    ):
        with (
            pytest.raises(sa.exc.IntegrityError, match="insert-only"),
            world.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))


@pytest.mark.slow
def test_nothing_is_paid_on_a_bill_that_was_changed_and_the_next_run_looks_again(
    world: World,
) -> None:
    person = world.person()
    first, second = paid_twice(world, person)
    learn_filing(world, person)
    new_year(world)
    change = "UPDATE invoice_version SET fingerprint = :print WHERE id = :id"
    with world.services.work(write=False) as work:
        right = work.claims.bill_of_version(first.version_id).fingerprint
    world.sql(change, print=bytes(32), id=first.version_id)
    told = {one.claim_number: one.outcome for one in clear(world)}
    assert told == {first.number: "waits", second.number: "version"}
    assert payouts(world, first) == [UNFILED_FEN]
    assert ("fingerprint-mismatch", first.version_id) in alarms(world)
    world.sql(change, print=right, id=first.version_id)
    assert [(one.claim_number, one.outcome) for one in clear(world)] == [(first.number, "version")]
    assert payouts(world, first) == [UNFILED_FEN, FILED_FEN - UNFILED_FEN]
