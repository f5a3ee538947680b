"""Whatever banks, workers, people and ledger do in whatever order: P1, P2, P4, P6, P7 of money."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.databases import Databases, PostgresqlDatabases, SqliteFiles
from tests.machine.money_bank import FATES, NOISES
from tests.machine.money_machine import MoneyMachine, seeded_walk
from tests.machine.test_state_machine import USUAL

WALKS = 12
STEPS = 40
SEEDS = range(100, 108)

REACHED = (
    *(f"the bank: {fate}" for fate in (*FATES, "returned")),
    *(f"noise: {kind}" for kind in NOISES),
    "instructed, daily",
    "instructed, instant",
    "tried again",
    "a worker killed",
    "two workers at once",
    "two workers at a slot",
    "an appeal upheld",
    "a reorganisation",
    "a claim stopped",
    "an account named",
    "an account refused: another's",
    "an account refused: closed",
    "an account refused: unknown",
    "a change of account taken back",
    "another guardian",
    *(f"held: {why}" for why in ("account-missing", "account-closed", "account-delay")),
    "reversed when paying",
    "reversed when paid",
    "the ledger is down",
    "the bank is down",
    "a restore",
    "the bank was ahead",
    "the chain was ahead",
    "the bank was ahead of an adopted chain",
    "withdrawn when paid",
    "withdrawn when paying",
    "recovery first",
    "recovery second",
    "recovery not first",
    "recovery dismissed",
    "money came in: again",
    "money refused: again, another sum",
    "given up",
    "not given up by 复核甲",
    "in the end: paid",
    "in the end: paying payout-held",
)


def told(happened: Counter[str]) -> None:
    print("\n".join(f"{count:5} {what}" for what, count in sorted(happened.items())))


def test_a_few_orders_of_money_keep_every_promise() -> None:
    happened: Counter[str] = Counter()
    databases = SqliteFiles()
    for seed in (1, 2):
        seeded_walk(databases, seed, 16, happened)
    assert happened["in the end: paid"] and happened["tried again"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_any_order_of_money_keeps_every_promise() -> None:
    """Hypothesis prefers short orders; seeds alone go further."""
    happened: Counter[str] = Counter()
    databases = SqliteFiles()
    members = {"databases": databases, "happened": happened}
    fixed = settings(
        USUAL,
        max_examples=WALKS,
        stateful_step_count=STEPS,
        derandomize=True,
        phases=[Phase.generate],  # to shrink what breaks takes longer than to read it
    )
    run_state_machine_as_test(type("Machine", (MoneyMachine,), members), settings=fixed)
    for seed in SEEDS:
        seeded_walk(databases, seed, STEPS, happened)
    told(happened)
    assert [what for what in REACHED if not happened[what]] == []


@pytest.mark.slow
def test_the_same_on_postgresql(postgresql_server: str, tmp_path: Path) -> None:
    happened: Counter[str] = Counter()
    databases: Databases = PostgresqlDatabases(postgresql_server, tmp_path)
    for seed in (7, 8):
        seeded_walk(databases, seed, 30, happened)
    told(happened)
    assert happened["in the end: paid"] and happened["tried again"]
