"""The declaration of an accident on the check page and afterwards, without script."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.adapters.policy_packs import load_packs
from backend.domain.accident import EXCUSES
from backend.domain.policy import ClaimDeadline
from backend.entrypoints.web import create_app
from backend.service_layer.claims.declaration_records import Subject
from backend.service_layer.claims.submit import submit
from tests.integration.claims.test_pages import BASE, client_of, log_in, token_of
from tests.integration.claims.world import World

pytestmark = pytest.mark.slow

DAY = dt.date(2026, 11, 3)
ANSWERS = {
    "happened_on": "2026-11-02",
    "place": "home",
    "manner": "fall",
    "story": "下楼踩空 <b>",
    "third_party": "no",
    "at_work": "no",
    "traffic": "no",
    "other_party": "",
    "signed": "yes",
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


@pytest.fixture
def client(world: World) -> FlaskClient:
    world.person()
    found = client_of(create_app(world.services))
    log_in(found, "citizen01")
    return found


def injury(world: World, yuan: int = 500, **header: Any) -> str:
    return world.bill(world.people[0], yuan, DAY, **{"diagnosis_code": "S72.001", **header})


def fields(bill: str, **changed: str) -> dict[str, str]:
    return {f"{name}-{bill}": value for name, value in {**ANSWERS, **changed}.items()}


def check(client: FlaskClient, *bills: str) -> str:
    query = "&".join(f"bill={bill}" for bill in bills)
    return client.get(f"/m/check?{query}", base_url=BASE).get_data(as_text=True)


def post(client: FlaskClient, path: str, page: str, data: dict[str, Any]) -> Any:
    sent = {"csrf_token": token_of(page), **data}
    return client.post(path, base_url=BASE, headers={"Referer": f"{BASE}/m"}, data=sent)


def send(client: FlaskClient, page: str, bills: list[str], **data: str) -> Any:
    form = {"bill": bills, "form_token": token_of(page, "form_token"), "consent": "yes", **data}
    return post(client, "/m/submissions", page, form)


def submissions(world: World) -> int:
    with world.services.work(write=False) as work:
        return len(work.claims.submissions_of(world.people[0].id))


def test_only_the_accident_bills_are_asked_about_each_by_name(
    world: World, client: FlaskClient
) -> None:
    first, second = injury(world), injury(world, 600)
    plain = world.bill(world.people[0], 700, DAY)
    page = check(client, first, second, plain)
    assert page.count("这张是看伤的") == 2
    assert f"story-{first}" in page and f"story-{second}" in page
    assert f"story-{plain}" not in page
    assert "style=" not in page


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"happened_on": ""}, "请选受伤的日期"),
        ({"happened_on": "2027-01-01"}, "受伤的日期不能在今天以后"),
        ({"happened_on": "1990-01-01"}, "受伤的日期太早"),
        ({"place": ""}, "请选在哪里受伤"),
        ({"manner": "x"}, "请选怎么受伤"),
        ({"story": ""}, "请写经过"),
        ({"third_party": ""}, "请选有没有别人的责任"),
        ({"at_work": ""}, "请选是不是在上班"),
        ({"traffic": ""}, "请选是不是交通事故"),
        ({"signed": ""}, "勾选“我承诺”"),
    ],
)
def test_what_is_missing_is_said_and_what_was_typed_stays(
    world: World, client: FlaskClient, changed: dict[str, str], words: str
) -> None:
    bill = injury(world)
    page = check(client, bill)
    answer = send(client, page, [bill], **fields(bill, other_party="小区物业", **changed))
    html = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "还没有提交" in html and words in html
    assert f'href="#{next(iter(changed))}-{bill}"' in html
    assert 'value="小区物业"' in html and " checked>" in html
    assert "<b>" not in html
    assert submissions(world) == 0


def test_a_complete_form_is_filed_and_shown_back(world: World, client: FlaskClient) -> None:
    bill, other = injury(world), world.bill(world.people[0], 700, DAY)
    page = check(client, bill, other)
    answer = send(client, page, [bill, other], **fields(bill, story="下楼踩空"))
    assert answer.status_code == 303
    again = send(client, page, [bill, other], **fields(bill, story="第二次"))
    assert again.location == answer.location
    with world.services.work(write=False) as work:
        claim = work.claims.live_on(bill)
        assert claim is not None
        (stored,) = work.declarations.of_claim(claim.id, Subject.ACCIDENT)
    assert (stored.declared_by, stored.accident.story) == ("citizen", "下楼踩空")
    html = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "您说的受伤经过" in html and "下楼踩空" in html and "您本人" in html


def test_a_claim_that_waits_says_so_and_takes_the_answer(world: World, client: FlaskClient) -> None:
    bill = injury(world)
    world.anchor()
    (claim,) = submit(
        world.services, world.people[0].id, [bill], secrets.token_urlsafe(32), has_consent=True
    ).claims
    world.run()
    status = client.get(f"/m/claims/{claim.id}", base_url=BASE)
    assert "等您说明怎么受的伤" in status.get_data(as_text=True)
    assert "Refresh" not in status.headers
    path = f"/m/claims/{claim.id}/accident"
    page = client.get(path, base_url=BASE).get_data(as_text=True)
    refused = post(client, path, page, fields(claim.id, signed=""))
    assert refused.status_code == 422
    assert "下楼踩空 &lt;b&gt;" in refused.get_data(as_text=True)
    assert post(client, path, page, fields(claim.id)).status_code == 303
    world.run()
    html = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "有没有第三方责任" in html


def test_no_declaration_page_for_an_ordinary_or_a_foreign_claim(
    world: World, client: FlaskClient
) -> None:
    bill = world.bill(world.people[0], 500, DAY)
    (claim,) = submit(
        world.services, world.people[0].id, [bill], secrets.token_urlsafe(32), has_consent=True
    ).claims
    path = f"/m/claims/{claim.id}/accident"
    page = client.get(path, base_url=BASE).get_data(as_text=True)
    assert "现在不用填" in page
    home = check(client, injury(world))
    assert post(client, path, home, fields(claim.id)).status_code == 409
    world.person("别人", "citizen02")
    other = client_of(create_app(world.services))
    log_in(other, "citizen02")
    assert other.get(path, base_url=BASE).status_code == 404


def test_a_late_bill_offers_the_excuses_and_a_bad_one_is_refused(
    world: World, client: FlaskClient
) -> None:
    limit = ClaimDeadline("limit", months=1)
    world.services.__dict__["packs"] = tuple(
        dataclasses.replace(pack, claim_deadline=limit) for pack in load_packs()
    )
    bill = world.bill(world.people[0], 500, dt.date(2026, 9, 1))
    page = check(client, bill)
    assert "这张过了报销期限" in page and "最晚 2026-10-01" in page
    bad = send(client, page, [bill], **{f"excuse-{bill}": "other-proof"})
    assert bad.status_code == 422
    assert "请写一句是什么理由" in bad.get_data(as_text=True)
    good = send(client, page, [bill], **{f"excuse-{bill}": "illness"})
    assert good.status_code == 303


def test_the_list_of_faults_names_the_bill_of_each_fault(world: World, client: FlaskClient) -> None:
    first, second = injury(world), injury(world, 600)
    plain = world.bill(world.people[0], 700, DAY)
    page = check(client, first, second, plain)
    data = {**fields(first, story=""), **fields(second, place="", signed="")}
    html = send(client, page, [first, second, plain], **data).get_data(as_text=True)
    summary = html[html.index('id="error"') : html.index('id="send"')]
    named = {
        bill: summary.split(f'id="faults-{bill}"')[1].split("</ul>")[0] for bill in (first, second)
    }
    assert "示例市第一医院 11 月 3 日 尾号 0001" in named[first] and "请写经过" in named[first]
    assert "尾号 0002" in named[second] and "请选在哪里受伤" in named[second]
    assert "勾选“我承诺”" in named[second] and "请写经过" not in named[second]
    assert "请选在哪里受伤" not in named[first]
    assert f'href="#story-{first}"' in named[first]
    assert f'href="#place-{second}"' in named[second]
    assert "尾号 0003" not in summary


def test_the_excuse_of_a_late_bill_is_shown_back_after_a_fault_and_on_the_status_page(
    world: World, client: FlaskClient
) -> None:
    world.services.__dict__["packs"] = tuple(
        dataclasses.replace(pack, claim_deadline=ClaimDeadline("limit", months=1))
        for pack in load_packs()
    )
    bill = world.bill(world.people[0], 500, dt.date(2026, 9, 1))
    page = check(client, bill)
    told = {f"excuse-{bill}": "illness", f"excuse_text-{bill}": "住院 <b>三周"}
    form = {"bill": [bill], "form_token": token_of(page, "form_token"), **told}
    again = post(client, "/m/submissions", page, form).get_data(as_text=True)  # no consent
    assert "还没有提交" in again and "住院 &lt;b&gt;三周</textarea>" in again
    assert 'value="illness" selected' in again
    assert send(client, again, [bill], **told).status_code == 303
    with world.services.work(write=False) as work:
        claim = work.claims.live_on(bill)
    assert claim is not None
    html = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "您说的晚了的理由" in html and "住院 &lt;b&gt;三周" in html and "<b>三周" not in html
    assert EXCUSES["illness"] in html and "您本人" in html


def test_a_claim_without_an_excuse_shows_none(world: World, client: FlaskClient) -> None:
    bill = world.bill(world.people[0], 500, DAY)
    assert send(client, check(client, bill), [bill]).status_code == 303
    with world.services.work(write=False) as work:
        claim = work.claims.live_on(bill)
    assert claim is not None
    html = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "晚了的理由" not in html
