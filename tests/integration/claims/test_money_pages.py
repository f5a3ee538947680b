"""What the citizen's pages say about money, in both languages, without a browser."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.adapters.clock import SetClock
from backend.entrypoints.web import create_app
from backend.service_layer.claims.holds import NEXT_RUN
from backend.service_layer.claims.records import Claim
from backend.service_layer.payout.holding import HELD_CODES
from backend.service_layer.payout.records import HELD_BY_ACCOUNT, AnswerStatus
from tests.integration.claims.test_pages import BASE, client_of, log_in, token_of
from tests.integration.claims.world import World
from tests.integration.payout.office import account_of, claim_of

HAN = re.compile(r"[\u4e00-\u9fff]+")
#: Names of people, banks and institutions stay as they are in every language.
NAMES = ("示例银行（测试）", "示例市第一医院", "测试甲子", "衢州市医保中心", "布洛芬缓释胶囊")
HELD = sorted(set(HELD_CODES) - {NEXT_RUN})


class _Texts(HTMLParser):
    """What a page says outside elements that are marked as Chinese, title and labels included."""

    _VOID = frozenset(("meta", "link", "input", "br", "img"))

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_chinese = bool(self._open and self._open[-1][1])
        if "lang" in named:
            is_chinese = named["lang"] == "zh-CN"
        if not is_chinese:
            self.found.append(named.get("aria-label") or "")
        if tag not in self._VOID:
            self._open.append((tag, is_chinese))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.found.append(data)


def chinese_left(html: str) -> list[str]:
    """The Chinese that an English page says to somebody who reads none."""
    reader = _Texts()
    reader.feed(html)
    text = "\n".join(reader.found)
    for name in NAMES:
        text = text.replace(name, "")
    return HAN.findall(text)


@dataclasses.dataclass
class Stage:
    world: World
    client: FlaskClient
    claim: Claim

    def page(self, path: str, lang: str = "zh") -> str:
        self.client.set_cookie("lang", lang, domain="localhost")
        answer = self.client.get(path, base_url=BASE)
        assert answer.status_code == 200
        return answer.get_data(as_text=True)

    def held_page(self, code: str, lang: str) -> str:
        with self.world.services.work() as work:
            now = self.world.services.clock.now()
            state = work.claims.get(self.claim.id).state
            work.claims.update(self.claim.id, state, now, waiting_for=code)
            work.commit()
        self.world.accounts.answers.clear()
        if code in HELD_BY_ACCOUNT:
            self.world.accounts.withhold(self.claim.person_id, code)
        return self.page(f"/m/claims/{self.claim.id}", lang)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A claim whose money the bank has rejected, and its person logged in."""
    folder: Path = tmp_path_factory.mktemp("money-pages")
    world = World.make(folder)
    person = world.person()
    world.bank.plan[account_of(person)] = (AnswerStatus.REJECTED, "AC06")
    claim = claim_of(world, person)
    world.run()
    client = client_of(create_app(world.services))
    log_in(client, "citizen01")
    yield Stage(world, client, world.claim(claim.id))


@pytest.mark.parametrize("code", HELD)
def test_a_held_payment_is_explained_in_both_languages(stage: Stage, code: str) -> None:
    zh, en = stage.held_page(code, "zh"), stage.held_page(code, "en")
    for words in ("发生了什么", "已经保存的", "您可以", "¥60.00", "不会丢"):
        assert words in zh, words
    for words in ("What happened", "What is kept", "What you can do", "¥60.00", "paid twice"):
        assert words in en, words
    needs_account = code in (*HELD_BY_ACCOUNT, "payee")
    assert ("去看收款账户" in zh) == ("See your account" in en) == needs_account
    assert chinese_left(en) == []


def test_what_the_bank_said_stands_on_the_page(stage: Stage) -> None:
    zh, en = stage.held_page("payee", "zh"), stage.held_page("payee", "en")
    assert "没有付成：账户已冻结" in zh and "尾号 6217" in zh
    assert "Not paid: the account is blocked" in en and "ending 6217" in en
    assert "一共到账" in zh and "¥0.00" in zh


def test_the_page_knows_an_account_that_was_named_since_the_last_run(stage: Stage) -> None:
    person_id = stage.claim.person_id
    stage.held_page("payee", "zh")
    stage.world.accounts.withhold(person_id, "account-delay")
    assert "等新账户生效" in stage.page(f"/m/claims/{stage.claim.id}")
    assert "等新账户生效" in stage.page("/m/claims")
    stage.world.accounts.correct(person_id, "测试甲子", "TEST-2222")
    zh = stage.page(f"/m/claims/{stage.claim.id}")
    assert "等下一批打款" in zh and "去看收款账户" not in zh
    assert "没有付成：账户已冻结" in zh  # what happened before stays on the page


