"""The citizen's pages over HTTP without a browser: who sees what, and what bad input gets."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.entrypoints.web import create_app
from backend.service_layer.claims.submit import submit
from tests.integration.claims.world import World

DAY = dt.date(2026, 11, 3)
BASE = "https://localhost"  # the session cookie is Secure


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


@pytest.fixture
def app(world: World) -> Any:
    return create_app(world.services)


def client_of(app: Any) -> FlaskClient:
    found: FlaskClient = app.test_client()
    return found


def token_of(html: str, name: str = "csrf_token") -> str:
    match = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert match is not None
    return match.group(1)


def log_in(client: FlaskClient, username: str, password: str = "12345678") -> Any:
    page = client.get("/m/login", base_url=BASE).get_data(as_text=True)
    return client.post(
        "/m/login",
        base_url=BASE,
        headers={"Referer": f"{BASE}/m/login"},
        data={"csrf_token": token_of(page), "username": username, "password": password},
    )


def test_every_page_has_the_strict_policy_and_no_inline_code(world: World, app: Any) -> None:
    person = world.person()
    world.bill(person, 400, DAY)
    client = client_of(app)
    log_in(client, "citizen01")
    for path in ("/m", "/m/login", "/m/help", "/m/claims", "/m/missing", "/v/unknown-token-000"):
        answer = client.get(path, base_url=BASE)
        html = answer.get_data(as_text=True)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "no-store" in answer.headers["Cache-Control"]
        assert "style=" not in html
        assert not re.search(r"\son\w+=", html)
        assert "<script>" not in html


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/m/claims", "/m/claims"),
        ("/m?x=1", "/m?x=1"),
        ("", "/m"),
        ("//evil.example", "/m"),
        ("/m\\evil", "/m"),
        ("/mevil", "/m"),
        ("/m\r\nX-Header: 1", "/m"),
        ("/m/\n", "/m"),
        ("/m/\x00", "/m"),
    ],
)
def test_a_change_of_mode_leads_to_pages_of_ours_only(
    world: World, app: Any, target: str, goes_to: str
) -> None:
    client = client_of(app)
    page = client.get("/m/login", base_url=BASE).get_data(as_text=True)
    answer = client.post(
        "/m/mode",
        base_url=BASE,
        headers={"Referer": f"{BASE}/m/login"},
        data={"csrf_token": token_of(page), "mode": "elder", "back": target},
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, goes_to)


def test_only_a_static_file_that_exists_is_cached(world: World, app: Any) -> None:
    """An error page holds the caller's own form token."""
    client = client_of(app)
    with client.get("/static/yichu.css", base_url=BASE) as found:
        found.get_data()
    missing = client.get("/static/none.css", base_url=BASE)

    assert (found.status_code, found.headers["Cache-Control"]) == (200, "public, max-age=3600")
    assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")


def test_the_session_cookie_is_host_only_secure_and_same_site(world: World, app: Any) -> None:
    world.person()
    answer = log_in(client_of(app), "citizen01")
    assert answer.status_code == 303
    cookie = next(v for v in answer.headers.getlist("Set-Cookie") if v.startswith("__Host-yichu="))
    assert "Secure" in cookie and "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie and "Path=/" in cookie and "Domain" not in cookie


@pytest.mark.parametrize(
    ("username", "password"),
    [("citizen01", "wrong"), ("nobody", "12345678"), ("", ""), ("citizen01", "1" * 500)],
)
def test_a_wrong_login_says_the_same_thing(
    world: World, app: Any, username: str, password: str
) -> None:
    world.person()
    answer = log_in(client_of(app), username, password)
    assert answer.status_code == 401
    assert "姓名、密码或验证码不对" in answer.get_data(as_text=True)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/m\\evil", "/v/x"])
def test_login_leads_to_pages_of_ours_only(world: World, app: Any, target: str) -> None:
    world.person()
    client = client_of(app)
    page = client.get("/m/login", base_url=BASE).get_data(as_text=True)
    answer = client.post(
        "/m/login",
        base_url=BASE,
        headers={"Referer": f"{BASE}/m/login"},
        data={
            "csrf_token": token_of(page),
            "username": "citizen01",
            "password": "12345678",
            "next": target,
        },
    )
    assert answer.headers["Location"] == "/m"


def test_an_idle_session_ends(world: World, app: Any) -> None:
    world.person()
    client = client_of(app)
    log_in(client, "citizen01")
    with client.session_transaction(base_url=BASE) as session:
        session["seen"] -= 31 * 60
    assert "/m/login" in client.get("/m", base_url=BASE).headers["Location"]


def test_nobody_sees_the_claims_of_another(world: World, app: Any) -> None:
    owner = world.person()
    world.person("测试乙丑", "citizen02")
    bill = world.bill(owner, 400, DAY)
    result = submit(world.services, owner.id, [bill], secrets.token_urlsafe(32), has_consent=True)
    claim, submission = result.claims[0].id, result.submission.id
    other = client_of(app)
    log_in(other, "citizen02")
    for path in (
        f"/m/claims/{claim}",
        f"/m/claims/{claim}/lines",
        f"/m/claims/{claim}/question",
        f"/m/submissions/{submission}",
    ):
        answer = other.get(path, base_url=BASE)
        assert answer.status_code == 404
        assert owner.name not in answer.get_data(as_text=True)
    stranger = client_of(app)
    assert stranger.get(f"/m/claims/{claim}", base_url=BASE).status_code == 302


def test_a_form_without_its_token_sends_nothing(world: World, app: Any) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    client = client_of(app)
    log_in(client, "citizen01")
    answer = client.post(
        "/m/submissions",
        base_url=BASE,
        data={"bill": bill, "consent": "yes", "form_token": secrets.token_urlsafe(32)},
    )
    assert answer.status_code == 400
    with world.services.work(write=False) as work:
        assert work.claims.submissions_of(person.id) == []


