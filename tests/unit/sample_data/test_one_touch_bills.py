"""The bills of the one-touch benchmark are such that no rule sends them to a person."""

from __future__ import annotations

from collections import Counter

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.adapters.catalogue import load_catalogue
from backend.domain.audit.engine import evaluate
from scripts.bench.audit_rules import AS_OF, facts_of, other_bill
from scripts.bench.one_touch import plain_citizens, touched_bill
from scripts.sample_data.population import DEFAULT_SEED, sample_population

USERS, TOUCHES, LINES = 16, 12, 85
SPECIAL = {6, 7, 8, 9, 30}  # hardship, filed elsewhere, chronic: as register_facts lists them


def test_no_rule_has_anything_to_say_of_any_of_them() -> None:
    catalogue = load_catalogue()
    population = sample_population(DEFAULT_SEED, AS_OF, catalogue, bulk=0)
    citizens = plain_citizens(population, USERS)
    assert not {citizen.index for citizen in citizens} & SPECIAL
    rules = load_rule_book().shipped
    said: Counter[str] = Counter()
    digests = set()
    for citizen in citizens:
        bills = [touched_bill(population, citizen, place, LINES) for place in range(TOUCHES)]
        for bill in bills:
            assert len(bill.invoice.lines) == LINES
            others = [other_bill(one) for one in bills if one is not bill]
            said.update(
                h.rule_code for h in evaluate(rules, facts_of(bill, others, catalogue)).effective
            )
            digests.add(other_bill(bill).lines_digest)
    assert said == {}
    assert len(digests) == USERS * TOUCHES


def test_more_users_than_plain_citizens_are_refused() -> None:
    population = sample_population(DEFAULT_SEED, AS_OF, load_catalogue(), bulk=0)
    with pytest.raises(AssertionError, match=r"the sample has 2\d citizens for this"):
        plain_citizens(population, 30)
