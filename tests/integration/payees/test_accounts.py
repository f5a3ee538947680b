"""Accounts are named, confirmed, announced, taken back; over the real database and pages."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.bank.simulated_book import KnownAccount
from backend.adapters.banks import listed_banks
from backend.adapters.database import tables
from backend.domain.errors import ConflictError
from backend.domain.payee import AccountRefusedError
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.declare import NamedAccount, cancel, declare
from backend.service_layer.payees.effective import VerifiedAccounts, mark_closed
from backend.service_layer.payees.notices import announce, send_notices
from backend.service_layer.payees.register import record_contact, record_guardian
from backend.service_layer.payout.ports import BankUnavailableError
from backend.service_layer.payout.records import AccountAnswer, NameMatch
from tests.integration.claims.world import World

BANK = "999900000017"
FIRST, SECOND, OTHERS, CLOSED = (
    "9999000000000001111",
    "9999000000000002222",
    "9999000000000003333",
    "9999000000000004444",
)
HOURS_72 = dt.timedelta(hours=72)


class Office:
    """The small world with a simulated bank that knows a few accounts of one citizen."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.services = world, world.services
        self.clock = world.services.clock
        self.bank = SimulatedBank(folder / "bank", self.clock.now)
        kept = self.services.__dict__
        kept["bank"], kept["banks"] = self.bank, listed_banks(is_simulated=True)
        kept["payees"] = VerifiedAccounts(self.services.secret_box)
        self.person = world.person()
        self.bank.enrol(
            [
                KnownAccount(FIRST, self.person.name, BANK),
                KnownAccount(SECOND, self.person.name, BANK),
                KnownAccount(OTHERS, "测试别人", BANK),
                KnownAccount(CLOSED, self.person.name, BANK, is_closed=True),
            ]
        )
        self.forms = 0

    def name(self, number: str, *, person: Person | None = None, token: str = "") -> int:
        self.forms += 1
        row = declare(
            self.services,
            NamedAccount(
                (person or self.person).id, BANK, number, token or f"form-{self.forms}", "citizen"
            ),
        )
        return row.version

    def answer(self, person: Person | None = None) -> AccountAnswer:
        with self.services.work(write=False) as work:
            return self.services.payees.account_for(
                work, (person or self.person).id, self.clock.now()
            )

    def number(self) -> str | None:
        account = self.answer().account
        return None if account is None else account.number

    def contact(self, phone: str) -> None:
        with self.services.work() as work:
            record_contact(
                self.services, work, self.person.id, phone, by="test", source="simulated"
            )
            work.commit()

    def later(self, by: dt.timedelta) -> None:
        self.clock.advance(by.total_seconds())

    def until(self, at: dt.datetime) -> None:
        self.later(at - self.clock.now())

    def rows(self) -> int:
        with self.services.engine.connect() as connection:
            count = sa.select(sa.func.count()).select_from(tables.payee_account)
            return connection.execute(count).scalar_one()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    yield Office(World.make(tmp_path), tmp_path)


def test_the_first_account_is_confirmed_and_takes_effect_at_once(office: Office) -> None:
    assert office.answer().reason == "account-missing"
    office.name("9999 0000 0000 0001 111")
    account = office.answer().account
    assert account is not None
    assert (account.number, account.holder, account.bank_code) == (FIRST, office.person.name, BANK)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (OTHERS, "is not 测试甲子's"),
        (CLOSED, "is closed"),
        ("9999000000000009999", "does not know the account"),
        ("123", "8 to 30 digits"),
        ("abc", "digits only"),
    ],
)
def test_an_account_that_is_not_theirs_is_refused(office: Office, number: str, why: str) -> None:
    with pytest.raises(AccountRefusedError, match=why):
        office.name(number)
    assert office.number() is None
    office.name(FIRST)
    with pytest.raises(AccountRefusedError, match=why):
        office.name(number)
    assert office.number() == FIRST


