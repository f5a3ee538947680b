"""A declaration that arrives after the rules were asked has them asked again: what it answers is
closed with that reason, what it brings is for a person, and nothing that people did is lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.policy_packs import load_packs
from backend.domain.accident import Excuse
from backend.domain.claim import ClaimState, Stage
from backend.domain.errors import NotFoundError
from backend.domain.policy import ClaimDeadline
from backend.domain.review import CaseKind, Outcome, Risk
from backend.domain.ruling import LineRuling, RulingKind
from backend.service_layer.audit_rules.records import ANSWERED, RESTATED
from backend.service_layer.claims.accident import accident_of
from backend.service_layer.claims.declaration_records import BY_DECLARATION, FiledWith
from backend.service_layer.claims.records import Claim, PendReason
from backend.service_layer.handling import ask_again
from backend.service_layer.handling.accident_answers import (
    DeclarationClosedError,
    correct_kind,
    declare,
    excuse_later,
)
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.review.assignment import take_named
from backend.service_layer.review.decide import Partial, resolve
from backend.service_layer.review.sweep import open_missing_cases
from tests.integration.claims.test_accident import DAY, FALL, claim_of, pends
from tests.integration.claims.world import World

LATER = dt.datetime(2026, 12, 5, 2, tzinfo=dt.UTC)  # after the ten working days for a declaration


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    database = getattr(request, "param", "sqlite")
    url = None if database == "sqlite" else request.getfixturevalue("postgresql_url")
    made = World.make(tmp_path, url)
    yield made
    made.services.engine.dispose()


ON_BOTH = pytest.mark.parametrize(
    "world", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)


def undeclared(world: World) -> Claim:
    """An injury that nobody declared in time: it went to a person without."""
    claim = claim_of(world)
    world.run()
    world.services.__dict__["clock"] = SetClock(LATER)
    world.run()
    pended = world.claim(claim.id)
    assert pended.state is ClaimState.PENDED
    assert set(pends(world, claim)) == {"accident-check", "acc-undertaking"}
    return pended


def all_pends(world: World, claim: Claim) -> list[PendReason]:
    with world.services.work(write=False) as work:
        return work.claims.pends_of(claim.id)


def events(world: World, claim: Claim) -> list[tuple[str, str]]:
    with world.services.work(write=False) as work:
        hits = {hit.id: hit.rule_code for hit in work.audit_rules.hits_of(claim.id)}
        found = work.audit_rules.hit_events_of(claim.id)
    return [(hits[hit], one.effect) for hit in found for one in found[hit]]


def test_what_a_late_declaration_answers_is_closed_with_that_reason_and_kept(
    world: World,
) -> None:
    claim = undeclared(world)
    stored = declare(world.services, claim.person_id, claim.id, FALL)
    assert set(pends(world, claim)) == {"accident-check"}
    assert "还没有收到说明" not in pends(world, claim)["accident-check"]
    closed = [pend for pend in all_pends(world, claim) if pend.resolved_at is not None]
    assert {pend.code for pend in closed} == {"accident-check", "acc-undertaking"}
    assert {pend.resolved_by for pend in closed} == {BY_DECLARATION}
    assert all("第 1 份" in (pend.resolution or "") for pend in closed)
    assert events(world, claim) == [("acc-undertaking", ANSWERED)]
    with world.services.work(write=False) as work:
        (hit,) = work.audit_rules.hits_of(claim.id)
        (event,) = work.audit_rules.hit_events_of(claim.id)[hit.id]
        audits = [row for row in work.claims.stages_of(claim.id) if row.stage is Stage.AUDIT]
    assert (hit.rule_code, hit.effect, event.declaration_id) == (
        "acc-undertaking", "pended", stored.id,
    )  # fmt: skip
    assert audits[-1].inputs["asked_again_for"] == stored.id
    assert audits[-1].inputs["answered"] == ["acc-undertaking"]


def test_what_a_late_declaration_brings_waits_for_a_person(world: World) -> None:
    claim = undeclared(world)
    open_missing_cases(world.services)
    told = dataclasses.replace(FALL, is_at_work=True)
    declare(world.services, claim.person_id, claim.id, told)
    assert set(pends(world, claim)) == {"accident-check", "acc-liable"}
    assert "work-injury" in pends(world, claim)["accident-check"]
    with world.services.work(write=False) as work:
        case = work.reviews.live_case(claim.id, CaseKind.CLAIM)
    assert case is not None and (case.risk, case.priority) == (Risk.HIGH, 1)
    assert world.claim(claim.id).state is ClaimState.PENDED


@ON_BOTH
def test_each_further_version_is_asked_about_and_earlier_answers_come_back(world: World) -> None:
    claim = undeclared(world)
    at_work = dataclasses.replace(FALL, is_at_work=True)
    for told, codes in (
        (at_work, {"accident-check", "acc-liable"}),
        (dataclasses.replace(FALL, is_traffic=True), {"accident-check", "acc-liable"}),
        (FALL, {"accident-check"}),
        (FALL, {"accident-check"}),
        (at_work, {"accident-check", "acc-liable"}),
    ):
        declare(world.services, claim.person_id, claim.id, told)
        assert set(pends(world, claim)) == codes
    with world.services.work(write=False) as work:
        hits = {hit.rule_code: hit for hit in work.audit_rules.hits_of(claim.id)}
        found = work.audit_rules.hit_events_of(claim.id)[hits["acc-liable"].id]
    assert [one.effect for one in found] == [RESTATED, ANSWERED, RESTATED]
    assert ['"traffic"' in one.evidence for one in found] == [True, False, False]
    liable = [pend for pend in all_pends(world, claim) if pend.code == "acc-liable"]
    assert [pend.occurrence for pend in liable] == list(range(1, len(liable) + 1))


def test_a_declared_day_after_the_visit_is_found_and_a_corrected_one_answers_it(
    world: World,
) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    world.run()
    wrong = dataclasses.replace(FALL, happened_on=DAY + dt.timedelta(days=1))
    declare(world.services, claim.person_id, claim.id, wrong)
    assert set(pends(world, claim)) == {"accident-check", "acc-date"}
    declare(world.services, claim.person_id, claim.id, FALL)
    assert set(pends(world, claim)) == {"accident-check"}
    assert events(world, claim) == [("acc-date", ANSWERED)]


def test_what_reviewers_ruled_and_resolved_stays(world: World) -> None:
    claim = undeclared(world)
    open_missing_cases(world.services)
    with world.services.work() as work:
        case = work.reviews.live_case(claim.id, CaseKind.CLAIM)
        assert case is not None
        who = take_named(world.services, work, case, "复核员甲")
        work.commit()
    (target,) = [p for p in all_pends(world, claim) if p.code == "acc-undertaking"]
    ruling = LineRuling(0, RulingKind.LIMIT, "review-limit", "按限额", "limit", limit_fen=5_000)
    resolve(world.services, case.id, who, Partial((target.id,), "看过病历", (ruling,)))
    declare(world.services, claim.person_id, claim.id, FALL)
    with world.services.work(write=False) as work:
        kept = work.reviews.resolutions_of(case.id)
    assert [(one.pend_id, one.resolution, one.rulings) for one in kept] == [
        (target.id, "看过病历", (ruling,))
    ]
    approve_pended(world.services, claim.number, "复核员甲", "无第三方责任")
    with world.services.work(write=False) as work:
        assert work.claims.rulings_of(claim.id) == (ruling,)
    world.run()
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None and decision.decided_by == "复核员甲"
    assert decision.reason == "无第三方责任"  # not the words that closed the answered reasons


def test_an_approved_claim_is_looked_at_again_when_the_story_changes_before_its_decision(
    world: World,
) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    world.run()
    approve_pended(world.services, claim.number, "复核员甲", "无第三方责任")
    assert world.claim(claim.id).state is ClaimState.LODGED
    declare(
        world.services, claim.person_id, claim.id, dataclasses.replace(FALL, has_third_party=True)
    )
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    assert set(pends(world, claim)) == {"accident-check", "acc-liable"}
    with world.services.work(write=False) as work:
        cases = work.reviews.cases_of(claim.id)
    assert cases[0].outcome == Outcome.APPROVE  # what was found stays found


def test_a_decided_claim_takes_no_declaration_and_is_not_changed(world: World) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    world.run()
    approve_pended(world.services, claim.number, "复核员甲", "无第三方责任")
    world.run()
    before = world.claim(claim.id), all_pends(world, claim), events(world, claim)
    told = dataclasses.replace(FALL, is_traffic=True)
    with pytest.raises(DeclarationClosedError, match="申请复核"):
        declare(world.services, claim.person_id, claim.id, told)
    with pytest.raises(DeclarationClosedError, match="申请复核"):
        excuse_later(world.services, claim.person_id, claim.id, Excuse("illness"))
    assert (world.claim(claim.id), all_pends(world, claim), events(world, claim)) == before


def test_a_corrected_kind_has_the_rules_asked_again(world: World) -> None:
    claim = claim_of(world, diagnosis="I10")
    correct_kind(world.services, claim.number, "accident", "复核员甲", "病历写摔伤")
    world.services.__dict__["clock"] = SetClock(LATER)
    world.run()
    assert set(pends(world, claim)) == {"accident-check", "acc-undertaking"}
    correct_kind(world.services, claim.number, "ordinary", "复核员甲", "旧伤复查")
    assert set(pends(world, claim)) == {"accident-check"}
    assert events(world, claim) == [("acc-undertaking", ANSWERED)]


def late_world(world: World) -> None:
    world.services.__dict__["packs"] = tuple(
        dataclasses.replace(pack, claim_deadline=ClaimDeadline("limit", months=1))
        for pack in load_packs()
    )


def test_another_excuse_after_screening_is_shown_to_the_person_who_decides(world: World) -> None:
    late_world(world)
    claim = claim_of(
        world,
        filed=FiledWith(excuse=Excuse("illness", "住院")),
        day=dt.date(2026, 10, 1),
        diagnosis="I10",
    )
    world.run()
    first = pends(world, claim)["late-excuse"]
    stored = excuse_later(world.services, claim.person_id, claim.id, Excuse("hospital-delay"))
    assert stored.version == 2
    assert pends(world, claim)["late-excuse"] != first
    again = excuse_later(world.services, claim.person_id, claim.id, Excuse("hospital-delay"))
    assert again == stored


def test_the_rule_on_late_filing_is_answered_by_an_excuse(world: World) -> None:
    claim = claim_of(world, day=dt.date(2025, 9, 1), diagnosis="I10")
    world.run()
    assert "late-filing" in pends(world, claim)
    excuse_later(world.services, claim.person_id, claim.id, Excuse("illness", "住院"))
    found = set(pends(world, claim))
    assert "late-filing" not in found and "late-excused" in found
    assert ("late-filing", ANSWERED) in events(world, claim)


def test_a_claim_in_time_takes_no_excuse_and_nobody_else_gives_one(world: World) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    world.run()
    with pytest.raises(DeclarationClosedError, match="没有过报销期限"):
        excuse_later(world.services, claim.person_id, claim.id, Excuse("illness"))
    stranger = world.person("别人", "citizen02").id
    with pytest.raises(NotFoundError, match="没有这笔申请"):
        excuse_later(world.services, stranger, claim.id, Excuse("illness"))


def test_a_damaged_bill_does_not_lose_the_declaration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: Any) -> None:
        raise ValueError("not JSON")

    claim = undeclared(world)
    monkeypatch.setattr(ask_again, "question_of", damaged)
    declare(world.services, claim.person_id, claim.id, FALL)
    with world.services.work(write=False) as work:
        assert accident_of(work, claim.id) is not None
        assert work.alarms.open_counts()["claim-step-failed"] == 1
    assert set(pends(world, claim)) == {"accident-check", "acc-undertaking"}


@ON_BOTH
def test_what_a_declaration_did_cannot_be_changed(world: World) -> None:
    claim = undeclared(world)
    declare(world.services, claim.person_id, claim.id, FALL)
    with (
        pytest.raises(sa.exc.DatabaseError, match="insert-only"),
        world.services.engine.begin() as connection,
    ):
        connection.execute(sa.text("UPDATE audit_hit_event SET effect = 'restated'"))
