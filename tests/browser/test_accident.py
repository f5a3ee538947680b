"""An accident bill on a phone: what is asked, what stays after an error, what is shown back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Site
from tests.browser.test_citizen import Phone
from tests.integration.claims.test_accident import DAY

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(
    ("script", "elder"), [(True, False), (False, True)], ids=["script", "no-script-elder"]
)
def test_an_accident_is_declared_on_the_check_page(
    browser: Any, site: Site, shots: Path, script: bool, elder: bool
) -> None:
    name = "elder" if elder else "plain"
    person = site.world.person()
    bill = site.world.bill(person, 500, DAY, diagnosis_code="S72.001")
    site.world.bill(person, 300, DAY)
    site.world.anchor()
    phone = Phone(browser, site, script=script)
    phone.log_in()
    page = phone.page
    if elder:
        page.click("header button")
    page.goto(f"{site.url}/m")
    page.click("#go")
    page.wait_for_url("**/m/check?*")
    assert phone.text().count("这张是看伤的") == 1
    page.fill(f"#story-{bill}", "下楼踩空")
    page.check("#consent")
    page.click(".bar button")
    page.wait_for_selector("#error")
    assert "请选受伤的日期" in phone.text() and "请看完承诺书" in phone.text()
    assert page.input_value(f"#story-{bill}") == "下楼踩空"
    assert page.is_checked("#consent")
    phone.shot(shots, f"accident-error-{name}")
    page.fill(f"#happened_on-{bill}", "2026-11-02")
    page.select_option(f"#place-{bill}", "home")
    page.select_option(f"#manner-{bill}", "fall")
    for field in ("third_party", "at_work", "traffic"):
        page.check(f"input[name='{field}-{bill}'][value=no]")
    page.check(f"#signed-{bill}")
    page.locator(f"#signed-{bill}").scroll_into_view_if_needed()
    phone.shot(shots, f"accident-filled-{name}")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    page.click(".bar button")
    page.wait_for_url("**/m/submissions/*")
    site.world.run()
    with site.world.services.work(write=False) as work:
        claim = work.claims.live_on(bill)
    assert claim is not None
    page.goto(f"{site.url}/m/claims/{claim.id}")
    assert "您说的受伤经过" in phone.text() and "有没有第三方责任" in phone.text()
    phone.shot(shots, f"accident-status-{name}")
    phone.close()


@pytest.mark.parametrize("elder", [False, True], ids=["plain", "elder"])
def test_two_injury_bills_each_have_their_faults_under_their_name(
    browser: Any, site: Site, shots: Path, elder: bool
) -> None:
    person = site.world.person()
    bills = [site.world.bill(person, yuan, DAY, diagnosis_code="S72.001") for yuan in (500, 600)]
    site.world.anchor()
    phone = Phone(browser, site, script=not elder)
    phone.log_in()
    page = phone.page
    if elder:
        page.click("header button")
    page.goto(f"{site.url}/m")
    page.click("#go")
    page.wait_for_url("**/m/check?*")
    page.check("#consent")
    page.click(".bar button")
    page.wait_for_selector("#error")
    for bill, tail in zip(bills, ("0001", "0002"), strict=True):
        assert f"尾号 {tail}" in page.inner_text(f"#faults-{bill}")
        links = page.locator(f"ul[aria-labelledby='faults-{bill}'] a")
        assert links.count() == 8
        links.first.click()
        assert page.evaluate("location.hash") == f"#happened_on-{bill}"
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    phone.shot(shots, f"accident-two-bills-{'elder' if elder else 'plain'}")
    phone.close()