def test_the_same_form_sent_again_leads_to_the_same_receipt(world: World, app: Any) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    client = client_of(app)
    log_in(client, "citizen01")
    page = client.get(f"/m/check?bill={bill}", base_url=BASE).get_data(as_text=True)
    data = {
        "csrf_token": token_of(page),
        "form_token": token_of(page, "form_token"),
        "bill": bill,
        "consent": "yes",
    }
    headers = {"Referer": f"{BASE}/m/check"}
    first = client.post("/m/submissions", base_url=BASE, data=data, headers=headers)
    second = client.post("/m/submissions", base_url=BASE, data=data, headers=headers)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"]
    receipt = client.get(first.headers["Location"], base_url=BASE)
    assert receipt.headers["Refresh"] == "3"
    with world.services.work(write=False) as work:
        assert len(work.claims.submissions_of(person.id)) == 1


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"consent": ""}, 422, "请先勾选"),
        ({"form_token": "short"}, 422, "页面已过期"),
        ({"bill": "inv_unknown"}, 404, "没有找到选中的票据"),
    ],
)
def test_bad_forms_are_refused_in_plain_words(
    world: World, app: Any, change: dict[str, str], status: int, words: str
) -> None:
    person = world.person()
    bill = world.bill(person, 400, DAY)
    client = client_of(app)
    log_in(client, "citizen01")
    page = client.get(f"/m/check?bill={bill}", base_url=BASE).get_data(as_text=True)
    data = {
        "csrf_token": token_of(page),
        "form_token": token_of(page, "form_token"),
        "bill": bill,
        "consent": "yes",
    }
    answer = client.post(
        "/m/submissions",
        base_url=BASE,
        data=data | change,
        headers={"Referer": f"{BASE}/m/check"},
    )
    assert answer.status_code == status
    html = answer.get_data(as_text=True)
    assert words in html
    assert "Traceback" not in html
    with world.services.work(write=False) as work:
        assert work.claims.submissions_of(person.id) == []


def test_the_public_check_tells_the_five_answers_without_personal_data(
    world: World, app: Any
) -> None:
    person = world.person()
    genuine = world.bill(person, 400, DAY)
    world.anchor()
    late = world.bill(person, 500, DAY)
    client = client_of(app)

    def asked(invoice_id: str) -> tuple[int, str]:
        with world.services.work(write=False) as work:
            lookup = world.services.secret_box.lookup("payer-id", person.identity_number)
            bill = next(b for b in work.claims.bills_of(lookup) if b.invoice_id == invoice_id)
        answer = client.get(f"/v/{bill.public_token}", base_url=BASE)
        html = answer.get_data(as_text=True)
        for secret in (person.name, person.identity_number, bill.invoice_number, "400.00"):
            assert secret not in html
        return answer.status_code, html

    status, html = asked(genuine)
    assert status == 200 and "真实，没有改动" in html and "没有" in html
    status, html = asked(late)
    assert status == 503 and "现在还不能确定" in html
    world.ledger.is_down = True
    status, html = asked(genuine)
    assert status == 503 and "现在还不能确定" in html
    world.ledger.is_down = False
    world.sql("UPDATE expense_line SET record = replace(record, '400.0000', '4.0000')")
    status, html = asked(genuine)
    assert status == 200 and "内容对不上" in html
    world.sql("UPDATE invoice SET state = 'void'")
    status, html = asked(genuine)
    assert status == 200 and "已作废" in html
    assert client.get(f"/v/{'x' * 43}", base_url=BASE).status_code == 404


def test_the_public_check_is_limited(world: World, app: Any) -> None:
    from backend.entrypoints.public.rate_limit import RateLimit

    limit = RateLimit(3, 3600)
    assert [limit.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("b")


def test_the_stylesheet_stays_small(app: Any) -> None:
    static = Path(app.static_folder)
    assert (static / "yichu.css").stat().st_size <= 10 * 1024
    text = (static / "yichu.css").read_text()
    assert "gradient" not in text and "box-shadow" not in text and "http" not in text


def test_a_long_bill_is_explained_page_by_page(world: World, app: Any) -> None:
    person = world.person()
    bill = world.bill(person, 1010, DAY, lines=101)
    result = submit(world.services, person.id, [bill], secrets.token_urlsafe(32), has_consent=True)
    client = client_of(app)
    log_in(client, "citizen01")
    path = f"/m/claims/{result.claims[0].id}/lines"
    first = client.get(path, base_url=BASE).get_data(as_text=True)
    assert "100. 布洛芬缓释胶囊" in first and "101. 布洛芬缓释胶囊" not in first
    assert "下一页（第 2 页，共 2 页）" in first
    second = client.get(f"{path}?page=2", base_url=BASE).get_data(as_text=True)
    assert "101. 布洛芬缓释胶囊" in second and "下一页" not in second
    for odd in ("0", "-1", "99", "x", "9" * 40, "\u0662"):
        assert client.get(f"{path}?page={odd}", base_url=BASE).status_code == 200


def test_a_bill_of_a_day_without_a_policy_is_withheld(world: World, app: Any) -> None:
    person = world.person()
    world.bill(person, 400, dt.date(1999, 1, 4))
    world.bill(person, 500, DAY)
    client = client_of(app)
    log_in(client, "citizen01")
    home = client.get("/m", base_url=BASE).get_data(as_text=True)
    assert "一触报销 1 张" in home and "120.00" in home
    assert "没有生效的政策" in client.get("/m/missing", base_url=BASE).get_data(as_text=True)
