"""`yichu reconcile cases`, `reports` and `verify`: what an operator reads."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from click.testing import CliRunner, Result

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.entrypoints.cli.main import cli
from backend.service_layer.adoption.claims import adopt_claim_event
from backend.service_layer.anchoring.adopt import resolve_case
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.money_reconciliation.cases import open_cases_of, watch_deadlines
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.report import store_report
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.test_cases_and_reports import (
    AGENCY,
    SIGNER,
    open_cases,
)


def run(world: World, *arguments: str) -> Result:
    settings = world.services.settings
    environment = {"YICHU_VAR": str(settings.var_dir), "YICHU_DATABASE_URL": settings.database_url}
    return CliRunner().invoke(cli, ["reconcile", *arguments], env=environment)


def test_cases_and_reports_at_the_command_line(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.services.engine.begin() as connection:
        connection.execute(tables.payer.update().values(ledger_account=AGENCY.address))
    assert "没有 / none" in run(world, "cases").output
    # Found long ago: by the clock of the command it is overdue.
    world.services.clock = SetClock(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    row = Mismatch("R11", "YC20260101D-X", "handed over", "the bank has no such file")
    standing = open_cases_of(world.services, [row])
    store_report(world.services, SIGNER, standing)
    found = run(world, "cases", "--overdue", "--json")
    assert found.exit_code == 1
    (case,) = json.loads(found.output)
    assert case["due_at"] == "2020-01-04T00:00:00+00:00"
    assert (case["detail"]["here"], case["is_overdue"]) == ("handed over", True)
    shown = run(world, "cases")
    assert "逾期 overdue" in shown.output and "the bank has no such file" in shown.output
    (listed,) = json.loads(run(world, "reports", "--json").output)
    assert (listed["number"], listed["mismatches"], listed["account"]) == (1, 1, AGENCY.address)
    genuine = run(world, "verify", "1")
    assert genuine.exit_code == 0 and AGENCY.address in genuine.output
    assert '"YC20260101D-X"' in run(world, "verify", "1", "--show").output
    assert run(world, "verify", "2").exit_code == 1
    for wrong in (
        ["--close", case["case"], "--by", "测试员"],
        ["--close", case["case"], "--by", "测试员", "--reason", " "],
        ["--by", "测试员"],
    ):
        assert run(world, *wrong).exit_code == 2
    words = (case["case"], "--by", "测试员", "--reason", "已核对留存")
    for refused, says in (
        (("--confirm", *words), "nobody has proposed to close it"),
        (("--close", *words), "say how it ends"),
    ):
        assert says in str(run(world, *refused).exception)
    asked = run(world, "--close", *words, "--outcome", "accepted")
    assert asked.exit_code == 0 and "another person confirms it" in asked.output
    assert run(world, "note", case["case"], "--by", "甲", "--text", "已问银行").exit_code == 0
    assert run(world, "assign", case["case"], "--to", "乙", "--by", "甲").exit_code == 0
    assert "another person does this" in str(run(world, "--confirm", *words).exception)
    assert open_cases(world) == [case["case"]]
    other = ("--confirm", case["case"], "--by", "测试主管", "--reason", "看过留存")
    done = run(world, *other)
    assert done.exit_code == 0, done.output
    assert open_cases(world) == []
    assert "there is no open case" in str(run(world, *other).exception)
    told = run(world, "case", case["case"]).output
    for word in ("proposed accepted", "note", "assigned", "confirmed accepted", "测试主管"):
        assert word in told


def test_a_claim_that_a_restored_backup_lacks_has_a_deadline_and_words(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    world.services.clock = SetClock(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    values = {
        "payer": 1, "counter": 3, "value": 123_456, "decision_version": 1,
        "decision_fingerprint": bytes(32), "policy_hash": bytes(32),
    }  # fmt: skip
    said = LedgerEvent("settle", "done", 0, b"\xab" * 32, values, bytes(32), 7, bytes(32), 0)
    with world.services.work() as work:
        line = adopt_claim_event(world.services, work, said, world.services.clock.now())
        work.commit()
    assert line.verdict == "case"
    name = f"claim:{'ab' * 32}:3"
    found = run(world, "cases", "--overdue", "--json")
    (case,) = json.loads(found.output)
    assert (case["case"], case["due_at"]) == (name, "2020-01-04T00:00:00+00:00")
    shown = run(world, "cases").output
    assert "结算 1,234.56 元；本库找不到它的申请" in shown
    assert "settled 1,234.56 yuan; no claim here can be shown to be it" in shown
    told = run(world, "case", name).output
    assert "结算 1,234.56 元" in told and "期限 / due 2020-01-04 00:00:00Z" in told
    assert "{" not in told, "a person reads no program's notation"
    # Past its deadline it is an alarm, which ends with the case.
    world.services.clock = SetClock(dt.datetime(2020, 1, 5, tzinfo=dt.UTC))
    assert watch_deadlines(world.services) == 1
    with world.services.work() as work:
        assert "money-case-overdue" in work.alarms.open_counts()
        assert resolve_case(work, name, "reconcile", "adopted")
        work.commit()
    with world.services.work(write=False) as work:
        assert "money-case-overdue" not in work.alarms.open_counts()
