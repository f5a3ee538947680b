"""Whatever banks, workers, people and ledger do in whatever order: P1, P2, P4, P6, P7 of money."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.databases import Databases, PostgresqlDatabases, SqliteFiles
from tests.machine.money_bank import FATES, NOISES
from tests.machine.money_machine import (
    ACCOUNT_ACTS,
    ACTS,
    ALL_ACTS,
    INSURER_ACTS,
    OWED_ACTS,
    RESTORE_ACTS,
    YEAR_ACTS,
    MoneyMachine,
    seeded_walk,
)
from tests.machine.money_walk import COMMITS
from tests.machine.money_year import LEARNT
from tests.machine.test_state_machine import USUAL

WALKS = 5
STEPS = 40
MIXES = (
    (range(100, 104), ALL_ACTS, 0),
    (range(110, 113), INSURER_ACTS, 1),
    (range(120, 123), YEAR_ACTS, 2),
    (range(130, 133), OWED_ACTS, 3),
    (range(140, 142), (*ACTS, *RESTORE_ACTS), 0),
    (range(150, 152), ACCOUNT_ACTS, 1),
)
"""Seeds, from which acts they choose, and on how many days the bank has paid before."""

REACHED = (
    *(f"the bank: {fate}" for fate in (*FATES, "returned")),
    *(f"noise: {kind}" for kind in NOISES),
    "instructed, daily",
    "instructed, instant",
    "tried again",
    "a worker killed",
    "two workers at a slot",
    "an appeal upheld",
    "a reorganisation",
    "a claim stopped",
    "an account named",
    "an account refused: another's",
    "a change of account taken back",
    "another guardian",
    *(f"held: {why}" for why in ("account-missing", "account-closed", "account-delay")),
    "reversed when paying",
    "the bank is down",
    "a restore",
    "the bank was ahead",
    "the chain was ahead",
    "the bank was ahead of an adopted chain",
    *(f"an insurer: {what}" for what in ("lodge", "settle")),
    *(f"an insurer's claim: {end}" for end in ("settled", "released")),
    "an insurer read a bill",
    "an insurer was shown nothing",
    "an insurer's call came again",
    "a bill opened",
    "a consent taken back",
    *(f"learnt: {what}" for what in LEARNT),
    "a trial of the year found a difference",
    "cleared: more",
    "cleared: less",
    "a lower amount confirmed",
    "not confirmed: recovery-same-person",
    "a lower revision approve",
    "a finding ordered",
    "instalments agreed",
    "a file of receipts",
    "a file of receipts refused: unknown",
    "a mismatch by R12",
    *(f"killed at {where}" for where in COMMITS),
    "the database was gone at begin",
    "the database was gone at commit",
    "withdrawn when paid",
    "withdrawn when paying",
    "recovery first",
    "recovery second",
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
    for seeds, acts, paid in MIXES:
        for seed in seeds:
            seeded_walk(databases, seed, STEPS, happened, acts=acts, paid=paid)
    told(happened)
    assert [what for what in REACHED if not happened[what]] == []


@pytest.mark.slow
def test_the_same_on_postgresql(postgresql_server: str, tmp_path: Path) -> None:
    happened: Counter[str] = Counter()
    databases: Databases = PostgresqlDatabases(postgresql_server, tmp_path)
    for seed, acts in ((7, ALL_ACTS), (8, (*ACTS, *RESTORE_ACTS, *RESTORE_ACTS))):
        seeded_walk(databases, seed, 24, happened, acts=acts)
    told(happened)
    assert happened["in the end: paid"] and happened["a restore"]
    assert happened["the bank was ahead"]
