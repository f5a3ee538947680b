"""People name accounts, change them, take a change back; a minor has a guardian.

The book below knows what was typed, when, and what the bank says of a holder. Where money may go
at an instant is worked out from that alone, and never read from the tables of accounts.
"""

from __future__ import annotations

import copy
import datetime as dt
import secrets
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from backend.adapters.banks import listed_banks
from backend.adapters.database import tables
from backend.domain.errors import DomainError
from backend.domain.payout import ACCOUNT_GONE
from backend.service_layer.payees.declare import NamedAccount, cancel, declare
from backend.service_layer.payees.register import record_guardian
from tests.machine import promises
from tests.machine.money_end import EndingWalk

DELAY = dt.timedelta(hours=72)
BORN = dt.date(2015, 6, 1)
BANK = listed_banks(is_simulated=True)[0].code
WHOSE = ("own", "another's", "closed", "unknown")
REFUSALS = {
    "another's": "is not ",
    "closed": "the bank says that the account is closed",
    "unknown": "the bank does not know the account",
}


@dataclass
class Named:
    """An account as somebody named it and the bank confirmed it."""

    number: str
    holder: str
    at: dt.datetime
    effective_at: dt.datetime
    is_cancelled: bool = False


@dataclass
class AccountBook:
    """What was acknowledged of accounts; ``gone`` are numbers that the bank has called closed or
    wrong."""

    named: dict[str, list[Named]] = field(default_factory=dict)
    guardians: dict[str, list[tuple[dt.datetime, str]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def add(self, person_id: str, number: str, holder: str, now: dt.datetime) -> Named:
        """A confirmed account: the first takes effect at once, any other after the delay."""
        before = [one for one in self.named.setdefault(person_id, []) if not one.is_cancelled]
        made = Named(number, holder, now, now + DELAY if before else now)
        self.named[person_id].append(made)
        return made

    def in_effect(self, person_id: str, at: dt.datetime) -> Named | None:
        found = [
            one
            for one in self.named.get(person_id, [])
            if one.effective_at <= at and not one.is_cancelled
        ]
        return found[-1] if found else None

    def cancel(self, person_id: str, now: dt.datetime) -> int:
        waiting = [
            one
            for one in self.named.get(person_id, [])
            if one.effective_at > now and not one.is_cancelled
        ]
        for one in waiting:
            one.is_cancelled = True
        return len(waiting)

    def fault(self, person: Any, number: str, at: dt.datetime) -> str:
        """What speaks against sending this person's money to a number at an instant."""
        account = self.in_effect(person.id, at)
        if account is None:
            return "no account is in effect"
        if account.number != number:
            return f"{number} is not the account in effect, {account.number}"
        if account.number in self.gone:
            return f"the bank had said that {number} is closed"
        if person.id in self.guardians:
            named = [name for since, name in self.guardians[person.id] if since <= at]
            if not named or account.holder != named[-1]:
                return f"{account.holder} is not the guardian"
        elif account.holder != person.name:
            return f"it is {account.holder}'s"
        return ""


class AccountsWalk(EndingWalk):
    """The third of three people is a minor."""

    def _furnish(self) -> None:
        """Two people have an account from the beginning; the minor has a guardian and none."""
        super()._furnish()
        self.book = AccountBook()
        minor = self.people[-1]
        with self.world.services.engine.begin() as connection:
            connection.execute(
                sa.update(tables.person).where(tables.person.c.id == minor.id).values(birth_on=BORN)
            )
        self.others = [self.world.person(f"监护人{n}", f"guardian{n}") for n in range(2)]
        self.book.guardians[minor.id] = []
        self.guardian(0)
        for who in range(len(self.people) - 1):
            self.name_account(who, "own", 0)

    def _holder(self, person: Any) -> str:
        """In whose name the person's account has to be."""
        named = self.book.guardians.get(person.id)
        return person.name if named is None else named[-1][1]

    def _new_number(self, whose: str, holder: str) -> str:
        number = f"99990000{len(self.bank.holders):08d}"
        name = {"own": holder, "closed": holder, "another's": "测试别人"}.get(whose)
        if whose == "closed":
            self.bank.shut.add(number)
        if name is not None:
            self.bank.holders[number] = name
        else:
            self.bank.holders[f"{number}-unknown"] = ""
        return number

    def name_account(self, who: int, whose: str, days: int) -> None:
        """Somebody names an account, on a form that is sent twice; then days pass."""
        person = self.people[who]
        holder = self._holder(person)
        number = self._new_number(whose, holder)
        token = f"form-{len(self.bank.holders)}-{secrets.token_hex(4)}"
        named = NamedAccount(person.id, BANK, number, token, "citizen")
        services = self.world.services
        said = self.once(lambda: declare(services, named))
        if not isinstance(said, DomainError):
            assert whose == "own", f"{whose}: it was taken"
            self.book.add(person.id, number, holder, services.clock.now())
            self.note("an account named")
        elif not self.bank.is_down and "at most" not in said.en:
            assert whose != "own", said.en
            assert REFUSALS[whose] in said.en, said.en
            self.note(f"an account refused: {whose}")
        self.pass_time(days * 86_400)
        self.go_on(1)

    def cancel_change(self, who: int, is_fresh: bool) -> None:
        """A change is taken back, twice; ``is_fresh``: one that was made a moment ago."""
        if is_fresh:
            self.name_account(who, "own", 0)
        person, services = self.people[who], self.world.services
        found = cancel(services, person.id, "citizen", "不是我办的")
        again = cancel(services, person.id, "citizen", "不是我办的")
        waiting = self.book.cancel(person.id, services.clock.now())
        assert (found, again) == (waiting, 0), "a change that waited was taken back, once"
        if found:
            self.note("a change of account taken back")

    def guardian(self, place: int) -> None:
        """From today another person is registered as the minor's guardian."""
        minor, services = self.people[-1], self.world.services
        other = self.others[place % len(self.others)]
        now = services.clock.now()
        with services.work() as work:
            record_guardian(
                services, work, minor.id, other.id,
                valid_from=now.date(), by="窗口", reason="户口簿", source="window",
            )  # fmt: skip
            work.commit()
        before = self.book.guardians[minor.id]
        if before and before[-1][1] != other.name:
            self.note("another guardian")
        before.append((now, other.name))
        self.pass_time(1)  # entries of one instant would have no order

    # --- what must hold -------------------------------------------------------------------------

    def _check(self, books: promises.Books, new: list[Any]) -> None:
        """Each new instruction names the account that was in effect for its person."""
        super()._check(books, new)
        people = {person.id: person for person in self.people}
        box = self.world.services.secret_box
        for row in new:
            number = box.unwrap(row.wrapped_account, f"{row.id}:account").decode()
            fault = self.book.fault(people[row.person_id], number, row.created_at)
            assert not fault, f"{row.id}: {fault}"
        services = self.world.services
        now = services.clock.now()
        with services.work(write=False) as work:
            for person in self.people:
                found = services.payees.account_for(work, person.id, now).account
                fault = found and self.book.fault(person, found.number, now)
                assert not fault, f"{person.name} would be paid wrongly: {fault}"
        rows = {row.id: row for row in books.all(tables.payment_attempt)}
        for answer in books.all(tables.payment_answer):
            if answer.status != "paid" and answer.reason_code in ACCOUNT_GONE:
                row = rows[answer.attempt_id]
                number = box.unwrap(row.wrapped_account, f"{row.id}:account").decode()
                if row.account_version:
                    self.book.gone.add(number)

    def _kept_of_accounts(self) -> Any:
        """Accounts are no part of any other side: what a copy does not hold is named again."""
        return copy.deepcopy(self.book)

    def _mend(self) -> None:
        """Everybody names an account that is right, and the delay passes."""
        super()._mend()
        self.pass_time(2 * 86_400)  # not more than so many a day
        for who in range(len(self.people)):
            self.name_account(who, "own", 0)
        self.pass_time(int(DELAY.total_seconds()))
