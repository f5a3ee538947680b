"""A citizen at pages about money: a payment that came back, money to pay back, a bill shown to an
insurer. One running site for all three; amounts are worked by hand."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.bank.simulated_book import KnownAccount
from backend.adapters.banks import listed_banks
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.declare import NamedAccount, declare
from backend.service_layer.payees.effective import VerifiedAccounts
from backend.service_layer.payees.register import record_contact
from backend.service_layer.recovery.people import Incoming, plan, receive
from backend.service_layer.recovery.run import recovery_pass
from scripts.insurer import cli
from tests.browser.conftest import Site
from tests.browser.test_citizen import Phone
from tests.integration.second_payers.desk import INSURER, KEYS, TERMS, Desk
from tests.memory_bank import equip_durably

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BANK = "999900000017"
NARROW = {"width": 360, "height": 740}
HOURS_72 = dt.timedelta(hours=72)


class Town:
    """The desk of two insurers with the simulated bank and accounts that it confirms."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.services = self.desk.services
        self.bank: SimulatedBank = equip_durably(self.services, folder)
        kept = self.services.__dict__
        kept["banks"] = listed_banks(is_simulated=True)
        kept["payees"] = VerifiedAccounts(self.services.secret_box)
        self.server = make_server("127.0.0.1", 0, self.desk.app, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.site = Site(self.desk.world, f"http://127.0.0.1:{self.server.server_port}")
        self.people = 0

    def citizen(self, number: str) -> Person:
        """Somebody new with an account of this number, which the bank has confirmed."""
        self.desk.fresh()
        person = self.desk.person
        self.people += 1
        self.know(person, number)
        with self.services.work() as work:
            phone = f"1000000{self.people:04d}"
            record_contact(self.services, work, person.id, phone, by="test", source="simulated")
            work.commit()
        named = NamedAccount(person.id, BANK, number, f"form-{person.id}", "citizen")
        declare(self.services, named)
        return person

    def know(self, person: Person, number: str) -> None:
        self.bank.enrol([KnownAccount(number, person.name, BANK)])

    def username(self) -> str:
        return f"citizen-{len(self.desk.world.people) - 1}"

    def paid_claim(self, yuan: int) -> str:
        bill = self.desk.bill(yuan)
        claim_id = self.desk.claim(bill)
        self.desk.world.run()
        assert self.desk.world.claim(claim_id).state == "paid"
        return claim_id

    def phone(self, browser: Any, **options: Any) -> Phone:
        phone = Phone(browser, self.site, viewport=NARROW, **options)
        phone.log_in(self.username())
        return phone

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(timeout=10)
        self.server.server_close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    found = Town(tmp_path_factory.mktemp("town"))
    yield found
    found.close()


def fits(phone: Phone) -> None:
    """No sideways scrolling, targets of 48 px, an accessible name for every control."""
    page = phone.page
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    small = page.evaluate(
        """() => [...document.querySelectorAll('main a, main button, main select, main input')]
        .filter(e => e.type !== 'hidden' && e.offsetParent !== null && !e.closest('.notice')
                  && !e.closest('p:not(:has(.button))')
                  && (e.closest('label') || e).getBoundingClientRect().height < 47.5)
        .map(e => e.outerHTML.slice(0, 90))"""
    )
    assert small == []
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('a, button, select, input:not([type=hidden])')]
        .filter(e => !(e.textContent.trim() || e.getAttribute('aria-label')
                       || (e.labels && e.labels.length)))
        .map(e => e.outerHTML.slice(0, 90))"""
    )
    assert nameless == []


def test_a_payment_that_came_back_is_paid_once_to_the_corrected_account(
    browser: Any, town: Town, shots: Path
) -> None:
    """400.00 less the year's 300.00, 60 % of the rest: 60.00."""
    person = town.citizen("9999000000000000008")  # the simulated bank sends it back later
    town.know(person, "9999000000000002222")
    claim_id = town.paid_claim(400)
    phone = town.phone(browser, script=False)
    page, here = phone.page, f"{town.site.url}/m/claims/{claim_id}"
    page.goto(here)
    assert "已打到示例银行（测试）尾号 0008" in phone.text()
    town.desk.pass_time(dt.timedelta(seconds=31))
    town.desk.world.run()
    page.goto(here)
    shown = phone.text()
    assert page.inner_text("h1") == "银行把钱退回来了"
    for words in ("账户已销户", "尾号 0008", "不会付两次", "换一个账户", "一共到账"):
        assert words in shown, words
    assert re.search(r"一共到账\s*¥0\.00", shown)
    fits(phone)
    phone.shot(shots, "money-returned")
    page.click("text=去看收款账户")
    page.fill("#number", "12")
    page.click("text=请银行核对并保存")
    assert "没有保存" in phone.text() and "账号应有 8 到 30 位" in phone.text()
    fits(phone)
    page.select_option("#bank", BANK)
    page.fill("#number", "9999 0000 0000 0002 222")
    page.click("text=请银行核对并保存")
    assert "起改为 示例银行（测试） 尾号 2222" in phone.text()
    fits(phone)
    phone.shot(shots, "money-account-waiting")
    page.goto(here)
    assert "等新账户生效" in page.inner_text("h1")
    town.desk.pass_time(HOURS_72)
    page.goto(here)
    assert "等下一批打款" in page.inner_text("h1")  # before any worker has looked
    town.desk.world.run()
    page.goto(here)
    assert "已打到示例银行（测试）尾号 2222" in phone.text()
    assert re.search(r"一共到账\s*¥60\.00", phone.text())
    town.desk.pass_time(HOURS_72)
    town.desk.world.run()
    with town.bank.book.open() as book:
        tails = sorted(credit.account[-4:] for credit in book.credits())
    assert tails == ["0008", "2222"]  # once each
    phone.close()


