"""Accounts, guardians and telephone numbers of the sample citizens, all invented.

The accounts are made known to the simulated bank first, and then named as a citizen would: the
bank confirms each holder.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.bank.simulated_book import KnownAccount
from backend.bootstrap import Services
from backend.domain.payee import ADULT_AT
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.declare import NamedAccount, declare
from backend.service_layer.payees.register import record_contact, record_guardian
from scripts.sample_data.citizens import Citizen
from scripts.sample_data.payment_cases import CASES

BY: Final = "sample data"


def account_number_of(citizen: Citizen) -> str:
    """Nineteen digits that begin with 9999, which no card has, and end as the sample says."""
    case = CASES.get(citizen.index)
    tail = case.tail if case is not None and case.tail else _usual(citizen.payee_account_tail)
    return _number(citizen.username, tail)


def spare_account_of(citizen: Citizen) -> str:
    """A second account in the same name, for trying out a change: payments to it arrive."""
    tail = f"{(int(citizen.payee_account_tail) + 1) % 10_000:04d}"
    return _number(f"{citizen.username}/spare", _usual(tail))


def _number(seed: str, tail: str) -> str:
    middle = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    return f"9999{middle % 10**11:011d}{tail}"


def _usual(tail: str) -> str:
    """Endings with three noughts ask the simulated bank for something special."""
    return f"1{tail[1:]}" if tail.startswith("000") else tail


def phone_of(citizen: Citizen) -> str:
    """Eleven digits that begin with 100: no mobile number does."""
    return f"100{citizen.index:08d}"


def register_payees(services: Services, citizens: Sequence[Citizen], as_of: dt.date) -> None:
    """Give everybody a contact, minors a guardian, and all an account; those who have one keep
    it."""
    people = _people(services, citizens)
    holders = holders_of(citizens, as_of)
    _register(services, citizens, people, holders, as_of)
    codes = {bank.name: bank.code for bank in services.banks}
    own = {holder.index: holder for holder in holders.values()}
    _enrol(
        services,
        [
            KnownAccount(number, holder.name, codes[holder.payee_bank])
            for holder in own.values()
            for number in (account_number_of(holder), spare_account_of(holder))
        ],
    )
    for citizen in citizens:
        person, holder = people[citizen.index], holders[citizen.index]
        with services.work(write=False) as work:
            is_named = bool(work.payees.accounts_of(person.id))
        if not is_named:
            declare(
                services,
                NamedAccount(
                    person.id,
                    codes[holder.payee_bank],
                    account_number_of(holder),
                    f"sample-{person.id}",
                    BY,
                ),
            )
    _enrol(
        services,
        [
            KnownAccount(account_number_of(one), one.name, codes[one.payee_bank], is_closed=True)
            for one in citizens
            if one.index in CASES and CASES[one.index].is_closed
        ],
    )


def holders_of(citizens: Sequence[Citizen], as_of: dt.date) -> dict[int, Citizen]:
    """In whose name each citizen's account is, by the citizen's number: an adult's in their own, a
    minor's in that of an adult whose own account is an ordinary one."""
    adults = [one for one in citizens if one.age_on(as_of) >= ADULT_AT]
    guardians = [one for one in adults if one.index not in CASES]
    return {
        one.index: one if one.age_on(as_of) >= ADULT_AT else guardians[one.index % len(guardians)]
        for one in citizens
    }


def account_list(citizens: Sequence[Citizen], as_of: dt.date) -> list[dict[str, str]]:
    """For ``accounts.json``: each citizen's account, the spare one to change to, and what the
    simulated bank does with payments to the first."""
    holders = holders_of(citizens, as_of)
    return [
        {
            "username": one.username,
            "holder": holders[one.index].name,
            "bank": holders[one.index].payee_bank,
            "account": account_number_of(holders[one.index]),
            "spare": spare_account_of(holders[one.index]),
            "payments": CASES[one.index].name if one.index in CASES else "arrive",
        }
        for one in citizens
    ]


def _enrol(services: Services, accounts: Sequence[KnownAccount]) -> None:
    if isinstance(services.bank, SimulatedBank):
        services.bank.enrol(accounts)


def _people(services: Services, citizens: Sequence[Citizen]) -> dict[int, Person]:
    with services.work(write=False) as work:
        found = {c.index: work.people.find_by_identity(c.identity_number) for c in citizens}
    return {index: person for index, person in found.items() if person is not None}


def _register(
    services: Services,
    citizens: Sequence[Citizen],
    people: Mapping[int, Person],
    holders: Mapping[int, Citizen],
    as_of: dt.date,
) -> None:
    with services.work() as work:
        for citizen in citizens:
            person = people[citizen.index]
            if work.payees.contact_of(person.id) is None:
                record_contact(
                    services, work, person.id, phone_of(citizen), by=BY, source="simulated"
                )
            is_minor = holders[citizen.index].index != citizen.index
            if is_minor and not work.payees.guardians_of(person.id):
                record_guardian(
                    services,
                    work,
                    person.id,
                    people[holders[citizen.index].index].id,
                    valid_from=citizen.birth_on,
                    by=BY,
                    reason=f"invented for the sample, {as_of.isoformat()}",
                    source="simulated",
                )
        work.commit()