def test_a_bank_that_is_not_listed_is_refused(office: Office) -> None:
    for code in ("", "102100099996", "999900000018", "x"):
        with pytest.raises(AccountRefusedError, match="choose the bank"):
            declare(office.services, NamedAccount(office.person.id, code, FIRST, "f", "citizen"))
    assert office.rows() == 0


def test_nothing_is_stored_when_the_bank_cannot_be_asked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: str) -> NameMatch:
        raise BankUnavailableError("银行连不上", "the bank does not answer")

    monkeypatch.setattr(office.bank, "check_name", down)
    with pytest.raises(BankUnavailableError):
        office.name(FIRST)
    assert office.rows() == 0


def test_a_change_is_announced_to_the_old_contact_and_waits(office: Office, tmp_path: Path) -> None:
    office.contact("10000000001")
    office.name(FIRST)
    office.name(SECOND)
    assert send_notices(office.services) == 1
    [sent] = (tmp_path / "notices").glob("*.txt")
    text = sent.read_text()
    assert "10000000001" in text
    assert "尾号 2222" in text
    assert SECOND not in text
    assert "模拟短信，没有发出" in text
    assert send_notices(office.services) == 0
    assert office.number() == FIRST
    office.later(HOURS_72 - dt.timedelta(seconds=1))
    assert office.number() == FIRST
    office.later(dt.timedelta(seconds=1))
    assert office.number() == SECOND


def test_another_telephone_is_told_to_the_one_before_and_redirects_nothing(
    office: Office, tmp_path: Path
) -> None:
    office.contact("10000000001")
    assert send_notices(office.services) == 0
    office.name(FIRST)
    office.name(SECOND)
    office.contact("10000000002")
    assert send_notices(office.services) == 2
    texts = [sent.read_text() for sent in (tmp_path / "notices").glob("*.txt")]
    assert all("10000000001" in text and "10000000002" not in text for text in texts)
    assert sum("手机已改为尾号 0002" in text for text in texts) == 1
    assert sum("尾号 2222" in text for text in texts) == 1


def test_a_change_can_be_taken_back_until_it_takes_effect(office: Office) -> None:
    office.name(FIRST)
    office.name(SECOND)
    assert cancel(office.services, office.person.id, "citizen", "not me") == 1
    assert cancel(office.services, office.person.id, "citizen", "not me") == 0
    office.later(2 * HOURS_72)
    assert office.number() == FIRST
    office.name(SECOND)
    office.later(HOURS_72)
    assert cancel(office.services, office.person.id, "citizen", "too late") == 0
    assert office.number() == SECOND


def test_the_same_form_and_the_same_account_are_stored_once(office: Office) -> None:
    assert office.name(FIRST, token="one") == office.name(FIRST, token="one") == 1
    assert office.name(FIRST) == 1
    assert office.name(SECOND) == office.name(SECOND) == 2
    assert office.rows() == 2


def test_another_persons_form_is_not_taken(office: Office) -> None:
    office.name(FIRST, token="one")
    other = office.world.person("测试别人", "citizen02")
    with pytest.raises(ConflictError, match="the form was used"):
        office.name(OTHERS, person=other, token="one")


def test_a_refused_form_sent_again_is_refused_without_asking_the_bank_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AccountRefusedError, match="is not"):
        office.name(OTHERS, token="one")
    monkeypatch.setattr(office.bank, "check_name", None)
    with pytest.raises(AccountRefusedError, match="is not"):
        office.name(OTHERS, token="one")
    assert office.rows() == 1


def test_the_bank_is_not_asked_about_account_after_account(office: Office) -> None:
    for number in range(5):
        with pytest.raises(AccountRefusedError, match="does not know"):
            office.name(f"999900000000000{number}555")
    with pytest.raises(AccountRefusedError, match="at most 5 times a day"):
        office.name(FIRST)
    assert office.number() is None
    office.later(dt.timedelta(hours=24, seconds=1))
    office.name(FIRST)
    assert office.number() == FIRST


