"""A restored backup lacks the word that named another account: no money goes to the old one."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.domain.payee import AccountRefusedError
from backend.entrypoints.web import create_app
from backend.service_layer.adoption.lost_words import lost_lines, store_period
from backend.service_layer.claims.case_closing import confirm_closing, propose_closing
from backend.service_layer.claims.holds import are_payouts_held
from backend.service_layer.payees.confirm import confirm_account
from tests.integration.claims.test_money_pages import chinese_left
from tests.integration.claims.test_pages import BASE, client_of, log_in, token_of
from tests.integration.claims.world import World
from tests.integration.payees.test_accounts import FIRST, HOURS_72, SECOND, Office

HOUR = dt.timedelta(hours=1)


class Restored(Office):
    """The database is put back to the copy; an hour later somebody finds that."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(world, folder)
        self.file = Path(self.services.settings.database_url.removeprefix("sqlite:///"))
        self.copy = folder / "copy.db"

    def back_up(self) -> None:
        with sqlite3.connect(self.file) as one, sqlite3.connect(self.copy) as copy:
            one.backup(copy)

    def put_back(self) -> None:
        self.services.engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        self.file.write_bytes(self.copy.read_bytes())
        self.services.__dict__["engine"] = make_engine(self.services.settings.database_url)
        self.copied_at = self.clock.now()
        self.later(HOUR)
        period = store_period(self.services, self.copied_at)
        assert period is not None
        self.period = period

    def close(self, case: str) -> None:
        propose_closing(self.services, case, "经办甲", "都问过了")
        confirm_closing(self.services, case, "主任乙", "没有遗漏")

    def is_held(self) -> bool:
        with self.services.work(write=False) as work:
            return are_payouts_held(work)

    def confirm(self, version: int = 1) -> bool:
        return confirm_account(self.services, self.person.id, version, "citizen", "on the page")

    def page(self, path: str, lang: str = "zh") -> str:
        client: FlaskClient = client_of(create_app(self.services))
        log_in(client, "citizen01")
        client.set_cookie("lang", lang, domain="localhost")
        return client.get(path, base_url=BASE).get_data(as_text=True)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Restored]:
    """The change to the second account was said after the copy, and is lost."""
    made = Restored(World.make(tmp_path), tmp_path)
    made.contact("13800000000")
    made.name(FIRST)
    made.later(HOUR)
    made.back_up()
    made.later(HOUR)
    made.name(SECOND)
    made.put_back()
    yield made


def test_the_old_account_is_paid_until_the_lost_change_would_count_and_not_after(
    office: Restored,
) -> None:
    # The copy's newest entry is that of the first account: an hour before it was made.
    assert office.period.since == office.copied_at - 2 * HOUR
    assert office.period.accounts_from == office.period.since + HOURS_72
    assert office.number() == FIRST
    office.until(office.period.accounts_from - dt.timedelta(microseconds=1))
    assert office.number() == FIRST
    office.later(dt.timedelta(microseconds=1))
    assert office.answer().reason == "account-doubted"


@pytest.mark.slow
def test_the_person_says_that_it_is_still_right(office: Restored) -> None:
    with pytest.raises(AccountRefusedError, match="the account has changed meanwhile"):
        office.confirm(2)
    assert office.confirm() is True
    assert office.confirm() is False, "the same word again is one"
    office.until(office.period.accounts_from + HOURS_72)
    assert office.number() == FIRST
    with office.services.work(write=False) as work:
        (told,) = work.payees.notices_of(office.person.id)
    assert told.kind == "account-confirmed" and told.contact_id is not None
    assert "1111" in told.zh and "1111" in told.en and FIRST not in told.zh + told.en


@pytest.mark.slow
def test_a_word_of_before_does_not_count_after_another_restore(office: Restored) -> None:
    assert office.confirm()
    office.later(HOUR)
    office.back_up()
    office.later(HOUR)
    office.put_back()
    office.until(office.period.accounts_from)
    assert office.answer().reason == "account-doubted"


