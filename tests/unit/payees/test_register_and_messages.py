"""Telephone numbers and guardians as they are recorded, and messages as they leave."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import DomainError
from backend.domain.payee import AccountRefusedError
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.notices import announce, send_notices
from backend.service_layer.payees.records import Contact, Guardian, Notice, NoticeDelivery
from backend.service_layer.payees.register import record_contact, record_guardian
from tests.unit.payees.test_whose_account import ADULT, DAY, FATHER, MINOR, MOTHER, NOW, TODAY


class DoesNotOpenError(DomainError):
    code = "does-not-open"


class Desk:
    """Services and transaction in one; a box whose content bears the place where it lies."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []
        self.guardians: list[Guardian] = []
        self.notices: list[Notice] = []
        self.deliveries: list[NoticeDelivery] = []
        self.waiting: list[Notice] = []
        self.sent: list[tuple[str, ...]] = []
        self.alarms: dict[tuple[str, str], str] = {}
        self.commits = 0
        self.is_known_delivery = False

    @property
    def deps(self) -> Any:
        def unwrap(wrapped: bytes, name: str) -> bytes:
            content, _, place = wrapped.decode().partition("|")
            if place != name:
                raise DoesNotOpenError("打不开", "does not open")
            return content.encode()

        def send(*said: str) -> str:
            self.sent.append(said)
            return f"ref of {said[0]}"

        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_new"),
            secret_box=SimpleNamespace(
                wrap=lambda content, name: content + b"|" + name.encode(), unwrap=unwrap
            ),
            messenger=SimpleNamespace(send=send, is_simulated=True),
            work=self._work,
        )

    def _work(self, *, write: bool = True) -> Any:
        assert isinstance(write, bool)
        return self

    def __enter__(self) -> Any:
        people = {one.id: one for one in (ADULT, MINOR, FATHER, MOTHER)}

        def deliver(entry: NoticeDelivery) -> bool:
            self.deliveries.append(entry)
            return not self.is_known_delivery

        return SimpleNamespace(
            people=SimpleNamespace(get=people.__getitem__),
            payees=SimpleNamespace(
                contact_of=lambda person: next(
                    (one for one in reversed(self.contacts) if one.person_id == person), None
                ),
                get_contact=lambda name: next(one for one in self.contacts if one.id == name),
                add_contact=self.contacts.append,
                add_notice=self.notices.append,
                guardians_of=lambda minor: [o for o in self.guardians if o.minor_id == minor],
                add_guardian=self.guardians.append,
                undelivered=lambda: self.waiting,
                add_delivery=deliver,
            ),
            alarms=SimpleNamespace(
                raise_alarm=lambda code, subject, detail: self.alarms.update(
                    {(code, subject): detail}
                )
            ),
            commit=self._commit,
        )

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1

    def contact(self, phone: str, person: str = "per_1") -> Contact:
        with self as work:
            return record_contact(self.deps, work, person, phone, by="窗口甲", source="window")

    def guardian(self, who: Person = FATHER, minor: Person = MINOR, **fields: Any) -> Guardian:
        values = {"valid_from": TODAY, "by": "窗口甲", "reason": "户口簿", "source": "window"}
        with self as work:
            return record_guardian(self.deps, work, minor.id, who.id, **(values | fields))


# --- telephone numbers ----------------------------------------------------------------------------


def test_a_first_number_is_wrapped_in_its_own_place_and_announced_to_nobody() -> None:
    desk = Desk()
    assert desk.contact("10000000001") == Contact(
        "ctc_new", "per_1", 1, b"10000000001|person-contact/ctc_new", "0001", "window", "窗口甲",
        NOW,
    )  # fmt: skip
    assert len(desk.contacts) == 1 and desk.notices == []


def earlier(number: int = 1, phone: str = "10000000001", place: str = "") -> Contact:
    name = f"ctc_{number}"
    wrapped = f"{phone}|{place or f'person-contact/{name}'}".encode()
    return Contact(name, "per_1", number, wrapped, phone[-4:], "register", "x", NOW - DAY)


def test_another_number_is_told_to_the_one_before() -> None:
    desk = Desk()
    desk.contacts = [earlier()]
    made = desk.contact("10000000002")
    assert (made.version, made.tail) == (2, "0002") and desk.contacts[-1] == made
    [notice] = desk.notices
    assert (notice.person_id, notice.kind, notice.contact_id, notice.created_at) == (
        "per_1", "contact-change", "ctc_1", NOW,
    )  # fmt: skip
    assert notice.zh == (
        "您在医保报销系统登记的手机已改为尾号 0002 的号码。"
        "不是您本人办的，请马上拨打 12393 或到窗口。"
    )
    assert notice.en == (
        "Your registered mobile number now ends with 0002. If this was not you, call 12393 or come "
        "to the window at once."
    )


def test_the_number_that_stands_said_again_is_no_other_one() -> None:
    desk = Desk()
    desk.contacts = [earlier()]
    assert desk.contact("10000000001") == earlier()
    assert len(desk.contacts) == 1 and desk.notices == []


def test_a_number_that_does_not_open_any_more_is_recorded_anew() -> None:
    desk = Desk()
    desk.contacts = [earlier(place="elsewhere")]
    assert desk.contact("10000000001").version == 2 and len(desk.notices) == 1


