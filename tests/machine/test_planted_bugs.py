"""The state machine would notice: each bug, planted alone, breaks a promise."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database.claim_repository import ClaimRepository
from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.ledger import IntentState, LedgerIntent
from backend.domain.person import History
from backend.service_layer.claims import benefits, screening, supplement
from backend.service_layer.handling import appeals, versions, withdraw
from backend.service_layer.payout import approve
from scripts.hospital_agent import AgentError
from tests.machine import promises
from tests.machine.databases import SqliteFiles
from tests.machine.state_machine import Machine

pytestmark = pytest.mark.slow
Patch = pytest.MonkeyPatch


def payout_id_without_version(patch: Patch) -> None:
    for module in (approve, supplement):
        patch.setattr(module, "payout_id", lambda claim, version: f"pay_{claim.number}")


def appealed_any_number_of_times(patch: Patch) -> None:
    patch.setattr(appeals, "_bar", lambda *_: None)


def withdrawn_after_settlement(patch: Patch) -> None:
    patch.setattr(withdraw, "can_withdraw", lambda _, claim: claim.state is not ClaimState.REFUSED)


def year_counts_every_version(patch: Patch) -> None:
    right: Callable[..., History] = benefits.history_before

    def wrong(work: Any, person_id: str, year: int, claim_id: str | None) -> History:
        entries = []
        versions = {c.number: c.decision_version for c in work.claims.live_of_year(person_id, year)}
        for entry in right(work, person_id, year, claim_id).entries:
            entries += [entry] * max(1, versions[entry.claim_number])
        return History(tuple(entries))

    patch.setattr(benefits, "history_before", wrong)


def the_same_form_is_taken_twice(patch: Patch) -> None:
    patch.setattr(ClaimRepository, "submission_by_token", lambda *_: None)


def a_supplement_pays_the_whole_again(patch: Patch) -> None:
    patch.setattr(supplement, "payments_in_effect", lambda *_: [])


def a_mined_transaction_counts_as_final(patch: Patch) -> None:
    counted = (IntentState.MINED, IntentState.FINAL)
    patch.setattr(LedgerIntent, "is_final", property(lambda intent: intent.state in counted))


def fingerprints_are_not_compared(patch: Patch) -> None:
    patch.setattr(screening, "commitment_faults", lambda *_: [])
    patch.setattr(versions, "_is_as_committed", lambda *_: True)


BUGS = (
    payout_id_without_version,
    appealed_any_number_of_times,
    withdrawn_after_settlement,
    year_counts_every_version,
    the_same_form_is_taken_twice,
    a_supplement_pays_the_whole_again,
    a_mined_transaction_counts_as_final,
    fingerprints_are_not_compared,
)


SEEDS = range(4)
ERRORS = (
    AssertionError, DomainError, AgentError, LookupError, ValueError, sa.exc.SQLAlchemyError,
)  # fmt: skip


def new_town(databases: SqliteFiles) -> Machine:
    """A town that begins with what is wrong now."""
    town: Machine = type("OwnMachine", (Machine,), {"databases": databases})()
    town.begin()
    return town


def broken_at(databases: SqliteFiles, seed: int, steps: int = 30) -> tuple[int, str] | None:
    """Walk at random over the acts of the state machine, with every promise asked after each:
    (step, what broke), or None when all held to the end."""
    draw, step = random.Random(seed), 0
    try:
        town = new_town(databases)
        town.promises_hold()
        for step in range(1, steps + 1):
            _act(town, draw, step)
            town.promises_hold()
        town.teardown()
    except ERRORS as error:
        return step, f"{type(error).__name__}: {error}"[:300]
    return None


def _act(town: Machine, draw: random.Random, step: int) -> None:
    claim, bill = draw.choice(list(town.accepted)), draw.choice(town.taken_in)
    acts: list[Callable[[], object]] = [
        lambda: town.appeal(claim, True, True),
        lambda: town.appeal(claim, True, True),
        lambda: town.appeal(claim, False, True),
        lambda: town.run_on(3),
        lambda: town.run_on(6),
        lambda: town.work(True, 3),
        lambda: town.work(True, 3),
        lambda: town.mine(3),
        lambda: town.reorganise(2),
        lambda: town.withdraw(claim),
        lambda: town.the_same_form_again(step, False),
        lambda: town.change_line(bill),
        lambda: town.tamper(step % 3),
        lambda: town.tamper(step % 3),
        lambda: town.take_in(step % 2, 900, step % 9, "mixed"),
        lambda: town.touch(step % 2, [step, step + 1], False),
        lambda: town.touch(step % 2, [step, step + 1], False),
        lambda: town.late_fact(step % 2, "retired"),
        lambda: town.review(claim, True),
        lambda: town.time_passes(60),
        town.restart,
        town.finalise,
    ]
    draw.choice(acts)()


def test_without_a_bug_the_same_walks_keep_every_promise() -> None:
    databases = SqliteFiles()
    assert [broken_at(databases, seed) for seed in SEEDS] == [None] * len(SEEDS)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_breaks_a_promise(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    databases = SqliteFiles()
    assert any(broken_at(databases, seed) is not None for seed in SEEDS)


@pytest.mark.parametrize("is_planted", [False, True])
def test_what_a_reorganisation_takes_back_was_not_paid(
    is_planted: bool, monkeypatch: Patch
) -> None:
    town = new_town(SqliteFiles())
    if is_planted:
        a_mined_transaction_counts_as_final(monkeypatch)
    for _ in range(8):
        town.work(True, 100)
    assert town.reorganise(100)["lodge"] == len(town.accepted) - 3  # three were closed before
    books = promises.Books(town.world)
    if is_planted:
        with pytest.raises(AssertionError, match="the ledger knows of 0"):
            promises.payments_are_on_the_ledger(books, town.bank)
    else:
        promises.payments_are_on_the_ledger(books, town.bank)
        town.promises_hold()
