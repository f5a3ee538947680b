"""Naming an account: what is asked, stored, announced, refused, and taken back (docs/payees.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import ConflictError, DomainError
from backend.domain.payee import AccountRefusedError
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.declare import NamedAccount, cancel, declare, waiting_change
from backend.service_layer.payees.records import Account, AccountEvent, AccountRow, Notice
from backend.service_layer.payout.records import NameMatch, NameVerdict
from tests.unit.payees.test_whose_account import (
    ADULT,
    DAY,
    FATHER,
    HOUR,
    MINOR,
    NOW,
    guardian,
    row,
)

DELAY = dt.timedelta(hours=72)
NUMBER = "6217000000006217"
LOOKUP = b"payee-account:102/6217000000006217"
FORM = NamedAccount("per_1", "102", "6217 0000-0000 6217", "form-1", "citizen:1")
MATCH = NameMatch(NameVerdict.MATCH, simulated=True)


class Desk:
    """One person's accounts and a bank that says what it is told to."""

    def __init__(self, *rows: AccountRow, person: Person = ADULT) -> None:
        self.accounts = [Account(one) for one in rows]
        self.person = person
        self.match = MATCH
        self.asked: list[tuple[str, ...]] = []
        self.before_lock: Callable[[], None] = lambda: None
        self.locked: list[str] = []
        self.added: list[AccountRow] = []
        self.events: list[AccountEvent] = []
        self.notices: list[Notice] = []
        self.guardians: list[Any] = []
        self.commits = 0

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=self._work,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_new"),
            settings=SimpleNamespace(payee_delay=DELAY),
            banks=(SimpleNamespace(code="101", name="另一银行"),
                   SimpleNamespace(code="102", name="示例银行（测试）")),
            bank=SimpleNamespace(check_name=self._check),
            secret_box=SimpleNamespace(
                lookup=lambda kind, text: f"{kind}:{text}".encode(),
                wrap=lambda content, name: content + b"|" + name.encode(),
            ),
        )  # fmt: skip

    def _work(self, *, write: bool = True) -> Any:
        assert isinstance(write, bool)
        return self

    def _check(self, *asked: str) -> NameMatch:
        self.asked.append(asked)
        return self.match

    def __enter__(self) -> Any:
        def lock(name: str) -> None:
            self.before_lock()
            self.locked.append(name)

        def add(made: AccountRow) -> None:
            self.added.append(made)
            self.accounts.append(Account(made))

        def add_event(event: AccountEvent) -> bool:
            self.events.append(event)
            self.accounts = [
                replace(one, events=(*one.events, event)) if one.row.id == event.account_id else one
                for one in self.accounts
            ]
            return True

        people = {one.id: one for one in (self.person, FATHER)}
        return SimpleNamespace(
            people=SimpleNamespace(get=people.__getitem__, lock=lock),
            payees=SimpleNamespace(
                accounts_of=lambda name: list(self.accounts) if name == self.person.id else [],
                by_token=lambda token: next(
                    (one.row for one in self.accounts if one.row.form_token == token), None
                ),
                add_account=add,
                add_event=add_event,
                guardians_of=lambda minor: self.guardians,
                contact_of=lambda name: (
                    SimpleNamespace(id="con_1") if name == self.person.id else None
                ),
                add_notice=self.notices.append,
            ),
            commit=self._commit,
        )

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1

    def refuses(
        self, form: NamedAccount, error: type[DomainError], *words: str, stored: int = 0
    ) -> None:
        before = len(self.added)
        with pytest.raises(error) as caught:
            declare(self.deps, form)
        assert (caught.value.zh, caught.value.en) == words
        assert (len(self.added) - before, self.commits, self.notices) == (stored, stored, [])


# --- the first account ----------------------------------------------------------------------------


def test_a_first_account_that_the_bank_confirms_is_in_effect_at_once_and_not_announced() -> None:
    desk = Desk()
    made = declare(desk.deps, FORM)
    assert made == AccountRow(
        id="acc_new", person_id="per_1", version=1, holder_id="per_1", holder="测试甲子",
        bank_name="示例银行（测试）", bank_code="102",
        wrapped_number=b"6217000000006217|payee-account/acc_new", tail="6217",
        number_lookup=LOOKUP, verdict="match", is_simulated=True, effective_at=NOW,
        form_token="form-1", declared_by="citizen:1", declared_at=NOW,
    )  # fmt: skip
    assert desk.asked == [("测试甲子", NUMBER, "102")]
    assert (desk.added, desk.notices, desk.locked, desk.commits) == ([made], [], ["per_1"], 1)


def test_a_minors_account_is_the_guardians() -> None:
    desk = Desk(person=MINOR)
    desk.guardians = [guardian(FATHER)]
    made = declare(desk.deps, replace(FORM, person_id="per_2"))
    assert (made.person_id, made.holder_id, made.holder) == ("per_2", "per_3", "测试父亲")
    assert desk.asked == [("测试父亲", NUMBER, "102")] and desk.locked == ["per_2"]


