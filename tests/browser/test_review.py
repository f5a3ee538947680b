"""Withdraw and appeal on a phone: what the citizen is told, and what happens next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.domain.review import Outcome
from tests.browser.conftest import Site
from tests.browser.test_citizen import Phone
from tests.integration.claims.revising import DAY, WORDS, claim_on, conclude, matched, mixed_bill
from tests.integration.claims.world import OUTSIDE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_an_appeal_from_the_status_page_is_answered_there(
    browser: Any, site: Site, shots: Path, script: bool
) -> None:
    world = site.world
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    phone = Phone(browser, site, script=script)
    phone.log_in()
    page = phone.page
    page.goto(f"{site.url}/m/claims/{claim.id}")
    assert "120.00" in phone.text()
    page.click("text=申请人工复核 >> nth=0")
    page.click("text=提交复核申请")
    assert "还没有提交" in phone.text() and "4 到 500 个字" in phone.text()
    page.select_option("#code", "item")
    page.fill("#text", WORDS)
    phone.shot(shots, f"appeal-{'script' if script else 'plain'}")
    assert "12 月 4 日前答复（10 个工作日）" in phone.text()
    page.click("text=提交复核申请")
    page.wait_for_url(f"**/m/claims/{claim.id}")
    assert "正在复核" in phone.text() and "有项目应该报没有报" in phone.text()
    assert page.locator("a:has-text('月')").filter(has_text="申请人工复核").count() == 0
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    page.reload()
    assert "复核后改定，正在盖戳" in phone.text()
    world.run()
    page.reload()
    text = phone.text()
    assert "180.00" in text and "复核支持您，金额已改定，差额补付" in text
    assert "改定差额并盖戳" in text and "银行补付差额" in text
    assert "第 1 次 · 首次核定" in text and "第 2 次 · 您申请复核后改定" in text
    assert "复核员乙" not in text
    phone.shot(shots, f"versions-{'script' if script else 'plain'}")
    phone.close()


def test_a_rejected_appeal_says_why_and_what_is_left(browser: Any, site: Site, shots: Path) -> None:
    world = site.world
    person = world.person()
    bill = world.bill(person, 400, DAY, item=OUTSIDE)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    phone = Phone(browser, site)
    phone.log_in()
    page = phone.page
    page.goto(f"{site.url}/m/claims/{claim.id}/appeal")
    page.fill("#text", WORDS)
    page.click("text=提交复核申请")
    page.wait_for_url(f"**/m/claims/{claim.id}")
    conclude(world, claim, "appeal", Outcome.REFUSE)
    page.reload()
    text = phone.text()
    assert "复核维持原结果" in text and "看过材料" in text and "行政复议" in text
    phone.shot(shots, "appeal-rejected")
    page.goto(f"{site.url}/m/claims/{claim.id}/appeal")
    assert "这个结果已经复核过一次" in phone.text()
    assert page.locator("button:has-text('提交复核申请')").count() == 0
    phone.close()


def test_a_withdrawal_frees_the_bill(browser: Any, site: Site, shots: Path) -> None:
    world = site.world
    person = world.person()
    bill = world.bill(person, 500, DAY, payer_name="测试丁卯")
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    phone = Phone(browser, site)
    phone.log_in()
    page = phone.page
    page.goto(f"{site.url}/m/claims/{claim.id}")
    page.click("text=撤回这笔申请")
    phone.shot(shots, "withdraw")
    page.fill("#text", "交错了票据")
    page.click(".bar button")
    page.wait_for_url(f"**/m/claims/{claim.id}")
    assert "正在撤回" in phone.text()
    world.run()
    page.goto(f"{site.url}/m/claims/{claim.id}")
    text = phone.text()
    assert "已撤回" in text and "您撤回了申请" in text and "放开票据" in text
    assert "撤回这笔申请" not in text and "报销金额" not in text
    phone.shot(shots, "withdrawn")
    page.goto(f"{site.url}/m")
    assert "一触报销 1 张" in str(page.inner_text("body"))
    page.goto(f"{site.url}/m/claims/{claim.id}/withdraw")
    assert "现在不能撤回" in phone.text()
    phone.close()
