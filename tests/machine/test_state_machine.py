"""Whatever happens in whatever order, the promises P1, P2, P3 and P7 hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.town import Town

USUAL = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


def test_a_few_orders_of_events_keep_every_promise() -> None:
    few = settings(USUAL, max_examples=3, stateful_step_count=20, derandomize=True)
    run_state_machine_as_test(Town, settings=few)


@pytest.mark.slow
def test_any_order_of_events_keeps_every_promise() -> None:
    many = settings(USUAL, max_examples=40, stateful_step_count=40)
    run_state_machine_as_test(Town, settings=many)
