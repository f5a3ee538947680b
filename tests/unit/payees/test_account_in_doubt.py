"""After a restored backup a person says that the account on record is still right."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.lost_period import Doubt
from backend.domain.payee import AccountRefusedError
from backend.service_layer.payees.confirm import confirm_account, doubted
from backend.service_layer.payees.records import Account, AccountEvent, Confirmation
from tests.unit.payees.test_whose_account import DAY, HOUR, NOW, row

DOUBT = Doubt(NOW - HOUR, NOW - DAY, NOW - HOUR, may_confirm=True)
IN_DOUBT = Account(row(2), doubt=DOUBT)


class Window:
    def __init__(self, *accounts: Account) -> None:
        self.accounts = list(accounts)
        self.confirmed: list[Confirmation] = []
        self.notices: list[Any] = []
        self.locked: list[str] = []
        self.commits = 0

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=lambda: self,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_new"),
        )

    def __enter__(self) -> Any:
        return SimpleNamespace(
            people=SimpleNamespace(lock=self.locked.append),
            payees=SimpleNamespace(
                accounts_of=lambda name: self.accounts if name == "per_1" else [],
                add_confirmation=self.confirmed.append,
                contact_of=lambda name: SimpleNamespace(id="con_1") if name == "per_1" else None,
                add_notice=self.notices.append,
            ),
            commit=self._commit,
        )

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1

    def confirm(self, version: int = 2, person: str = "per_1") -> bool:
        return confirm_account(self.deps, person, version, "citizen:1", "本人确认")

    def found(self) -> Any:
        with self as work:
            return doubted(self.deps, work, "per_1")


def test_a_word_keeps_the_account_and_the_contact_is_told() -> None:
    window = Window(Account(row(1)), IN_DOUBT)
    assert window.confirm() is True
    assert window.confirmed == [Confirmation("cnf_new", "acc_2", "citizen:1", "本人确认", NOW)]
    [notice] = window.notices
    assert (notice.person_id, notice.kind, notice.contact_id) == (
        "per_1", "account-confirmed", "con_1",
    )  # fmt: skip
    assert notice.zh == (
        "收款账户已确认还是示例银行（测试）尾号 6217，报销款照常打到这里。"
        "不是您本人办的，请马上拨打 12393 或到窗口。"
    )
    assert notice.en == (
        "Your account was confirmed: benefits go on to 示例银行（测试）, ending 6217. "
        "If this was not you, call 12393 or come to the window at once."
    )
    assert window.locked == ["per_1"] and window.commits == 1


@pytest.mark.parametrize(
    "accounts",
    [
        (), (Account(row(2)),), (IN_DOUBT, Account(row(3))),
        (Account(row(2, effective_at=NOW + HOUR), doubt=DOUBT),),
        (Account(row(2, effective_at=None), doubt=DOUBT),),
        (replace(IN_DOUBT, events=(AccountEvent("acc_2", "closed", "bank", "AC04", NOW),)),),
        (replace(IN_DOUBT, events=(AccountEvent("acc_2", "cancelled", "x", "", NOW),)),),
    ],
    ids=["none", "no doubt", "a newer one", "waiting", "unconfirmed", "closed", "cancelled"],
)  # fmt: skip
def test_where_nothing_is_in_doubt_a_word_changes_nothing(accounts: tuple[Account, ...]) -> None:
    window = Window(*accounts)
    assert window.found() is None and window.confirm() is False
    assert window.confirmed == [] and window.notices == [] and window.commits == 0


def test_the_account_in_effect_is_shown_with_a_doubt_that_may_begin_later() -> None:
    later = replace(IN_DOUBT, doubt=replace(DOUBT, at=NOW + DAY))
    assert Window(Account(row(3, effective_at=NOW + HOUR)), later).found() == (later, later.doubt)
    closing = AccountEvent("acc_2", "closed", "bank", "AC04", NOW + dt.timedelta(seconds=1))
    assert Window(replace(IN_DOUBT, events=(closing,))).found() is not None


def refused(window: Window, version: int = 2) -> tuple[str, str]:
    with pytest.raises(AccountRefusedError) as caught:
        window.confirm(version)
    assert window.confirmed == [] and window.notices == [] and window.commits == 0
    return caught.value.zh, caught.value.en


def test_only_the_account_that_was_shown_is_confirmed() -> None:
    assert refused(Window(IN_DOUBT), version=1) == (
        "账户刚才变了，没有确认。请再看一遍",
        "the account has changed meanwhile, so nothing was confirmed: look again",
    )


def test_what_waited_in_the_copy_is_named_again() -> None:
    assert refused(Window(replace(IN_DOUBT, doubt=replace(DOUBT, may_confirm=False)))) == (
        "这个账户备份时还没有生效，不能直接确认。请重新填写一次",
        "this account was not in effect yet when the backup was made: name it again",
    )
