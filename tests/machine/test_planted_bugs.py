"""The state machine would notice: each bug, planted alone, breaks a promise."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import initialize, multiple, run_state_machine_as_test

from backend.adapters.database.claim_repository import ClaimRepository
from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentState, LedgerIntent
from backend.domain.person import History
from backend.service_layer.claims import (
    appeals,
    benefits,
    closing,
    screen_step,
    supplement,
    withdraw,
)
from tests.machine.test_state_machine import USUAL
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


def mined_counts_as_final(patch: Patch) -> None:
    early = (IntentState.MINED, IntentState.FINAL)
    patch.setattr(LedgerIntent, "is_final", property(lambda intent: intent.state in early))


def fingerprints_are_not_compared(patch: Patch) -> None:
    patch.setattr(screen_step, "_faults", lambda *_: [])


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
    mined_counts_as_final,
    fingerprints_are_not_compared,
    a_supplement_pays_the_whole_again,
)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_breaks_a_promise(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    # Found is enough here: making the example small takes longer than finding it.
    hunt = settings(
        USUAL, max_examples=150, stateful_step_count=25, phases=(Phase.generate,),
        report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.raises(Exception) as found:
        run_state_machine_as_test(Begun, settings=hunt)
    assert isinstance(found.value, (AssertionError, ExceptionGroup, LookupError, ValueError)) or (
        type(found.value).__name__ in {"IntegrityError", "BillHeldError"}
    )
