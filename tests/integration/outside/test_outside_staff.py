"""Staff over HTTP: who may do which step, downloads, and the review case of the claim."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.security import generate_password_hash

from backend.adapters.einvoice.writers import invoice_to_json
from backend.domain.claim import ClaimState
from backend.domain.pend_reasons import QUEUE_TITLES
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Login
from backend.service_layer.review import read
from backend.service_layer.review.records import Staff
from backend.service_layer.review.sweep import review_pass
from tests.integration.claims.world import World
from tests.integration.outside.desk import (
    ELSEWHERE,
    anchor_all,
    claim_on,
    desk,
    give,
    invoice_of,
    picture_of,
    xml_of,
)

BASE = "https://localhost"
HASH = generate_password_hash("word-of-staff", method="pbkdf2:sha256:1")
CHECK = {
    "hospital_code": ELSEWHERE.code, "hospital_name": ELSEWHERE.name, "level": 3,
    "area_code": ELSEWHERE.area_code, "is_authentic": True, "lines_agree": True, "reason": "一致",
}  # fmt: skip


class Office:
    """A world with staff, each at a desk of their own."""

    def __init__(self, tmp_path: Path) -> None:
        self.world = desk(tmp_path)
        self.app = create_app(self.world.services)
        self.tokens: dict[str, str] = {}
        for username, role in (
            ("clerk01", "clerk"), ("clerk02", "clerk"), ("reviewer01", "reviewer"),
            ("reviewer02", "reviewer"),
        ):  # fmt: skip
            self._hire(username, role)

    def _hire(self, username: str, role: str) -> None:
        services = self.world.services
        staff_id = services.ids.new_id("log")
        with services.work() as work:
            work.people.add_login(Login(staff_id, username, HASH, role, None, is_sample=True))
            work.staff.add(
                Staff(
                    staff_id,
                    username,
                    f"职员{username}",
                    role,
                    tuple(QUEUE_TITLES),
                    None,
                    None,
                    is_active=True,
                    is_sample=True,
                )
            )
            work.commit()

    def call(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        client = self.app.test_client()
        headers = {}
        if who:
            if who not in self.tokens:
                answer = client.post(
                    "/staff/v1/session",
                    base_url=BASE,
                    json={"username": who, "password": "word-of-staff"},
                )
                self.tokens[who] = answer.get_json()["token"]
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return client.open(
            f"/staff/v1/outside{path}", method=method, json=body, headers=headers, base_url=BASE,
            **more,
        )  # fmt: skip


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.slow
def test_four_people_take_a_picture_to_the_payment(office: Office) -> None:
    world = office.world
    person = world.person()
    bill = give(world, person, picture_of())
    path = f"/{bill.number}"
    typed = invoice_to_json(invoice_of(person))
    assert office.call("clerk01", "POST", f"{path}/type", data=typed).status_code == 200
    refused = office.call("clerk01", "POST", f"{path}/compare")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "outside-step-refused")
    compared = office.call("clerk02", "POST", f"{path}/compare", data=typed).get_json()
    assert (compared["state"], compared["differences"]) == ("checking", [])
    assert office.call("clerk01", "POST", f"{path}/check", CHECK).status_code == 403
    lacking = CHECK | {"is_authentic": "yes"}
    assert office.call("reviewer01", "POST", f"{path}/check", lacking).status_code == 409
    assert office.call("reviewer01", "POST", f"{path}/check", CHECK).status_code == 200
    anchor_all(world)
    world.run()
    again = {"approves": True, "reason": "一致"}
    assert office.call("reviewer01", "POST", f"{path}/confirm", again).status_code == 409
    bad = {"approves": 1, "reason": "一致"}
    assert office.call("reviewer02", "POST", f"{path}/confirm", bad).status_code == 400
    done = office.call("reviewer02", "POST", f"{path}/confirm", again).get_json()
    assert done["label"] == "未经医院上链"
    world.run()
    assert claim_on(world, bill).state is ClaimState.PAID


@pytest.mark.slow
def test_files_are_downloads_for_staff_alone_and_taking_one_is_noted(office: Office) -> None:
    world = office.world
    person = world.person()
    data = picture_of()
    bill = give(world, person, data)
    path = f"/{bill.number}"
    (file,) = office.call("clerk01", "GET", path).get_json()["files"]
    place = f"{path}/files/{file['sha256']}"
    shown = office.call("clerk01", "GET", place)
    assert shown.headers["Content-Disposition"].startswith('attachment; filename="W')
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert shown.mimetype == "application/octet-stream"
    assert shown.data[:3] == b"\xff\xd8\xff"
    assert shown.data != data
    assert office.call("clerk01", "GET", f"{place}?original=1").data == data
    steps = office.call("clerk01", "GET", path).get_json()["steps"]
    assert [(step["step"], "clerk01" in step["by"]) for step in steps[1:]] == [("look", True)] * 2
    for who, status in (("", 401),):
        assert office.call(who, "GET", place).status_code == status
    assert office.call("clerk01", "GET", f"{path}/files/{'0' * 64}").status_code == 404
    assert office.call("clerk01", "GET", f"{path}/files/..%2f..%2fetc").status_code in (400, 404)
    assert office.call("clerk01", "GET", "/W0000").status_code == 404


@pytest.mark.slow
def test_whoever_checked_the_document_is_kept_out_of_the_claims_case(office: Office) -> None:
    world = office.world
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    office.call("reviewer01", "POST", f"/{bill.number}/check", CHECK)
    anchor_all(world)
    world.run()
    review_pass(world.services)
    claim = claim_on(world, bill)
    with world.services.work(write=False) as work:
        (case,) = work.reviews.cases_of(claim.id)
        parts = work.reviews.parts_of(case.id)
        names = {work.staff.get(who).username: part for who, part in parts.items()}
    assert case.queue == "outside"
    assert names["reviewer01"] == "raised"
    assert set(names) == {"reviewer01", "reviewer02"}


@pytest.mark.slow
def test_while_the_review_is_blind_the_bills_record_names_nobody(office: Office) -> None:
    """The record of the bill told the names that the case of its claim hides."""
    world = office.world
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    before = office.call("reviewer01", "POST", f"/{bill.number}/check", CHECK).get_json()
    assert before["stated"]["payer_name"] == person.name
    anchor_all(world)
    world.run()
    review_pass(world.services)
    claim = claim_on(world, bill)
    names = (person.name, person.identity_number, "示例上海医院", "91310000TEST000001")
    for path in (f"/{bill.number}", f"/{claim.number}"):
        shown = office.call("reviewer02", "GET", path).get_json()
        text = json.dumps(shown, ensure_ascii=False)
        assert [name for name in names if name in text] == []
        assert shown["stated"]["payer_name"] == "▇▇"
    with world.services.work(write=False) as work:
        (case,) = work.reviews.cases_of(claim.id)
        view = read.case_view(world.services, work, case, work.staff.find("reviewer02")[0])
    assert view["links"]["outside-bill"]["href"] == f"/staff/v1/outside/{claim.number}"


@pytest.mark.slow
def test_a_review_case_that_approves_is_the_confirmation(office: Office) -> None:
    from backend.service_layer.handling.review import approve_pended

    world: World = office.world
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    office.call("reviewer01", "POST", f"/{bill.number}/check", CHECK)
    anchor_all(world)
    world.run()
    review_pass(world.services)
    claim = claim_on(world, bill)
    approve_pended(world.services, claim.number, "reviewer02", "与参保人核实")
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    with world.services.work(write=False) as work:
        last = work.outside.steps_of(bill.id)[-1]
    assert (str(last.step), last.outcome) == ("insured-place", "approved")
    assert "reviewer02" in last.by
