"""The phone pages of bills from outside over HTTP, without a browser."""

from __future__ import annotations

import dataclasses
import io
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.entrypoints.mobile import session
from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.web import create_app
from backend.service_layer.handling.confirm_outside import confirm_claim
from tests.integration.claims.test_money_pages import chinese_left
from tests.integration.claims.world import World
from tests.integration.outside.desk import (
    accept,
    anchor_all,
    claim_on,
    desk,
    give,
    invoice_of,
    picture_of,
    xml_of,
)

BASE = "https://localhost"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=20, seconds=60))
    return desk(tmp_path)


def field_of(html: str, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert match is not None
    return match.group(1)


class Phone:
    """A citizen's browser as far as these tests need one."""

    def __init__(self, world: World, username: str) -> None:
        self.client: FlaskClient = create_app(world.services).test_client()
        page = self.get("/m/login")
        token = field_of(page, "csrf_token")
        self.post("/m/login", username=username, password="12345678", csrf_token=token)

    def get(self, path: str) -> str:
        return self.client.get(path, base_url=BASE).get_data(as_text=True)

    def post(self, path: str, **data: Any) -> Any:
        return self.client.post(
            path, base_url=BASE, headers={"Referer": f"{BASE}{path}"}, data=data
        )

    def hand_in(self, *files: tuple[str, bytes], consent: str = "yes", form: str = "") -> Any:
        page = self.get("/m/outside")
        chosen: dict[str, Any] = {}
        for name, data in files:
            chosen.setdefault(name, []).append((io.BytesIO(data), "../../etc/passwd"))
        return self.post(
            "/m/outside",
            csrf_token=field_of(page, "csrf_token"),
            form_token=form or field_of(page, "form_token"),
            consent=consent,
            **chosen,
        )


@pytest.mark.slow
def test_a_bill_is_handed_in_and_followed_to_the_claim(world: World) -> None:
    person = world.person()
    phone = Phone(world, "citizen01")
    assert "/m/outside" in phone.get("/m")
    answer = phone.hand_in(("bill", xml_of(invoice_of(person))), ("list", picture_of("list")))
    assert answer.status_code == 303
    place = answer.headers["Location"]
    page = phone.get(place)
    assert "就医地审核中" in page
    assert "未经医院上链" in page
    assert "已交 2 个文件" in page
    with world.services.work(write=False) as work:
        (bill,) = work.outside.of_person(person.id)
    accept(world, bill)
    anchor_all(world)
    world.run()
    assert "等待参保地确认" in phone.get(place)
    claim = claim_on(world, bill)
    claim_page = phone.get(f"/m/claims/{claim.id}")
    assert "未经医院上链" in claim_page
    assert "须由参保地经办人员确认" in claim_page
    assert "未经医院上链" in phone.get("/m/claims")
    with world.services.work(write=False) as work:
        token = work.claims.bill_of_version(claim.version_id).public_token
    check = phone.get(f"/v/{token}")
    assert "未经医院上链" in check
    assert "不是医院写的" in check
    confirm_claim(world.services, bill.id, "经办员丁", "一致", approves=True)
    world.run()
    assert "已打款" in phone.get(f"/m/claims/{claim.id}")


BAD_FILES = (
    (422, "没有收到票据文件", ()),
    (422, "不认识这种文件", (("bill", b"hello"),)),
    (422, "文件是空的", (("bill", b""),)),
    (422, "图片打不开", (("bill", b"\xff\xd8\xff\xe0junk"),)),
    (422, "OFD 文件打不开", (("bill", b"PK\x03\x04junk"),)),
    (400, "XML 不得含有 DTD", (("bill", b"<!DOCTYPE a><EInvoice/>"),)),
    (422, "一次只能上传一张票据", (("bill", picture_of("a")), ("bill", picture_of("b")))),
    (422, "最多 10 个文件", (("bill", picture_of()), *[("list", b"x")] * 10)),
)


def test_a_bad_file_is_answered_with_what_happened_and_what_to_do(world: World) -> None:
    person = world.person()
    phone = Phone(world, "citizen01")
    for status, words, files in BAD_FILES:
        answer = phone.hand_in(*files)
        html = answer.get_data(as_text=True)
        assert (answer.status_code, words in html) == (status, True), words
        assert 'role="alert"' in html
        assert "12393" in html
    with world.services.work(write=False) as work:
        assert work.outside.of_person(person.id) == []
    assert not list((world.services.settings.var_dir / "outside").rglob("*"))


@pytest.mark.slow
def test_the_consent_is_asked_and_the_same_form_is_taken_once(world: World) -> None:
    person = world.person()
    phone = Phone(world, "citizen01")
    data = xml_of(invoice_of(person))
    refused = phone.hand_in(("bill", data), consent="")
    assert refused.status_code == 409
    assert "请先勾选同意" in refused.get_data(as_text=True)
    form = secrets.token_urlsafe(32)
    first = phone.hand_in(("bill", data), form=form)
    second = phone.hand_in(("bill", data), form=form)
    assert first.headers["Location"] == second.headers["Location"]
    third = phone.hand_in(("bill", data))
    assert third.status_code == 409
    assert "这张票据已经交过了" in third.get_data(as_text=True)


@pytest.mark.slow
def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    world.person()
    services = world.services
    services.settings = dataclasses.replace(services.settings, max_body_bytes=100_000)
    phone = Phone(world, "citizen01")
    answer = phone.hand_in(("bill", b"\xff\xd8\xff" + bytes(200_000)))
    assert answer.status_code == 413
    assert "没有收下" in answer.get_data(as_text=True)


@pytest.mark.slow
def test_others_bills_are_not_found_and_no_page_serves_a_file(world: World) -> None:
    person = world.person()
    world.person("测试乙丑", "citizen02")
    bill = give(world, person, picture_of())
    other = Phone(world, "citizen02")
    for path in (f"/m/outside/{bill.id}", "/m/outside/nothing"):
        assert other.client.get(path, base_url=BASE).status_code == 404
    token = field_of(other.get("/m/outside"), "csrf_token")
    for path in ("withdraw", "list"):
        answer = other.post(f"/m/outside/{bill.id}/{path}", csrf_token=token)
        assert answer.status_code == 404
    own = Phone(world, "citizen01").get(f"/m/outside/{bill.id}")
    with world.services.work(write=False) as work:
        (file,) = work.outside.files_of(bill.id)
    assert file.digest.hex() not in own
    assert "<img" not in own


@pytest.mark.slow
def test_a_list_is_added_and_a_bill_withdrawn(world: World) -> None:
    person = world.person()
    bill = give(world, person, picture_of())
    phone = Phone(world, "citizen01")
    token = field_of(phone.get(f"/m/outside/{bill.id}"), "csrf_token")
    for _ in range(2):  # the same page again changes nothing
        answer = phone.post(
            f"/m/outside/{bill.id}/list",
            csrf_token=token,
            list=(io.BytesIO(picture_of("page 1")), "p.jpg"),
        )
        assert answer.status_code == 303
    assert "已交 2 个文件" in phone.get(f"/m/outside/{bill.id}")
    xml = (io.BytesIO(xml_of(invoice_of(person))), "x.xml")
    refused = phone.post(f"/m/outside/{bill.id}/list", csrf_token=token, list=xml)
    assert refused.status_code == 422
    assert "费用清单请上传图片或 PDF" in refused.get_data(as_text=True)
    assert phone.post(f"/m/outside/{bill.id}/withdraw", csrf_token=token).status_code == 303
    assert "您已撤回" in phone.get(f"/m/outside/{bill.id}")
    again = phone.post(f"/m/outside/{bill.id}/withdraw", csrf_token=token)
    assert again.status_code == 409


@pytest.mark.slow
def test_pages_of_bills_from_outside_leave_no_chinese_on_an_english_page(world: World) -> None:
    person = world.person()
    pages = {give(world, person, picture_of()).id: "Taken, waiting to be typed"}
    phone = Phone(world, "citizen01")
    refused = phone.hand_in(("bill", b"no bill"))
    assert "不认识这种文件" in refused.get_data(as_text=True)
    phone.client.set_cookie("lang", "en", domain="localhost")
    refused = phone.hand_in(("bill", b"no bill"))
    assert refused.status_code == 422
    assert "Nothing was kept: not a kind of file that is taken" in refused.get_data(as_text=True)
    html = [phone.get("/m/outside"), refused.get_data(as_text=True)]
    bill = give(world, person, xml_of(invoice_of(person)))
    pages[bill.id] = "Being checked at the place of care"
    html += [phone.get(f"/m/outside/{one}") for one in pages]
    assert [title for title, page in zip(pages.values(), html[2:], strict=True) if title in page]
    accept(world, bill)
    anchor_all(world)
    html.append(phone.get(f"/m/outside/{bill.id}"))
    token = field_of(html[2], "csrf_token")
    drawn = next(iter(pages))
    assert phone.post(f"/m/outside/{drawn}/withdraw", csrf_token=token).status_code == 303
    html.append(phone.get(f"/m/outside/{drawn}"))
    assert "You withdrew it" in html[-1]
    again = phone.post(f"/m/outside/{drawn}/withdraw", csrf_token=token)
    html.append(again.get_data(as_text=True))
    assert [chinese_left(page) for page in html] == [[]] * len(html)


@pytest.mark.slow
def test_the_days_limit_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.service_layer.outside import upload

    person = world.person()
    monkeypatch.setattr(upload, "FILES_A_DAY", 2)
    phone = Phone(world, "citizen01")
    assert phone.hand_in(("bill", picture_of("1")), ("list", picture_of("2"))).status_code == 303
    answer = phone.hand_in(("bill", xml_of(invoice_of(person))))
    assert answer.status_code == 429
    assert "今天交的文件已到上限" in answer.get_data(as_text=True)


@pytest.mark.slow
def test_a_hospitals_bill_sends_the_person_to_it(world: World) -> None:
    person = world.person()
    member = {"institution_code": "H33080200001", "institution_name": "示例市第一医院"}
    world.store(invoice_of(person, "0000000007", **member))
    phone = Phone(world, "citizen01")
    matched = phone.hand_in(("bill", xml_of(invoice_of(person, "0000000007", **member))))
    page = phone.get(matched.headers["Location"])
    assert "医院已经上传了这张票" in page
    missing = phone.hand_in(("bill", xml_of(invoice_of(person, "0000000008", **member))))
    page = phone.get(missing.headers["Location"])
    assert "请他们上传这张票据" in page
    assert "我们已记下" in page
