"""Logging out ends the login, not only the cookie on this device."""

from __future__ import annotations

import re
from pathlib import Path

from flask.testing import FlaskClient

from backend.entrypoints.mobile import session as login_session
from backend.entrypoints.web import create_app
from tests.integration.claims.test_pages import BASE, log_in
from tests.integration.claims.world import World


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("__Host-yichu")
    assert cookie is not None
    return cookie.value


def status(client: FlaskClient) -> int:
    return client.get("/m", base_url=BASE).status_code


def test_a_copied_cookie_dies_with_the_logout(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    world.person()
    app = create_app(world.services)
    phone, other = app.test_client(), app.test_client()
    log_in(phone, "citizen01")
    log_in(other, "citizen01")
    page = phone.get("/m", base_url=BASE).get_data(as_text=True)
    copied = cookie_of(phone)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    done = phone.post(
        "/m/logout",
        base_url=BASE,
        headers={"Referer": f"{BASE}/m"},
        data={"csrf_token": token[1]},
    )
    assert done.status_code == 303
    thief = app.test_client()
    thief.set_cookie("__Host-yichu", copied, secure=True)
    assert status(thief) == 302
    assert status(other) == 200  # another device's login goes on
    log_in(phone, "citizen01")
    assert status(phone) == 200


def test_a_login_ends_after_twelve_hours_however_busy(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    world.person()
    client = create_app(world.services).test_client()
    log_in(client, "citizen01")
    with client.session_transaction(base_url=BASE) as kept:
        kept["began"] -= login_session.LIFE_SECONDS + 1
    assert status(client) == 302
