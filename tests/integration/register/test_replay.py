"""Every stored decision is worked out again from its stored inputs; what was changed is named."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.domain.errors import NotFoundError
from backend.domain.register import FactKind
from backend.domain.ruling import LineRuling, RulingKind
from backend.service_layer.claims.records import Claim
from backend.service_layer.claims.replay import replay_all, replay_decision
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.register.entries import Entry
from backend.service_layer.register.record_fact import record_fact
from tests.integration.claims.world import OUTSIDE, World
from tests.integration.register.register_world import (
    DAY,
    decisions,
    file_remote,
    move_hospital,
    run_approved,
    touch,
)


def one_decided(world: World) -> Claim:
    person = world.person()
    world.bill(person, 400, DAY)
    bill = world.bill(person, 1000, DAY + dt.timedelta(days=1))
    world.anchor()
    first = touch(world, person.id, *[entry for entry in _bills(world) if entry != bill])
    world.run()
    (claim,) = touch(world, person.id, bill)
    world.run()
    assert len(decisions(world, first[0])) == 1
    return claim


def _bills(world: World) -> list[str]:
    with world.services.work(write=False) as work:
        lookup = world.services.secret_box.lookup("payer-id", world.people[0].identity_number)
        return [bill.invoice_id for bill in work.claims.bills_of(lookup)]


@pytest.mark.slow
def test_all_decisions_of_a_busy_year_are_replayed_to_the_same_record(world: World) -> None:
    """Deductible shared, class C, unknown code, people's approval and refusal, late filing."""
    person = world.person()
    plain = [world.bill(person, yuan, DAY) for yuan in (100, 700)]
    stay = world.bill(
        person, 5000, DAY,
        admitted_on=DAY - dt.timedelta(days=5), discharged_on=DAY, hospitalization_number="S1",
    )  # fmt: skip
    outside = world.bill(person, 50, DAY, item=OUTSIDE)
    unknown = world.bill(person, 300, DAY, item=("TESTUNKNOWN0001", "不认识的项目", 1))
    world.anchor()
    run_approved(world, *touch(world, person.id, *plain, stay, outside))
    (asked,) = touch(world, person.id, unknown)
    world.run()
    excluded = LineRuling(0, RulingKind.EXCLUDE, "review-exclude", "不是医疗服务", "not medical")
    approve_pended(world.services, asked.number, "复核员", "已核对", (excluded,))
    world.run()
    far = world.bill(person, 2000, DAY)
    odd = world.bill(person, 200, DAY + dt.timedelta(days=1))
    world.anchor()
    move_hospital(world)
    run_approved(world, *touch(world, person.id, far))
    file_remote(world, person.id, ends_on=DAY)
    world.run()
    file_remote(
        world, person.id, "dual-residence", starts_on=DAY + dt.timedelta(days=1), ends_on=None
    )
    (unruled,) = touch(world, person.id, odd)
    world.run()
    refuse_pended(world.services, unruled.number, "王复核", "不属于可备案的情形")
    world.run()
    with world.services.work(write=False) as work:
        total = len(work.decisions.all_versions())
    replays = list(replay_all(world.services))
    assert len(replays) == total == 8
    assert [one.differences for one in replays if not one.is_same] == []
    # The hospital moved between decisions: those before would have another status now.
    assert {note.where for one in replays for note in one.notes} == {"remote_status"}


@pytest.mark.slow
def test_a_decision_is_replayed_after_the_register_and_the_year_moved_on(world: World) -> None:
    claim = one_decided(world)
    person = world.people[0]
    hardship = Entry(FactKind.HARDSHIP, "low-income", dt.date(2026, 1, 1))
    record_fact(world.services, person.id, hardship, by="李", reason="民政认定")
    later = world.bill(person, 800, DAY)
    world.anchor()
    touch(world, person.id, later)
    world.run()
    world.services.clock.advance(40 * 86_400)  # type: ignore[attr-defined]
    replay = replay_decision(world.services, claim.number)
    # 400.00 took the deductible: 1,000.00 x 60 %.
    assert (replay.differences, replay.paid_fen) == ((), 60_000)


