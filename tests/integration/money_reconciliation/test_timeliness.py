"""A reconciliation that is not made in time is an alarm, and later holds the money."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.entrypoints.cli.main import cli
from backend.service_layer.money_reconciliation.daily import reconcile_pass
from backend.service_layer.money_reconciliation.timeliness import read_timeliness, watch_timeliness
from backend.settings import Settings, SettingsError
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.test_cases_and_reports import SIGNER, later
from tests.integration.money_reconciliation.test_command_line import run
from tests.integration.money_reconciliation.test_two_people import prepared
from tests.integration.payout.office import alarms, claim_of, settled, state

__all__ = ["cli"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return prepared(tmp_path)


def test_before_there_is_money_nothing_is_overdue(world: World) -> None:
    later(world, 1_000)
    found = watch_timeliness(world.services)
    assert (found.since, found.is_overdue, found.is_lapsed) == (None, False, False)
    assert alarms(world) == set()


@pytest.mark.slow
def test_overdue_is_an_alarm_and_lapsed_holds_every_payment_until_a_report(world: World) -> None:
    settled(world, claim_of(world, world.person()))
    world.bank.is_slow = True
    world.run()  # approved and instructed: there is money to compare
    other = settled(world, claim_of(world, world.person("测试乙丑", "citizen02")))
    reconcile_pass(world.services, SIGNER)
    later(world, 25.9)
    watch_timeliness(world.services)
    assert "reconcile-overdue" not in alarms(world)
    later(world, 0.2)
    watch_timeliness(world.services)
    assert {"reconcile-overdue"} <= alarms(world)
    assert "reconcile-lapsed" not in alarms(world)
    later(world, 46)
    watch_timeliness(world.services)
    assert {"reconcile-overdue", "reconcile-lapsed"} <= alarms(world)
    world.run()
    assert state(world, other)[1] == "reconcile"
    with world.services.work(write=False) as work:
        figures = read_timeliness(
            work, world.services.clock.now(), world.services.settings
        ).to_record()
    assert (figures["last_report"], figures["is_overdue"], figures["holds_payouts"]) == (
        1, True, True,
    )  # fmt: skip
    # That it is held is no reason to make none.
    reconcile_pass(world.services, SIGNER)
    assert not {"reconcile-overdue", "reconcile-lapsed"} & alarms(world)
    world.run()
    assert state(world, other) == ("paying", None), "it is with the bank"


def test_the_status_says_when_it_was_made_last(world: World) -> None:
    told = run(world, "status")
    assert told.exit_code == 0 and "last report -" in told.output
    reconcile_pass(world.services, SIGNER)
    figures = json.loads(run(world, "status", "--json").output)
    assert (figures["last_report"], figures["open_cases"]) == (1, 0)
    # By the clock of the command the report of the test's day may be long ago.
    assert world.services.readiness()["reconciliation"]["last_report"] == 1


def test_money_is_not_held_before_anybody_was_told() -> None:
    with pytest.raises(SettingsError, match="must not be less than YICHU_RECONCILE_OVERDUE_HOURS"):
        Settings.from_environment({"YICHU_RECONCILE_HOLD_HOURS": "25"})
