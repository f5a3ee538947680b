"""Several people at once on one case, on both databases: one effect, and nobody in two steps."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import DomainError
from backend.domain.review import Outcome
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.review import assignment, decide
from backend.service_layer.review.decide import Verdict
from backend.service_layer.review.sweep import open_missing_cases, review_pass
from tests.integration.review.office import Office

pytestmark = pytest.mark.slow
THREADS = 8


def race(acts: list[Callable[[], object]]) -> list[str]:
    """Run all at once; the code of the refusal of each, or ``done``."""
    barrier = threading.Barrier(len(acts))
    told = [""] * len(acts)

    def one(index: int) -> None:
        barrier.wait()
        try:
            told[index] = "none" if acts[index]() is None else "done"
        except DomainError as error:
            told[index] = error.code

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return told


def rows(office: Office, table: sa.Table) -> int:
    with office.world.services.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_eight_people_ask_for_the_one_case_and_one_gets_it(any_office: Office) -> None:
    people = [any_office.staff(f"人{index}") for index in range(THREADS)]
    any_office.pended()
    open_missing_cases(any_office.world.services)
    services = any_office.world.services
    told = race(
        [
            lambda person=person: assignment.next_for(services, person, secrets.token_hex(16))
            for person in people
        ]
    )
    assert told.count("done") == 1
    assert set(told) <= {"done", "none", "case-changed"}
    assert rows(any_office, tables.review_draw) == rows(any_office, tables.review_participant) == 1


def test_the_same_finding_sent_eight_times_at_once_is_one(any_office: Office) -> None:
    any_office.staff("甲")
    claim = any_office.pended()
    holder = any_office.draw(claim)
    services, case = any_office.world.services, any_office.case_of(claim)
    verdict = Verdict(Outcome.REFUSE, "不符合")
    told = race([lambda: decide.find(services, case.id, holder.id, verdict)] * THREADS)
    assert told == ["done"] * THREADS
    assert rows(any_office, tables.review_finding) == 1


def test_approve_and_refuse_at_once_have_one_effect(any_office: Office) -> None:
    any_office.staff("甲")
    claim = any_office.pended(payer_name="测试丁卯")  # nothing to rule on: both can be
    holder = any_office.draw(claim)
    services, case = any_office.world.services, any_office.case_of(claim)
    verdicts = [Verdict(Outcome.APPROVE, "好"), Verdict(Outcome.REFUSE, "不好")] * 4
    told = race([lambda v=v: decide.find(services, case.id, holder.id, v) for v in verdicts])
    assert told.count("done") == 4 and told.count("conflict") == 4
    assert rows(any_office, tables.review_finding) == 1


def test_one_name_cannot_take_both_steps_by_being_quick(any_office: Office) -> None:
    any_office.limits(second_approver_above_fen=0)
    claim = any_office.pended(payer_name="测试丁卯")
    services = any_office.world.services
    told = race([lambda: approve_pended(services, claim.number, "甲", "同一人")] * THREADS)
    assert sorted(told) == ["done"] + ["second-step-refused"] * (THREADS - 1)
    assert not any_office.case_of(claim).is_closed


def test_two_names_at_once_hold_one_step_each_at_most(any_office: Office) -> None:
    any_office.limits(second_approver_above_fen=0)
    claim = any_office.pended(payer_name="测试丁卯")
    services = any_office.world.services
    told = race(
        [
            lambda name=name: approve_pended(services, claim.number, name, "同一人")
            for name in ("甲", "乙") * 4
        ]
    )
    assert told.count("done") == 2
    assert any_office.case_of(claim).is_closed
    with services.work(write=False) as work:
        found = work.reviews.findings_of(any_office.case_of(claim).id)
    assert len({one.staff_id for one in found}) == 2


def test_several_passes_at_once_open_one_case_and_draw_once(any_office: Office) -> None:
    for name in "甲乙丙":
        any_office.staff(name)
    any_office.pended()
    services = any_office.world.services
    told = race([lambda: review_pass(services)] * THREADS)
    assert set(told) == {"done"}
    assert rows(any_office, tables.review_case) == rows(any_office, tables.review_draw) == 1
