"""The development system opened to the local network: one code, one login, a banner."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from flask.testing import FlaskClient

from backend.adapters.one_time_code import OneTimeCodeFile
from backend.entrypoints.web import create_app
from tests.integration.claims.world import World

BASE = "http://192.0.2.7:8000"


def log_in(client: FlaskClient, **form: str) -> int:
    page = client.get("/m/login", base_url=BASE).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    return client.post(
        "/m/login", base_url=BASE, data={"csrf_token": token[1], "username": "citizen01", **form}
    ).status_code


def test_a_code_opens_one_login_with_a_plain_cookie_and_a_banner(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    world.services.settings = replace(world.services.settings, lan=True)
    world.person()
    codes = OneTimeCodeFile(world.services.settings.lan_code_path)
    code = codes.issue()
    app = create_app(world.services)
    assert log_in(app.test_client(), password="12345678") == 401  # the password alone is not enough
    assert log_in(app.test_client(), code="00000000" if code != "00000000" else "1") == 401
    phone = app.test_client()
    assert log_in(phone, code=code) == 303
    home = phone.get("/m", base_url=BASE)
    assert home.status_code == 200
    assert "局域网" in home.get_data(as_text=True)
    cookie = phone.get_cookie("yichu-lan", domain="192.0.2.7")
    assert cookie is not None and not cookie.secure and cookie.http_only
    assert log_in(app.test_client(), code=code) == 401  # used