@pytest.mark.parametrize(
    ("hours", "zh", "en"), [(72, "72 小时内", "72 hours"), (5, "5 小时内", "5 h")]
)
def test_the_deadline_of_a_mismatch_is_that_of_the_setting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, hours: int, zh: str, en: str
) -> None:
    services = stage.world.services
    monkeypatch.setattr(
        services, "settings", dataclasses.replace(services.settings, case_hours=hours)
    )
    assert f"工作人员 {zh}核实" in stage.held_page("payout-case", "zh")
    assert f"within {en}" in stage.held_page("payout-case", "en")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["", "/claims", "/account", "/shared", "/help", "/missing", "/bills/{bill}/share",
     "/claims/{id}", "/claims/{id}/lines", "/claims/{id}/question", "/claims/{id}/withdraw",
     "/claims/{id}/appeal"],
)  # fmt: skip
def test_no_chinese_is_left_on_an_english_page(stage: Stage, path: str) -> None:
    where = path.format(id=stage.claim.id, bill=stage.claim.invoice_id)
    assert chinese_left(stage.page(f"/m{where}", "en")) == []
    assert '<html lang="en">' in stage.page(f"/m{where}", "en")
    assert '<html lang="zh-CN">' in stage.page(f"/m{where}", "zh")


def test_a_bank_that_says_nothing_is_told_once_it_should_have_answered(stage: Stage) -> None:
    world = stage.world
    person = world.person("测试乙丑", "citizen02")
    world.bank.plan[account_of(person)] = None
    claim = claim_of(world, person)
    world.run()
    client = client_of(create_app(world.services))
    log_in(client, "citizen02")
    page = Stage(world, client, claim).page
    here, clock = f"/m/claims/{claim.id}", world.services.clock
    assert isinstance(clock, SetClock)
    assert "已发给银行，等回执" in page(here) and "银行还没有回执" not in page(here)
    clock.advance(24 * 3_600)  # YICHU_BANK_ANSWER_HOURS
    assert "银行还没有回执" not in page(here)
    clock.advance(1)
    zh, en = page(here), page(here, "en")
    for words in ("银行还没有回执", "以免付两次", "看看您的账户里有没有这笔钱"):
        assert words in zh, words
    assert "No answer from the bank yet" in en and "not paid again" in en


def test_an_error_is_said_in_the_language_of_the_page(stage: Stage) -> None:
    def refused(lang: str) -> str:
        html = stage.page("/m/account", lang)
        answer = stage.client.post(
            "/m/account",
            base_url=BASE,
            headers={"Referer": f"{BASE}/m/account"},
            data={"csrf_token": token_of(html), "bank": "999900000017", "number": "12"},
        )
        assert answer.status_code == 422
        return answer.get_data(as_text=True)

    assert "账号应有 8 到 30 位数字" in refused("zh")
    assert "An account number has 8 to 30 digits" in refused("en")
    assert chinese_left(refused("en")) == []


def test_a_page_that_is_not_there_says_so_in_both_languages(stage: Stage) -> None:
    for lang, first in (("zh", "没有找到"), ("en", "Not found")):
        stage.client.set_cookie("lang", lang, domain="localhost")
        answer = stage.client.get("/m/claims/clm_of_nobody", base_url=BASE)
        assert answer.status_code == 404
        html = answer.get_data(as_text=True)
        assert f"<h1>{first}</h1>" in html
        assert "没有这笔申请" in html and "here is no such claim" in html  # the other one below


def test_the_language_is_chosen_at_the_end_of_the_page_and_leads_back(stage: Stage) -> None:
    here = f"/m/claims/{stage.claim.id}"
    data = {"csrf_token": token_of(stage.page(here)), "language": "en", "back": here}
    answer = stage.client.post(
        "/m/language", base_url=BASE, headers={"Referer": BASE + here}, data=data
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, here)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("lang=en;") and "HttpOnly" in cookie and "SameSite=Lax" in cookie


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example", "/staff/v1"])
def test_the_choice_of_language_leads_to_no_page_of_others(stage: Stage, back: str) -> None:
    data = {"csrf_token": token_of(stage.page("/m")), "language": "zh", "back": back}
    answer = stage.client.post(
        "/m/language", base_url=BASE, headers={"Referer": f"{BASE}/m"}, data=data
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/m")
