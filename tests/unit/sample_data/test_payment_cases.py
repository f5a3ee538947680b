"""Accounts of the sample on which a bank does something seldom, and a bill to try each with."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from backend.adapters.bank.behaviour import ENDINGS, USUAL, behaviour_of
from backend.adapters.catalogue import load_catalogue
from backend.adapters.policy_packs import load_packs
from backend.domain.adjudication import estimate_submission
from backend.domain.bill import bill_from_invoice
from backend.domain.payee import account_number
from backend.domain.person import CoverPeriod, History, PersonSnapshot
from scripts.sample_data.payees import (
    account_list,
    account_number_of,
    holders_of,
    spare_account_of,
)
from scripts.sample_data.payment_cases import CASES
from scripts.sample_data.population import DEFAULT_SEED, Population, sample_population

AS_OF = dt.date(2026, 11, 22)


@pytest.fixture(scope="module")
def population() -> Population:
    return sample_population(DEFAULT_SEED, AS_OF, load_catalogue())


def test_each_bill_pays_what_was_worked_out_by_hand(population: Population) -> None:
    pack = next(pack for pack in load_packs() if pack.region == "330800")
    found = {}
    for sample in population.payments():
        person = PersonSnapshot(
            person_ref="per_test",
            region="330800",
            insurance_type=sample.citizen.insurance_type,
            person_type=sample.citizen.person_type,
            as_of=AS_OF,
            cover=(
                CoverPeriod(
                    sample.citizen.insurance_type, dt.date(2020, 1, 1), dt.date(2099, 12, 31)
                ),
            ),
        )
        bill = bill_from_invoice(sample.invoice, invoice_key=bytes(32), hospital_level=2)
        explained = estimate_submission(pack, [bill], person, History())[bytes(32)]
        assert not explained.pend_reasons
        found[sample.citizen.index] = explained.paid_fen
    assert found == {16: 42_000, 18: 42_000, 25: 42_000, 29: 42_000}
    assert found == {index: case.paid_fen for index, case in CASES.items()}


def test_every_other_account_is_an_ordinary_one_and_no_number_is_used_twice(
    population: Population,
) -> None:
    special = {
        citizen.index: behaviour_of(account_number_of(citizen))
        for citizen in population.citizens
        if behaviour_of(account_number_of(citizen)) != USUAL
    }
    assert special == {18: ENDINGS["0008"], 25: ENDINGS["0001"], 29: ENDINGS["0009"]}
    spares = [spare_account_of(citizen) for citizen in population.citizens]
    assert {behaviour_of(number) for number in spares} == {USUAL}
    numbers = [account_number_of(citizen) for citizen in population.citizens] + spares
    assert len(set(numbers)) == 60
    assert [account_number(number) for number in numbers] == numbers  # the page takes them


@pytest.mark.parametrize("tail", ["0000", "0001", "0007", "0008", "0009", "9999"])
def test_a_spare_account_never_asks_the_bank_for_something_seldom(
    population: Population, tail: str
) -> None:
    citizen = replace(population.citizens[3], payee_account_tail=tail)
    assert behaviour_of(spare_account_of(citizen)) == USUAL
    assert behaviour_of(account_number_of(citizen)) == USUAL


def test_a_minors_money_goes_to_an_adult_whose_account_is_an_ordinary_one(
    population: Population,
) -> None:
    holders = holders_of(population.citizens, AS_OF)
    minors = [one for one in population.citizens if one.age_on(AS_OF) < 18]
    assert minors
    for minor in minors:
        assert holders[minor.index].age_on(AS_OF) >= 18
        assert holders[minor.index].index not in CASES
    listed = {entry["username"]: entry for entry in account_list(population.citizens, AS_OF)}
    assert listed[minors[0].username]["holder"] == holders[minors[0].index].name
    assert listed["citizen18"]["payments"] == "returned"
    assert listed["citizen01"]["payments"] == "arrive"