def test_a_closed_account_holds_the_money_until_the_next_is_in_effect(office: Office) -> None:
    office.name(FIRST)
    with office.services.work() as work:
        now = office.clock.now()
        assert mark_closed(work, office.person.id, 1, by="bank", reason="AC04", at=now)
        assert not mark_closed(work, office.person.id, 1, by="bank", reason="AC04", at=now)
        assert not mark_closed(work, office.person.id, 9, by="bank", reason="AC04", at=now)
        work.commit()
    assert office.answer().reason == "account-closed"
    office.name(SECOND)
    assert office.answer().reason == "account-delay"
    office.later(HOURS_72)
    assert office.number() == SECOND


def child(office: Office) -> Person:
    person = office.world.person("测试小儿", "citizen09")
    with office.services.engine.begin() as connection:
        connection.execute(
            tables.person.update()
            .where(tables.person.c.id == person.id)
            .values(birth_on=dt.date(2015, 5, 5))
        )
    return dataclasses.replace(person, birth_on=dt.date(2015, 5, 5))


def guard(office: Office, minor: Person, guardian: Person) -> None:
    with office.services.work() as work:
        record_guardian(
            office.services,
            work,
            minor.id,
            guardian.id,
            valid_from=dt.date(2015, 5, 5),
            by="clerk",
            reason="户口簿",
            source="window",
        )
        work.commit()


def test_a_minors_money_goes_to_the_guardians_account(office: Office) -> None:
    minor = child(office)
    with pytest.raises(AccountRefusedError, match="no guardian is registered"):
        office.name(FIRST, person=minor)
    guard(office, minor, office.person)
    with pytest.raises(AccountRefusedError, match="is not 测试甲子's"):
        office.name(OTHERS, person=minor)
    office.name(FIRST, person=minor)
    account = office.answer(minor).account
    assert account is not None
    assert (account.holder, account.number) == (office.person.name, FIRST)


def test_another_guardian_needs_another_account(office: Office) -> None:
    minor = child(office)
    guard(office, minor, office.person)
    office.name(FIRST, person=minor)
    office.later(dt.timedelta(seconds=1))
    guard(office, minor, office.world.person("测试别人", "citizen02"))
    assert office.answer(minor).reason == "account-unverified"


def test_who_comes_of_age_needs_an_account_of_their_own(office: Office) -> None:
    minor = child(office)
    guard(office, minor, office.person)
    office.name(FIRST, person=minor)
    office.until(dt.datetime(2033, 5, 4, 12, tzinfo=dt.UTC))
    assert office.answer(minor).account is not None
    office.until(dt.datetime(2033, 5, 5, 12, tzinfo=dt.UTC))
    assert office.answer(minor).reason == "account-unverified"


@pytest.mark.parametrize("case", ["self", "minor guards", "adult", "backwards"])
def test_guardians_that_are_none(office: Office, case: str) -> None:
    minor, adult = child(office), office.person
    pairs = {"self": (minor, minor), "minor guards": (minor, minor), "adult": (adult, adult)}
    first, second = pairs.get(case, (minor, adult))
    if case == "adult":
        second = office.world.person("测试别人", "citizen02")
    until = dt.date(2015, 1, 1) if case == "backwards" else None
    with office.services.work() as work, pytest.raises(AccountRefusedError):
        record_guardian(
            office.services, work, first.id, second.id, valid_from=dt.date(2016, 1, 1),
            valid_to=until, by="clerk", reason="x", source="window",
        )  # fmt: skip


@pytest.mark.parametrize("table", ["payee_account", "payee_account_event", "notice", "guardian"])
def test_nothing_is_changed_or_deleted(office: Office, table: str) -> None:
    office.name(FIRST)
    office.name(SECOND)
    cancel(office.services, office.person.id, "citizen", "x")
    guard(office, child(office), office.person)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
        with (
            office.services.engine.begin() as connection,
            pytest.raises(sa.exc.IntegrityError, match="insert-only"),
        ):
            connection.execute(sa.text(statement))


def test_no_number_is_stored_or_shown_in_clear(office: Office, tmp_path: Path) -> None:
    office.contact("10000000001")
    office.name(FIRST)
    for path in tmp_path.glob("yichu.db*"):
        content = path.read_bytes()
        assert FIRST.encode() not in content
        assert b"10000000001" not in content


