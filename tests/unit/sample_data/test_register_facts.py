"""The sample's register: the same every time; the citizens with hand-worked amounts stay plain."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.domain.register import FactKind
from backend.service_layer.register.entries import Entry, check_entry
from scripts.sample_data.citizens import sample_citizens
from scripts.sample_data.planted import PLANTED_CITIZEN
from scripts.sample_data.population import DEFAULT_SEED
from scripts.sample_data.register_facts import sample_facts

TODAY = dt.date(2026, 11, 20)
CITIZENS = sample_citizens(DEFAULT_SEED, TODAY)


def test_every_citizen_has_one_cover_that_holds_today() -> None:
    for citizen in CITIZENS:
        covers = [one for one in sample_facts(citizen, TODAY) if one.kind is FactKind.COVER]
        assert [(one.code, one.valid_to) for one in covers] == [(citizen.insurance_type, None)]
        assert covers[0].valid_from <= TODAY
        assert sample_facts(citizen, TODAY) == sample_facts(citizen, TODAY)


@pytest.mark.parametrize("number", [1, PLANTED_CITIZEN])
def test_hand_worked_amounts_rest_on_cover_alone(number: int) -> None:
    assert [one.kind for one in sample_facts(CITIZENS[number - 1], TODAY)] == [FactKind.COVER]


def test_every_kind_of_fact_is_in_the_sample_and_could_have_been_recorded() -> None:
    kinds = set()
    for citizen in CITIZENS:
        for one in sample_facts(citizen, TODAY):
            kinds.add(one.kind)
            entry = Entry(
                one.kind, one.code, one.valid_from, one.valid_to, one.detail, one.filed_on
            )
            check_entry(entry, (), region="330800", today=TODAY)
    assert kinds == set(FactKind)
