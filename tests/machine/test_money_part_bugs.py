"""Bugs in accounts, insurers' claims, clearings, recoveries and restores are found by the walks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from backend.domain.errors import DomainError
from backend.domain.ledger import IntentKind
from backend.domain.payee import DeclaredAccount
from backend.service_layer.claims import holds
from backend.service_layer.clearing import run
from backend.service_layer.money_reconciliation import ahead
from backend.service_layer.payees import declare
from backend.service_layer.payout import answers
from backend.service_layer.payout.records import NameMatch
from backend.service_layer.recovery import people
from backend.service_layer.recovery.files import ReceiptFileError, read_rows
from backend.service_layer.second_payers import calls, opening, sweep
from tests.machine import money_later
from tests.machine.databases import SqliteFiles
from tests.machine.money_machine import (
    ACCOUNT_ACTS,
    INSURER_ACTS,
    OWED_ACTS,
    RESTORE_ACTS,
    YEAR_ACTS,
    seeded_walk,
)
from tests.machine.test_money_bugs import ERRORS

pytestmark = pytest.mark.slow
Patch = pytest.MonkeyPatch
SEEDS = range(6)
STEPS = 24


# --- accounts ---------------------------------------------------------------------------------


def a_change_of_account_takes_effect_at_once(patch: Patch) -> None:
    patch.setattr(declare, "effective_from", lambda _, now, delay: now)


def a_closed_account_is_used_on(patch: Patch) -> None:
    patch.setattr(answers, "_close_account", lambda *_: None)


def a_change_that_was_taken_back_takes_effect(patch: Patch) -> None:
    patch.setattr(DeclaredAccount, "is_cancelled", lambda _: False)


def the_banks_word_on_a_holder_is_not_asked(patch: Patch) -> None:
    patch.setattr(NameMatch, "is_match", property(lambda _: True))


# --- insurers ---------------------------------------------------------------------------------


def _any_consent(work: Any, payer: int, invoice_id: str, now: Any) -> Any:
    found = work.second_payers.consents_on(payer, invoice_id)
    return found[0] if found else None


def a_consent_that_ended_still_shows_the_bill(patch: Patch) -> None:
    patch.setattr(opening, "live_consent", _any_consent)


def an_insurer_settles_without_a_consent(patch: Patch) -> None:
    patch.setattr(calls, "live_consent", _any_consent)


def a_lock_without_a_consent_is_kept(patch: Patch) -> None:
    patch.setattr(sweep, "_has_no_right", lambda *_: False)


def an_insurers_call_is_done_again(patch: Patch) -> None:
    patch.setattr(calls, "answered_before", lambda *_: None)


def a_lock_is_not_renewed(patch: Patch) -> None:
    right = calls._enqueue

    def wrong(deps: Any, work: Any, claim: Any, kind: IntentKind, payload: Any) -> None:
        if kind is not IntentKind.RENEW:
            right(deps, work, claim, kind, payload)

    patch.setattr(calls, "_enqueue", wrong)


# --- clearing and recovery --------------------------------------------------------------------


def a_cleared_difference_is_booked_twice(patch: Patch) -> None:
    patch.setattr(run, "_is_same", lambda *_: False)


def a_person_gives_up_alone_what_is_owed(patch: Patch) -> None:
    right = people.person_at
    patch.setattr(people, "person_at", lambda *all_: f"{right(*all_)}-{secrets.token_hex(3)}")


def an_instalment_counts_twice(patch: Patch) -> None:
    """Of every part that comes in as much again is taken off what is left."""
    right = people.Receipt

    def wrong(**values: Any) -> Any:
        return right(**values | {"amount_fen": 2 * values["amount_fen"]})

    patch.setattr(people, "Receipt", wrong)


def the_rest_of_a_wrong_file_of_receipts_is_booked(patch: Patch) -> None:
    def wrong(deps: Any, content: bytes, *, by: str) -> tuple[int, int]:
        rows, new, faults = read_rows(content), 0, []
        for row in rows:
            try:
                new += people.receive(deps, row, by=by)
            except DomainError as error:
                faults.append(error.en)
        if faults:
            raise ReceiptFileError(faults)
        return new, len(rows) - new

    patch.setattr(money_later, "take_in_receipts", wrong)


# --- an older copy ----------------------------------------------------------------------------


def the_bank_being_ahead_holds_nothing(patch: Patch) -> None:
    patch.setattr(holds, "HOLDING_ALARMS", holds.HOLDING_ALARMS - {holds.BANK_AHEAD})


def files_that_only_the_bank_knows_are_not_missed(patch: Patch) -> None:
    nothing = ahead.BankComparison((), ())
    patch.setattr(ahead, "compare_bank", lambda _: nothing)


ACTS_OF = {
    "accounts": ACCOUNT_ACTS,
    "insurers": INSURER_ACTS,
    "year": YEAR_ACTS,
    "owed": OWED_ACTS,
    "restore": RESTORE_ACTS,
}
PAID_BEFORE = {"owed": 3, "year": 2, "insurers": 1}

BUGS = (
    ("accounts", a_change_of_account_takes_effect_at_once),
    ("accounts", a_closed_account_is_used_on),
    ("accounts", a_change_that_was_taken_back_takes_effect),
    ("accounts", the_banks_word_on_a_holder_is_not_asked),
    ("insurers", a_consent_that_ended_still_shows_the_bill),
    ("insurers", an_insurer_settles_without_a_consent),
    ("insurers", a_lock_without_a_consent_is_kept),
    ("insurers", an_insurers_call_is_done_again),
    ("insurers", a_lock_is_not_renewed),
    ("year", a_cleared_difference_is_booked_twice),
    ("owed", a_person_gives_up_alone_what_is_owed),
    ("owed", an_instalment_counts_twice),
    ("owed", the_rest_of_a_wrong_file_of_receipts_is_booked),
    ("restore", the_bank_being_ahead_holds_nothing),
    ("restore", files_that_only_the_bank_knows_are_not_missed),
)


def broken_at(databases: SqliteFiles, seed: int, acts: str) -> str | None:
    try:
        seeded_walk(databases, seed, STEPS, acts=ACTS_OF[acts], paid=PAID_BEFORE.get(acts, 0))
    except ERRORS as error:
        return f"seed {seed}, {type(error).__name__}: {error}"[:300]
    return None


@pytest.fixture(scope="module")
def databases() -> SqliteFiles:
    """The beginning is made once, without any bug: all walks go on from it."""
    found = SqliteFiles()
    seeded_walk(found, 0, 0)
    return found


@pytest.mark.parametrize("acts", ACTS_OF)
def test_without_a_bug_the_same_walks_keep_every_promise(acts: str, databases: SqliteFiles) -> None:
    assert broken_at(databases, SEEDS[0], acts) is None


@pytest.mark.parametrize(("acts", "plant"), BUGS, ids=[plant.__name__ for _, plant in BUGS])
def test_a_planted_bug_in_a_part_of_money_is_found(
    acts: str, plant: Callable[[Patch], None], monkeypatch: Patch, databases: SqliteFiles
) -> None:
    plant(monkeypatch)
    found = next(filter(None, (broken_at(databases, seed, acts) for seed in SEEDS)), None)
    print(found)
    assert found is not None