def test_forms_sent_at_once_leave_one_account_in_effect(office: Office) -> None:
    def send(number: str) -> str:
        try:
            office.name(number)
        except (AccountRefusedError, ConflictError) as error:
            return error.code
        return "stored"

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(send, [FIRST, FIRST, FIRST, FIRST]))
    assert set(said) == {"stored"}
    assert office.rows() == 1


def test_a_form_that_was_sent_with_another_number_stores_nothing(office: Office) -> None:
    office.name(FIRST, token="the-form")
    with pytest.raises(AccountRefusedError, match="sent with another number"):
        office.name(SECOND, token="the-form")
    assert (office.rows(), office.number()) == (1, FIRST)


def test_the_same_number_is_confirmed_again_in_a_new_name(office: Office) -> None:
    office.name(FIRST)
    rename = tables.person.update().where(tables.person.c.id == office.person.id)
    with office.services.engine.begin() as connection:
        connection.execute(rename.values(name="测试新名"))
    assert office.answer().reason == "account-unverified"
    with pytest.raises(AccountRefusedError, match="is not 测试新名's"):
        office.name(FIRST)
    office.bank.enrol([KnownAccount(FIRST, "测试新名", BANK)])
    office.name(FIRST)
    assert office.answer().reason == "account-unverified"  # a change waits
    office.later(HOURS_72)
    account = office.answer().account
    assert account is not None and (account.holder, account.number) == ("测试新名", FIRST)


def test_an_entry_of_the_register_ends_a_guardian(office: Office) -> None:
    minor = child(office)
    guard(office, minor, office.person)
    office.name(FIRST, person=minor)
    office.later(dt.timedelta(seconds=1))
    with office.services.work() as work:
        record_guardian(
            office.services, work, minor.id, office.person.id,
            valid_from=dt.date(2015, 5, 5), valid_to=office.clock.now().date() - HOURS_72,
            by="clerk", reason="死亡证明", source="window",
        )  # fmt: skip
        work.commit()
    assert office.answer(minor).reason == "account-missing"
    with pytest.raises(AccountRefusedError, match="no guardian is registered"):
        office.name(SECOND, person=minor)


def test_a_contact_that_does_not_open_keeps_nobody_elses_notice(
    office: Office, tmp_path: Path
) -> None:
    other = office.world.person("测试别人", "citizen02")
    with office.services.work() as work:
        for person, number in ((office.person, "10000000001"), (other, "10000000002")):
            record_contact(office.services, work, person.id, number, by="test", source="test")
            announce(office.services, work, person.id, "test", zh="测试", en="test")
        work.commit()
    office.world.sql(
        "UPDATE person_contact SET wrapped_phone = :bad WHERE person_id = :id",
        bad=bytes(40), id=office.person.id,
    )  # fmt: skip
    assert send_notices(office.services) == 1
    with office.services.work(write=False) as work:
        assert work.alarms.open_counts() == {"contact-unreadable": 1}
        (waiting,) = work.payees.undelivered()
    assert waiting.person_id == office.person.id


# --- the page --------------------------------------------------------------------------------


@pytest.fixture
def phone(office: Office) -> FlaskClient:
    app = create_app(office.services)
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/m/login", data={"username": "citizen01", "password": "12345678"})
    return client


def page(client: FlaskClient) -> str:
    return client.get("/m/account").get_data(as_text=True)


def send(client: FlaskClient, number: str, token: str = "t", bank: str = BANK) -> tuple[int, str]:
    answer = client.post(
        "/m/account",
        data={"bank": bank, "number": number, "form_token": token},
        follow_redirects=True,
    )
    return answer.status_code, answer.get_data(as_text=True)


