"""The citizen's whole path at 390 px, with and without JavaScript. Amounts are worked by hand."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from backend.service_layer.claims.submit import submit
from tests.browser.conftest import Site
from tests.integration.claims.world import OUTSIDE, World

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"width": 390, "height": 844}


class Phone:
    """One browser context that counts what the Content-Security-Policy refused."""

    def __init__(self, browser: Any, site: Site, *, script: bool = True, **options: Any) -> None:
        options = {
            "viewport": PHONE,
            "device_scale_factor": 1.5,
            "java_script_enabled": script,
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            "reduced_motion": "reduce",
            **options,
        }
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.site = site
        self.faults: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _heard(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.faults.append(message.text)

    def log_in(self, username: str = "citizen01") -> None:
        self.page.goto(f"{self.site.url}/m")
        self.page.select_option("select[name=username]", username)
        self.page.fill("input[name=password]", "12345678")
        self.page.click("main button")
        self.page.wait_for_url("**/m")

    def text(self) -> str:
        return str(self.page.inner_text("main"))

    def shot(self, shots: Path, name: str) -> None:
        # A bar that is fixed to the window would hide the middle of a long picture.
        has_bar = self.page.locator(".bar").count() > 0
        self.page.screenshot(path=shots / f"{name}.png", full_page=not has_bar)

    def close(self) -> None:
        self.context.close()
        assert self.faults == []


def fill(world: World) -> None:
    """Three bills: 200.00 on 3 November, 500.00 on the 10th, 620.00 on the 19th, the last one
    not anchored yet. Employee, level 2: 300.00 a year first, then 60 %, at most 3,000.00:
    0.00, (200 + 500 - 300) x 60 % = 240.00, 620 x 60 % = 372.00; together 612.00."""
    person = world.person()
    world.bill(person, 200, dt.date(2026, 11, 3))
    world.bill(person, 500, dt.date(2026, 11, 10), lines=4)
    world.anchor()
    world.bill(person, 620, dt.date(2026, 11, 19), lines=2)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(True, id="script"),
        pytest.param(False, id="no-script", marks=pytest.mark.slow),
    ],
)
def test_the_whole_path(browser: Any, site: Site, shots: Path, script: bool) -> None:
    fill(site.world)
    phone = Phone(browser, site, script=script)
    page = phone.page
    page.goto(f"{site.url}/m")
    phone.shot(shots, f"login-{'js' if script else 'nojs'}")
    phone.log_in()
    assert page.inner_text("#total") == "612.00"
    assert "尾号 6217" in phone.text()
    assert "11 月 27 日前" in phone.text()
    assert page.inner_text("#go") == "一触报销 3 张"
    assert "正在盖戳，可先申请" in phone.text()
    phone.shot(shots, f"home-{'js' if script else 'nojs'}")
    if script:
        # Without the bill of the 3rd the deductible falls on the 10th: 120.00 + 372.00.
        page.locator("label.bill").last.click()
        page.wait_for_selector("#total:text-is('492.00')")
        assert page.inner_text("#go") == "一触报销 2 张"
        page.locator("label.bill").last.click()
        page.wait_for_selector("#total:text-is('612.00')")
    page.click("#go")
    page.wait_for_url("**/m/check?*")
    assert "612.00" in phone.text()
    phone.shot(shots, f"check-{'js' if script else 'nojs'}")
    page.click(".bar button")
    assert "还没有提交" in phone.text()
    page.check("#consent")
    page.click(".bar button")
    page.wait_for_url("**/m/submissions/*")
    assert "已受理" in phone.text()
    phone.shot(shots, f"receipt-{'js' if script else 'nojs'}")
    page.locator(".links a").nth(1).click()
    page.wait_for_url("**/m/claims/*")
    site.world.run()
    # The page moves by itself: a script polls, else the Refresh header reloads it.
    page.wait_for_selector("h1:has-text('已打款')")
    shown = phone.text()
    assert "240.00" in shown
    assert "\u2212100.00" in shown  # deductible, what was left of it
    assert "\u2212160.00" in shown  # 40 % of 400.00
    assert "模拟银行回执" in shown
    phone.shot(shots, f"paid-{'js' if script else 'nojs'}")
    page.click("text=看 4 项明细")
    page.wait_for_url("**/lines")
    assert phone.text().count("125.00") == 4
    phone.shot(shots, f"lines-{'js' if script else 'nojs'}")
    phone.close()


@pytest.mark.slow
def test_back_button_and_double_click_have_one_effect(browser: Any, site: Site) -> None:
    fill(site.world)
    phone = Phone(browser, site)
    phone.log_in()
    page = phone.page
    page.click("#go")
    page.check("#consent")
    page.dblclick(".bar button")
    page.wait_for_url("**/m/submissions/*")
    first = page.url
    page.go_back()
    page.wait_for_selector("h1:has-text('已经在办了')")
    page.goto(first)
    assert "已受理" in phone.text()
    with site.world.services.work(write=False) as work:
        assert len(work.claims.submissions_of(site.world.people[0].id)) == 1
    phone.close()


@pytest.mark.slow
def test_a_second_device_is_told_which_claim_holds_the_bills(
    browser: Any, site: Site, shots: Path
) -> None:
    fill(site.world)
    one, two = Phone(browser, site), Phone(browser, site)
    for phone in (one, two):
        phone.log_in()
        phone.page.click("#go")
        phone.page.check("#consent")
    one.page.click(".bar button")
    one.page.wait_for_url("**/m/submissions/*")
    two.page.click(".bar button")
    two.page.wait_for_selector("h1:has-text('已经在办了')")
    assert len(re.findall(r"受理号 \d{4}", two.text())) == 3
    two.shot(shots, "held")
    one.close()
    two.close()


@pytest.mark.slow
def test_elder_mode_and_dark_and_narrow(browser: Any, site: Site, shots: Path) -> None:
    fill(site.world)
    phone = Phone(browser, site)
    phone.log_in()
    phone.page.click("text=长辈模式")
    phone.page.wait_for_selector("html.elder")
    phone.page.evaluate("document.getElementById('speak').hidden = false")
    assert phone.page.inner_text("#go") == "报销"
    assert phone.page.locator("#go").bounding_box()["height"] >= 76
    phone.shot(shots, "elder-home")
    phone.page.click("#go")
    phone.shot(shots, "elder-check")
    phone.close()
    dark = Phone(browser, site, color_scheme="dark")
    dark.log_in()
    dark.shot(shots, "dark-home")
    dark.close()
    narrow = Phone(browser, site, viewport={"width": 320, "height": 640})
    narrow.log_in()
    width = narrow.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320
    narrow.shot(shots, "narrow-home")
    narrow.close()


@pytest.mark.slow
def test_targets_are_large_enough(browser: Any, site: Site) -> None:
    fill(site.world)
    phone = Phone(browser, site)
    phone.log_in()
    for path in ("/m", "/m/claims", "/m/help", "/m/missing"):
        phone.page.goto(site.url + path)
        small = phone.page.evaluate(
            """() => [...document.querySelectorAll('a, button, select, label.bill')]
            .filter(e => !e.classList.contains('skip') && !e.closest('p')
                      && !e.closest('.list > li')
                      && e.offsetParent !== null
                      && e.getBoundingClientRect().height < 47.5)
            .map(e => e.textContent.trim())"""
        )
        assert small == [], path
    phone.close()


@pytest.mark.slow
def test_pended_refused_and_public_pages(browser: Any, site: Site, shots: Path) -> None:
    world = site.world
    person = world.person()
    pended = world.bill(person, 400, dt.date(2026, 11, 3), payer_name="测试丁卯")
    refused = world.bill(person, 90, dt.date(2026, 11, 4), item=OUTSIDE)
    world.anchor()
    result = submit(
        world.services,
        person.id,
        [pended, refused],
        secrets.token_urlsafe(32),
        has_consent=True,
    )
    world.run()
    phone = Phone(browser, site)
    phone.log_in()
    page = phone.page
    phone.shot(shots, "home-empty")
    page.goto(f"{site.url}/m/claims/{result.claims[0].id}")
    assert "需要人工核对" in phone.text()
    assert "票据上的姓名和您的姓名不一样" in phone.text()
    phone.shot(shots, "pended")
    page.goto(f"{site.url}/m/claims/{result.claims[1].id}")
    assert "没有通过" in phone.text()
    assert "您可以" in phone.text()
    phone.shot(shots, "refused")
    page.goto(f"{site.url}/m/missing")
    phone.shot(shots, "missing")
    with world.services.work(write=False) as work:
        token = work.claims.bill_of_version(result.claims[0].version_id).public_token
    page.goto(f"{site.url}/v/{token}")
    assert "真实，没有改动" in phone.text()
    assert "正在办理" in phone.text()
    assert "测试" not in phone.text()
    phone.shot(shots, "public")
    page.goto(f"{site.url}/m/claims/clm_of_nobody")
    assert "没有找到" in phone.text()
    phone.shot(shots, "problem")
    phone.close()
