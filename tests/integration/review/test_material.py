"""Requests for material: asked twice at most, answered on the status page, kept by digest."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.review import Outcome
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Claim
from backend.service_layer.outside.errors import NoSuchFileError
from backend.service_layer.review import decide, material
from backend.service_layer.review.decide import Verdict
from backend.service_layer.review.material import MaterialRefusedError, ThirdRequestError
from backend.service_layer.review.ports import CaseChangedError
from backend.service_layer.review.records import Staff
from tests.integration.claims.test_pages import client_of, log_in, token_of
from tests.integration.review.office import BASE, Office

pytestmark = pytest.mark.slow
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


def picture(kind: str = "PNG", side: int = 400) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (side, side), "white").save(target, kind)
    return target.getvalue()


def held(office: Office) -> tuple[Claim, Staff]:
    office.staff("甲")
    claim = office.pended()
    return claim, office.draw(claim)


def ask(office: Office, claim: Claim, holder: Staff, text: str = "请交病历") -> Any:
    case = office.case_of(claim)
    return material.ask(office.world.services, case.id, holder.id, text, "medical record, please")


def days(office: Office, count: float) -> None:
    clock = office.world.services.clock
    assert isinstance(clock, SetClock)
    clock.advance(count * 86_400)


def stored(office: Office) -> list[Path]:
    folder = office.world.services.settings.var_dir / "material"
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_citizen_is_asked_answers_on_the_page_and_the_reviewer_downloads(
    office: Office,
) -> None:
    claim, holder = held(office)
    asked = ask(office, claim, holder)
    assert office.world.claim(claim.id).waiting_for == "citizen"
    client = client_of(create_app(office.world.services))
    log_in(client, "citizen01")
    page = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "需要您补充材料" in page and "请交病历" in page
    form = client.get(f"/m/claims/{claim.id}/material", base_url=BASE).get_data(as_text=True)
    content = picture()
    answer = client.post(
        f"/m/claims/{claim.id}/material",
        base_url=BASE,
        headers={"Referer": f"{BASE}/m"},
        data={
            "csrf_token": token_of(form),
            "request": asked.id,
            "text": "这是病历",
            "file": [(io.BytesIO(content), "测试甲子的病历.png"), (io.BytesIO(PDF), "b.pdf")],
        },
    )
    assert answer.status_code == 303
    assert office.world.claim(claim.id).waiting_for == "reviewer"
    assert {path.name for path in stored(office)} == {
        hashlib.sha256(content).hexdigest(), hashlib.sha256(PDF).hexdigest()
    }  # fmt: skip
    desk = office.at_desk().sign_in(holder)
    case = desk.next().get_json()
    (row,) = case["material"]
    assert (row["outcome"], row["answer"]["text"]) == ("answered", "这是病历")
    assert [f["media_type"] for f in row["answer"]["files"]] == ["image/png", "application/pdf"]
    found = desk.call("GET", case["links"]["file-1-1"]["href"])
    assert found.get_data() == content
    assert found.headers["Content-Disposition"] == 'attachment; filename="material-1-1.png"'
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Content-Security-Policy"].startswith("sandbox")
    other = office.at_desk().sign_in(office.staff("乙", role="supervisor"))
    assert other.call("GET", case["links"]["file-1-1"]["href"]).status_code == 403
    assert desk.call("GET", f"/staff/v1/cases/{case['id']}/files/1/9").status_code == 404


def test_a_third_request_is_refused_and_a_repeated_one_is_the_same(office: Office) -> None:
    claim, holder = held(office)
    services, person = office.world.services, office.world.people[0]
    for text in ("请交病历", "请交出院小结"):
        asked = ask(office, claim, holder, text)
        assert ask(office, claim, holder, text) == asked  # sent twice
        with pytest.raises(ConflictError, match="a request is open already"):
            ask(office, claim, holder, "还要别的")
        material.answer(services, person.id, asked.id, "已交", [])
    with pytest.raises(ThirdRequestError, match="at most two requests"):
        ask(office, claim, holder, "第三次")
    desk = office.at_desk().sign_in(holder)
    assert "material-requests" not in desk.next().get_json()["links"]
    case = office.case_of(claim)
    with services.work() as work, pytest.raises(CaseChangedError):
        import dataclasses

        work.material.add_request(dataclasses.replace(asked, id="mat_x", ordinal=3))
    with services.engine.connect() as connection:
        count = sa.select(sa.func.count()).where(tables.material_request.c.case_id == case.id)
        assert connection.execute(count).scalar() == 2


def test_while_the_citizen_is_asked_nothing_is_decided_and_the_promise_stands_still(
    office: Office,
) -> None:
    claim, holder = held(office)
    case = office.case_of(claim)
    assert case.due_on == dt.date(2026, 11, 27)
    asked = ask(office, claim, holder)
    with pytest.raises(ConflictError, match="waits for the citizen's material"):
        decide.find(office.world.services, case.id, holder.id, Verdict(Outcome.APPROVE, "好"))
    days(office, 5)  # Friday to Wednesday: three working days
    office.sweep()
    assert office.holder_of(claim) == holder  # the hold does not lapse meanwhile
    material.answer(office.world.services, office.world.people[0].id, asked.id, "已交", [])
    case = office.case_of(claim)
    assert (case.waited_days, case.due_on) == (3, dt.date(2026, 12, 2))
    decide.find(office.world.services, case.id, holder.id, Verdict(Outcome.REFUSE, "不符合规定"))


def test_a_request_that_nobody_answers_ends_and_the_case_goes_on(office: Office) -> None:
    claim, holder = held(office)
    asked = ask(office, claim, holder)
    assert asked.due_on == dt.date(2026, 12, 4)  # ten working days after Friday 20 November
    days(office, 14)
    office.sweep()
    assert office.world.claim(claim.id).waiting_for == "citizen"
    days(office, 1)
    office.sweep()
    assert office.world.claim(claim.id).waiting_for == "reviewer"
    with pytest.raises(ConflictError, match="the time for this request is over"):
        material.answer(office.world.services, office.world.people[0].id, asked.id, "迟了", [])


def test_an_answer_sent_twice_is_one(office: Office) -> None:
    claim, holder = held(office)
    asked = ask(office, claim, holder)
    services, person = office.world.services, office.world.people[0]
    first = material.answer(services, person.id, asked.id, "已交", [PDF])
    assert material.answer(services, person.id, asked.id, "别的", []) == first


def test_nobody_answers_for_somebody_else(office: Office) -> None:
    claim, holder = held(office)
    asked = ask(office, claim, holder)
    stranger = office.world.person("测试乙丑", "citizen02")
    with pytest.raises(NotFoundError, match="there is no such request"):
        material.answer(office.world.services, stranger.id, asked.id, "我的", [])
    client = client_of(create_app(office.world.services))
    log_in(client, "citizen02")
    for path in (f"/m/claims/{claim.id}/material", f"/m/claims/{claim.id}"):
        assert client.get(path, base_url=BASE).status_code == 404


@pytest.mark.parametrize(
    ("text", "files", "said"),
    [
        ("", [], "write something"),
        ("长" * 1_001, [], "at most 1000 characters"),
        ("零\x00", [], "at most 1000 characters"),
        ("好", [PDF] * 6, "at most 5 files"),
        ("好", [b"%PDF-" + b"0" * (4 * 2**20)], "at most 4 MB"),
        ("好", [picture()[:200]], "cannot be opened"),
        ("好", [picture(side=10)], "too small"),
        ("好", [b"%PDF-1.7 cut"], "whole PDF"),
        ("好", [b"GIF89a" + bytes(100)], "only JPEG and PNG"),
        ("好", [b"<html><script>alert(1)</script>"], "only JPEG and PNG"),
        ("好", [b""], "only JPEG and PNG"),
        ("好", [PDF, b"MZ\x90"], "only JPEG and PNG"),
    ],
)
def test_what_cannot_be_taken_is_refused_whole_and_nothing_is_stored(
    office: Office, text: str, files: list[bytes], said: str
) -> None:
    claim, holder = held(office)
    asked = ask(office, claim, holder)
    with pytest.raises(MaterialRefusedError, match=said):
        material.answer(office.world.services, office.world.people[0].id, asked.id, text, files)
    assert stored(office) == []
    assert office.world.claim(claim.id).waiting_for == "citizen"


def test_a_stored_file_that_was_changed_is_not_served(office: Office) -> None:
    claim, holder = held(office)
    asked = ask(office, claim, holder)
    material.answer(office.world.services, office.world.people[0].id, asked.id, "", [PDF])
    (path,) = stored(office)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(PDF + b" ")
    with pytest.raises(NoSuchFileError, match="altered"):
        office.world.services.material_store.get(hashlib.sha256(PDF).digest())
    desk = office.at_desk().sign_in(holder)
    case = desk.next().get_json()
    assert desk.call("GET", case["links"]["file-1-1"]["href"]).status_code == 404
