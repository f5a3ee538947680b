"""The drawn bills fall into Quzhou's published causes, and a known few are flagged."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.adapters.catalogue import load_catalogue
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import OtherBill
from backend.domain.cause import CauseCode, CauseGroup, derive_cause, facts_of
from backend.domain.person import CoverPeriod, DatedStatus, PersonSnapshot
from backend.domain.register import FactKind
from scripts.bench.audit_rules import AS_OF, other_bill
from scripts.bench.audit_rules import facts_of as audit_facts_of
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.causes import HARDSHIP_CITIZENS, PLAIN_BILLS, CausePlan, drawn_flaw
from scripts.sample_data.citizens import sample_citizens
from scripts.sample_data.population import DEFAULT_SEED, Population, sample_population
from scripts.sample_data.register_facts import sample_facts

CATALOGUE = load_catalogue()
RULES = load_rule_book().shipped
DRAWN = 500
PUBLISHED = {"policy": 11.0, "process": 22.0, "not-swiped": 33.2, "accident-newborn": 33.6}
"""Requirements R32, in percent."""


@pytest.fixture(scope="module")
def bills() -> list[SampleBill]:
    """Few lines a bill: their causes do not depend on them."""
    whole = sample_population(DEFAULT_SEED, AS_OF, CATALOGUE, bulk=DRAWN)
    return list(replace(whole, bulk_lines=DRAWN * 25 + 1_000).bills())


def snapshot_of(bill: SampleBill) -> PersonSnapshot:
    """What the sample's register holds of the bill's citizen."""
    facts = sample_facts(bill.citizen, AS_OF)
    kind = bill.citizen.insurance_type
    return PersonSnapshot(
        person_ref="x",
        region="330800",
        insurance_type=kind,
        person_type=bill.citizen.person_type,
        as_of=AS_OF,
        cover=(CoverPeriod(kind, dt.date(2000, 1, 1), dt.date(2100, 1, 1)),),
        hardship=tuple(
            DatedStatus(one.code, one.valid_from, dt.date(2100, 1, 1))
            for one in facts
            if one.kind is FactKind.HARDSHIP
        ),
    )


def cause_of(bill: SampleBill) -> CauseCode:
    facts = facts_of(
        bill.invoice,
        snapshot_of(bill),
        bill.citizen.birth_on,
        CATALOGUE,
        hospital_area=bill.hospital.area_code,
        is_designated=True,
    )
    return derive_cause(facts).code


def test_a_few_thousand_draws_have_the_published_shares() -> None:
    citizens = sample_citizens(DEFAULT_SEED, AS_OF)[2:]
    plan = CausePlan(DEFAULT_SEED, citizens)
    counts: Counter[str] = Counter()
    for index in range(5_000):
        is_stay = index % 5 == 4
        stay_of = citizens[index // 5 % len(citizens)]
        counts[str(plan.of_stay(index, stay_of) if is_stay else plan.of_visit(index))] += 1
    assert counts.keys() == PUBLISHED.keys()
    for group, share in PUBLISHED.items():
        # 2 percentage points are three standard deviations of 5,000 draws.
        assert abs(100 * counts[group] / 5_000 - share) < 2.0, counts


def test_the_cause_derived_from_each_bill_is_the_one_drawn(bills: list[SampleBill]) -> None:
    groups = {
        CauseCode.ACCIDENT: CauseGroup.ACCIDENT_NEWBORN,
        CauseCode.HOME_SICKBED: CauseGroup.PROCESS,
        CauseCode.SERIOUS_ILLNESS_DRUG: CauseGroup.PROCESS,
        CauseCode.SPECIAL_GROUP: CauseGroup.POLICY,
        CauseCode.NOT_SWIPED: CauseGroup.NOT_SWIPED,
    }
    derived = [cause_of(bill) for bill in bills]
    assert [groups[code] for code in derived] == [bill.group for bill in bills]
    assert set(derived) == set(groups)


def test_the_special_groups_are_those_that_the_register_knows() -> None:
    population = sample_population(DEFAULT_SEED, AS_OF, CATALOGUE, bulk=1)
    known = {
        citizen.index
        for citizen in population.citizens
        if any(fact.kind is FactKind.HARDSHIP for fact in sample_facts(citizen, AS_OF))
    }
    assert known == HARDSHIP_CITIZENS


def test_the_first_bills_are_plain(bills: list[SampleBill]) -> None:
    first = bills[:PLAIN_BILLS]
    assert {(bill.group, bill.flaw) for bill in first} == {(CauseGroup.NOT_SWIPED, None)}


def test_about_seven_in_a_hundred_carry_a_flaw_and_a_third_of_those_is_real() -> None:
    flaws = [flaw for flaw in (drawn_flaw(DEFAULT_SEED, place) for place in range(5_000)) if flaw]
    assert 0.06 < len(flaws) / 5_000 < 0.08
    assert 0.25 < sum(flaw.is_upheld for flaw in flaws) / len(flaws) < 0.39


def test_a_flawed_bill_is_flagged_by_its_rule_and_by_no_other() -> None:
    population: Population = sample_population(DEFAULT_SEED, AS_OF, CATALOGUE, bulk=150)
    drawn = list(population.bills())
    others: dict[int, list[OtherBill]] = defaultdict(list)
    for bill in drawn:
        others[bill.citizen.index].append(other_bill(bill))
    flawed = [bill for bill in drawn if bill.flaw is not None]
    assert flawed
    for bill in flawed:
        facts = audit_facts_of(bill, others[bill.citizen.index], CATALOGUE)
        codes = {hit.rule_code for hit in evaluate(RULES, facts).effective}
        assert bill.flaw is not None and codes == {bill.flaw.rule_code}
