"""Leads, points and samples over the staff API: who may, whose hands, what is sent again."""

from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from tests.integration.claims.world import HOSPITAL
from tests.integration.supervision.case_file import DOCTOR, CaseFile
from tests.integration.supervision.desks import Desks, code_of
from tests.integration.supervision.test_leads import PICTURE

OPENING = {"source": "report", "institution": HOSPITAL, "reason": "同一项目反复收费"}
WHY = {"reason": "有理由"}
FOUND = {"outcome": "substantiated", "amount_fen": 500, "reason": "清单与病程不符"}
POINTS = {
    "person": DOCTOR, "act": "重复收费", "band": "7-9", "responsibility": "main", "points": 9,
    "reason": "认定已生效",
}  # fmt: skip
KEY = "key-00000001"


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=50, seconds=60))
    monkeypatch.setattr(session, "_REQUESTS", RateLimit(count=900, seconds=60))


def opened(desks: Desks, by: str = "reviewer01") -> str:
    answer = desks.post(by, "/leads", OPENING)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    found: str = answer.get_json()["id"]
    return found


def found(desks: Desks) -> str:
    lead = opened(desks)
    for name, step, body in (
        ("inspector01", "ask", WHY), ("clerk01", "answer", WHY), ("inspector01", "find", FOUND),
    ):  # fmt: skip
        answer = desks.post(name, f"/leads/{lead}/{step}", body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
    return lead


def test_a_lead_goes_to_its_end_by_three_people(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = found(desks)
    assert opened(desks) == lead  # the same source, subject and reference
    case_file.days()
    seen = desks.get("supervisor01", f"/leads/{lead}").get_json()
    assert (seen["state"], seen["is_final"], seen["amount_fen"]) == ("found", True, 500)
    assert set(seen["links"]) == {"order", "refer", "set-aside"}
    assert [(step["step"], step["by"]) for step in seen["steps"]] == [
        ("opened", "reviewer01"), ("asked", "inspector01"), ("answered", "clerk01"),
        ("found", "inspector01"),
    ]  # fmt: skip
    assert desks.get("inspector01", f"/leads/{lead}").get_json()["links"] == {}
    done = [desks.post("supervisor01", f"/leads/{lead}/order", WHY) for _ in range(2)]
    assert [one.get_json()["state"] for one in done] == ["recovery-ordered"] * 2
    assert len(case_file.view(lead).steps) == 5  # the order was sent twice and is one
    assert desks.get("inspector02", "/leads").get_json()["leads"] == []
    (row,) = desks.get("inspector02", "/leads?closed=1").get_json()["leads"]
    assert row["id"] == lead
    (final,) = desks.get("supervisor02", "/findings").get_json()["findings"]
    assert (final["institution"], final["amount_fen"]) == (HOSPITAL, 500)


def test_roles_that_may_not_are_refused(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = found(desks)
    for name, method, path in (
        ("reviewer01", "GET", "/leads"), ("clerk01", "GET", "/leads"),
        ("reviewer01", "GET", f"/leads/{lead}"), ("clerk01", "GET", "/leads/overdue"),
        ("reviewer01", "POST", f"/leads/{lead}/ask"), ("clerk01", "POST", f"/leads/{lead}/find"),
        ("inspector02", "POST", f"/leads/{lead}/order"),
        ("inspector02", "POST", f"/leads/{lead}/review"),
        ("inspector02", "POST", f"/leads/{lead}/refer"),
        ("inspector02", "POST", f"/leads/{lead}/set-aside"),
        ("reviewer01", "POST", f"/leads/{lead}/evidence"),
        ("reviewer01", "POST", f"/leads/{lead}/points"),
        ("clerk01", "POST", "/points/bookings/x/repair"), ("reviewer01", "GET", "/points/scale"),
        ("inspector01", "GET", "/points"), ("inspector01", "GET", "/findings"),
        ("reviewer01", "GET", f"/points/people/{DOCTOR}"), ("inspector01", "GET", "/samples"),
        ("inspector01", "POST", "/samples"), ("reviewer01", "GET", "/samples/1"),
        ("reviewer01", "POST", "/samples/1/draw"), ("clerk01", "GET", "/samples/1/announcement"),
        ("reviewer01", "GET", "/rules"), ("inspector01", "POST", "/rules/high/proposals"),
        ("clerk01", "POST", "/rule-proposals/x/confirm"),
    ):  # fmt: skip
        answer = desks.get(name, path) if method == "GET" else desks.post(name, path, WHY, KEY)
        assert code_of(answer) == (403, "forbidden"), (name, path)
    assert desks.get("gone", "/leads").status_code == 401
    assert len(case_file.view(lead).steps) == 4


def test_nobody_takes_a_second_part_or_a_case_of_their_own_hospital(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = opened(desks, "inspector01")
    assert code_of(desks.post("inspector01", f"/leads/{lead}/dismiss", WHY)) == (
        403, "lead-same-hands",
    )  # fmt: skip
    desks.post("inspector02", f"/leads/{lead}/ask", WHY)
    desks.post("clerk01", f"/leads/{lead}/answer", WHY)
    assert code_of(desks.post("inspector01", f"/leads/{lead}/find", FOUND))[1] == "lead-same-hands"
    assert desks.post("supervisor01", f"/leads/{lead}/find", FOUND).status_code == 200
    case_file.days()
    assert code_of(desks.post("supervisor01", f"/leads/{lead}/order", WHY)) == (
        403, "lead-same-hands",
    )  # fmt: skip
    assert "order" not in desks.get("supervisor01", f"/leads/{lead}").get_json()["links"]
    for answer in (
        desks.get("ofhospital", f"/leads/{lead}"),
        desks.post("ofhospital", f"/leads/{lead}/order", WHY),
        desks.post("ofhospital", f"/leads/{lead}/points", POINTS),
    ):
        assert code_of(answer) == (403, "forbidden")
    assert desks.get("ofhospital", "/leads").get_json()["leads"] == []
    assert desks.post("supervisor02", f"/leads/{lead}/order", WHY).status_code == 200


def test_a_step_too_early_or_out_of_order_is_refused(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = opened(desks)
    assert code_of(desks.post("clerk01", f"/leads/{lead}/answer", WHY)) == (409, "lead-wrong-step")
    desks.post("inspector01", f"/leads/{lead}/ask", WHY)
    assert code_of(desks.post("inspector01", f"/leads/{lead}/find", FOUND)) == (
        409, "lead-too-early",
    )  # fmt: skip
    desks.post("clerk01", f"/leads/{lead}/answer", WHY)
    for change in ({"amount_fen": None}, {"outcome": "maybe"}, {"reason": " "}):
        answer = desks.post("inspector01", f"/leads/{lead}/find", FOUND | change)
        assert code_of(answer) == (422, "lead-bad-step"), change
    for change in ({"amount_fen": -1}, {"amount_fen": 1.5}, {"amount_fen": True}, {"reason": 1}):
        answer = desks.post("inspector01", f"/leads/{lead}/find", FOUND | change)
        assert code_of(answer) == (400, "malformed-staff-request"), change
    desks.post("inspector01", f"/leads/{lead}/find", FOUND)
    assert code_of(desks.post("supervisor01", f"/leads/{lead}/order", WHY)) == (
        409, "lead-too-early",
    )  # fmt: skip
    case_file.days()
    assert code_of(desks.post("clerk01", f"/leads/{lead}/appeal", WHY)) == (409, "lead-too-late")
    assert code_of(desks.post("inspector01", "/leads/led_none/ask", WHY)) == (404, "not-found")


def test_a_lead_that_names_nothing_two_things_or_a_system_source_is_refused(
    case_file: CaseFile,
) -> None:
    desks = Desks.open(case_file.world)
    for change, expected in (
        ({"institution": "H00"}, (404, "not-found")),
        ({"claim": "X"}, (400, "malformed-staff-request")),
        ({"source": "revision"}, (400, "malformed-staff-request")),
        ({"source": "post-audit"}, (400, "malformed-staff-request")),
        ({"reason": ""}, (422, "lead-bad-step")),
        ({"reference": "r" * 81}, (422, "lead-bad-step")),
        ({"by": "somebody"}, (400, "malformed-staff-request")),
    ):
        assert code_of(desks.post("clerk01", "/leads", OPENING | change)) == expected, change
    assert desks.get("inspector01", "/leads").get_json()["leads"] == []
    assert code_of(desks.get("inspector01", "/leads?limit=0"))[0] == 400


def test_evidence_is_added_once_and_downloaded(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = opened(desks)
    desk = desks.desks["inspector01"]
    headers = {"Authorization": f"Bearer {desk.token}"}
    place = f"/staff/v1/leads/{lead}/evidence/files?description=照片"
    sent = [
        desk.client.post(place, data=PICTURE, headers=headers, base_url="https://localhost")
        for _ in range(2)
    ]
    assert [one.status_code for one in sent] == [201, 201]
    digest = hashlib.sha256(PICTURE).hexdigest()
    (item,) = desks.get("inspector02", f"/leads/{lead}").get_json()["evidence"]
    assert (item["sha256"], item["added_by"]) == (digest, "inspector01")
    file = desks.get("inspector02", f"/leads/{lead}/files/{digest}")
    assert file.data == PICTURE and "attachment" in file.headers["Content-Disposition"]
    for name in ("0" * 64, "..", "x" * 500):
        assert desks.get("inspector02", f"/leads/{lead}/files/{name}").status_code == 404
    refused = [
        desk.client.post(place, data=data, headers=headers, base_url="https://localhost")
        for data in (b"", b"MZ", b"x" * (4 * 2**20 + 1))
    ]
    assert [one.status_code for one in refused] == [400, 422, 400]
    row = {"kind": "login", "id": "x", "description": "d"}
    assert code_of(desks.post("inspector01", f"/leads/{lead}/evidence", row)) == (404, "not-found")


# --- points ------------------------------------------------------------------------------------


def test_points_are_booked_once_repaired_once_a_key_and_only_proposed(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = found(desks)
    place = f"/leads/{lead}/points"
    assert code_of(desks.post("inspector02", place, POINTS)) == (409, "lead-wrong-step")
    case_file.days()
    booked = [desks.post("inspector02", place, POINTS) for _ in range(2)]
    (booking,) = {one.get_json()["id"] for one in booked}
    assert code_of(desks.post("inspector02", place, POINTS | {"points": 8})) == (409, "conflict")
    assert code_of(desks.post("inspector01", place, POINTS)) == (409, "conflict")
    repair = f"/points/bookings/{booking}/repair"
    less = {"points": 2, "reason": "培训合格"}
    assert code_of(desks.post("inspector01", repair, less))[0] == 400  # no key
    assert code_of(desks.post("inspector02", repair, less, KEY)) == (403, "forbidden")
    assert [desks.post("inspector01", repair, less, KEY).status_code for _ in range(2)] == [201] * 2
    other = desks.post("inspector01", repair, less | {"points": 3}, KEY)
    assert code_of(other) == (409, "idempotency-key-used")
    too_many = desks.post("inspector01", repair, less | {"points": 8}, "key-00000002")
    assert code_of(too_many) == (422, "bad-points")
    year = case_file.services.clock.now().year
    one = desks.get("inspector01", f"/points/people/{DOCTOR}?year={year}").get_json()
    assert (one["total"], one["bookings"][0]["left"], one["is_applied"]) == (7, 7, False)
    (row,) = desks.get("supervisor01", f"/points?year={year}").get_json()["bookings"]
    assert (row["person"], row["points_left"]) == (DOCTOR, 7)
    assert desks.get("inspector01", "/points/scale").get_json()["bands"]["7-9"] == [7, 9]


def test_points_beyond_the_scale_or_of_nobody_are_refused(case_file: CaseFile) -> None:
    desks = Desks.open(case_file.world)
    lead = found(desks)
    case_file.days()
    for change, expected in (
        ({"points": 6}, (422, "bad-points")), ({"points": 13}, (422, "bad-points")),
        ({"band": "9-9"}, (422, "bad-points")), ({"person": "张三"}, (422, "bad-points")),
        ({"responsibility": "all"}, (400, "malformed-staff-request")),
        ({"points": "9"}, (400, "malformed-staff-request")),
        ({"points": -9}, (400, "malformed-staff-request")),
        ({"reason": ""}, (422, "lead-bad-step")),
    ):  # fmt: skip
        answer = desks.post("inspector02", f"/leads/{lead}/points", POINTS | change)
        assert code_of(answer) == expected, change
    assert code_of(desks.post("inspector01", "/points/bookings/no/repair",
                              {"points": 1, "reason": "x"}, KEY)) == (404, "not-found")  # fmt: skip
    for year in ("1999", "2101", "x"):
        assert code_of(desks.get("supervisor01", f"/points?year={year}"))[0] == 400
    with case_file.services.engine.connect() as connection:
        assert connection.execute(sa.select(tables.point_booking)).all() == []