@pytest.mark.parametrize(
    "phone", ["", "1000000000", "100000000001", "1000000000a", "１0000000001", "10000000001\n"]
)
def test_what_is_no_mobile_number_is_refused(phone: str) -> None:
    desk = Desk()
    with pytest.raises(AccountRefusedError) as caught:
        desk.contact(phone)
    assert (caught.value.zh, caught.value.en) == (
        "手机号应为 11 位数字", "a mobile number has 11 digits",
    )  # fmt: skip
    assert desk.contacts == []


# --- guardians ------------------------------------------------------------------------------------


def test_a_guardian_is_recorded_as_the_paper_says() -> None:
    desk = Desk()
    until = TODAY + DAY
    made = desk.guardian(valid_to=until)
    assert made == Guardian(
        "grd_new", "per_2", "per_3", TODAY, until, "window", "窗口甲", "户口簿", NOW
    )
    assert desk.guardians == [made]


def test_the_newest_entry_said_again_is_no_other_one() -> None:
    desk = Desk()
    known = replace(desk.guardian(), id="grd_1", recorded_at=NOW - DAY)
    desk.guardians = [known]
    assert desk.guardian() == known and desk.guardians == [known]
    for changed in ({"reason": "法院判决"}, {"by": "窗口乙"}, {"valid_to": TODAY}):
        desk.guardians = [known]
        assert desk.guardian(**changed) != known and len(desk.guardians) == 2
    desk.guardians = [known, replace(known, id="grd_2", guardian_id="per_4")]
    desk.guardian()
    assert len(desk.guardians) == 3, "another one was recorded in between"


@pytest.mark.parametrize(
    ("minor", "who", "fields", "words"),
    [
        (MINOR, MINOR, {}, ("监护人应是另一位成年人", "a guardian is another, adult person")),
        (FATHER, FATHER, {}, ("监护人应是另一位成年人", "a guardian is another, adult person")),
        (ADULT, FATHER, {}, ("成年人用本人账户", "an adult is paid to their own account")),
        (
            MINOR, FATHER, {"valid_to": TODAY - DAY},
            ("结束日期早于开始日期", "the last day is before the first"),
        ),
    ],
)  # fmt: skip
def test_who_cannot_be_a_guardian_is_refused(
    minor: Person, who: Person, fields: dict[str, Any], words: tuple[str, str]
) -> None:
    desk = Desk()
    with pytest.raises(AccountRefusedError) as caught:
        desk.guardian(who, minor, **fields)
    assert (caught.value.zh, caught.value.en) == words and desk.guardians == []


def test_a_guardian_for_one_day_is_one() -> None:
    assert Desk().guardian(valid_to=TODAY).valid_to == TODAY


# --- messages -------------------------------------------------------------------------------------


def notice(number: int, contact: str | None = "ctc_1") -> Notice:
    return Notice(f"ntc_{number}", "per_1", "recovery", f"第{number}", "no", contact, NOW)


def test_a_message_is_written_to_the_contact_that_is_known_now_or_to_the_page_alone() -> None:
    desk = Desk()
    with desk as work:
        alone = announce(desk.deps, work, "per_1", "recovery", zh="中", en="en")
        desk.contacts = [earlier()]
        known = announce(desk.deps, work, "per_1", "recovery", zh="中", en="en")
    assert alone == Notice("ntc_new", "per_1", "recovery", "中", "en", None, NOW)
    assert known == replace(alone, contact_id="ctc_1") and desk.notices == [alone, known]


def test_what_waits_is_handed_over_and_noted_one_by_one() -> None:
    desk = Desk()
    desk.contacts = [earlier(), earlier(2, "10000000002")]
    desk.waiting = [notice(1), notice(2, "ctc_2")]
    assert send_notices(desk.deps) == 2
    assert desk.sent == [
        ("ntc_1", "10000000001", "【衢州医保】第1"), ("ntc_2", "10000000002", "【衢州医保】第2"),
    ]  # fmt: skip
    assert desk.deliveries == [
        NoticeDelivery(f"ntc_{n}", f"ref of ntc_{n}", is_simulated=True, at=NOW) for n in (1, 2)
    ]
    assert desk.commits == 2 and desk.alarms == {}


def test_a_contact_that_does_not_open_keeps_only_its_own_messages() -> None:
    desk = Desk()
    desk.contacts = [earlier(place="elsewhere"), earlier(2, "10000000002")]
    desk.waiting = [notice(1), notice(2, "ctc_2")]
    assert send_notices(desk.deps) == 1
    assert [one[0] for one in desk.sent] == ["ntc_2"] and desk.commits == 2
    assert desk.alarms == {("contact-unreadable", "ctc_1"): "ntc_1: does-not-open"}


def test_a_delivery_that_was_noted_already_counts_for_nothing() -> None:
    desk = Desk()
    desk.contacts, desk.waiting, desk.is_known_delivery = [earlier()], [notice(1)], True
    assert send_notices(desk.deps) == 0 and len(desk.sent) == 1
    desk.waiting = []
    assert send_notices(desk.deps) == 0 and desk.commits == 1
