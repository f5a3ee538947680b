"""A decision replayed from its evidence bundle and the inputs that the bundle does not hold."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.domain.record_reader import MalformedDataError
from backend.entrypoints.cli.claim import command
from backend.service_layer.claims.records import Claim
from backend.service_layer.evidence.collect import export_claim
from backend.service_layer.evidence.replay_bundle import replay_bundle, replay_inputs
from backend.service_layer.handling.review import refuse_pended
from tests.integration.claims.world import World
from tests.integration.register.register_world import DAY, file_remote, move_hospital, touch


def exported(world: World, claim: Claim) -> tuple[dict[str, Any], dict[str, Any]]:
    documents = world.services.rule_documents
    bundle = export_claim(world.services, claim.number, documents.pack_text)
    return json.loads(json.dumps(bundle)), replay_inputs(world.services, claim.number)


def settled(world: World) -> Claim:
    person = world.person()
    bill = world.bill(person, 1000, DAY, lines=3)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    return claim


def leaf(bundle: dict[str, Any], part: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in bundle[part]["leaves"] if e["path"] == path)
    return found


@pytest.mark.slow
def test_a_bundle_with_its_inputs_is_replayed_without_a_database(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = settled(world)
    bundle, _ = exported(world, claim)
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)
    inputs = str(tmp_path / "inputs.json")
    written = CliRunner().invoke(command, ["inputs", claim.number, "-o", inputs])
    assert written.exit_code == 0 and Path(inputs).stat().st_mode & 0o077 == 0
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: pytest.fail("no database"))
    call = ["replay", "--bundle", str(tmp_path / "bundle.json"), "--inputs", inputs]
    done = CliRunner().invoke(command, call)
    # (1,000.00 - 300.00) x 60 %
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"OK   {claim.number} v1  420.00")


@pytest.mark.slow
def test_a_person_s_refusal_is_replayed_from_a_bundle(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    file_remote(world, person.id, "dual-residence")
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    world.run()
    refuse_pended(world.services, claim.number, "王复核", "不属于可备案的情形")
    world.run()
    assert replay_bundle(*exported(world, claim)).differences == ()


def test_what_was_changed_in_bundle_or_inputs_is_named(world: World) -> None:
    bundle, inputs = exported(world, settled(world))
    assert replay_bundle(bundle, inputs).is_same

    def paid(b: Any, _: Any) -> None:
        leaf(b, "decision", "/paid_fen")["value"] += 1

    def line(b: Any, _: Any) -> None:
        leaf(b, "invoice", "/lines/0")["value"]["amount"] = "1.0000"

    def person(_: Any, i: Any) -> None:
        i["person"]["person_type"] = "1102"

    def history(_: Any, i: Any) -> None:
        i["history"]["entries"] = [{}]

    def catalogue(_: Any, i: Any) -> None:
        i["catalogue"] = i["catalogue"].replace("布洛芬", "阿司匹林")

    def no_catalogue(_: Any, i: Any) -> None:
        i["catalogue"] = ""

    def policy(b: Any, _: Any) -> None:
        b["policy"]["text"] = b["policy"]["text"].replace("6000", "7000")

    def other_bill(b: Any, _: Any) -> None:
        b["batch_leaf"]["fingerprint"] = "00" * 32

    for change, where in (
        (paid, "explanation"), (line, "replay"), (person, "person snapshot"),
        (history, "history snapshot"), (catalogue, "catalogue"), (no_catalogue, "catalogue"),
        (policy, "policy"), (other_bill, "invoice.fingerprint"),
    ):  # fmt: skip
        changed = copy.deepcopy(bundle), copy.deepcopy(inputs)
        change(*changed)
        found = {one.where for one in replay_bundle(*changed).differences}
        assert where in found, (change.__name__, found)


@pytest.mark.parametrize(
    ("bundle", "inputs", "what"),
    [
        ({}, {"format": "yichu-replay-inputs-1"}, "BUNDLE"),
        ([], {"format": "yichu-replay-inputs-1"}, "BUNDLE"),
        ({}, {}, "REPLAY INPUTS"),
        ({}, [], "REPLAY INPUTS"),
    ],
)
def test_other_files_are_refused(bundle: Any, inputs: Any, what: str) -> None:
    with pytest.raises(MalformedDataError, match=what):
        replay_bundle(bundle, inputs)


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "1", "--all"],
        ["replay", "--all", "--version", "1"],
        ["replay", "--bundle", __file__],
        ["replay", "1", "--inputs", __file__],
    ],
)
def test_a_wrong_call_is_status_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
