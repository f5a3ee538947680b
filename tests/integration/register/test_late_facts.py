"""Facts that come late: open claims are worked out again, decided ones get another version."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.register import FactKind, known_facts
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.register.entries import Entry, RegisterRefusedError
from backend.service_layer.register.record_fact import record_fact
from tests.integration.claims.world import World
from tests.integration.register.register_world import (
    DAY,
    decisions,
    file_remote,
    move_hospital,
    payouts,
    run_approved,
    shown_fen,
    touch,
)

COVER = ("310", dt.date(2020, 1, 1))


def correct(world: World, person_id: str, fact_id: str, **changes: Any) -> Any:
    with world.services.work(write=False) as work:
        (old,) = [one for one in work.register.facts_of(person_id) if one.id == fact_id]
    values = {
        "kind": old.kind, "code": old.code, "detail": old.detail, "valid_from": old.valid_from,
        "valid_to": old.valid_to, "filed_on": old.filed_on, "corrects": old.id, **changes,
    }  # fmt: skip
    return record_fact(
        world.services, person_id, Entry(**values), by="李登记", reason="更正参保信息"
    )


def cover_fact(world: World, person_id: str) -> str:
    with world.services.work(write=False) as work:
        facts = known_facts(work.register.facts_of(person_id))
    return next(one.id for one in facts if one.kind is FactKind.COVER)


def test_a_filing_before_the_decision_is_in_it(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    assert shown_fen(world, claim) == 29_400
    advance_claims(world.services)
    done = file_remote(world, person.id)
    assert [(one.what, one.before_fen, one.after_fen) for one in done.effects] == [
        ("recalculated", 29_400, 37_800)
    ]
    assert shown_fen(world, claim) == 37_800
    run_approved(world, claim)
    assert payouts(world, claim) == [37_800]


def test_a_filing_after_the_payment_is_paid_as_a_supplement_once(world: World) -> None:
    # 294.00 was paid; with the referral it is 378.00: 84.00 more.
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    first = file_remote(world, person.id)
    assert [one.what for one in first.effects] == ["new-version"]
    again = file_remote(world, person.id)
    assert (again.is_new, again.effects) == (False, ())
    assert again.fact.id == first.fact.id
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [one.paid_fen for one in decisions(world, claim)] == [29_400, 37_800]
    assert payouts(world, claim) == [29_400, 8_400]
    assert [call for call, _ in world.ledger.calls] == ["lodge", "settle", "supplement"]


@pytest.mark.slow
def test_a_filing_for_other_days_or_another_area_changes_nothing(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    before = file_remote(world, person.id, ends_on=DAY - dt.timedelta(days=1))
    elsewhere = file_remote(world, person.id, area="3101")
    assert before.effects == ()
    assert [one.what for one in elsewhere.effects] == ["unchanged"]
    assert len(decisions(world, claim)) == 1


@pytest.mark.slow
def test_a_filing_that_is_withdrawn_after_payment_is_a_case_and_no_money_moves(
    world: World,
) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    filing = file_remote(world, person.id).fact
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    done = correct(world, person.id, filing.id, is_withdrawn=True)
    assert [(one.what, one.before_fen, one.after_fen) for one in done.effects] == [
        ("for-a-person", 37_800, 29_400)
    ]
    world.run()
    assert payouts(world, claim) == [37_800] and len(decisions(world, claim)) == 1


def test_cover_found_later_brings_a_refused_claim_back_under_its_number(world: World) -> None:
    # (1,000.00 - 300.00) x 60 %
    person = world.person(is_covered=False)
    bill = world.bill(person, 1000, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    cover = Entry(FactKind.COVER, COVER[0], COVER[1], detail="1101")
    done = record_fact(world.services, person.id, cover, by="李登记", reason="补登参保")
    assert [one.what for one in done.effects] == ["came-back"]
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert world.claim(claim.id).number == claim.number
    assert payouts(world, claim) == [42_000]


@pytest.mark.slow
def test_a_claim_refused_for_another_reason_stays_refused(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.sql("UPDATE invoice SET state = 'void'")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    hardship = Entry(FactKind.HARDSHIP, "low-income", dt.date(2026, 1, 1))
    assert record_fact(world.services, person.id, hardship, by="李", reason="民政").effects == ()
    assert world.claim(claim.id).state is ClaimState.REFUSED


@pytest.mark.slow
def test_cover_that_ended_before_the_care_after_payment_is_a_case(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    done = correct(world, person.id, cover_fact(world, person.id), valid_to=dt.date(2026, 10, 31))
    assert [(one.what, one.after_fen) for one in done.effects] == [("for-a-person", 0)]
    assert payouts(world, claim) == [42_000]


@pytest.mark.slow
def test_cover_that_ended_before_the_care_refuses_an_open_claim_with_a_decision(
    world: World,
) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    while world.claim(claim.id).state is not ClaimState.LODGED:
        advance_claims(world.services)
        world.mine()
    correct(world, person.id, cover_fact(world, person.id), valid_to=dt.date(2026, 10, 31))
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    (decision,) = decisions(world, claim)
    assert decision.outcome == "refused" and "参保" in decision.reason


@pytest.mark.slow
def test_what_was_known_when_stays_told(world: World) -> None:
    person = world.person()
    filing = file_remote(world, person.id).fact
    world.services.clock.advance(3 * 86_400)  # type: ignore[attr-defined]
    correct(world, person.id, filing.id, valid_to=dt.date(2026, 11, 30))
    with world.services.work(write=False) as work:
        facts = work.register.facts_of(person.id)
    then = known_facts(facts, filing.recorded_at)
    now = known_facts(facts)
    ends = [[one.valid_to for one in known if one.kind is FactKind.FILING] for known in (then, now)]
    assert ends == [[dt.date(2026, 12, 31)], [dt.date(2026, 11, 30)]]


WRONG_ENTRIES = [
    (Entry(FactKind.FILING, "local", DAY, detail="3301"), "local cannot be filed"),
    (Entry(FactKind.FILING, "own-choice", DAY, detail="3301"), "own-choice cannot be filed"),
    (Entry(FactKind.FILING, "referred-filed", DAY, detail="330802"), "needs no filing"),
    (Entry(FactKind.FILING, "referred-filed", DAY, detail="33x"), "2, 4 or 6 digits"),
    (
        Entry(
            FactKind.FILING,
            "referred-filed",
            DAY,
            detail="3301",
            filed_on=dt.date(2027, 1, 1),
        ),
        "filing is in the future",
    ),
    (Entry(FactKind.HARDSHIP, "poor", DAY), "code: one of"),
    (Entry(FactKind.CIVIL_SERVANT, "minister", DAY), "code: one of"),
    (Entry(FactKind.CHRONIC, "高血压", DAY), "a disease code"),
    (Entry(FactKind.COVER, "340", DAY, detail="1101"), "insurance: one of"),
    (Entry(FactKind.COVER, "390", DAY, detail="1101"), "person type: one of"),
    (Entry(FactKind.COVER, "310", DAY, detail="1101"), "overlaps the cover fct_"),
    (Entry(FactKind.HARDSHIP, "low-income", DAY, dt.date(2026, 1, 1)), "before the first"),
    (Entry(FactKind.HARDSHIP, "low-income", dt.date(1800, 1, 1)), "out of range"),
    (Entry(FactKind.HARDSHIP, "low-income", DAY, corrects="fct_none"), "no standing fact"),
]


def test_a_wrong_entry_is_refused_and_nothing_recorded(world: World) -> None:
    person = world.person()
    for entry, message in WRONG_ENTRIES:
        with pytest.raises(RegisterRefusedError, match=message):
            record_fact(world.services, person.id, entry, by="李", reason="试")
    with world.services.work(write=False) as work:
        assert len(work.register.facts_of(person.id)) == 1


@pytest.mark.slow
def test_every_fault_of_an_entry_is_named(world: World) -> None:
    person = world.person()
    entry = Entry(FactKind.FILING, "local", DAY, dt.date(2026, 1, 1), detail="33x")
    with pytest.raises(RegisterRefusedError, match=r"before the first.*cannot be filed.*digits"):
        record_fact(world.services, person.id, entry, by="李", reason="试")


@pytest.mark.slow
def test_an_entry_that_nobody_signs_is_refused(world: World) -> None:
    person = world.person()
    entry = Entry(FactKind.HARDSHIP, "low-income", DAY)
    for by, reason in (("", "x"), ("x", " "), ("x" * 61, "x")):
        with pytest.raises(RegisterRefusedError, match="who records it"):
            record_fact(world.services, person.id, entry, by=by, reason=reason)


@pytest.mark.slow
def test_nobody_has_no_facts(world: World) -> None:
    entry = Entry(FactKind.HARDSHIP, "low-income", DAY)
    with pytest.raises(NotFoundError, match="no such person"):
        record_fact(world.services, "per_none", entry, by="李", reason="试")


@pytest.mark.slow
def test_a_fact_is_corrected_once(world: World) -> None:
    person = world.person()
    filing = file_remote(world, person.id).fact
    correct(world, person.id, filing.id, valid_to=dt.date(2026, 11, 30))
    with pytest.raises((RegisterRefusedError, ConflictError), match="no standing fact"):
        correct(world, person.id, filing.id, valid_to=dt.date(2026, 10, 31))
