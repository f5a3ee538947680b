"""``yichu payout``: what an accountant sees and does, by real commands on a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.adapters.database import tables
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.two_people import SamePersonError
from backend.entrypoints.cli import payout
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.payout.records import AnswerStatus
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
    name, *told, handed, answered = line.split("\t")
    assert told == ["daily", "1", "60.00"] and handed.endswith("Z")
    assert answered == "已回执 answered 1/1"
    head, item, total = run("file", name).output.splitlines()
    assert head.split("\t")[:4] == [name, "330800", "daily", "60.00"]
    assert item.split("\t")[:3] == [claim.number, "60.00", f"{claim.number}-V1-A1"]
    assert "paid" in item and total == "共 1 笔，已回执 1 笔 / 1 in all, 1 answered"
    assert run("at-bank").output == "共 0 笔没有回执 / 0 without an answer\n"
    assert "no such payment file" in run("file", "YC-NONE.xml").output
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
    assert line.split("\t")[1] == "wrong.xml"
    assert line.endswith("refused\t未处理 to be dealt with")
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


# --- a file that was rejected as a whole ----------------------------------------------------------


@pytest.fixture
def rejected(world: World) -> tuple[World, str, list[Any]]:
    """Three payments in one file, of which the bank says that our account was wrong (AC02)."""
    people = [world.person(), world.person("测试乙丑", "citizen02"),
              world.person("测试丙寅", "citizen03")]  # fmt: skip
    claims = [claim_of(world, one, 400 + at) for at, one in enumerate(people)]
    world.run()
    world.bank.is_slow = True
    assert run("run").exit_code == 0
    (file,) = files(world)
    name = f"{file.message_id}.xml"
    waiting = run("at-bank").output.splitlines()
    assert [line.split("\t")[3] for line in waiting[:-1]] == [name] * 3
    assert run("files").output.endswith("已回执 answered 0/3\n")
    world.bank._unanswered.clear()
    report = world.bank.report_on(
        file, group_status=AnswerStatus.REJECTED, group_reason_code="AC02"
    )
    world.bank.leave(report)
    world.bank.is_slow = False
    advance_claims(world.services)
    assert {state(world, claim) for claim in claims} == {("paying", "payout-desk")}
    return world, name, claims


@pytest.mark.slow
def test_a_rejected_file_goes_out_again_in_two_steps_by_two_people(
    rejected: tuple[World, str, list[Any]],
) -> None:
    world, name, claims = rejected
    by = ("--file", name, "--by", "出纳甲", "--reason", "已请银行核对付款户")
    assert "3 笔 / claims" in run("hold", *by).output
    assert {state(world, claim) for claim in claims} == {("paying", "payout-stopped")}
    same = run("release", *by)
    assert isinstance(same.exception, SamePersonError) and same.exit_code == 1
    assert {row.action for row in rows(world, tables.payout_hold)} == {"hold"}
    world.services.clock.advance(60)
    other = ("--file", name, "--by", "会计乙", "--reason", "付款户已更正")
    assert run("release", *other).output == "已恢复 / released: 3 笔 / claims\n"
    assert run("run").exit_code == 0
    assert {state(world, claim) for claim in claims} == {("paid", None)}
    assert sorted(world.bank.paid) == sorted(f"{one.number}-V1-A2" for one in claims)


@pytest.mark.slow
def test_what_somebody_has_stopped_by_itself_is_not_released_with_its_file(
    rejected: tuple[World, str, list[Any]],
) -> None:
    world, name, (own, *others) = rejected
    assert run("hold", own.number, "--by", "稽核丙", "--reason", "有举报").exit_code == 0
    held = run("hold", "--file", name, "--by", "出纳甲", "--reason", "付款户有误").output
    assert held.splitlines() == [
        f"{own.number}\t另有处理，没有动 / in other hands, left as it is",
        "已暂停 / stopped: 2 笔 / claims",
    ]
    world.services.clock.advance(60)
    assert run("release", "--file", name, "--by", "会计乙", "--reason", "已更正").exit_code == 0
    assert run("run").exit_code == 0
    assert state(world, own) == ("paying", "payout-stopped")
    assert {state(world, one) for one in others} == {("paid", None)}
    again = run("release", "--file", name, "--by", "会计乙", "--reason", "已更正")
    assert isinstance(again.exception, ConflictError)
    assert "one person stops it with hold --file" in str(again.exception)


@pytest.mark.slow
@pytest.mark.parametrize("act", ["hold", "release"])
def test_a_file_of_which_nothing_was_rejected_is_nothing_to_do(world: World, act: str) -> None:
    claim = claim_of(world, world.person())
    world.run()
    run("run")
    (file,) = files(world)
    words = ("--by", "出纳甲", "--reason", "核对")
    for name, error in ((file.message_id, ConflictError), ("YC-NONE", NotFoundError)):
        assert isinstance(run(act, "--file", name, *words).exception, error)
    assert rows(world, tables.payout_hold) == [] and state(world, claim) == ("paid", None)
    for wrong in ((), (claim.number, "--file", file.message_id)):
        told = run(act, *wrong, *words)
        assert (told.exit_code, "name a claim or --file" in told.output) == (2, True)


@pytest.mark.slow
def test_a_bank_file_says_who_has_dealt_with_it_until_another_person_confirms(
    world: World,
) -> None:
    world.bank.inbox["broken.xml"] = b"{"
    advance_claims(world.services)

    def told() -> str:
        (line,) = run("messages", "list").output.splitlines()
        return line.split("\t")[-1]

    (message,) = rows(world, tables.bank_message)
    with world.services.work(write=False) as work:
        (listed,) = work.payments.messages()
        assert (listed.id, listed.digest, listed.wrapped_content) == (
            message.id,
            message.digest,
            b"",
        )
        assert len(work.payments.message_by_id(message.id).wrapped_content) > 0
    assert told() == "未处理 to be dealt with"
    run("messages", "acknowledge", message.id, "--by", "出纳甲", "--reason", "银行重发")
    assert told() == "出纳甲 已登记，等另一人确认 waits for another person"
    run("messages", "confirm", message.id, "--by", "会计乙", "--reason", "已核对")
    assert told().startswith("已处理 dealt with 20")
