"""银行存款余额调节表: every figure below is added up by hand, in yuan and fen."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.money_reconciliation.balance_statement import (
    OpenItem,
    balance,
    read_balance_statement,
)
from backend.service_layer.money_reconciliation.statement_rules import (
    BankMovement,
    BookMovement,
    Period,
)

NOON = dt.datetime(2026, 11, 20, 4, 0, tzinfo=dt.UTC)  # 12:00 in China
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
TODAY, EVE = dt.date(2026, 11, 20), dt.date(2026, 11, 19)
FIRST = Period("S1", NOON - DAY, NOON, 1_000_00, 1_255_00, simulated=True)


def book(
    key: str, fen: int, side: str = "debit", at: dt.datetime = NOON - HOUR,
    booked_at: dt.datetime | None = None,
) -> BookMovement:  # fmt: skip
    return BookMovement(key, side, fen, at, "", booked_at or at)


def bank(key: str, fen: int, side: str = "debit", to_at: dt.datetime = NOON) -> BankMovement:
    return BankMovement(key, side, fen, to_at, False, "", EVE)


BEFORE = [
    book("D1", 1_020_00, "credit", NOON - 3 * DAY), book("C3-V1-A1", 20_00, at=NOON - 2 * DAY),
]  # fmt: skip
BOOKS = [
    *BEFORE, book("D2", 300_00, "credit"), book("C1-V1-A1", 60_00),
    book("C2-V1-A1", 45_00), book("TYPED", 70_00, "credit"),
]  # fmt: skip
BANK = [
    bank("D2", 300_00, "credit"), bank("C1-V1-A1", 60_00), bank("FEE-1", 5_00),
    bank("C3-V1-A1", 20_00, "credit"),
]  # fmt: skip


def test_the_four_lists_explain_what_lies_between_two_balances() -> None:
    """A payment that is not on the statement, a deposit typed and unknown at the bank, a return
    that is not booked, a fee of the bank."""
    found = balance("330800", [FIRST], BANK, BOOKS)
    assert (found.region, found.statement_id, found.as_of, found.simulated) == (
        "330800", "S1", NOON, True,
    )  # fmt: skip
    # 1,000.00 + 300.00 - 60.00 - 5.00 + 20.00
    assert found.bank_fen == 1_255_00
    # 1,020.00 - 20.00 + 300.00 - 60.00 - 45.00 + 70.00
    assert found.book_fen == 1_265_00
    assert found.we_received == (OpenItem(TODAY, "TYPED", 70_00),)
    assert found.we_paid == (OpenItem(TODAY, "C2-V1-A1", 45_00),)
    assert found.bank_received == (OpenItem(EVE, "C3-V1-A1", 20_00),)
    assert found.bank_paid == (OpenItem(EVE, "FEE-1", 5_00),)
    # 1,255.00 + 70.00 - 45.00, and 1,265.00 + 20.00 - 5.00
    assert (found.adjusted_bank_fen, found.adjusted_book_fen) == (1_280_00, 1_280_00)
    assert found.agrees and found.gaps == ()


def test_without_open_items_both_balances_are_the_same() -> None:
    period = replace(FIRST, closing_fen=940_00)
    found = balance(
        "330800", [period], [bank("C1-V1-A1", 60_00)], [*BEFORE, book("C1-V1-A1", 60_00)]
    )
    assert (found.bank_fen, found.book_fen, found.agrees) == (940_00, 940_00, True)
    assert found.we_received == found.we_paid == found.bank_received == found.bank_paid == ()


@pytest.mark.parametrize(("opening", "differs"), [(1_000_01, 1), (999_99, -1)])
def test_a_first_balance_that_is_not_that_of_the_books_stays_unexplained(
    opening: int, differs: int
) -> None:
    period = replace(FIRST, opening_fen=opening, closing_fen=1_255_00 + differs)
    found = balance("330800", [period], BANK, BOOKS)
    assert not found.agrees
    assert found.adjusted_bank_fen - found.adjusted_book_fen == differs
    assert found.gaps == (f"S1 opens with {opening} fen, the books with 100000 fen",)


def test_a_statement_that_is_missing_between_two_stays_unexplained() -> None:
    after = Period("S3", NOON, NOON + DAY, 1_200_00, 1_200_00)
    found = balance("330800", [FIRST, after], BANK, BOOKS)
    # 1,200.00 + 70.00 - 45.00 beside 1,280.00
    assert (found.adjusted_bank_fen, found.adjusted_book_fen) == (1_225_00, 1_280_00)
    assert found.gaps == ("S3 opens with 120000 fen, S1 closes with 125500 fen",)


def test_money_that_left_twice_is_open_once() -> None:
    period = replace(FIRST, closing_fen=880_00)
    twice = [bank("C1-V1-A1", 60_00), bank("C1-V1-A1", 60_00)]
    found = balance("330800", [period], twice, [*BEFORE, book("C1-V1-A1", 60_00)])
    assert found.bank_paid == (OpenItem(EVE, "C1-V1-A1", 60_00),) and found.we_paid == ()
    assert (found.adjusted_bank_fen, found.adjusted_book_fen) == (880_00, 880_00)


def test_another_amount_is_open_on_both_sides() -> None:
    period = replace(FIRST, closing_fen=939_00)
    found = balance(
        "330800", [period], [bank("C1-V1-A1", 61_00)], [*BEFORE, book("C1-V1-A1", 60_00)]
    )
    assert [one.amount_fen for one in (*found.we_paid, *found.bank_paid)] == [60_00, 61_00]
    # 939.00 - 60.00, and 940.00 - 61.00
    assert (found.adjusted_bank_fen, found.adjusted_book_fen) == (879_00, 879_00)


def test_a_deposit_in_parts_and_one_that_was_taken_back_are_no_open_items() -> None:
    period = replace(FIRST, closing_fen=1_007_00)
    books = [
        *BEFORE, book("D2", 3_00, "credit"), book("D2", 4_00, "credit"),
        book("WRONG", 9_00, "credit"), book("WRONG", -9_00, "credit"),
    ]  # fmt: skip
    found = balance("330800", [period], [bank("D2", 7_00, "credit")], books)
    assert found.we_received == found.bank_received == ()
    assert (found.book_fen, found.agrees) == (1_007_00, True)


def test_what_was_booked_after_the_statements_end_counts_for_the_bank_alone() -> None:
    """The bank paid in time, and its answer was booked an hour later."""
    period = replace(FIRST, closing_fen=940_00)
    late = book("C1-V1-A1", 60_00, at=NOON - HOUR, booked_at=NOON + HOUR)
    next_day = book("D7", 1_00, "credit", NOON + DAY)
    found = balance("330800", [period], [bank("C1-V1-A1", 60_00)], [*BEFORE, late, next_day])
    assert found.book_fen == 1_000_00 and found.we_received == ()
    assert found.bank_paid == (OpenItem(EVE, "C1-V1-A1", 60_00),)
    assert (found.adjusted_bank_fen, found.adjusted_book_fen) == (940_00, 940_00)


def test_what_the_bank_did_before_its_first_statement_and_we_booked_after_it_is_open() -> None:
    opened = replace(FIRST, opening_fen=990_00, closing_fen=990_00)
    late = book("C0-V1-A1", 10_00, at=NOON - 2 * DAY, booked_at=NOON + HOUR)
    found = balance("330800", [opened], [], [*BEFORE, late])
    assert (found.book_fen, found.adjusted_book_fen, found.adjusted_bank_fen) == (
        1_000_00, 990_00, 990_00,
    )  # fmt: skip
    assert [one.reference for one in found.bank_paid] == ["C0-V1-A1"] and found.gaps == ()


def test_a_day_takes_the_newest_statement_that_ends_by_it() -> None:
    midnight = dt.datetime(2026, 11, 20, 16, 0, tzinfo=dt.UTC)  # 21 November, 0:00 in China
    first = Period("S1", midnight - 2 * DAY, midnight - DAY, 0, 0)
    second = Period("S2", midnight - DAY, midnight, 0, 5_00)
    work: Any = SimpleNamespace(
        bank_statements=SimpleNamespace(
            periods=lambda region: [first, second] if region == "330800" else [],
            entries=lambda region: [bank("GIFT", 5_00, "credit", midnight)],
            movements=lambda region: [],
        )
    )

    def of(day: dt.date | None, region: str = "330800") -> str:
        found = read_balance_statement(work, region, day)
        return "" if found is None else f"{found.statement_id} {len(found.bank_received)}"

    assert of(None) == of(dt.date(2026, 11, 20)) == "S2 1"
    assert of(dt.date(2026, 11, 19)) == "S1 0"
    assert of(dt.date(2026, 11, 18)) == of(None, "330700") == ""


def test_a_record_for_programs_says_everything() -> None:
    record = balance("330800", [FIRST], BANK, BOOKS).to_record()
    assert record["as_of"] == "2026-11-20T04:00:00+00:00"
    assert record["we_paid"] == [{"on": "2026-11-20", "reference": "C2-V1-A1", "amount_fen": 4500}]
    assert (record["agrees"], record["adjusted_book_fen"]) == (True, 1_280_00)
