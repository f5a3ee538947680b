"""SIGKILL before and after every commit of money: nothing is paid twice, nothing is lost.

Each play is performed once with nobody killed, and its end is compared with what its own page says
the bank has paid. Then it is performed again, and processes die before and after every commit that
it makes, each at another one; and, for a seeded sample, at one alone. Every end must be the same:
claims, ledger, the bank's own book, journal, alarms, open cases and the number of rows of every
table, with every rule of the reconciliation clean.

``KILL_SEED=7 pytest tests/kill`` takes another sample.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from backend.adapters.database.engine import make_engine
from tests.kill import (
    cases_play,
    claims_play,
    clearing_play,
    ledger_play,
    office_play,
    payout_play,
    recovery_play,
    restore_play,
    second_payers_play,
    trouble_play,
)
from tests.kill.commit_sites import sites_below
from tests.kill.performing import Performance
from tests.kill.reached import ELSEWHERE, MONEY, REACHED
from tests.postgresql import statement, url_of

PLAYS = (
    payout_play, trouble_play, claims_play, recovery_play, second_payers_play, clearing_play,
    office_play, cases_play, restore_play, ledger_play,
)  # fmt: skip
SEED = int(os.environ.get("KILL_SEED", "20261122"))
ALONE = 3
"""Kills of a play after which nobody else is killed."""


def name_of(play: ModuleType) -> str:
    return play.__name__.rpartition(".")[2].removesuffix("_play")


def test_every_commit_of_money_is_in_a_play() -> None:
    """A new commit must be added to a play, or to ``ELSEWHERE`` with the test that kills there."""
    written = sites_below(*MONEY)
    reached = {site for sites in REACHED.values() for site in sites}
    assert sorted(set(written) - reached - set(ELSEWHERE)) == []
    assert sorted(reached - set(written)) == [], "these are in no file any more"
    assert set(REACHED) == {name_of(play) for play in PLAYS}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("play", PLAYS, ids=name_of)
def test_a_process_dies_at_every_commit(play: ModuleType, tmp_path: Path) -> None:
    began = time.monotonic()
    performed = Performance.of(play, tmp_path / "play")
    aims = performed.aims
    died = performed.again(0, aims)
    where = {(one.site, one.moment) for one in died}
    wanted = {(site, at) for site in REACHED[name_of(play)] for at in ("before", "after")}
    assert sorted(wanted - where) == []
    # What a process did in one go another one does in pieces: some commits are not made again.
    assert len(died) >= 0.9 * len(aims), sorted(aims - died, key=str)
    # The ledger of a real network goes on: there is no going back to the middle of a play.
    alone = 0 if play is ledger_play else ALONE
    sample = random.Random(f"{SEED}/{play.__name__}").sample(sorted(aims, key=str), alone)
    for boundary in sample:
        assert performed.again(boundary.scene, frozenset([boundary])) == {boundary}
    performed.stage.close()
    print(
        f"{name_of(play)}: {len(performed.boundaries) // 2} commits at "
        f"{len({one.site for one in performed.boundaries})} places, {len(died)} of {len(aims)} "
        f"kills in a row, {alone} alone, {time.monotonic() - began:.0f} s"
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_of_payments_on_postgresql(postgresql_server: str, tmp_path: Path) -> None:
    """A server rolls back what a killed process had not committed, and gives its locks free."""
    one, two = (f"test_{secrets.token_hex(6)}" for _ in range(2))
    statement(postgresql_server, f"CREATE DATABASE {one}")
    try:
        stage = payout_play.stage(tmp_path / "stage", url_of(postgresql_server, one))
        stage.services.engine.dispose()
        statement(postgresql_server, f"CREATE DATABASE {two} TEMPLATE {one}")
        play = SimpleNamespace(
            __name__="payout_play",
            stage=lambda _: stage,
            SCENES=payout_play.SCENES,
            CREDITS=payout_play.CREDITS,
        )
        performed = Performance.of(play, tmp_path / "play")
        stage.services.engine.dispose()
        stage.services.__dict__["engine"] = make_engine(url_of(postgresql_server, two))
        died = performed.again(0, performed.aims)
        assert {one.site for one in died} == {one.site for one in performed.aims}
        assert len(died) >= 0.9 * len(performed.aims)
        stage.close()
    finally:
        for name in (one, two):
            statement(postgresql_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