def test_money_to_pay_back_is_told_with_its_plan_and_every_receipt(
    browser: Any, town: Town, shots: Path
) -> None:
    """500.00 less 300.00, 60 %: 120.00, in two parts of 60.00."""
    town.citizen("9999000000000003331")
    claim_id = town.paid_claim(500)
    world = town.desk.world
    claim = world.claim(claim_id)
    with town.services.work() as work:
        work.invoices.set_state(claim.invoice_id, "void")
        work.commit()
    recovery_pass(town.services)
    with town.services.work(write=False) as work:
        (found,) = work.recoveries.of_claim(claim_id)
    order = found.order.id
    phone = town.phone(browser, script=False)
    page, here = phone.page, f"{town.site.url}/m/claims/{claim_id}"
    page.goto(here)
    assert "还要退回 ¥120.00" in phone.text()
    page.click("text=看为什么、怎么退")
    assert page.url == f"{here}/recovery"
    for words in ("票据已作废", "¥120.00", order, "转账附言", "申请分期", "12393"):
        assert words in phone.text(), words
    fits(phone)
    today = town.services.clock.now().date()
    plan(town.services, order, 2, today, by="出纳甲", reason="本人申请")
    receive(town.services, Incoming("B-1", order, 5_000, today), by="出纳甲")
    page.reload()
    shown = phone.text()
    assert "已退一部分" in shown and "第 1 期" in shown and "第 2 期" in shown
    assert "B-1" in shown and "¥50.00" in shown and "¥70.00" in shown
    fits(phone)
    phone.shot(shots, "money-recovery")
    page.locator("footer >> text=English").click()
    assert page.url == f"{here}/recovery"  # it leads back
    assert "A part is paid back" in phone.text() and "Bank reference B-1" in phone.text()
    fits(phone)
    phone.shot(shots, "money-recovery-en")
    receive(town.services, Incoming("B-2", order, 7_000, today), by="出纳甲")
    page.reload()
    assert "Paid back in full" in phone.text()
    page.goto(here)
    assert "This is over" in phone.text()
    phone.close()


def test_a_bill_is_shown_to_an_insurer_which_pays_of_the_rest_until_it_is_taken_back(
    browser: Any, town: Town, shots: Path, tmp_path: Path
) -> None:
    """3,000.00: basic insurance pays 1,620.00, 80 % of the other 1,380.00 are 1,104.00."""
    town.citizen("9999000000000004441")
    claim_id = town.paid_claim(3_000)
    phone = town.phone(browser, script=False)
    page = phone.page
    page.goto(f"{town.site.url}/m/claims/{claim_id}")
    page.click("text=给商业保险公司看这张票据")
    page.click("text=下一步：看同意的内容")
    assert "请至少勾选一项" in phone.text()
    page.check("#part-header")
    page.check("#part-decision")
    page.select_option("#days", "90")
    fits(phone)
    page.click("text=下一步：看同意的内容")
    assert "90 天内有效" in phone.text() and "费用明细" not in phone.text()
    page.click("text=同意，给它看")
    assert "还没有同意" in phone.text() and "先勾选" in phone.text()
    page.check("#consent")
    fits(phone)
    phone.shot(shots, "money-agree")
    page.click("text=同意，给它看")
    assert "开放中" in phone.text() and "它还没有看过" in phone.text()
    bill_id = town.desk.world.claim(claim_id).invoice_id
    keyfile = tmp_path / "insurer.json"
    keyfile.write_text(json.dumps({"api_key": KEYS[INSURER], "policy_hash": TERMS}))
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            town.desk.go()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        words = ["--key-file", str(keyfile), "--url", town.site.url, "pay", bill_id]
        done = CliRunner().invoke(cli, words)
    finally:
        stop.set()
        worker.join()
    assert done.exit_code == 0, done.output
    page.reload()
    assert "已经赔付" in phone.text() and "¥1,104.00" in phone.text()
    assert "看过的日子" in phone.text()
    fits(phone)
    phone.shot(shots, "money-shared")
    page.click("text=撤回这项同意")
    assert "已撤回" in phone.text() and "¥1,104.00" in phone.text()
    again = CliRunner().invoke(
        cli, ["--key-file", str(keyfile), "--url", town.site.url, "bill", bill_id]
    )
    assert again.exit_code == 1 and "not-found" in again.output
    phone.close()
