"""Versions together with year totals, real reviewers, evidence, restored facts and races."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.database.schema import migrate, migrate_down
from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.review import CaseKind, Outcome
from backend.domain.revision import Cause
from backend.entrypoints.cli.export import policy_text
from backend.service_layer.claims.replay import replay_decision
from backend.service_layer.evidence.collect import export_claim
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.appeals import AppealRefusedError, file_appeal
from backend.service_layer.handling.read import view_claim
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.handling.withdraw import withdraw
from backend.service_layer.review.ports import TwoStepsError
from tests.integration.claims.revising import (
    DAY,
    WORDS,
    alarms,
    claim_on,
    conclude,
    decisions,
    matched,
    mixed_bill,
    payouts,
)
from tests.integration.claims.test_export import offline
from tests.integration.claims.world import OUTSIDE, World

pytestmark = pytest.mark.slow
OTHER_NAME = "测试丁卯"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def test_a_cap_that_an_earlier_claim_leaves_is_paid_by_itself(world: World) -> None:
    person = world.person()
    first = world.bill(person, 4_800, DAY, payer_name=OTHER_NAME)
    second = world.bill(person, 1_000, DAY.replace(day=10))
    world.anchor()
    early, late = claim_on(world, person, first, second)
    world.run()
    # (4,800.00 - 300.00) x 60 % = 2,700.00 are reserved of a year's 3,000.00.
    assert payouts(world, late) == [(f"pay_{late.number}_v1", 30_000)]
    withdraw(world.services, person.id, early.id)
    world.run()
    # Without it: (1,000.00 - 300.00) x 60 % = 420.00.
    assert payouts(world, late)[1:] == [(f"pay_{late.number}_v2", 12_000)]
    with world.services.work(write=False) as work:
        assert work.revisions.causes_of(late.id)[2] is Cause.YEAR_TOTALS
    assert world.claim(late.id).state is ClaimState.PAID
    assert alarms(world) == []


def test_less_in_the_year_opens_a_case_beside_the_alarm(world: World) -> None:
    person = world.person()
    first = world.bill(person, 400, DAY, payer_name=OTHER_NAME)
    second = world.bill(person, 500, DAY.replace(day=10))
    world.anchor()
    early, late = claim_on(world, person, first, second)
    world.run()
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    world.run()
    assert ("year-totals-changed", late.id) in alarms(world)
    with world.services.work(write=False) as work:
        (one,) = work.revisions.of_claim(late.id)
        assert work.reviews.live_case(late.id, CaseKind.REVISION) is not None
    assert (one.request.amount_before_fen, one.request.amount_after_fen) == (30_000, 12_000)
    assert len(payouts(world, late)) == 1


def test_an_appeal_does_not_take_a_deductible_that_a_later_claim_took(world: World) -> None:
    """The first is refused after the second was paid on its reservation; the third then takes the
    300.00. An appeal of the second gets its line, and not the deductible on top."""
    person = world.person()
    first = world.bill(person, 400, DAY, payer_name=OTHER_NAME)
    second = mixed_bill(world, person, 500, 100, DAY.replace(day=5))
    world.anchor()
    early, late = claim_on(world, person, first, second)
    world.run()
    refuse_pended(world.services, early.number, "复核员甲", "不是本人")
    world.run()
    third = world.bill(person, 500, DAY.replace(day=10))
    world.anchor()
    (newest,) = claim_on(world, person, third)
    world.run()
    assert [d.paid_fen for d in decisions(world, newest)] == [12_000]
    file_appeal(world.services, person.id, late.id, "item", WORDS)
    conclude(world, late, "appeal", Outcome.APPROVE, matched(1))
    world.run()
    assert [d.paid_fen for d in decisions(world, late)] == [30_000, 36_000]  # 60 % of the 100.00


def test_who_refused_a_claim_does_not_review_its_appeal(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, payer_name=OTHER_NAME)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    refuse_pended(world.services, claim.number, "复核员甲", "不是本人")
    world.run()
    world.services.clock.advance(3_600)
    file_appeal(world.services, person.id, claim.id, "refusal", "是本人，户口本上有曾用名")
    with pytest.raises(TwoStepsError, match="nobody holds two steps"):
        approve_pended(world.services, claim.number, "复核员甲", "看错了")
    approve_pended(world.services, claim.number, "复核员乙", "曾用名，户口本可查")
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    assert [d.decided_by for d in decisions(world, claim)] == ["复核员甲", "复核员乙"]
    assert [amount for _, amount in payouts(world, claim)] == [6_000]


def test_the_bundle_of_a_supplemented_claim_passes_every_offline_check(world: World) -> None:
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    before = export_claim(world.services, claim.number, policy_text)
    file_appeal(world.services, person.id, claim.id, "item", WORDS)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    world.run()
    bundle = export_claim(world.services, claim.number, policy_text)
    assert (before["format"], bundle["format"]) == ("yichu-evidence-1", "yichu-evidence-2")
    found = offline(world, bundle)
    numbers = [*range(1, 12), 19]  # 19: the versions among themselves, SPEC.md C5
    assert {number: found[number] for number in numbers} == dict.fromkeys(numbers, "OK")
    for version in (1, 2):
        assert replay_decision(world.services, claim.number, version).is_same


def test_the_page_of_a_claim_that_came_back_shows_both_of_its_locks(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY, item=OUTSIDE)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    file_appeal(world.services, person.id, claim.id, "item", WORDS)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(0))
    with world.services.work(write=False) as work:
        waiting = view_claim(world.services, work, person.id, claim.id)
    assert not waiting.is_decided and not waiting.is_refused
    world.run()
    with world.services.work(write=False) as work:
        view = view_claim(world.services, work, person.id, claim.id)
    assert [(step.label, step.kind) for step in view.steps] == [
        ("医院上传并盖戳", "stamped"),
        ("您提交申请", "done"),
        ("核对指纹，锁定票据", "stamped"),
        ("不予报销，放开票据", "stamped"),
        ("复核支持您，重新办理", "done"),
        ("核对指纹，锁定票据", "stamped"),
        ("核定金额并盖戳", "stamped"),
        ("银行打款", "done"),
    ]
    assert [(one.version, one.paid_fen, one.by_person) for one in view.versions] == [
        (1, 0, False),
        (2, 6_000, True),
    ]
    assert view.refusals == ()


def test_decisions_from_before_versions_had_causes_are_the_first(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 500, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    migrate_down(world.services.engine, "0009")
    migrate(world.services.engine)
    with world.services.work(write=False) as work:
        assert work.revisions.causes_of(claim.id) == {1: Cause.FIRST}
        assert work.claims.get(claim.id).counted_from is None


# --- races on PostgreSQL -----------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path, postgresql_url: str) -> Iterator[World]:
    made = World.make(tmp_path, postgresql_url)
    yield made
    made.services.engine.dispose()


def test_eight_appeals_at_once_are_one(shared: World) -> None:
    person = shared.person()
    bill = mixed_bill(shared, person, 500, 100, DAY)
    shared.anchor()
    (claim,) = claim_on(shared, person, bill)
    shared.run()
    barrier = threading.Barrier(8)
    told: list[str] = []

    def one() -> None:
        barrier.wait()
        try:
            file_appeal(shared.services, person.id, claim.id, "item", WORDS)
            told.append("taken")
        except AppealRefusedError:
            told.append("refused")
        except DomainError as error:
            told.append(type(error).__name__)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(told) == ["refused"] * 7 + ["taken"]
    conclude(shared, claim, "appeal", Outcome.APPROVE, matched(1))
    shared.run()
    assert [amount for _, amount in payouts(shared, claim)] == [12_000, 6_000]


def test_two_workers_pay_a_supplement_once(shared: World) -> None:
    person = shared.person()
    bill = mixed_bill(shared, person, 500, 100, DAY)
    shared.anchor()
    (claim,) = claim_on(shared, person, bill)
    shared.run()
    file_appeal(shared.services, person.id, claim.id, "item", WORDS)
    conclude(shared, claim, "appeal", Outcome.APPROVE, matched(1))
    for _ in range(8):
        threads = [
            threading.Thread(target=advance_claims, args=(shared.services,)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        shared.mine()
    assert shared.claim(claim.id).state is ClaimState.PAID
    assert [amount for _, amount in payouts(shared, claim)] == [12_000, 6_000]
    assert [call for call, _ in shared.ledger.calls] == ["lodge", "settle", "supplement"]
