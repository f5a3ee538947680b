"""P4: the books balance after every commit, whatever happens, in whatever order."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.journal.databases import copied
from tests.integration.journal.money_machine import MoneyMachine


def test_p4_books_balance_after_every_commit_whatever_happens() -> None:
    few = settings(max_examples=4, stateful_step_count=12, derandomize=True, deadline=None)
    run_state_machine_as_test(MoneyMachine, settings=few)


@pytest.mark.slow
def test_p4_books_balance_over_longer_lives() -> None:
    many = settings(max_examples=12, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(MoneyMachine, settings=many)


@pytest.mark.slow
def test_p4_books_balance_on_postgresql(postgresql_server: str, postgresql_template: str) -> None:
    class OnPostgreSQL(MoneyMachine):
        def open_engine(self) -> AbstractContextManager[sa.Engine]:
            return copied(postgresql_server, postgresql_template)

    some = settings(max_examples=5, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(OnPostgreSQL, settings=some)