TAMPERED = [
    (
        "UPDATE decision SET person_snapshot = replace(person_snapshot, '1101', '1102')",
        "person snapshot",
    ),
    (
        "UPDATE decision SET history_snapshot = replace(history_snapshot, '40000', '30000')",
        "history snapshot",
    ),
    (
        "UPDATE decision SET explanation = replace(explanation, '60000', '70000')",
        "decision.fingerprint",
    ),
    (
        'UPDATE decision SET explanation = replace(explanation, \'"outcome":"approved"\','
        ' \'"outcome":"partial"\')',
        "/outcome",
    ),
    ("UPDATE decision SET paid_fen = paid_fen + 1", "decision.paid_fen"),
    ("UPDATE decision SET outcome = 'partial'", "decision.outcome"),
    ("UPDATE policy_pack SET document = replace(document, '6000', '6500')", "policy"),
    (
        "UPDATE catalogue_document SET document = replace(document, '布洛芬', '阿司匹林')",
        "catalogue",
    ),
    ("UPDATE expense_line SET record = replace(record, '布洛芬', '阿司匹林')", "invoice"),
    ("UPDATE invoice_version SET header = replace(header, '医院', '药店')", "invoice"),
    ("UPDATE decision SET policy_hash = X'" + "11" * 32 + "'", "decision.policy_hash"),
    ("UPDATE decision SET person_snapshot = '{'", "replay"),
]


def test_what_was_changed_is_named(world: World, tmp_path: Path) -> None:
    claim = one_decided(world)
    assert replay_decision(world.services, claim.number).is_same
    world.services.engine.dispose()
    database = tmp_path / "yichu.db"
    whole = database.read_bytes()
    for statement, where in TAMPERED:
        world.sql(statement)
        replay = replay_decision(world.services, claim.number)
        assert where in {one.where for one in replay.differences}, statement
        world.services.engine.dispose()
        database.write_bytes(whole)
    assert replay_decision(world.services, claim.number).is_same


@pytest.mark.slow
def test_a_decision_without_its_pack_is_not_called_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = one_decided(world)
    world.sql("DELETE FROM policy_pack")
    assert replay_decision(world.services, claim.number).is_same  # the shipped one has that hash
    monkeypatch.setattr(type(world.services.rule_documents), "pack_text", lambda *_: None)
    (difference,) = replay_decision(world.services, claim.number).differences
    assert (difference.where, difference.recomputed) == (
        "policy", "no document with this hash is kept",
    )  # fmt: skip


@pytest.mark.slow
def test_pack_and_catalogue_are_kept_with_the_first_decision(world: World) -> None:
    claim = one_decided(world)
    (decision,) = decisions(world, claim)
    with world.services.work(write=False) as work:
        text = work.decisions.policy_document(decision.policy_hash)
        assert text is not None
        digest = bytes.fromhex(json.loads(text)["catalogue"]["sha256"])
        kept = work.register.catalogue_text(digest)
    assert kept is not None and json.loads(kept)["format"] == "yichu-catalogue-1"


@pytest.mark.slow
def test_unknown_claims_and_versions_are_refused(world: World) -> None:
    claim = one_decided(world)
    with pytest.raises(NotFoundError, match="no such decision version"):
        replay_decision(world.services, claim.number, 2)
    with pytest.raises(NotFoundError):
        replay_decision(world.services, "20990101-01")


@pytest.mark.slow
def test_command_says_ok_or_exits_1_naming_the_difference(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.entrypoints.cli.claim import command

    claim = one_decided(world)
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)
    good = CliRunner().invoke(command, ["replay", claim.number])
    assert (good.exit_code, good.stdout.splitlines()[0]) == (0, f"OK   {claim.number} v1  600.00")
    world.sql("UPDATE decision SET paid_fen = paid_fen + 1")
    bad = CliRunner().invoke(command, ["replay", "--all"])
    assert bad.exit_code == 1
    assert "decision.paid_fen: 60001 -> 60000" in bad.stderr
    assert CliRunner().invoke(command, ["replay"]).exit_code == 2
