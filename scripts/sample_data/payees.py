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

BY: Final = "sample data"
RETURNED: Final = 30
"""The citizen whose payments come back after half a minute: the account ends in 0008."""
_RETURNED_TAIL: Final = "0008"


def account_number_of(citizen: Citizen) -> str:
    """Nineteen digits that begin with 9999, which no card has, and end as the sample says."""
    middle = int.from_bytes(hashlib.sha256(citizen.username.encode()).digest()[:8], "big")
    tail = _RETURNED_TAIL if citizen.index == RETURNED else citizen.payee_account_tail
    if tail.startswith("000") and citizen.index != RETURNED:
        tail = f"1{tail[1:]}"  # such endings ask the simulated bank for something special
    return f"9999{middle % 10**11:011d}{tail}"


def phone_of(citizen: Citizen) -> str:
    """Eleven digits that begin with 100: no mobile number does."""
    return f"100{citizen.index:08d}"


def register_payees(services: Services, citizens: Sequence[Citizen], as_of: dt.date) -> None:
    """Give everybody a contact, minors a guardian, and all an account; those who have one keep
    it."""
    people = _people(services, citizens)
    adults = [citizen for citizen in citizens if citizen.age_on(as_of) >= ADULT_AT]
    holders = {citizen.index: citizen for citizen in citizens}
    for citizen in citizens:
        if citizen.age_on(as_of) < ADULT_AT:
            holders[citizen.index] = adults[citizen.index % len(adults)]
    _register(services, citizens, people, holders, as_of)
    codes = {bank.name: bank.code for bank in services.banks}
    bank = services.bank
    if isinstance(bank, SimulatedBank):
        bank.enrol(
            [
                KnownAccount(account_number_of(holder), holder.name, codes[holder.payee_bank])
                for holder in holders.values()
            ]
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