@pytest.mark.slow
def test_another_account_is_named_instead_and_waits_as_any_change(office: Restored) -> None:
    office.until(office.period.accounts_from)
    office.name(SECOND)
    assert office.answer().reason == "account-doubted", "the old one is no way out meanwhile"
    office.later(HOURS_72)
    assert office.number() == SECOND


@pytest.mark.slow
def test_a_change_that_waited_in_the_copy_is_named_again(tmp_path: Path) -> None:
    office = Restored(World.make(tmp_path), tmp_path)
    office.name(FIRST)
    office.later(HOUR)
    office.name(SECOND)
    office.back_up()
    office.put_back()
    assert office.number() == FIRST
    office.until(office.period.since + HOURS_72)
    assert office.answer().reason == "account-doubted", "it may have been cancelled"
    with pytest.raises(AccountRefusedError, match="was not in effect yet when the backup"):
        office.confirm(2)
    assert office.name(SECOND) == 3
    office.later(HOURS_72)
    assert office.number() == SECOND


@pytest.mark.slow
def test_two_people_find_that_nothing_is_missing(office: Restored) -> None:
    office.until(office.period.accounts_from)
    assert office.is_held() and office.answer().account is None
    office.close(f"alarm:records-lost:{office.period.id}")
    assert not office.is_held(), "the desks were asked: payments go on"
    assert office.answer().reason == "account-doubted", "the citizens were not"
    said = "\n".join(f"{line.what} {line.detail}" for line in lost_lines(office.services))
    assert "every payment is held" not in said
    assert "accounts, telephone numbers, guardians" in said and "收款账户、手机号、监护人" in said
    office.close(f"words:{office.period.id}")
    assert office.number() == FIRST
    assert lost_lines(office.services) == []


@pytest.mark.slow
def test_the_same_restore_found_again_is_one_period(office: Restored) -> None:
    for unknown in (None, office.period.since, office.copied_at, office.period.until):
        assert store_period(office.services, unknown) is None
    office.later(HOUR)
    another = store_period(office.services, office.clock.now())
    assert another is not None and another.since == office.period.found_at


@pytest.mark.slow
def test_a_lost_period_and_a_word_are_never_changed(office: Restored) -> None:
    assert office.confirm()
    for table, column in ((tables.lost_period, "since"), (tables.payee_confirmation, "at")):
        for act in (sa.update(table).values({column: office.copied_at}), sa.delete(table)):
            with (
                pytest.raises(sa.exc.IntegrityError, match=f"{table.name} is insert-only"),
                office.services.engine.begin() as connection,
            ):
                connection.execute(act)


@pytest.mark.slow
def test_the_pages_ask_in_both_languages_and_one_button_answers(office: Restored) -> None:
    assert "办的事都在吗" in office.page("/m")
    assert "Is everything that you did still here?" in office.page("/m", "en")
    zh, en = office.page("/m/account"), office.page("/m/account", "en")
    assert "还是这个账户" in zh and "以前照常打到这个账户" in zh
    assert "It is still this one" in en and chinese_left(en) == []
    office.until(office.period.accounts_from)
    zh, en = office.page("/m/account"), office.page("/m/account", "en")
    assert "您确认以前不打款" in zh and "不会丢" in zh and "尾号 1111" in zh
    assert "Nothing is paid before that" in en and chinese_left(en) == []
    client: FlaskClient = client_of(create_app(office.services))
    log_in(client, "citizen01")
    page = client.get("/m/account", base_url=BASE).get_data(as_text=True)
    form = {"csrf_token": token_of(page), "version": "7"}
    refused = client.post("/m/account/confirm", data=form, base_url=BASE)
    assert refused.status_code == 422 and "账户刚才变了" in refused.get_data(as_text=True)
    for _ in range(2):
        done = client.post("/m/account/confirm", data=form | {"version": "1"}, base_url=BASE)
        assert done.status_code == 303
    assert office.number() == FIRST
    assert "已确认" in client.get("/m/account", base_url=BASE).get_data(as_text=True)
