"""What is read once a transaction is read anew in the next one, and what is read for a whole year
in one question is what each claim alone would give."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.claim import ClaimState, Stage
from tests.integration.claims.test_new_claims import touch
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def test_a_line_that_was_changed_is_seen_by_the_next_transaction(world: World) -> None:
    claim = touch(world, world.person())
    with world.services.work(write=False) as work:
        (before,) = work.claims.lines_of(claim.version_id)
        work.claims.lines_of(claim.version_id).append("what a reader does to its list")
        assert work.claims.lines_of(claim.version_id) == [before]
    changed = before.replace("布洛芬", "芬布洛")
    assert changed != before
    world.sql("UPDATE expense_line SET record = :record", record=changed)
    with world.services.work(write=False) as work:
        assert work.claims.lines_of(claim.version_id) == [changed]


def test_lines_of_one_bill_are_not_given_for_another(world: World) -> None:
    person = world.person()
    first, second = touch(world, person), touch(world, person, DAY + dt.timedelta(days=1))
    with world.services.engine.connect() as connection:
        chosen = sa.select(tables.expense_line.c.version_id, tables.expense_line.c.record)
        stored = {row.version_id: row.record for row in connection.execute(chosen)}
    with world.services.work(write=False) as work:
        for claim in (first, second, first):
            assert work.claims.lines_of(claim.version_id) == [stored[claim.version_id]]
        assert work.claims.lines_of("ver_unknown") == []


def test_the_newest_of_each_claim_is_given_for_many_as_for_one(world: World) -> None:
    person = world.person()
    claims = [touch(world, person, DAY + dt.timedelta(days=n)) for n in range(3)]
    world.run()
    assert {world.claim(claim.id).state for claim in claims} == {ClaimState.PAID}
    ids = [claim.id for claim in claims]
    with world.services.work(write=False) as work:
        decisions = work.decisions.latest_decisions([*ids, "clm_unknown"])
        calculations = work.decisions.latest_calculations([*ids, "clm_unknown"])
        assert sorted(decisions) == sorted(calculations) == sorted(ids)
        for claim_id in ids:
            assert decisions[claim_id] == work.decisions.latest(claim_id)
            assert calculations[claim_id] == work.decisions.latest_calculation(claim_id)
        assert work.decisions.latest_decisions([]) == work.decisions.latest_calculations([]) == {}


def test_the_attempts_at_one_stage_are_those_among_all(world: World) -> None:
    claim = touch(world, world.person(), is_anchored=False)
    world.run()
    world.anchor()
    world.run()
    with world.services.work(write=False) as work:
        rows = work.claims.stages_of(claim.id)
        for stage in Stage:
            attempts = work.claims.stages_of(claim.id, stage)
            assert attempts == [row for row in rows if row.stage is stage]
        flow = work.claims.stages_of(claim.id, Stage.DATA_FLOW)
    assert [(row.attempt, str(row.outcome)) for row in flow] == [(1, "waiting"), (2, "passed")]