@pytest.mark.parametrize(
    ("verdict", "zh", "en"),
    [
        (
            NameVerdict.NO_MATCH,
            "银行说这个账户不是 测试甲子 名下的。请用 测试甲子 本人的账户",
            "the bank says that the account is not 测试甲子's; name one that is",
        ),
        (
            NameVerdict.CLOSED,
            "银行说这个账户已经销户。请换一个在用的账户",
            "the bank says that the account is closed; name one in use",
        ),
        (
            NameVerdict.UNKNOWN,
            "银行查不到这个账户。请核对账号和开户银行",
            "the bank does not know the account; check its number and bank",
        ),
    ],
)
def test_what_the_bank_does_not_confirm_is_kept_and_never_paid_to(
    verdict: NameVerdict, zh: str, en: str
) -> None:
    desk = Desk()
    desk.match = NameMatch(verdict, simulated=False)
    desk.refuses(FORM, AccountRefusedError, zh, en, stored=1)
    [kept] = desk.added
    assert (kept.verdict, kept.effective_at, kept.is_simulated) == (str(verdict), None, False)
    # The same form again is told the same, and the bank is not asked again.
    desk.commits = 0
    desk.refuses(FORM, AccountRefusedError, zh, en)
    assert len(desk.asked) == 1


def test_without_a_bank_to_ask_the_account_is_stored_and_waits_for_its_proof() -> None:
    desk = Desk()
    desk.match = NameMatch(NameVerdict.UNCHECKED, simulated=False)
    made = declare(desk.deps, FORM)
    assert (made.verdict, made.effective_at, desk.commits) == ("unchecked", None, 1)
    assert declare(desk.deps, FORM) == made and desk.commits == 1


def test_the_bank_is_chosen_from_the_list() -> None:
    desk = Desk()
    desk.refuses(
        replace(FORM, bank_code="103"), AccountRefusedError,
        "请选择开户银行", "choose the bank of the account",
    )  # fmt: skip
    assert desk.asked == []


# --- a change -------------------------------------------------------------------------------------


def test_a_change_waits_72_hours_and_its_end_is_announced_by_the_clock_of_china() -> None:
    desk = Desk(row(3, number_lookup=b"other", form_token="t3"), row(1, form_token="t1"))
    made = declare(desk.deps, FORM)
    assert (made.version, made.effective_at) == (4, NOW + DELAY)
    [notice] = desk.notices
    assert (notice.person_id, notice.kind, notice.contact_id) == (
        "per_1", "account-change", "con_1",
    )  # fmt: skip
    # 02:00 UTC of the 20th and 72 hours is 10:00 of the 23rd in China.
    assert notice.zh == (
        "您的医保报销收款账户将从 2026年11月23日 10:00 起改为示例银行（测试）尾号 6217。"
        "不是您本人办的，请在此之前打开“一触即办”的“收款账户”撤销，或拨打 12393。"
    )
    assert notice.en == (
        "From 2026-11-23 10:00 your benefits go to 示例银行（测试）, ending 6217. "
        "If this was not you, cancel it under 收款账户 before then, or call 12393."
    )


def test_an_account_that_was_never_confirmed_is_no_earlier_one() -> None:
    desk = Desk(row(1, verdict="no-match", effective_at=None, form_token="t1"))
    made = declare(desk.deps, FORM)
    assert (made.version, made.effective_at, desk.notices) == (2, NOW, [])


# --- the same again -------------------------------------------------------------------------------


def test_the_same_form_again_gives_what_is_stored_and_asks_nobody() -> None:
    desk = Desk()
    made = declare(desk.deps, FORM)
    assert declare(desk.deps, replace(FORM, by="citizen:2")) == made
    assert (len(desk.asked), len(desk.added), desk.commits) == (1, 1, 1)


def test_a_form_with_another_number_or_of_another_person_stores_nothing() -> None:
    desk = Desk(row(1, number_lookup=LOOKUP, form_token="form-1", verdict="unchecked"))
    desk.refuses(
        replace(FORM, number="6217000000001111"), AccountRefusedError,
        "这张表单已经交过另一个账号，这次没有保存。请在本页再填一次",
        "this form was sent with another number, so nothing was stored; fill it in again",
    )  # fmt: skip
    other = Desk(row(1, person_id="per_9", number_lookup=LOOKUP, form_token="form-1"))
    other.refuses(
        FORM, ConflictError, "表单已用过，请重新打开页面", "the form was used; open it again"
    )


@pytest.mark.parametrize("effective_at", [NOW - DAY, NOW + HOUR])
def test_the_account_in_effect_or_waiting_is_not_stored_again(effective_at: dt.datetime) -> None:
    known = row(2, number_lookup=LOOKUP, effective_at=effective_at, form_token="t2")
    desk = Desk(row(1, number_lookup=b"other", form_token="t1"), known)
    assert declare(desk.deps, FORM) == known
    assert desk.asked == [] and desk.added == []


@pytest.mark.parametrize("former", [{"holder": "测试旧名"}, {"holder_id": "per_3"}])
def test_in_a_former_name_or_a_former_guardians_it_is_confirmed_again(
    former: dict[str, Any],
) -> None:
    desk = Desk(row(1, number_lookup=LOOKUP, form_token="t1", **former))
    made = declare(desk.deps, FORM)
    assert (made.version, made.holder, made.effective_at) == (2, "测试甲子", NOW + DELAY)


