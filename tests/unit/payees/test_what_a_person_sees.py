"""What a person's page shows of their account: where money goes, what waits, what bars it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.lost_period import Doubt
from backend.domain.payee import Standing
from backend.service_layer.claims.records import Person
from backend.service_layer.payees import read
from backend.service_layer.payees.read import view_account, with_payee
from backend.service_layer.payees.records import Account, AccountEvent
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


class Page:
    def __init__(self, *accounts: Account, person: Person = ADULT) -> None:
        self.accounts = list(accounts)
        self.person = person
        self.guardians: list[Any] = []
        self.contact: Any = SimpleNamespace(tail="0001")
        self.proofs: dict[str, list[str]] = {}

    def view(self) -> Any:
        deps: Any = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW), settings=SimpleNamespace(payee_delay=DELAY)
        )
        people = {one.id: one for one in (self.person, FATHER)}
        me = self.person.id
        work: Any = SimpleNamespace(
            people=SimpleNamespace(get=people.__getitem__),
            payees=SimpleNamespace(
                accounts_of=lambda name: self.accounts if name == me else [],
                contact_of=lambda name: self.contact if name == me else None,
                guardians_of=lambda name: self.guardians if name == me else [],
                notices_of=lambda name, *, limit: [f"notice of {name}"] * min(limit, 9),
                proofs_of=lambda name: [
                    SimpleNamespace(action=action) for action in self.proofs.get(name, [])
                ],
            ),
        )
        return view_account(deps, work, me)


@pytest.fixture(autouse=True)
def nothing_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """No backup was restored."""
    monkeypatch.setattr(read, "doubted", lambda deps, work, person: None)


def test_the_account_in_effect_and_the_change_that_waits_are_shown() -> None:
    now, later = row(1), row(2, effective_at=NOW + HOUR)
    found = Page(Account(now), Account(later)).view()
    assert (found.standing, found.in_effect, found.waiting) == (Standing.IN_EFFECT, now, later)
    assert (found.holder, found.is_guardian, found.bar, found.bar_en) == ("测试甲子", False, "", "")
    assert (found.contact_tail, found.delay, found.unproven) == ("0001", DELAY, None)
    assert found.notices == ("notice of per_1",) * 5, "the newest five"


def test_without_an_account_or_a_contact_the_page_says_so() -> None:
    page = Page()
    page.contact = None
    found = page.view()
    assert (found.standing, found.in_effect, found.waiting) == (Standing.MISSING, None, None)
    assert (found.contact_tail, found.unproven, found.holder) == ("", None, "测试甲子")


def test_a_minors_page_names_the_guardian_or_what_bars_an_account() -> None:
    page = Page(person=MINOR)
    found = page.view()
    assert (found.holder, found.is_guardian) == ("", False)
    assert found.bar.startswith("未成年人的报销款打到监护人账户")
    assert found.bar_en.startswith("money of a minor goes to the guardian's account")
    page.guardians = [guardian(FATHER)]
    found = page.view()
    assert (found.holder, found.is_guardian, found.bar) == ("测试父亲", True, "")


@pytest.mark.parametrize(
    ("steps", "is_shown"),
    [([], True), (["proposed"], True), (["proposed", "confirmed"], False), (["refused"], False)],
)
def test_an_account_that_nobody_has_proved_is_shown_until_its_proof_is_over(
    steps: list[str], is_shown: bool
) -> None:
    unproved = row(2, verdict="unchecked", effective_at=None)
    page = Page(Account(unproved), Account(row(1)))
    page.proofs = {"acc_2": steps, "acc_1": ["refused"]}
    assert page.view().unproven == (unproved if is_shown else None)


def test_only_the_newest_account_waits_for_a_proof() -> None:
    unproved = row(1, verdict="unchecked", effective_at=None)
    assert Page(Account(unproved), Account(row(2))).view().unproven is None
    assert Page(Account(row(2)), Account(unproved)).view().unproven is None


def test_an_account_in_doubt_is_shown_with_its_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(row(1))
    doubt = Doubt(NOW + DAY, NOW - DAY, NOW, may_confirm=True)

    def doubted(deps: Any, work: Any, person: str) -> tuple[Account, Doubt]:
        assert deps.clock.now() == NOW and work.payees and person == "per_1"
        return account, doubt

    monkeypatch.setattr(read, "doubted", doubted)
    found = Page(account).view()
    assert (found.doubted, found.doubt, found.in_effect) == (account.row, doubt, account.row)


def test_without_a_restored_backup_nothing_is_in_doubt() -> None:
    found = Page(Account(row(1))).view()
    assert (found.doubted, found.doubt) == (None, None)


def test_a_closed_account_is_none_in_effect() -> None:
    closed = Account(row(), (AccountEvent("acc_1", "closed", "bank", "AC04", NOW - DAY),))
    found = Page(closed).view()
    assert (found.standing, found.in_effect) == (Standing.CLOSED, None)


def test_a_person_is_told_with_bank_and_last_digits_of_what_is_in_effect() -> None:
    account = SimpleNamespace(bank_name="示例银行（测试）", tail="6217")
    asked: list[Any] = []

    def account_for(work: Any, person: str, at: dt.datetime) -> Any:
        asked.append((work, person, at))
        return SimpleNamespace(account=account if person == "per_1" else None)

    deps = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: NOW), payees=SimpleNamespace(account_for=account_for)
    )
    before = replace(MINOR, payee_bank="旧银行", payee_account_tail="9999")
    assert with_payee(deps, "work", before) == replace(before, payee_bank="", payee_account_tail="")
    assert with_payee(deps, "work", ADULT) == replace(
        ADULT, payee_bank="示例银行（测试）", payee_account_tail="6217"
    )
    assert asked == [("work", "per_2", NOW), ("work", "per_1", NOW)]
