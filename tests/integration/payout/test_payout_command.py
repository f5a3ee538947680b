"""``yichu payout``: what an accountant sees and does, by real commands on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.adapters.database import tables
from backend.entrypoints.cli import payout
from backend.service_layer.handling.advance import advance_claims
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    alarms,
    claim_of,
    files,
    rows,
    settled,
    state,
    with_rules,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World.make(tmp_path)
    with_rules(made, every_seconds=None)  # 10:00 in Shanghai: the day's run is not due
    monkeypatch.setattr(payout, "build_services", lambda: made.services)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(payout.command, list(arguments))


def test_the_run_by_hand_pays_what_waits_and_says_what_it_did(world: World) -> None:
    claim = claim_of(world, world.person())
    world.run()
    listed = run("list").output.splitlines()
    assert listed[0].split("\t")[:2] == [f"pay_{claim.number}_v1", "60.00"]
    assert listed[0].endswith("payout-run") and listed[-1] == "共 1 笔 / 1 in all"
    done = run("run")
    assert done.exit_code == 0
    assert "1 files, 1 instructions, 0 held, 1 handed over, 1 bank files" in done.output
    assert state(world, claim) == ("paid", None)
    assert run("list").output == "共 0 笔 / 0 in all\n"
    shown = run("show", claim.number).output
    assert f"{claim.number}-V1-A1" in shown and "paid" in shown and "simulated" in shown
    assert "模拟" in shown and "TEST-" not in shown
    (line,) = run("files").output.splitlines()
    assert line.split("\t")[1:4] == ["daily", "1", "60.00"]
    again = run("run").output
    assert "0 files, 0 instructions" in again and len(world.bank.paid) == 1


@pytest.mark.slow
def test_a_run_without_the_ledger_says_that_it_is_not_finished(world: World) -> None:
    claim_of(world, world.person())
    world.run()
    world.ledger.is_down = True
    done = run("run")
    assert done.exit_code == 1 and "not finished" in done.output
    assert world.bank.files == {}


def test_a_stopped_claim_is_released_by_a_named_person(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    assert run("hold", claim.number, "--by", "出纳甲", "--reason", "核对").exit_code == 0
    second = run("hold", claim.number, "--by", "出纳甲", "--reason", "核对")
    assert "stopped already" in str(second.exception)
    world.run()
    run("run")
    assert state(world, claim) == ("paying", "payout-stopped")
    assert "出纳甲" in run("show", claim.number).output
    assert run("release", claim.number, "--by", "会计乙", "--reason", "无误").exit_code == 0
    run("run")
    assert state(world, claim) == ("paid", None)


@pytest.mark.parametrize("words", [("", "x"), ("x", " "), ("x" * 61, "x"), ("x", "x" * 501)])
def test_without_a_name_and_a_reason_nothing_is_stopped(
    world: World, words: tuple[str, str]
) -> None:
    claim = settled(world, claim_of(world, world.person()))
    done = run("hold", claim.number, "--by", words[0], "--reason", words[1])
    assert "say who" in str(done.exception)
    assert rows(world, tables.payout_hold) == []


def test_a_refused_bank_file_is_shown_line_by_line_and_noted_once(world: World) -> None:
    claim_of(world, world.person())
    world.run()
    world.bank.is_slow = True
    run("run")
    report = world.bank.report_on(files(world)[0], original_item_count=7)
    world.bank.leave(report, "wrong.xml")
    advance_claims(world.services)
    (line,) = run("messages", "list").output.splitlines()
    message_id = line.split("\t")[0]
    assert line.endswith("refused") and "wrong.xml" in line
    shown = run("messages", "show", message_id).output
    assert "speaks of 7 items, the file has 1" in shown
    raw = ("messages", "show", message_id, "--content")
    for words in ((), ("--by", "审计丙"), ("--by", " ", "--reason", "核对账号")):
        refused = run(*raw, *words)
        assert "say who" in str(refused.exception) and report.message_id not in refused.output
    assert "nobody has read it" in run("messages", "readings", message_id).output
    assert report.message_id in run(*raw, "--by", "审计丙", "--reason", "核对账号").output
    told = run("messages", "readings", message_id).output
    assert "审计丙\t核对账号" in told and told.count("\n") == 1
    noted = ("messages", "acknowledge", message_id, "--by", "出纳甲", "--reason", "已核实")
    confirmed = ("messages", "confirm", message_id, "--by", "会计乙", "--reason", "流水已看")
    assert "nobody has dealt with the file yet" in str(run(*confirmed).exception)
    assert run(*noted).exit_code == 0
    assert alarms(world) == {"bank-file-refused"}
    own = ("messages", "confirm", message_id, "--by", "出纳甲", "--reason", "流水已看")
    assert "another person does this" in str(run(*own).exception)
    assert run(*confirmed).exit_code == 0
    assert alarms(world) == set()
    for again in (noted, confirmed):
        assert "dealt with already" in str(run(*again).exception)
    unknown = run("messages", "show", "bmg_0")
    assert unknown.exit_code == 1 and "there is no such bank file" in unknown.output
