"""A claim that needs a figure that no source gives waits for a person, with that reason."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from pathlib import Path

from backend.domain.claim import ClaimState
from backend.domain.open_points import OpenEffect, OpenPoint
from backend.domain.selector import Selector
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.review import approve_pended
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)
ZH, EN = "职工门诊的比例没有写明", "The ratio of employees' outpatient care is not stated"


def claim_under(world: World, effect: OpenEffect, *, with_rules: bool) -> Claim:
    """A claim of 500.00 under Quzhou's pack with one open point, and perhaps without rules."""
    point = OpenPoint("o", effect, "open", ZH, EN, Selector(visit_kinds=frozenset({"outpatient"})))
    (pack,) = [pack for pack in world.services.packs if pack.region == "330800"]
    rules = {} if with_rules else {"ratios": (), "deductibles": ()}
    changed = dataclasses.replace(pack, open_points=(point,), **rules)
    world.services.__dict__["packs"] = (changed,)
    person = world.person()
    invoice = world.bill(person, 500, DAY)
    world.anchor()
    token = secrets.token_urlsafe(32)
    claim = submit(world.services, person.id, [invoice], token, has_consent=True).claims[0]
    world.run()
    return world.claim(claim.id)


def pends(world: World, claim: Claim) -> list[tuple[str, str]]:
    with world.services.work(write=False) as work:
        return [(pend.code, pend.zh) for pend in work.claims.pends_of(claim.id)]


def test_an_amount_that_rests_on_an_open_figure_waits_for_a_person(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    claim = claim_under(world, OpenEffect.PERSON, with_rules=True)
    assert claim.state is ClaimState.PENDED
    assert pends(world, claim) == [("policy-open", f"政策来源没有写明，由工作人员核对：{ZH}")]
    approve_pended(world.services, claim.number, "复核员", "按已知比例")
    world.run()
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    # (500.00 - 300.00) x 60 %
    assert decision is not None
    assert decision.paid_fen == 12_000


def test_a_case_without_rule_goes_to_a_person_with_the_open_point(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    claim = claim_under(world, OpenEffect.NO_RULE, with_rules=False)
    assert claim.state is ClaimState.PENDED
    ((code, zh),) = pends(world, claim)
    assert code == "no-rule"
    assert ZH in zh


def test_a_note_has_no_effect(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    claim = claim_under(world, OpenEffect.NOTE, with_rules=True)
    assert pends(world, claim) == []
    assert claim.decision_version == 1
