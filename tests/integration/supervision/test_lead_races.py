"""Several people at once on one case, on both databases: one effect, nobody in two parts."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from backend.domain.errors import DomainError
from backend.domain.supervision import StepKind
from backend.service_layer.supervision.points import repair_points
from tests.integration.supervision.case_file import FINDER, CaseFile

pytestmark = pytest.mark.slow
THREADS = 6


def race(acts: list[Callable[[], object]]) -> list[str]:
    """Run all at once; the code of the refusal of each, or ``done``."""
    barrier = threading.Barrier(len(acts))
    told = [""] * len(acts)

    def one(index: int) -> None:
        barrier.wait()
        try:
            acts[index]()
            told[index] = "done"
        except DomainError as error:
            told[index] = error.code

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return told


def test_of_many_findings_at_once_one_stands(any_case_file: CaseFile) -> None:
    lead_id = any_case_file.open()
    any_case_file.do(lead_id, StepKind.ASKED)
    any_case_file.do(lead_id, StepKind.ANSWERED)
    told = race(
        [
            lambda n=n: any_case_file.do(lead_id, StepKind.FOUND, f"人{n}", "substantiated", n)
            for n in range(THREADS)
        ]
    )
    assert sorted(told) == ["done", *["lead-wrong-step"] * (THREADS - 1)]
    assert len(any_case_file.view(lead_id).steps) == 4


def test_an_appeal_is_decided_once_and_never_by_the_finder(any_case_file: CaseFile) -> None:
    lead_id = any_case_file.found()
    any_case_file.do(lead_id, StepKind.APPEALED)
    people = [FINDER, "人1", "人2", FINDER, "人3", FINDER]
    told = race(
        [
            lambda who=who: any_case_file.do(lead_id, StepKind.REVIEWED, who, "upheld")
            for who in people
        ]
    )
    assert told.count("done") == 1
    assert "done" not in {told[0], told[3], told[5]}
    assert any_case_file.view(lead_id).steps[-1].by in {"人1", "人2", "人3"}


def test_the_same_report_by_many_at_once_opens_one_lead(any_case_file: CaseFile) -> None:
    opened: list[str] = []
    told = race([lambda n=n: opened.append(any_case_file.open(f"人{n}")) for n in range(THREADS)])
    assert told == ["done"] * THREADS
    assert len(set(opened)) == 1
    assert len(any_case_file.view(opened[0]).steps) == 1


def test_points_are_booked_once_and_not_taken_off_twice(any_case_file: CaseFile) -> None:
    lead_id = any_case_file.final()
    told = race([lambda n=n: any_case_file.book(lead_id, 9, by=f"人{n}") for n in range(THREADS)])
    assert sorted(told) == [*["conflict"] * (THREADS - 1), "done"]
    services = any_case_file.services
    with services.work(write=False) as work:
        (booking,) = work.leads.bookings_of(lead_id)
    told = race(
        [
            lambda n=n: repair_points(services, booking.id, 5, "参加培训", by=f"员{n}")
            for n in range(THREADS)
        ]
    )
    assert sorted(told) == [*["bad-points"] * (THREADS - 1), "done"]
    with services.work(write=False) as work:
        assert work.leads.bookings_of(lead_id)[0].left == 4
