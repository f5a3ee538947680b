"""The state machine would notice: each bug, planted alone, breaks a promise."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis.stateful import initialize, multiple

from backend.adapters.database.claim_repository import ClaimRepository
from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.person import History
from backend.service_layer.claims import (
    appeals,
    benefits,
    closing,
    supplement,
    withdraw,
)
from tests.machine.town import Town

pytestmark = pytest.mark.slow
Patch = pytest.MonkeyPatch


def payout_id_without_version(patch: Patch) -> None:
    for module in (closing, supplement):
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


class Begun(Town):
    """Each person has a claim that is paid, with a line to appeal for, and one that has begun."""

    @initialize(target=Town.claims)
    def begin(self) -> Any:
        super().begin()
        for back, is_run in ((30, True), (2, False)):
            for who, person in enumerate(self.people):
                bill = self.upload(who, 900, back, "mixed")
                self._submit(person.id, [bill], secrets.token_urlsafe(32))
            if is_run:
                self.run_on(6)
        return multiple(*self.accepted)


BUGS = (
    payout_id_without_version,
    appealed_any_number_of_times,
    withdrawn_after_settlement,
    year_counts_every_version,
    the_same_form_is_taken_twice,
    a_supplement_pays_the_whole_again,
)


SEEDS = range(4)


def broken_at(seed: int, steps: int = 30) -> tuple[int, str] | None:
    """Walk at random over the acts of the state machine, with every promise asked after each:
    (step, what broke), or None when all held to the end."""
    draw, town, step = random.Random(seed), Begun(), 0
    town.begin()
    try:
        town.promises_hold()
        for step in range(1, steps + 1):
            _act(town, draw, step)
            town.promises_hold()
        town.teardown()
    except (AssertionError, DomainError, LookupError, ValueError, sa.exc.SQLAlchemyError) as error:
        return step, f"{type(error).__name__}: {error}"[:300]
    return None


def _act(town: Begun, draw: random.Random, step: int) -> None:
    claim, bill = draw.choice(list(town.accepted)), draw.choice(town.taken_in)
    acts: list[Callable[[], object]] = [
        lambda: town.appeal(claim, True, True),
        lambda: town.appeal(claim, True, True),
        lambda: town.appeal(claim, False, True),
        lambda: town.run_on(3),
        lambda: town.run_on(6),
        lambda: town.work(True),
        lambda: town.mine(3),
        lambda: town.reorganise(2),
        lambda: town.take_back(claim),
        lambda: town.the_same_form_again(step, False),
        lambda: town.tamper(bill),
        lambda: town.late_fact(step % 2, "retired"),
        lambda: town.review(claim, True),
        lambda: town.time_passes(60),
        town.restart,
        town.finalise,
    ]
    draw.choice(acts)()


def test_without_a_bug_the_same_walks_keep_every_promise() -> None:
    assert [broken_at(seed) for seed in SEEDS] == [None] * len(SEEDS)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_breaks_a_promise(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert any(broken_at(seed) is not None for seed in SEEDS)
