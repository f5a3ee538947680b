"""Where money may go: the person's own account, a minor's guardian's, and no one else's."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.payee import AccountRefusedError
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.effective import VerifiedAccounts, mark_closed
from backend.service_layer.payees.holder import guardian_of, holder_of
from backend.service_layer.payees.records import Account, AccountEvent, AccountRow, Guardian
from backend.service_layer.payout.records import AccountAnswer, PayeeAccount

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
TODAY = dt.date(2026, 11, 20)
ADULT = Person("per_1", "测试甲子", "TEST-0001", dt.date(1985, 1, 1), "女", "", "")
MINOR = replace(ADULT, id="per_2", name="测试小明", birth_on=dt.date(2015, 1, 1))
FATHER = replace(ADULT, id="per_3", name="测试父亲")
MOTHER = replace(ADULT, id="per_4", name="测试母亲")


def row(version: int = 1, **fields: Any) -> AccountRow:
    values: dict[str, Any] = {
        "id": f"acc_{version}", "person_id": "per_1", "holder_id": "per_1", "holder": "测试甲子",
        "bank_name": "示例银行（测试）", "bank_code": "102", "tail": "6217",
        "wrapped_number": b"TEST-6217", "number_lookup": b"", "verdict": "match",
        "is_simulated": True, "effective_at": NOW - DAY, "form_token": "t",
        "declared_by": "per_1", "declared_at": NOW - DAY,
    }  # fmt: skip
    return AccountRow(version=version, **(values | fields))


def guardian(who: Person, number: int = 1, **fields: Any) -> Guardian:
    values: dict[str, Any] = {
        "minor_id": "per_2", "valid_from": dt.date(2020, 1, 1), "valid_to": None,
        "source": "register", "recorded_by": "甲", "reason": "户口簿", "recorded_at": NOW - DAY,
    }  # fmt: skip
    return Guardian(id=f"gua_{number}", guardian_id=who.id, **(values | fields))


class Rows:
    def __init__(self, *accounts: Account, guardians: tuple[Guardian, ...] = ()) -> None:
        self.accounts, self.guardians = list(accounts), list(guardians)
        self.events: list[AccountEvent] = []

    @property
    def work(self) -> Any:
        people = {one.id: one for one in (ADULT, MINOR, FATHER, MOTHER)}

        def add_event(event: AccountEvent) -> bool:
            self.events.append(event)
            return True

        return SimpleNamespace(
            people=SimpleNamespace(get=people.__getitem__),
            payees=SimpleNamespace(
                accounts_of=lambda person: [
                    one for one in self.accounts if one.row.person_id == person
                ],
                guardians_of=lambda minor: self.guardians if minor == "per_2" else [],
                add_event=add_event,
            ),
        )


class Box:
    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        assert context.startswith("payee-account/acc_")
        return wrapped


def answer(rows: Rows, person: Person = ADULT) -> AccountAnswer:
    box: Any = Box()
    return VerifiedAccounts(box).account_for(rows.work, person.id, NOW)


# --- the account in effect ------------------------------------------------------------------------


def test_the_account_in_effect_is_given_whole() -> None:
    assert answer(Rows(Account(row()))) == AccountAnswer(
        PayeeAccount("per_1", 1, "测试甲子", "示例银行（测试）", "102", "TEST-6217")
    )


@pytest.mark.parametrize(
    ("accounts", "reason"),
    [
        ((), "account-missing"),
        ((Account(row(effective_at=None)),), "account-unverified"),
        ((Account(row(effective_at=NOW + HOUR)),), "account-delay"),
        ((Account(row(), (AccountEvent("acc_1", "closed", "bank", "AC04", NOW),)),),
         "account-closed"),
    ],
)  # fmt: skip
def test_without_an_account_in_effect_its_reason_is_given(
    accounts: tuple[Account, ...], reason: str
) -> None:
    assert answer(Rows(*accounts)) == AccountAnswer(None, reason)


@pytest.mark.parametrize(
    "changed", [{"holder_id": "per_3"}, {"holder": "测试甲丑"}], ids=["another", "another name"]
)
def test_an_account_of_somebody_else_counts_as_not_verified(changed: dict[str, Any]) -> None:
    assert answer(Rows(Account(row(**changed)))) == AccountAnswer(None, "account-unverified")


def test_a_minors_money_goes_to_the_guardian_and_waits_without_one() -> None:
    of_father = Account(row(person_id="per_2", holder_id="per_3", holder="测试父亲"))
    assert answer(Rows(of_father), MINOR) == AccountAnswer(None, "account-missing")
    found = answer(Rows(of_father, guardians=(guardian(FATHER),)), MINOR).account
    assert found is not None and (found.person_id, found.holder) == ("per_2", "测试父亲")
    # Another guardian was registered since.
    rows = Rows(of_father, guardians=(guardian(MOTHER),))
    assert answer(rows, MINOR) == AccountAnswer(None, "account-unverified")


# --- who is the holder ----------------------------------------------------------------------------


def test_whoever_comes_of_age_is_the_holder_from_that_day_on() -> None:
    work = Rows(guardians=(guardian(FATHER),)).work
    born = dt.date(2008, 11, 20)
    assert holder_of(work, replace(MINOR, birth_on=born), NOW).id == "per_2"
    assert holder_of(work, replace(MINOR, birth_on=born + DAY), NOW).id == "per_3"
    # Midnight in Shanghai is 16:00 UTC of the day before.
    before = dt.datetime(2026, 11, 19, 16, 0, tzinfo=dt.UTC)
    assert holder_of(work, replace(MINOR, birth_on=born), before).id == "per_2"
    assert holder_of(work, replace(MINOR, birth_on=born), before - HOUR).id == "per_3"


def test_a_minor_without_a_guardian_is_told_where_one_is_registered() -> None:
    with pytest.raises(AccountRefusedError) as caught:
        holder_of(Rows().work, MINOR, NOW)
    assert caught.value.zh == (
        "未成年人的报销款打到监护人账户，系统里还没有登记监护人。请监护人带户口簿到医保窗口登记"
    )
    assert caught.value.en == (
        "money of a minor goes to the guardian's account, and no guardian is registered: "
        "the guardian has it registered at the window"
    )


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"valid_from": TODAY}, True),
        ({"valid_from": TODAY + DAY}, False),
        ({"valid_to": TODAY}, True),
        ({"valid_to": TODAY - DAY}, False),
    ],
)
def test_a_guardian_counts_on_the_days_that_the_register_has(
    fields: dict[str, Any], counts: bool
) -> None:
    found = guardian_of(Rows(guardians=(guardian(FATHER, **fields),)).work, MINOR, NOW)
    assert found == (FATHER if counts else None)


def test_of_two_guardians_the_one_recorded_last_counts_and_an_end_ends_an_earlier_entry() -> None:
    first = guardian(FATHER, 1, recorded_at=NOW - 3 * DAY)
    second = guardian(MOTHER, 2, recorded_at=NOW - 2 * DAY)
    assert guardian_of(Rows(guardians=(second, first)).work, MINOR, NOW) == MOTHER
    ended = guardian(MOTHER, 3, recorded_at=NOW - DAY, valid_to=TODAY - DAY)
    assert guardian_of(Rows(guardians=(ended, second, first)).work, MINOR, NOW) == FATHER
    # Recorded in one instant: the later entry.
    same = guardian(MOTHER, 4, recorded_at=first.recorded_at)
    assert guardian_of(Rows(guardians=(same, first)).work, MINOR, NOW) == MOTHER
    assert guardian_of(Rows(guardians=(first, same)).work, MINOR, NOW) == MOTHER


# --- what the bank says of an account ------------------------------------------------------------


def closed(rows: Rows, version: int) -> bool:
    return mark_closed(
        rows.work, "per_1", version, by="bank", reason="AC04: C1-V1-A1", at=NOW
    )  # fmt: skip


def test_an_account_that_the_bank_calls_closed_is_closed_once_and_that_version_alone() -> None:
    rows = Rows(Account(row(1)), Account(row(2)))
    assert closed(rows, 2) is True
    assert rows.events == [AccountEvent("acc_2", "closed", "bank", "AC04: C1-V1-A1", NOW)]
    known = Rows(Account(row(1), (AccountEvent("acc_1", "closed", "bank", "", NOW),)))
    assert closed(known, 1) is False and known.events == []
    assert closed(known, 3) is False
    cancelled = Rows(Account(row(1), (AccountEvent("acc_1", "cancelled", "per_1", "", NOW),)))
    assert closed(cancelled, 1) is True
