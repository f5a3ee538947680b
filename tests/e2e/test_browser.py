"""The demo citizen's whole path in a browser at 390 px, against the real system: development
ledger, worker, web, sample data. Half of the bills with JavaScript, the other half without.

Amounts are those worked by hand in ``scripts/sample_data/demo.py``; in one submission or in two,
bills touched in the order of their dates pay the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.database import tables
from tests.e2e.system import System

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PHONE = {"width": 390, "height": 844}
PAID_MILLISECONDS = 60_000


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """A loaded system that this test may use up; the shared one's bills are for other tests."""
    system = System(tmp_path)
    try:
        system.up()
        system.load_sample()
        yield system
    finally:
        system.down()


def logged_in(browser: Any, system: System, *, script: bool) -> Any:
    """A page of a new browser context, logged in as the demo citizen."""
    login = next(entry for entry in system.logins() if entry["username"] == "citizen01")
    context = browser.new_context(
        viewport=PHONE, device_scale_factor=1.5, java_script_enabled=script, locale="zh-CN"
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{system.base_url}/m")
    page.select_option("select[name=username]", "citizen01")
    page.fill("input[name=password]", login["password"])
    page.click("main button")
    page.wait_for_url("**/m")
    return page


def walk(page: Any, totals: tuple[str, ...], shots: Path, name: str) -> str:
    """Tick the bills with these totals, confirm, wait until each is paid; the receipt's text."""
    for bill in page.locator("label.bill").all():
        bill.locator("input[type=checkbox]").set_checked(
            any(f"¥{total}" in bill.inner_text() for total in totals)
        )
    page.click("#go")
    page.wait_for_url("**/m/check?*")
    page.check("#consent")
    page.click(".bar button")
    page.wait_for_url("**/m/submissions/*")
    # The receipt moves by itself: the script polls, else the Refresh header reloads it.
    page.wait_for_selector("h1:has-text('已办结')", timeout=PAID_MILLISECONDS)
    page.screenshot(path=shots / f"real-receipt-{name}.png", full_page=True)
    shown = str(page.inner_text("main"))
    assert shown.count("已打款") == len(totals)
    page.locator(".links a").first.click()
    page.wait_for_url("**/m/claims/*")
    page.screenshot(path=shots / f"real-paid-{name}.png", full_page=True)
    steps = str(page.inner_text("main"))
    assert steps.count("区块") >= 3  # anchored, lodged, settled
    assert "模拟银行回执" in steps
    return shown


def test_the_demo_citizen_is_paid_on_the_real_system_with_and_without_javascript(
    browser: Any, own_system: System, shots: Path
) -> None:
    page = logged_in(browser, own_system, script=True)
    assert "8,602.25" in page.inner_text("body")
    shown = walk(page, ("850.00", "100.00"), shots, "js")
    assert "310.00" in shown and "¥240.00" in shown and "¥70.00" in shown
    page.context.close()

    page = logged_in(browser, own_system, script=False)
    assert "8,292.25" in page.inner_text("body")
    shown = walk(page, ("250.40", "12,000.00"), shots, "nojs")
    assert "8,292.25" in shown and "¥144.25" in shown and "¥8,148.00" in shown
    page.goto(f"{own_system.base_url}/m")
    assert page.locator("label.bill").count() == 0
    page.context.close()
    assert sorted(row.amount_fen for row in own_system.rows(tables.payout)) == [
        7_000,
        14_425,
        24_000,
        814_800,
    ]
