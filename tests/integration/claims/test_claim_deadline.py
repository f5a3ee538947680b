"""A claim past the pack's limit is refused before the ledger, with the way to appeal."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from pathlib import Path

import pytest

from backend.adapters.policy_packs import load_packs
from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.ledger import IntentKind
from backend.domain.policy import ClaimDeadline
from backend.service_layer.claims.submit import submit
from tests.integration.claims.world import World


def handed_in(world: World, visit_on: dt.date, deadline: ClaimDeadline) -> str:
    """The claim of a bill of that day, handed in on 20 November 2026, once nothing moves."""
    world.services.__dict__["packs"] = tuple(
        dataclasses.replace(pack, claim_deadline=deadline) for pack in load_packs()
    )
    person = world.person()
    invoice_id = world.bill(person, 1_000, visit_on)
    world.anchor()
    result = submit(
        world.services, person.id, [invoice_id], secrets.token_urlsafe(32), has_consent=True
    )
    world.run()
    return result.claims[0].id


@pytest.mark.parametrize(
    ("visit_on", "deadline"),
    [
        (dt.date(2026, 10, 19), ClaimDeadline("limit", months=1)),
        (dt.date(2025, 12, 31), ClaimDeadline("limit", next_year_until=(6, 30))),
    ],
)
def test_claim_past_its_limit_is_refused_with_the_way_to_appeal(
    tmp_path: Path, visit_on: dt.date, deadline: ClaimDeadline
) -> None:
    world = World.make(tmp_path)
    claim_id = handed_in(world, visit_on, deadline)

    assert world.claim(claim_id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        (row,) = [row for row in work.claims.stages_of(claim_id) if row.stage is Stage.MATCHING]
        lodges = work.outbox.of_subject(claim_id, IntentKind.LODGE)
    assert (row.outcome, [reason.code for reason in row.reasons]) == (
        StageOutcome.REFUSED, ["past-limit"],
    )  # fmt: skip
    assert "申请复核" in row.reasons[0].zh
    assert not list(lodges)


def test_claim_on_the_last_day_of_its_limit_is_paid(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    claim_id = handed_in(world, dt.date(2026, 10, 20), ClaimDeadline("limit", months=1))
    assert world.claim(claim_id).state is not ClaimState.REFUSED
