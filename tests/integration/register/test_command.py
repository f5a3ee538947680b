"""``yichu register`` at the command line: what it says, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from backend.domain.errors import NotFoundError
from backend.entrypoints.cli.register import command
from backend.service_layer.register.entries import RegisterRefusedError
from tests.integration.claims.world import World
from tests.integration.register.register_world import DAY, move_hospital, run_approved, touch

Run = Callable[..., Result]
SIGNED = ("--by", "李登记", "--reason", "补办备案")
FILED = ("--status", "referred-filed", "--area", "3301", "--from", "2026-10-01")


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)
    return lambda *arguments: CliRunner().invoke(command, list(arguments))


@pytest.mark.slow
def test_a_late_filing_is_told_with_what_became_of_each_claim(world: World, run: Run) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    move_hospital(world)
    world.anchor()
    (claim,) = touch(world, person.id, bill)
    run_approved(world, claim)
    filed = run("file-remote", "citizen01", *FILED, "--filed-on", "2026-11-20", *SIGNED)
    assert filed.exit_code == 0, filed.output
    assert (
        f"{claim.number}  新的决定版本 / a new decision version  294.00 -> 378.00" in filed.output
    )
    assert "模拟的参保登记" in filed.output
    again = run("file-remote", person.id, *FILED, *SIGNED)
    assert "没有变化 / known already" in again.output
    fact = filed.output.split()[0]
    corrected = run("correct", "citizen01", fact, "--to", "2026-10-31", *SIGNED)
    assert "应减少，由人处理" in corrected.output
    shown = run("show", "citizen01").output
    assert "2026-10-01..2026-10-31 备案于 2026-11-20" in shown and fact not in shown
    assert "模拟的参保登记，不是医保经办系统的数据" in shown
    assert f"{fact}  filing referred-filed 3301" in run("show", "citizen01", "--history").output


@pytest.mark.slow
def test_a_filing_of_the_first_hours_of_chinas_day_is_of_that_day(world: World, run: Run) -> None:
    world.person()
    world.services.clock.advance(15 * 3600)  # 01:00 of 21 November; the 20th in UTC
    tomorrow = run("file-remote", "citizen01", *FILED, "--filed-on", "2026-11-22", *SIGNED)
    assert isinstance(tomorrow.exception, RegisterRefusedError)
    assert "the day of filing is in the future" in str(tomorrow.exception)
    assert run("file-remote", "citizen01", *FILED, *SIGNED).exit_code == 0
    assert "2026-10-01..… 备案于 2026-11-21" in run("show", "citizen01").output


@pytest.mark.slow
def test_what_was_known_at_a_time_is_shown(world: World, run: Run) -> None:
    world.person()
    hardship = ("set-hardship", "citizen01", "--code", "low-income", "--from", "2026-01-01")
    assert run(*hardship, *SIGNED).exit_code == 0
    assert "low-income" in run("show", "citizen01").output
    before = run("show", "citizen01", "--known-at", "2026-11-20T09:59:59+08:00").output
    assert "low-income" not in before and "cover" not in before


@pytest.mark.slow
def test_every_kind_of_fact_is_recorded(world: World, run: Run) -> None:
    world.person(is_covered=False)
    days = ("--from", "2026-01-01", "--to", "2026-12-31")
    for name, options in (
        ("set-cover", ("--insurance", "310", "--person-type", "1102")),
        ("set-hardship", ("--code", "poverty-risk")),
        ("set-civil-servant", ("--rank", "county")),
        ("set-chronic", ("--disease", "M03900")),
    ):
        assert run(name, "citizen01", *options, *days, *SIGNED).exit_code == 0
    shown = run("show", "citizen01").output
    assert [word in shown for word in ("310 1102", "poverty-risk", "county", "M03900")] == [
        True
    ] * 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("show", "nobody"), NotFoundError, "no such person"),
        (("file-remote", "citizen01", "--status", "local", "--area", "3301", "--from",
          "2026-10-01", *SIGNED), RegisterRefusedError, "local cannot be filed"),
        (("set-cover", "citizen01", "--insurance", "310", "--person-type", "1101", "--from",
          "2026-10-01", *SIGNED), RegisterRefusedError, "overlaps the cover"),
        (("correct", "citizen01", "fct_none", "--to", "2026-10-01", *SIGNED), NotFoundError,
         "no fact fct_none"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_what_is_wrong_is_refused(
    world: World, run: Run, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    world.person()
    found = run(*arguments)
    assert isinstance(found.exception, error) and message in str(found.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ("file-remote", "citizen01", "--status", "x", "--area", "33", *SIGNED),
        ("set-hardship", "citizen01", "--code", "low-income", "--from", "1.1.2026", *SIGNED),
        ("set-hardship", "citizen01", "--code", "low-income", "--from", "2026-01-01"),
        ("correct", "citizen01", "fct_1", *SIGNED),
        ("show", "citizen01", "--known-at", "yesterday"),
    ],
)
def test_a_wrong_call_is_status_2(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(command, list(arguments)).exit_code == 2