def test_an_account_that_was_left_for_another_is_named_again_like_any_change() -> None:
    old = row(1, number_lookup=LOOKUP, form_token="t1")
    desk = Desk(old, row(2, number_lookup=b"other", form_token="t2"))
    assert declare(desk.deps, FORM).version == 3


def test_what_another_form_has_stored_while_the_bank_was_asked_is_given() -> None:
    desk = Desk()
    meanwhile = row(1, number_lookup=LOOKUP, form_token="form-2", effective_at=NOW)
    desk.before_lock = lambda: desk.accounts.append(Account(meanwhile))
    assert declare(desk.deps, FORM) == meanwhile
    assert (len(desk.asked), desk.added, desk.commits) == (1, [], 0)


# --- five a day -----------------------------------------------------------------------------------

TOO_MANY = (
    "一天最多填 5 次账户。现在的账户没有变，请明天再试，或到窗口办理",
    "an account is named at most 5 times a day. Nothing has changed: try tomorrow, or at the "
    "window",
)


def tried(count: int, at: dt.datetime) -> list[AccountRow]:
    return [
        row(n, declared_at=at, verdict="unknown", effective_at=None, form_token=f"t{n}")
        for n in range(1, count + 1)
    ]


def test_the_bank_is_asked_about_five_accounts_a_day_and_no_more() -> None:
    desk = Desk(*tried(5, NOW - DAY + dt.timedelta(seconds=1)))
    desk.refuses(FORM, AccountRefusedError, *TOO_MANY)
    assert desk.asked == []
    assert declare(Desk(*tried(4, NOW)).deps, FORM).version == 5
    assert declare(Desk(*tried(5, NOW - DAY)).deps, FORM).version == 6, "24 hours have gone by"


def test_the_sixth_of_two_forms_at_once_is_refused_under_the_lock() -> None:
    desk = Desk(*tried(4, NOW))
    [fifth] = [replace(one, version=5, id="acc_5", form_token="t5") for one in tried(1, NOW)]
    desk.before_lock = lambda: desk.accounts.append(Account(fifth))
    desk.refuses(FORM, AccountRefusedError, *TOO_MANY)
    assert len(desk.asked) == 1


def test_the_fifth_form_of_a_day_sent_again_gives_what_is_stored() -> None:
    desk = Desk(*tried(4, NOW))
    made = declare(desk.deps, FORM)
    assert declare(desk.deps, FORM) == made
    assert declare(desk.deps, replace(FORM, form_token="form-2")) == made, "it is in effect"
    assert len(desk.asked) == 1 and desk.added == [made]


# --- taking a change back -------------------------------------------------------------------------


def changed(version: int, hours: int, **fields: Any) -> AccountRow:
    """A change that takes effect in so many hours."""
    return row(
        version, effective_at=NOW + hours * HOUR, tail=f"000{version}", form_token="", **fields
    )


def test_every_waiting_change_is_taken_back_and_the_account_before_stays() -> None:
    desk = Desk(row(1), changed(2, 1), changed(3, 2))
    assert cancel(desk.deps, "per_1", "citizen:1", "不是我办的") == 2
    assert desk.events == [
        AccountEvent(f"acc_{n}", "cancelled", "citizen:1", "不是我办的", NOW) for n in (2, 3)
    ]
    [notice] = desk.notices
    assert (notice.person_id, notice.kind, notice.contact_id, notice.zh, notice.en) == (
        "per_1", "account-change-cancelled", "con_1",
        "收款账户的更改已撤销，现在是：示例银行（测试）尾号 6217。",
        "The change of your account is cancelled; the one before stays.",
    )  # fmt: skip
    assert desk.locked == ["per_1"] and desk.commits == 1


def test_with_the_change_taken_back_there_may_be_no_account() -> None:
    closed = AccountEvent("acc_1", "closed", "bank", "AC04", NOW - HOUR)
    desk = Desk(changed(2, 1))
    desk.accounts.insert(0, Account(row(1), (closed,)))
    assert cancel(desk.deps, "per_1", "citizen:1", "") == 1
    [notice] = desk.notices
    assert notice.zh == "收款账户的更改已撤销，现在是：没有账户。"
    assert notice.en == "The change of your account is cancelled; there is none now."


def test_what_took_effect_a_moment_ago_is_not_taken_back() -> None:
    desk = Desk(row(1), changed(2, 0))
    assert cancel(desk.deps, "per_1", "citizen:1", "") == 0
    assert desk.events == [] and desk.notices == []


def test_the_newest_waiting_change_is_the_one_that_is_shown() -> None:
    desk = Desk(changed(3, 1), changed(2, 2), row(4), row(5, effective_at=None))
    with desk.deps.work() as work:
        found = waiting_change(work, "per_1", NOW)
        assert found is not None and found.row.version == 3
        assert waiting_change(work, "per_9", NOW) is None
        assert waiting_change(work, "per_1", NOW + HOUR * 2) is None
