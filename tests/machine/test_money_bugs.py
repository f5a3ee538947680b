"""The walks with money would notice: each bug, planted alone, breaks a promise in one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database.payment_repository import PaymentRepository
from backend.domain.errors import DomainError
from backend.service_layer.claims import supplement
from backend.service_layer.money_reconciliation import adopt
from backend.service_layer.payout import (
    answers,
    approve,
    booking,
    examine,
    holding,
    instruct,
)
from backend.service_layer.payout.records import AnswerStatus, Verdict
from backend.service_layer.recovery import people
from tests.machine.databases import SqliteFiles
from tests.machine.money_machine import ACTS, LATER_ACTS, OWED_ACTS, seeded_walk

pytestmark = pytest.mark.slow
Patch = pytest.MonkeyPatch
ERRORS = (AssertionError, DomainError, LookupError, ValueError, sa.exc.SQLAlchemyError)
SEEDS = range(12)
STEPS = 40


def rejected_is_tried_again_on_the_same_account(patch: Patch) -> None:
    patch.setattr(holding, "may_try_again", lambda *_, **__: True)


def a_duplicate_at_the_bank_counts_as_rejected(patch: Patch) -> None:
    patch.setattr(examine, "KNOWN_AT_THE_BANK", frozenset())


def an_answer_is_not_journaled(patch: Patch) -> None:
    patch.setattr(answers, "book_all", lambda *_: None)


def an_instruction_is_not_journaled(patch: Patch) -> None:
    patch.setattr(instruct, "book_instructed", lambda *_: None)


def a_supplement_is_approved_as_a_whole(patch: Patch) -> None:
    patch.setattr(booking, "payments_in_effect", lambda *_: [])


def the_slot_is_not_read_again(patch: Patch) -> None:
    patch.setattr(instruct, "slot_bars", lambda *_: None)


def flags_of_the_slot_are_ignored(patch: Patch) -> None:
    patch.setattr(holding, "_STOPPED_FLAGS", 0)


def returned_money_is_not_owed_again(patch: Patch) -> None:
    right = answers._move_claim

    def wrong(work: Any, one: Any, now: Any) -> None:
        if one.item.status is not AnswerStatus.RETURNED:
            right(work, one, now)

    patch.setattr(answers, "_move_claim", wrong)


def todays_limits_are_counted_from_nothing(patch: Patch) -> None:
    def wrong(self: Any, one: Any, region: str) -> bool:
        self._by_person.setdefault(one.claim.person_id, 0)
        self._by_pool.setdefault(region, 0)
        limits = self._deps.settings.payout.instant
        return bool(limits.allow_day(one.payout.amount_fen, 0, 0))

    patch.setattr(instruct._Counter, "_is_within_day", wrong)


def what_a_person_stopped_is_paid(patch: Patch) -> None:
    patch.setattr(holding, "STOPPED", None)


def the_rest_of_a_wrong_file_is_booked(patch: Patch) -> None:
    right = answers.examine

    def wrong(work: Any, report: Any, **values: Any) -> Any:
        items = [
            i
            for i in report.items
            if right(work, dataclasses.replace(report, items=(i,)), **values)[0]
        ]
        return right(work, dataclasses.replace(report, items=tuple(items)), **values)

    patch.setattr(answers, "examine", wrong)


def a_contradiction_is_believed(patch: Patch) -> None:
    pair = {(AnswerStatus.PAID, AnswerStatus.REJECTED), (AnswerStatus.REJECTED, AnswerStatus.PAID)}
    patch.setattr(examine, "_NEWS", examine._NEWS | pair)


def totals_of_a_file_are_not_compared(patch: Patch) -> None:
    patch.setattr(examine, "_of_the_whole", lambda *_: [])


def refused_files_are_not_kept(patch: Patch) -> None:
    right = PaymentRepository.add_message

    def wrong(self: Any, entry: Any) -> None:
        if entry.verdict is not Verdict.REFUSED:
            right(self, entry)

    patch.setattr(PaymentRepository, "add_message", wrong)


def names_do_not_carry_the_version(patch: Patch) -> None:
    patch.setattr(
        instruct, "end_to_end_id", lambda number, version, attempt: f"{number}-A{attempt}"
    )


def a_payable_is_not_derived_from_the_version(patch: Patch) -> None:
    for module in (approve, supplement):
        patch.setattr(module, "payout_id", lambda claim, version: f"pay_{claim.number}")


def what_is_adopted_is_owed_again(patch: Patch) -> None:
    """A file of the bank is stored again without what it instructed: all of it is owed anew."""
    right = PaymentRepository.add_file

    def wrong(self: Any, file: Any, attempts: Any) -> None:
        right(self, file, attempts if file.handed_over_at is None else [])

    patch.setattr(PaymentRepository, "add_file", wrong)
    patch.setattr(adopt, "book_instructed", lambda *_: None)


def a_receipt_is_booked_twice(patch: Patch) -> None:
    right = people.book

    def wrong(work: Any, entry: Any) -> bool:
        again = dataclasses.replace(
            entry.occasion, source_id=f"{entry.occasion.source_id[:60]}-again"
        )
        right(work, dataclasses.replace(entry, occasion=again))
        return right(work, entry)

    patch.setattr(people, "book", wrong)


def one_person_makes_a_proposal_owed(patch: Patch) -> None:
    patch.setattr(people, "APPROVALS_NEEDED", 1)


LATER_BUGS = (
    what_is_adopted_is_owed_again,
    a_receipt_is_booked_twice,
    one_person_makes_a_proposal_owed,
)

BUGS = (
    rejected_is_tried_again_on_the_same_account,
    a_duplicate_at_the_bank_counts_as_rejected,
    an_answer_is_not_journaled,
    an_instruction_is_not_journaled,
    a_supplement_is_approved_as_a_whole,
    the_slot_is_not_read_again,
    flags_of_the_slot_are_ignored,
    returned_money_is_not_owed_again,
    todays_limits_are_counted_from_nothing,
    what_a_person_stopped_is_paid,
    the_rest_of_a_wrong_file_is_booked,
    a_contradiction_is_believed,
    totals_of_a_file_are_not_compared,
    refused_files_are_not_kept,
    names_do_not_carry_the_version,
    a_payable_is_not_derived_from_the_version,
)


def broken_at(databases: SqliteFiles, seed: int, acts: Any = ACTS, paid: int = 0) -> str | None:
    try:
        seeded_walk(databases, seed, STEPS, acts=acts, paid=paid)
    except ERRORS as error:
        return f"{type(error).__name__}: {error}"[:300]
    return None


@pytest.fixture(scope="module")
def databases() -> SqliteFiles:
    """The beginning is made once, without any bug: all walks go on from it."""
    found = SqliteFiles()
    seeded_walk(found, 0, 0)
    return found


def test_without_a_bug_the_same_walks_keep_every_promise(databases: SqliteFiles) -> None:
    assert [broken_at(databases, seed) for seed in SEEDS[:3]] == [None] * 3


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_breaks_a_promise_of_money(
    plant: Callable[[Patch], None], monkeypatch: Patch, databases: SqliteFiles
) -> None:
    plant(monkeypatch)
    found = next(filter(None, (broken_at(databases, seed) for seed in SEEDS)), None)
    print(found)
    assert found is not None


@pytest.mark.parametrize("plant", LATER_BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_in_what_comes_after_payment_is_found(
    plant: Callable[[Patch], None], monkeypatch: Patch, databases: SqliteFiles
) -> None:
    """A restored copy and money that is asked back, in walks that hold more of both."""
    plant(monkeypatch)
    acts = (*OWED_ACTS, *LATER_ACTS, *ACTS)
    found = next(filter(None, (broken_at(databases, seed, acts, 2) for seed in SEEDS)), None)
    print(found)
    assert found is not None
