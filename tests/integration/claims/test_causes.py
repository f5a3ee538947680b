"""Why a claim was manual: written at screening, again when the register learns, and counted."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.domain.claim import ClaimState
from backend.domain.register import FactKind
from backend.entrypoints.cli.claim import command
from backend.entrypoints.cli.review import command as review_command
from backend.service_layer.audit_rules.audit_claim import claim_facts
from backend.service_layer.claims.causes import basis_of, cause_view, figures
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.submit import submit
from backend.service_layer.register.entries import Entry
from backend.service_layer.register.record_fact import record_fact
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World.make(tmp_path)
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: made.services)
    return made


def claimed(world: World, **header: Any) -> Claim:
    person = world.people[0] if world.people else world.person()
    bill = world.bill(person, 500, DAY, **header)
    world.anchor()
    result = submit(world.services, person.id, (bill,), secrets.token_urlsafe(32), has_consent=True)
    world.run()
    return world.claim(result.claims[0].id)


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(command, ["causes", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_plain_claim_should_have_been_swiped_and_its_reviewer_sees_why(world: World) -> None:
    claim = claimed(world)
    view = cause_view(claim)
    assert view is not None
    assert (view["code"], view["group"], view["national_code"]) == ("not-swiped",) * 2 + ("02",)
    assert view["basis"] == {
        "earlier": [],
        "en": "covered, at a designated place in the area, and nothing else explains it",
        "on": claim.created_at.date().isoformat(),
        "version": 1,
        "zh": "参保有效，本地定点，没有别的原因",
    }
    # The audit rules are given the national list's code, not ours.
    with world.services.work(write=False) as work:
        assert claim_facts(work, claim).manual_reason == "02"
    shown = CliRunner().invoke(review_command, ["show", claim.number], catch_exceptions=False)
    assert "手工原因 应刷未刷" in shown.output


def test_a_status_recorded_late_changes_the_cause_and_the_earlier_one_stays(world: World) -> None:
    claim = claimed(world)
    entry = Entry(FactKind.HARDSHIP, "low-income", dt.date(2026, 1, 1))
    record_fact(world.services, claim.person_id, entry, by="李登记", reason="补登低保")
    later = world.claim(claim.id)
    basis = basis_of(later)
    assert later.cause == "special-group"
    assert basis is not None and basis["version"] == 2
    assert [one["code"] for one in basis["earlier"]] == ["not-swiped"]


def test_what_the_stages_raise_is_among_the_facts(world: World) -> None:
    assert claimed(world, payer_name="测试乙丑").cause == "process"
    assert claimed(world, item=("TESTUNKNOWN0001", "目录外", 1)).cause == "unclear-scope"


def test_a_claim_that_was_refused_has_a_cause_as_well(world: World) -> None:
    world.person(is_covered=False)
    claim = claimed(world)
    assert claim.state is ClaimState.REFUSED
    assert claim.cause == "other"


def test_a_part_that_another_payer_bore_gives_no_supplementary_reason(world: World) -> None:
    claim = claimed(world, other_pay_fen=10_000)
    with world.services.work(write=False) as work:
        assert claim.cause == "process"
        assert claim_facts(work, claim).manual_reason == ""


@pytest.mark.slow
def test_every_count_opens_its_list(world: World) -> None:
    first = claimed(world)
    second = claimed(world, payer_name="测试乙丑")
    with world.services.work(write=False) as work:
        shown = figures(work)
    by_group = {one["group"]: one for one in shown["groups"]}
    assert (shown["claims"], shown["not_derived"], shown["origins"]) == (2, 0, {"ledger": 2})
    assert by_group["not-swiped"]["per_mille"] == by_group["process"]["per_mille"] == 500
    assert by_group["process"]["published_per_mille"] == 220
    for group in shown["groups"]:
        assert group["claims"] == sum(code["claims"] for code in group["codes"])
        for code in group["codes"]:
            listed = json.loads(run("--list", code["code"], "--json"))
            assert len(listed) == code["claims"]
    assert json.loads(run("--json")) == shown
    assert first.number in run("--list", "not-swiped")
    assert second.number not in run("--list", "not-swiped")
    assert "衢州 / Quzhou 33.2 %" in run()


@pytest.mark.slow
def test_days_narrow_the_figures_and_a_range_backwards_is_refused(world: World) -> None:
    claimed(world)
    assert json.loads(run("--from", "2026-11-03", "--to", "2026-11-03", "--json"))["claims"] == 1
    assert json.loads(run("--from", "2026-11-04", "--json"))["claims"] == 0
    assert json.loads(run("--to", "2026-11-02", "--json"))["claims"] == 0
    backwards = CliRunner().invoke(
        command, ["causes", "--from", "2026-11-04", "--to", "2026-11-03"]
    )
    assert backwards.exit_code == 2
    assert "2026-11-04 > 2026-11-03" in backwards.output


@pytest.mark.slow
def test_claims_from_before_are_derived_on_request_once(world: World) -> None:
    claim = claimed(world)
    world.sql("UPDATE claim SET cause = NULL, cause_basis = NULL")
    assert "--list not-derived" in run()
    assert claim.number in run("--list", "not-derived")
    assert json.loads(run("--derive", "--json"))["not_derived"] == 0
    assert world.claim(claim.id).cause == "not-swiped"


@pytest.mark.slow
def test_a_damaged_bill_is_told_and_counted_under_other(world: World) -> None:
    claim = claimed(world)
    world.sql("UPDATE invoice_version SET header = '{'")
    world.sql("UPDATE claim SET cause = NULL, cause_basis = NULL")
    run("--derive")
    found = world.claim(claim.id)
    basis = basis_of(found)
    assert found.cause == "other"
    assert basis is not None and basis["en"] == "what is stored of the bill cannot be read"
