"""Points over the real database: only from final findings, taken off by counter-entries."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import ConflictError, ForbiddenError, NotFoundError
from backend.domain.points import BadPointsError, CounterKind, Responsibility
from backend.domain.supervision import BadStepError, StepKind, WrongStepError
from backend.service_layer.supervision.points import export_points, repair_points, standing
from tests.integration.supervision.case_file import CLERK, DECIDER, DOCTOR, CaseFile

pytestmark = pytest.mark.slow


def proposed(case_file: CaseFile) -> tuple[int, tuple[str, int] | None]:
    services = case_file.services
    scale = services.point_scale(services.clock.now().date())[0]
    _, found = standing(services, DOCTOR, scale, 2026)
    one = found.severest
    return found.total, None if one is None else (one.code, one.months)


def test_points_are_booked_from_a_final_finding_and_only_propose(case_file: CaseFile) -> None:
    booking = case_file.book(case_file.final(), 9)
    assert booking.scale_id == "points-jiangxi-2025"
    assert proposed(case_file) == (9, ("suspend", 2))


def test_points_wait_until_the_finding_is_final(case_file: CaseFile) -> None:
    lead_id = case_file.found()
    with pytest.raises(WrongStepError, match="from final findings only"):
        case_file.book(lead_id)
    case_file.do(lead_id, StepKind.APPEALED)
    case_file.days()
    with pytest.raises(WrongStepError, match="from final findings only"):
        case_file.book(lead_id)
    case_file.do(lead_id, StepKind.REVIEWED, DECIDER, "upheld")
    case_file.book(lead_id)


def test_nothing_is_booked_from_a_finding_that_fell(case_file: CaseFile) -> None:
    lead_id = case_file.found()
    case_file.do(lead_id, StepKind.APPEALED)
    case_file.do(lead_id, StepKind.REVIEWED, DECIDER, "overturned")
    with pytest.raises(WrongStepError, match="from final findings only"):
        case_file.book(lead_id)


def test_a_finding_set_aside_takes_off_all_points_and_keeps_the_rows(case_file: CaseFile) -> None:
    lead_id = case_file.final()
    booking = case_file.book(lead_id, 9)
    repair_points(case_file.services, booking.id, 2, "参加培训", by="培训员")
    assert proposed(case_file) == (7, ("talk", 0))
    case_file.do(lead_id, StepKind.SET_ASIDE, DECIDER)
    assert proposed(case_file) == (0, None)
    with case_file.services.work(write=False) as work:
        (kept,) = work.leads.bookings_of(lead_id)
    assert (kept.points, kept.left) == (9, 0)
    assert [(one.kind, one.points) for one in kept.counters] == [
        (CounterKind.REPAIR, 2),
        (CounterKind.SET_ASIDE, 7),
    ]


def test_one_booking_a_person_and_finding(case_file: CaseFile) -> None:
    lead_id = case_file.final()
    case_file.book(lead_id)
    with pytest.raises(ConflictError, match="are booked from this finding"):
        case_file.book(lead_id, 7)
    case_file.book(lead_id, 3, person_code="N330802000002", band="1-3")


@pytest.mark.parametrize(
    ("points", "change", "message"),
    [
        (10, {}, "takes 7 to 9 points, not 10"),
        (6, {}, "takes 7 to 9 points, not 6"),
        (13, {"band": "10-12"}, "takes 10 to 12 points, not 13"),
        (0, {"responsibility": Responsibility.DIRECT}, "takes 1 to 9 points, not 0"),
        (1, {"band": "0-1"}, "there is no band 0-1"),
        (9, {"person_code": "张三"}, "not by name"),
        (9, {"person_code": "d330"}, "capitals, digits, hyphens"),
        (9, {"person_code": "D1"}, "4 to 40"),
    ],
)
def test_wrong_points_are_refused(
    case_file: CaseFile, points: int, change: dict[str, Any], message: str
) -> None:
    lead_id = case_file.final()
    with pytest.raises(BadPointsError, match=message):
        case_file.book(lead_id, points, **change)
    assert export_points(case_file.services, 2026) == []


@pytest.mark.parametrize("field", ["act", "reason"])
def test_points_say_for_what_and_why(case_file: CaseFile, field: str) -> None:
    lead_id = case_file.final()
    with pytest.raises(BadStepError, match="give a reason"):
        case_file.book(lead_id, **{field: " "})


def test_the_agency_gets_no_points(case_file: CaseFile) -> None:
    lead_id = case_file.final()
    with case_file.services.engine.begin() as connection:
        connection.execute(tables.institution.update().values(role="agency"))
    with pytest.raises(ForbiddenError, match="never of the agency"):
        case_file.book(lead_id)


@pytest.mark.parametrize("points", [0, -1, 10])
def test_a_repair_takes_off_what_is_there(case_file: CaseFile, points: int) -> None:
    booking = case_file.book(case_file.final(), 9)
    with pytest.raises(BadPointsError, match="9 points are left"):
        repair_points(case_file.services, booking.id, points, "参加培训", by="培训员")


def test_a_repair_is_another_persons_and_has_a_reason(case_file: CaseFile) -> None:
    booking = case_file.book(case_file.final(), 9)
    with pytest.raises(ForbiddenError, match="by another person than the one who booked"):
        repair_points(case_file.services, booking.id, 1, "参加培训", by=CLERK)
    with pytest.raises(BadStepError, match="give a reason"):
        repair_points(case_file.services, booking.id, 1, "", by="培训员")
    with pytest.raises(NotFoundError, match="there is no such booking"):
        repair_points(case_file.services, "pnt_none", 1, "参加培训", by="培训员")


@pytest.mark.parametrize("table", ["point_booking", "point_counter"])
def test_points_are_never_changed(case_file: CaseFile, table: str) -> None:
    booking = case_file.book(case_file.final(), 9)
    repair_points(case_file.services, booking.id, 1, "参加培训", by="培训员")
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET points = 1"):
        with (
            pytest.raises(sa.exc.IntegrityError, match=f"{table} is insert-only"),
            case_file.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))


def test_the_export_names_a_code_and_no_words(case_file: CaseFile) -> None:
    booking = case_file.book(case_file.final(), 9)
    (row,) = export_points(case_file.services, 2026)
    assert row.pop("scale_sha256") == booking.scale_digest.hex()
    assert row == {
        "booking": booking.id, "lead": booking.lead_id, "institution": booking.institution_code,
        "person": DOCTOR, "band": "7-9", "responsibility": "main", "points": 9,
        "points_left": 9, "booked_on": "2026-12-30", "scale": "points-jiangxi-2025",
    }  # fmt: skip
    assert export_points(case_file.services, 2025) == []
