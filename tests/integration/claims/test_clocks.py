"""The promise stands still while the citizen is asked, the legal limit runs on; both are shown.

Filed on Friday 20 November 2026: promised for Friday the 27th (5 working days), by law at the
latest on Monday 4 January 2027 (30; New Year's Day is none).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend import bootstrap
from backend.adapters.clock import SetClock
from backend.domain.claim import ClaimState
from backend.domain.pend_reasons import SUPERVISOR
from backend.domain.review import CaseKind
from backend.entrypoints.cli.review import command
from backend.entrypoints.web import create_app
from backend.service_layer.claims.clocks import ClaimClocks, clocks_of
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.accident_answers import correct_kind, declare
from backend.service_layer.review.overdue import overdue
from backend.service_layer.review.records import Staff
from backend.service_layer.review.sweep import review_pass
from tests.integration.claims.test_accident import FALL, claim_of
from tests.integration.claims.test_pages import BASE, client_of, log_in
from tests.integration.claims.world import World

PROMISED, LEGAL = dt.date(2026, 11, 27), dt.date(2027, 1, 4)
OPERATOR = Staff("cli", "cli", "命令行", SUPERVISOR, (), None, None, True, False)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.make(tmp_path)
    yield made
    made.services.engine.dispose()


def on(world: World, month: int, day: int) -> None:
    year = 2027 if month < 11 else 2026
    world.services.__dict__["clock"] = SetClock(dt.datetime(year, month, day, 2, tzinfo=dt.UTC))


def clocks(world: World, claim: Claim) -> ClaimClocks:
    with world.services.work(write=False) as work:
        now = work.claims.get(claim.id)
        submission = work.claims.submission(now.submission_id)
        assert submission is not None
        return clocks_of(world.services, work, now, submission)


def page(world: World, claim: Claim) -> str:
    client = client_of(create_app(world.services))
    log_in(client, "citizen01")
    return str(client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True))


def test_the_promise_of_an_ordinary_claim_does_not_move(world: World) -> None:
    claim = claim_of(world, diagnosis="I10")
    on(world, 11, 25)
    assert clocks(world, claim) == ClaimClocks(PROMISED, LEGAL, 0, is_stopped=False)


def test_the_working_days_until_a_declaration_are_added_to_the_promise_alone(
    world: World,
) -> None:
    claim = claim_of(world)
    world.run()
    assert world.claim(claim.id).waiting_for == "declaration"
    on(world, 11, 25)  # Wednesday: three working days
    assert clocks(world, claim) == ClaimClocks(dt.date(2026, 12, 2), LEGAL, 3, is_stopped=True)
    shown = page(world, claim)
    assert "承诺的期限停着不走（已停 3 个工作日）" in shown
    assert "12 月 2 日" in shown and "2027 年 1 月 4 日" in shown
    declare(world.services, claim.person_id, claim.id, FALL)
    world.run()
    review_pass(world.services)
    on(world, 11, 27)
    assert clocks(world, claim) == ClaimClocks(dt.date(2026, 12, 2), LEGAL, 3, is_stopped=False)
    with world.services.work(write=False) as work:
        case = work.reviews.live_case(claim.id, CaseKind.CLAIM)
    assert case is not None
    assert (case.due_on, case.waited_days, case.legal_limit_on) == (dt.date(2026, 12, 2), 3, LEGAL)
    assert "用了 3 个工作日，承诺的期限已顺延，法定的期限不变" in page(world, claim)


def test_the_promise_stands_still_for_no_longer_than_the_time_for_an_answer(world: World) -> None:
    claim = claim_of(world)
    world.run()
    on(world, 12, 8)  # the last day for the declaration was 4 December
    assert clocks(world, claim) == ClaimClocks(dt.date(2026, 12, 11), LEGAL, 10, is_stopped=False)


def test_a_pended_claim_that_is_asked_by_a_corrected_kind_stands_still_too(world: World) -> None:
    claim = claim_of(world, diagnosis="I10", day=dt.date(2025, 9, 1))  # late: for a person
    world.run()
    review_pass(world.services)
    assert world.claim(claim.id).state is ClaimState.PENDED
    correct_kind(world.services, claim.number, "accident", "复核员甲", "病历写摔伤")
    on(world, 11, 30)  # six working days; the promise was for the 27th
    assert clocks(world, claim).is_stopped
    found = overdue(world.services, OPERATOR)
    assert (found["promise"], found["steps"]) == ([], {})
    (waiting,) = found["waiting"]
    assert (waiting["waited_working_days"], waiting["due_on"]) == (6, "2026-12-07")
    review_pass(world.services)
    with world.services.work(write=False) as work:
        assert "review-late" not in work.alarms.open_counts()
    declare(world.services, claim.person_id, claim.id, FALL)
    with world.services.work(write=False) as work:
        case = work.reviews.live_case(claim.id, CaseKind.CLAIM)
    assert case is not None and case.due_on == dt.date(2026, 12, 7)
    on(world, 12, 8)
    (late,) = overdue(world.services, OPERATOR)["promise"]
    assert (late["due_on"], late["legal_limit_on"]) == ("2026-12-07", LEGAL.isoformat())


def test_two_questions_at_once_are_one_wait(world: World) -> None:
    claim = claim_of(world)
    world.run()
    correct_kind(world.services, claim.number, "ordinary", "复核员甲", "看错")
    on(world, 11, 23)
    correct_kind(world.services, claim.number, "accident", "复核员甲", "又看")
    on(world, 11, 25)
    # Asked on the 20th and answered at once by the correction; asked again on the 23rd.
    assert clocks(world, claim).waited_days == 2


def test_the_list_of_the_late_shows_both_clocks_of_what_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "build_services", lambda: world.services)
    claim = claim_of(world)
    world.run()
    on(world, 11, 25)
    said = CliRunner().invoke(command, ["overdue"])
    assert said.exit_code == 0, said.output
    assert f"等申请人/waiting  {claim.number}  说明受伤经过  停/stopped 3" in said.output
    assert "承诺/promise 2026-12-02  法定/legal 2027-01-04" in said.output
    assert "已过法定期限" not in said.output
