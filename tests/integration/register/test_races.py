"""Facts recorded at once, and while a claim is being decided, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError
from backend.domain.register import FactKind, known_facts
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.register.entries import Entry, RegisterRefusedError
from backend.service_layer.register.record_fact import record_fact
from tests.integration.claims.world import World
from tests.integration.register.register_world import (
    DAY,
    decisions,
    file_remote,
    move_hospital,
    payouts,
    touch,
)

pytestmark = pytest.mark.slow
THREADS = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    made = World.make(tmp_path, url)
    yield made
    made.services.engine.dispose()


def together(*work: Callable[[], object]) -> list[object]:
    """Do all of it at once; what each gave, or the error that it met."""
    barrier = threading.Barrier(len(work))
    gave: list[object] = [None] * len(work)

    def one(index: int) -> None:
        barrier.wait()
        try:
            gave[index] = work[index]()
        except DomainError as error:
            gave[index] = error

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return gave


def decided_far_away(world: World) -> tuple[str, object]:
    """An emergency in Hangzhou that is paid with 357.00: (1,000.00 - 300.00) x 60 % x 85 %."""
    person = world.person()
    bill = world.bill(person, 1000, DAY, department="急诊科")
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    return person.id, claim


def test_one_filing_sent_from_many_desks_is_recorded_and_paid_once(world: World) -> None:
    person_id, claim = decided_far_away(world)
    gave = together(*[lambda: file_remote(world, person_id)] * THREADS)
    assert sorted(one.is_new for one in gave) == [False] * (THREADS - 1) + [True]  # type: ignore[attr-defined]
    world.run()
    assert payouts(world, claim) == [35_700, 2_100]  # type: ignore[arg-type]  # 378.00 in all


def test_two_different_filings_at_once_end_at_the_better_one(world: World) -> None:
    person_id, claim = decided_far_away(world)
    together(
        lambda: file_remote(world, person_id, "referred-filed"),
        lambda: file_remote(world, person_id, "long-term-filed"),
    )
    world.run()
    assert decisions(world, claim)[-1].paid_fen == 42_000  # type: ignore[arg-type]
    assert sum(payouts(world, claim)) == 42_000  # type: ignore[arg-type]


def test_an_appeal_upheld_twice_beside_two_filings_pays_the_difference_once(world: World) -> None:
    person_id, claim = decided_far_away(world)
    services, number = world.services, claim.number  # type: ignore[attr-defined]
    file_appeal(services, person_id, claim.id, "item", "转诊备案已经补办，请重新核定")  # type: ignore[attr-defined]
    gave = together(
        *[lambda: approve_pended(services, number, "甲", "已核对")] * 2,
        lambda: approve_pended(services, number, "乙", "已核对"),
        lambda: file_remote(world, person_id, "referred-filed"),
        lambda: file_remote(world, person_id, "long-term-filed"),
        lambda: advance_claims(services),
    )
    assert sum(isinstance(one, DomainError) for one in gave) == 2, gave
    world.run()
    assert sum(payouts(world, claim)) == 42_000  # type: ignore[arg-type]


def test_a_filing_while_the_claim_is_decided_is_in_the_decision_or_revises_it(
    world: World,
) -> None:
    for number in range(4):
        person = world.person(name=f"测试{number}", username=f"citizen{number}")
        bill = world.bill(person, 1000 + 100 * number, DAY, department="急诊科")
        move_hospital(world)
        world.anchor()
        (claim,) = touch(world, person.id, bill)
        while world.claim(claim.id).state is not ClaimState.LODGED:
            assert advance_claims(world.services) or world.mine()
        together(
            lambda: advance_claims(world.services),
            lambda person=person: file_remote(world, person.id),  # type: ignore[misc]
        )
        world.run()
        # (1,000.00 + number x 100.00 - 300.00) x 60 % x 90 %
        assert sum(payouts(world, claim)) == (70_000 + 10_000 * number) * 54 // 100


def test_one_of_two_corrections_of_a_fact_stands(world: World) -> None:
    person_id, _ = decided_far_away(world)
    with world.services.work(write=False) as work:
        (cover,) = known_facts(work.register.facts_of(person_id))

    def correct(year: int) -> object:
        entry = Entry(
            FactKind.COVER, cover.code, cover.valid_from.replace(year=year),
            detail=cover.detail, corrects=cover.id,
        )  # fmt: skip
        return record_fact(world.services, person_id, entry, by="李", reason="更正")

    gave = together(lambda: correct(2018), lambda: correct(2019))
    refused = [one for one in gave if isinstance(one, RegisterRefusedError | ConflictError)]
    assert len(refused) == 1
    with world.services.work(write=False) as work:
        assert len(known_facts(work.register.facts_of(person_id))) == 1
