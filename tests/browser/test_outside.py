"""Handing in a bill from outside at 390 px, with and without JavaScript."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from backend.entrypoints.mobile import session
from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.web import create_app
from tests.browser.conftest import Site
from tests.browser.test_citizen import Phone
from tests.integration.outside.desk import accept, anchor_all, desk, invoice_of, picture_of, xml_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def outside_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=20, seconds=60))
    world = desk(tmp_path)
    server = make_server("127.0.0.1", 0, create_app(world.services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(world, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_bill_is_handed_in_and_followed(
    browser: Any, outside_site: Site, shots: Path, tmp_path: Path, script: bool
) -> None:
    world = outside_site.world
    person = world.person()
    bad, bill, page_file = tmp_path / "bad.xml", tmp_path / "bill.xml", tmp_path / "list.jpg"
    bad.write_bytes(b"<!DOCTYPE a><EInvoice/>")
    bill.write_bytes(xml_of(invoice_of(person)))
    page_file.write_bytes(picture_of("list"))
    phone = Phone(browser, outside_site, script=script)
    phone.log_in()
    page = phone.page
    page.click("text=外地医院的票据")
    name = "js" if script else "nojs"
    phone.shot(shots, f"outside-form-{name}")
    page.set_input_files("#bill", str(bad))
    page.check("#consent")
    page.click("main .button")
    page.wait_for_selector("[role=alert]")
    assert "XML 不得含有 DTD" in phone.text()
    assert "文件需要重新选择" in phone.text()
    phone.shot(shots, f"outside-error-{name}")
    page.set_input_files("#bill", str(bill))
    page.set_input_files("#list", str(page_file))
    page.check("#consent")
    page.click("main .button")
    page.wait_for_url("**/m/outside/out_*")
    assert "就医地审核中" in phone.text()
    assert "未经医院上链" in phone.text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390 if script else True
    phone.shot(shots, f"outside-checking-{name}")
    with world.services.work(write=False) as work:
        (stored,) = work.outside.of_person(person.id)
    accept(world, stored)
    anchor_all(world)
    world.run()
    page.reload()
    assert "等待参保地确认" in phone.text()
    phone.shot(shots, f"outside-pended-{name}")
    page.click("text=看报销申请的进度和金额")
    assert "未经医院上链" in phone.text()
    phone.shot(shots, f"outside-claim-{name}")
    phone.close()