def test_the_page_from_no_account_to_a_change_taken_back(
    office: Office, phone: FlaskClient
) -> None:
    office.contact("10000000001")
    assert "还没有收款账户" in page(phone)
    status, text = send(phone, FIRST)
    assert status == 200
    assert "尾号 1111" in text and "银行已确认" in text and "模拟银行" in text
    status, text = send(phone, SECOND, "u")
    assert "起改为 示例银行（测试） 尾号 2222" in text
    assert "已通知您的手机（尾号 0001）" in text
    assert "72 小时后生效" in text
    text = phone.post("/m/account/cancel", follow_redirects=True).get_data(as_text=True)
    assert "更改已撤销" in text and "尾号 1111" in text


@pytest.mark.parametrize(
    ("number", "bank", "says"),
    [
        (OTHERS, BANK, "不是 测试甲子 名下的"),
        (CLOSED, BANK, "已经销户"),
        ("12", BANK, "应有 8 到 30 位数字"),
        ("<script>", BANK, "账号只能有数字"),
        (FIRST, "", "请选择开户银行"),
        (FIRST, "../../etc", "请选择开户银行"),
    ],
)
def test_the_page_says_what_to_correct(
    phone: FlaskClient, number: str, bank: str, says: str
) -> None:
    status, text = send(phone, number, bank=bank)
    assert status == 422
    assert says in text and "原来的账户没有变" in text
    assert number not in text or number == "12"


def test_the_page_belongs_to_who_is_logged_in(office: Office) -> None:
    app = create_app(office.services)
    app.config["WTF_CSRF_ENABLED"] = False
    stranger = app.test_client()
    for answer in (
        stranger.get("/m/account"),
        stranger.post("/m/account", data={"bank": BANK, "number": FIRST}),
        stranger.post("/m/account/cancel"),
    ):
        assert answer.status_code == 302
        assert "/m/login" in answer.headers["Location"]
    assert office.rows() == 0


def test_a_form_without_its_token_is_refused(office: Office) -> None:
    client = create_app(office.services).test_client()
    client.post("/m/login", data={"username": "citizen01", "password": "12345678"})
    answer = client.post("/m/account", data={"bank": BANK, "number": FIRST})
    assert answer.status_code in (302, 400, 403)
    assert office.rows() == 0


def test_a_form_token_that_is_none_is_replaced(office: Office, phone: FlaskClient) -> None:
    for token in ("\0", "x" * 65, "测试", ""):
        assert send(phone, FIRST, token=token)[0] == 200
    assert office.rows() == 1


def test_home_shows_the_account_in_effect(office: Office, phone: FlaskClient) -> None:
    office.world.bill(office.person, 500, dt.date(2026, 11, 3))
    office.world.anchor()
    assert "还没有能收款的账户" in phone.get("/m").get_data(as_text=True)
    office.name(FIRST)
    assert "尾号 1111" in phone.get("/m").get_data(as_text=True)


def test_a_number_or_a_guardian_said_again_is_no_other_one(office: Office) -> None:
    """As by somebody whose first answer never came: nobody is told of a change twice."""
    office.contact("10000000001")
    office.contact("10000000002")
    office.contact("10000000002")
    people = [office.world.person("测试小", "minor"), office.person]
    with office.services.engine.begin() as connection:
        minor = sa.update(tables.person).where(tables.person.c.id == people[0].id)
        connection.execute(minor.values(birth_on=dt.date(2015, 1, 1)))
    entries = []
    for last in (None, None, dt.date(2027, 1, 1), None):
        office.later(dt.timedelta(minutes=1))
        with office.services.work() as work:
            entries.append(
                record_guardian(
                    office.services,
                    work,
                    people[0].id,
                    people[1].id,
                    valid_from=dt.date(2026, 1, 1),
                    valid_to=last,
                    by="柜员甲",
                    reason="户口本",
                    source="window",
                ).id
            )
            work.commit()
    with office.services.work(write=False) as work:
        assert [one.kind for one in work.payees.notices_of(office.person.id)] == ["contact-change"]
        assert [one.id for one in work.payees.guardians_of(people[0].id)] == [
            entries[0],
            *entries[2:],
        ]
    assert entries[0] == entries[1] and len(set(entries)) == 3
