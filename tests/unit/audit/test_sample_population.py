"""The sample's ordinary bills stay machine-clean, so that what is planted stands out."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.adapters.catalogue import load_catalogue
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import OtherBill
from scripts.bench.audit_rules import AS_OF, facts_of, other_bill
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.planted import ClaimOutcome
from scripts.sample_data.population import DEFAULT_SEED, Population, sample_population

RULES = load_rule_book().shipped
CATALOGUE = load_catalogue()


def live_hits(bills: list[SampleBill]) -> Counter[str]:
    """How many of the bills each live rule hits, every bill beside the person's others."""
    others: dict[int, list[OtherBill]] = defaultdict(list)
    for bill in bills:
        others[bill.citizen.index].append(other_bill(bill))
    found: Counter[str] = Counter()
    for bill in bills:
        result = evaluate(RULES, facts_of(bill, others[bill.citizen.index], CATALOGUE))
        found.update({hit.rule_code for hit in result.effective})
    return found


@pytest.fixture(scope="module")
def population() -> Population:
    return sample_population(DEFAULT_SEED, AS_OF, CATALOGUE, bulk=100)


def ordinary(population: Population) -> list[SampleBill]:
    """The drawn bills that nothing is planted in."""
    return [bill for bill in population.bills() if bill.flaw is None]


def test_ordinary_bills_are_clean(population: Population) -> None:
    assert not live_hits(ordinary(population))


def test_the_known_bills_are_clean(population: Population) -> None:
    assert not live_hits([*population.demo(), *population.payments()])


def test_of_the_planted_bills_that_are_paid_none_is_flagged(population: Population) -> None:
    """And the one under another name is, by the rule about names."""
    expected = [one for case in population.planted() for one in case.expected]
    paid = [one.bill for one in expected if one.claim is ClaimOutcome.PAID]
    assert len(paid) >= 6
    assert not live_hits(paid)
    (renamed,) = (one.bill for one in expected if one.reason == "name-mismatch")
    assert live_hits([renamed]) == {"id-name": 1}


@pytest.mark.slow
def test_the_whole_sample_is_clean() -> None:
    whole = sample_population(DEFAULT_SEED, AS_OF, CATALOGUE)
    bills = ordinary(whole)
    flagged = sum(live_hits(bills).values())
    assert flagged <= len(bills) // 100
