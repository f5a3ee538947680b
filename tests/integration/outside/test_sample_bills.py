"""The sample's bills from outside: each state once, the same after a second load."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from backend.adapters.catalogue import load_catalogue
from backend.service_layer.outside.records import OutsideState
from scripts.sample_data.outside import load_outside
from scripts.sample_data.people import register_citizens
from scripts.sample_data.population import sample_population
from scripts.sample_data.staff import register_staff
from tests.integration.outside.desk import desk


@pytest.mark.slow
def test_the_sample_shows_each_state_and_may_be_loaded_again(tmp_path: Path) -> None:
    services = desk(tmp_path).services
    population = sample_population(20260101, dt.date(2026, 11, 18), load_catalogue(), 0)
    register_citizens(services, population.citizens, population.as_of)
    register_staff(services, population.hospitals[0].code)
    for _ in range(2):
        load_outside(services, population)
    with services.work(write=False) as work:
        states = [bill.state for bill in work.outside.in_states(list(OutsideState))]
    assert states == [
        OutsideState.CHECKING,
        OutsideState.TYPING,
        OutsideState.COMPARING,
        OutsideState.ACCEPTED,
        OutsideState.REFUSED,
    ]
