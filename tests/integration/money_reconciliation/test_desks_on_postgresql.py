"""The main path of each desk of the agency's money on a real PostgreSQL server."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.integration.claims.world import World
from tests.integration.clearing.test_staff_api import (
    test_two_supervisors_clear_a_year_and_decide as clearing,
)
from tests.integration.money_reconciliation import test_staff_desk as desk

pytestmark = pytest.mark.slow

PATHS: Final[tuple[Callable[..., None], ...]] = (
    clearing,
    desk.test_a_case_is_closed_by_two_sign_ins,
    desk.test_cases_come_in_pages_with_what_is_late_and_the_signed_reports,
    desk.test_a_payment_is_stopped_proposed_and_released_by_two,
    desk.test_a_bank_file_is_dealt_with_by_two_and_read_by_name,
    desk.test_a_proof_is_seen_by_two_sign_ins_on_one_copy,
    desk.test_a_correcting_entry_is_booked_by_two_sign_ins,
    desk.test_corrections_that_cannot_be_are_refused_and_come_in_pages,
    desk.test_a_wrong_statement_is_withdrawn_by_two_sign_ins,
    desk.test_what_is_not_there_is_not_found,
)


@pytest.mark.parametrize("path", PATHS, ids=lambda one: one.__name__.removeprefix("test_"))
def test_a_desk_works_as_on_sqlite(
    path: Callable[..., None], world_on_postgresql: World, request: pytest.FixtureRequest
) -> None:
    wanted: dict[str, Any] = {
        name: world_on_postgresql if name == "world" else request.getfixturevalue(name)
        for name in inspect.signature(path).parameters
    }
    path(**wanted)
