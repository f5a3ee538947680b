"""Accident claims: they wait for their person, a person always checks, nothing is overwritten."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.policy_packs import load_packs
from backend.domain.accident import Accident, Excuse
from backend.domain.claim import ClaimState
from backend.domain.errors import NotFoundError
from backend.domain.policy import ClaimDeadline
from backend.service_layer.claims.declaration_records import FiledWith, Subject
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.accident_answers import (
    DeclarationClosedError,
    UnknownCodeError,
    correct_kind,
    declare,
    exclude,
)
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.review.decide import ReviewRefusedError
from tests.integration.claims.world import NOW, World

DAY = dt.date(2026, 11, 3)
FALL = Accident(
    dt.date(2026, 11, 2), "home", "fall", "下楼踩空",
    has_third_party=False, is_at_work=False, is_traffic=False,
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def claim_of(
    world: World, *, filed: FiledWith | None = None, day: dt.date = DAY, diagnosis: str = "S72.001"
) -> Claim:
    person = world.person() if not world.people else world.people[0]
    bill = world.bill(person, 1_000, day, diagnosis_code=diagnosis)
    world.anchor()
    (claim,) = submit(
        world.services, person.id, [bill], secrets.token_urlsafe(32), has_consent=True,
        filed_with={bill: filed} if filed else None,
    ).claims  # fmt: skip
    return claim


def pends(world: World, claim: Claim) -> dict[str, str]:
    with world.services.work(write=False) as work:
        return {p.code: p.zh for p in work.claims.pends_of(claim.id) if p.resolved_at is None}


def test_an_injury_with_its_declaration_goes_to_a_person_and_is_paid(world: World) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    assert claim.kind == "accident"
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    assert set(pends(world, claim)) == {"accident-check"}
    approve_pended(world.services, claim.number, "复核员甲", "无第三方责任")
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


def test_an_injury_without_a_declaration_waits_for_its_person_and_goes_on(world: World) -> None:
    claim = claim_of(world)
    world.run()
    waiting = world.claim(claim.id)
    assert (waiting.state, waiting.waiting_for) == (ClaimState.SUBMITTED, "declaration")
    declare(world.services, claim.person_id, claim.id, FALL, by="窗口王工")
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    with world.services.work(write=False) as work:
        (stored,) = work.declarations.of_claim(claim.id, Subject.ACCIDENT)
    assert (stored.declared_by, stored.accident, stored.undertaking_version) == (
        "窗口王工", FALL, 1,
    )  # fmt: skip


def test_a_claim_that_nobody_declares_goes_to_a_person_after_ten_working_days(
    world: World,
) -> None:
    claim = claim_of(world)
    world.run()
    for day, state in ((4, ClaimState.SUBMITTED), (5, ClaimState.PENDED)):  # 20 November + 10
        at = dt.datetime(2026, 12, day, 2, tzinfo=dt.UTC)
        world.services.__dict__["clock"] = SetClock(at)
        world.run()
        assert world.claim(claim.id).state is state
    assert {"accident-check", "acc-undertaking"} <= set(pends(world, claim))


@pytest.mark.parametrize(
    ("changed", "code", "rule"),
    [
        ({"is_at_work": True}, "work-injury", "acc-liable"),
        ({"is_traffic": True}, "traffic-liable", "acc-liable"),
        ({"has_third_party": True}, "third-party-liable", "acc-liable"),
        ({"happened_on": dt.date(2026, 11, 4)}, "", "acc-date"),
    ],
)
def test_the_rules_see_the_declaration_and_refuse_nothing(
    world: World, changed: dict[str, Any], code: str, rule: str
) -> None:
    claim = claim_of(world, filed=FiledWith(dataclasses.replace(FALL, **changed)))
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    found = pends(world, claim)
    assert set(found) == {"accident-check", rule}
    assert code in found["accident-check"]


def test_a_person_excludes_by_a_code_and_says_how_to_appeal(world: World) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    world.run()
    with pytest.raises(UnknownCodeError, match="work-injury"):
        exclude(world.services, claim.number, "because", "复核员甲", "工伤")
    exclude(world.services, claim.number, "work-injury", "复核员甲", "已有工伤认定书")
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    assert "工伤保险" in decision.reason and "申请人工复核" in decision.reason


def test_a_reviewer_corrects_the_kind_both_ways_with_a_reason(world: World) -> None:
    claim = claim_of(world, diagnosis="I10")
    assert claim.kind == "ordinary"
    with pytest.raises(ReviewRefusedError, match="理由"):
        correct_kind(world.services, claim.number, "accident", "复核员甲", " ")
    with pytest.raises(UnknownCodeError, match="newborn"):
        correct_kind(world.services, claim.number, "newborn", "复核员甲", "错")
    correct_kind(world.services, claim.number, "accident", "复核员甲", "病历写摔伤")
    world.run()
    assert world.claim(claim.id).waiting_for == "declaration"
    correct_kind(world.services, claim.number, "ordinary", "复核员乙", "看错了")
    world.run()
    done = world.claim(claim.id)
    assert (done.state, done.kind) == (ClaimState.PAID, "ordinary")
    with world.services.work(write=False) as work:
        rows = work.declarations.of_claim(claim.id, Subject.KIND)
    assert [(r.version, r.content["to"], r.declared_by) for r in rows] == [
        (1, "accident", "复核员甲"), (2, "ordinary", "复核员乙"),
    ]  # fmt: skip
    with pytest.raises(DeclarationClosedError, match="不能再改"):
        correct_kind(world.services, claim.number, "accident", "复核员甲", "太晚")


def test_a_corrected_kind_is_not_derived_again(world: World) -> None:
    claim = claim_of(world)
    correct_kind(world.services, claim.number, "ordinary", "复核员甲", "旧伤复查")
    world.run()
    assert world.claim(claim.id).kind == "ordinary"
    assert "accident-check" not in pends(world, claim)


def test_nobody_declares_for_somebody_else_or_after_the_decision(world: World) -> None:
    claim = claim_of(world, filed=FiledWith(FALL))
    with pytest.raises(NotFoundError, match="没有这笔申请"):
        declare(world.services, world.person("别人", "citizen02").id, claim.id, FALL)
    world.run()
    approve_pended(world.services, claim.number, "复核员甲", "无第三方责任")
    world.run()
    with pytest.raises(DeclarationClosedError, match=r"已经有结果.*申请复核"):
        declare(world.services, claim.person_id, claim.id, FALL)


LIMIT = ClaimDeadline("limit", months=1)


@pytest.mark.parametrize(
    ("excuse", "state"),
    [(Excuse("illness", "住院"), ClaimState.PENDED), (None, ClaimState.REFUSED)],
)
def test_a_late_claim_with_an_excuse_goes_to_a_person(
    world: World, excuse: Excuse | None, state: ClaimState
) -> None:
    world.services.__dict__["packs"] = tuple(
        dataclasses.replace(pack, claim_deadline=LIMIT) for pack in load_packs()
    )
    claim = claim_of(
        world, filed=FiledWith(excuse=excuse), day=dt.date(2026, 10, 1), diagnosis="I10"
    )
    world.run()
    assert world.claim(claim.id).state is state
    assert set(pends(world, claim)) == ({"late-excuse"} if excuse else set())


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_declarations_at_once_are_two_versions_and_the_same_twice_is_one(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    url = None if database == "sqlite" else request.getfixturevalue("postgresql_url")
    world = World.make(tmp_path, url)
    claim = claim_of(world)
    world.run()
    told = [FALL, FALL, dataclasses.replace(FALL, is_traffic=True)]
    barrier = threading.Barrier(len(told))
    failed: list[BaseException] = []

    def one(accident: Accident) -> None:
        barrier.wait()
        try:
            declare(world.services, claim.person_id, claim.id, accident)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=one, args=(accident,)) for accident in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failed
    with world.services.work(write=False) as work:
        rows = work.declarations.of_claim(claim.id, Subject.ACCIDENT)
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    assert {row.accident.is_traffic for row in rows} == {True, False}
    assert len(rows) in {2, 3}  # the same content again later is a change back: a version
    with (
        pytest.raises(sa.exc.DatabaseError, match="insert-only"),
        world.services.engine.begin() as c,
    ):
        c.execute(sa.text("UPDATE claim_declaration SET content = '{}'"))
    world.services.engine.dispose()


def test_the_reviewer_sees_the_declaration(world: World) -> None:
    from backend.domain.pend_reasons import SUPERVISOR
    from backend.service_layer.review.read import case_view
    from backend.service_layer.review.records import Staff
    from backend.service_layer.review.sweep import open_missing_cases

    claim = claim_of(world, filed=FiledWith(dataclasses.replace(FALL, other_party="测试甲子之兄")))
    world.run()
    open_missing_cases(world.services)
    with world.services.work(write=False) as work:
        (case,) = work.reviews.cases_of(claim.id)
        who = Staff("cli", "cli", "命令行", SUPERVISOR, (), None, None, True, False)
        view = case_view(world.services, work, case, who)
    assert (case.queue, view["claim_kind"]) == ("accident", "accident")
    (told,) = view["declared"]["accident"]
    assert (told["story"], told["liability"], told["other_party"]) == (
        "下楼踩空", "none", "▇▇之兄",
    )  # fmt: skip
    assert NOW.isoformat() == told["declared_at"]
