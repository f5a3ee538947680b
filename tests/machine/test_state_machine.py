"""Whatever happens in whatever order, the promises P1, P2, P3 and P7 hold, on both databases."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.databases import Databases, PostgresqlDatabases, SqliteFiles
from tests.machine.state_machine import Machine

USUAL = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate, Phase.shrink],
)
WALKS = {"sqlite": 16, "postgresql": 6}
STEPS = 40

REACHED = (
    # uploads, duplicates, corrections
    "a bill uploaded as json",
    "a bill uploaded as xml",
    "a bill uploaded again",
    "a bill in the other format",
    "a number with other content refused",
    "a bill corrected",
    "a correction sent again",
    "on the ledger: supersede done",
    # submissions, and what they came to
    "one bill submitted",
    "several bills submitted",
    "a form sent again",
    "a form in another order",
    "a claim withdrawn",
    "in the end: paid",
    "in the end: refused",
    "in the end: withdrawn",
    # reviews, appeals, late filings
    "a claim approved by people",
    "a claim refused by people",
    "an appeal filed",
    "an appeal upheld",
    "an appeal rejected",
    "on the ledger: supplement done",
    "a late filing recorded",
    "an entitlement changed",
    # tampering
    "a line changed",
    "alarm: fingerprint-mismatch",
    # clock jumps, outages, the ledger
    "the clock jumped",
    "the backend restarts",
    "a reorganisation took back: lodge",
    "a reorganisation took back: settle",
    "a reorganisation took back: anchor",
)

REACHED_SOON = (
    "a bill uploaded as json",
    "one bill submitted",
    "a line changed",
    "in the end: paid",
)
"""In fewer walks: copying a database and asking a server takes longer than a file does."""


def walk(databases: Databases, walks: int, steps: int) -> Counter[str]:
    """Always the same walks; what happened in them, by name."""
    happened: Counter[str] = Counter()
    members = {"databases": databases, "happened": happened}
    fixed = settings(USUAL, max_examples=walks, stateful_step_count=steps, derandomize=True)
    run_state_machine_as_test(type("Machine", (Machine,), members), settings=fixed)
    return happened


def test_a_few_orders_of_events_keep_every_promise() -> None:
    happened = walk(SqliteFiles(), 2, 25)
    assert happened["in the end: paid"] and happened["one bill submitted"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", WALKS)
def test_any_order_of_events_keeps_every_promise(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    databases: Databases = SqliteFiles()
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        databases = PostgresqlDatabases(server, tmp_path)
    happened = walk(databases, WALKS[kind], STEPS)
    print("\n".join(f"{count:5} {what}" for what, count in sorted(happened.items())))
    wanted = REACHED if kind == "sqlite" else REACHED_SOON
    assert [what for what in wanted if not happened[what]] == []
