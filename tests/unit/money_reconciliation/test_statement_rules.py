"""R19: the bank's statement of an account against the journal, movement by movement, to the fen."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.statement_rules import (
    BankMovement,
    BookMovement,
    Period,
    compare_account,
    statements,
    watch_statements,
)

NOON = dt.datetime(2026, 11, 20, 4, 0, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
FIRST = Period("S1", NOON - DAY, NOON, 1_000_00, 940_00)
SECOND = Period("S2", NOON, NOON + DAY, 940_00, 940_00)


def book(
    key: str, fen: int, side: str = "debit", at: dt.datetime = NOON - HOUR, claim: str = ""
) -> BookMovement:
    return BookMovement(key, side, fen, at, claim)


def bank(
    key: str, fen: int, side: str = "debit", *, to_at: dt.datetime = NOON, claim: str = "",
    is_awaited: bool = True,
) -> BankMovement:  # fmt: skip
    return BankMovement(key, side, fen, to_at, is_awaited, claim)


BEFORE = book("D1", 1_000_00, "credit", NOON - 2 * DAY)
PAID = book("C1-V1-A1", 60_00, claim="clm_1")
THERE = bank("C1-V1-A1", 60_00, claim="clm_1")


def found(
    books: list[BookMovement],
    theirs: list[BankMovement],
    *periods: Period,
    silent_before: dt.datetime = NOON - DAY,
) -> list[tuple[str, str, str, str]]:
    rows = list(
        compare_account("330800", periods or (FIRST,), theirs, books, silent_before)
    )  # fmt: skip
    assert {one.rule for one in rows} <= {"R19"}
    return [(one.subject, one.here, one.there, one.claim_id) for one in rows]


def test_a_statement_that_agrees_has_no_mismatch() -> None:
    assert found([BEFORE, PAID], [THERE], FIRST, SECOND) == []


@pytest.mark.parametrize("fen", [999_99, 1_000_01])
def test_another_opening_balance_than_that_of_the_books_is_named(fen: int) -> None:
    books = [book("D1", fen, "credit", NOON - 2 * DAY), PAID]
    assert found(books, [THERE]) == [
        ("330800 opening", f"{fen} fen", "statement S1 opens with 100000 fen", "")
    ]


def test_what_left_before_the_first_statement_is_taken_off_its_opening() -> None:
    books = [
        book("D1", 1_100_00, "credit", NOON - 3 * DAY), book("P0", 100_00, at=NOON - 2 * DAY), PAID,
    ]  # fmt: skip
    assert found(books, [THERE]) == []


def test_a_movement_at_the_very_beginning_of_a_statement_is_within_it() -> None:
    at_once = book("C1-V1-A1", 60_00, at=FIRST.from_at, claim="clm_1")
    assert found([BEFORE, at_once], [THERE]) == []
    assert found([BEFORE, at_once], []) == [
        ("C1-V1-A1", "booked 6000 fen debit", "not on the bank's statement", "clm_1")
    ]


def test_a_statement_that_does_not_follow_from_the_one_before_is_named() -> None:
    gap = Period("S2", NOON, NOON + DAY, 941_00, 941_00)
    assert found([BEFORE, PAID], [THERE], FIRST, gap) == [
        ("330800 S2", "S1 closes with 94000 fen", "opens with 94100 fen", "")
    ]


@pytest.mark.parametrize("fen", [59_99, 60_01])
def test_another_amount_at_the_bank_is_named_with_its_claim(fen: int) -> None:
    assert found([BEFORE, PAID], [bank("C1-V1-A1", fen)]) == [
        ("C1-V1-A1", "booked 6000 fen", f"the bank has {fen} fen debit", "clm_1")
    ]


def test_money_that_left_twice_is_named_as_twice() -> None:
    assert found([BEFORE, PAID], [THERE, THERE]) == [
        ("C1-V1-A1", "booked 6000 fen", "the bank has 12000 fen debit, 2 times", "clm_1")
    ]


def test_money_on_the_other_side_is_another_movement() -> None:
    assert found([BEFORE, PAID], [bank("C1-V1-A1", 60_00, "credit", is_awaited=False)]) == [
        ("C1-V1-A1", "not booked", "the bank has 6000 fen credit", ""),
        ("C1-V1-A1", "booked 6000 fen debit", "not on the bank's statement", "clm_1"),
    ]


def test_money_that_is_not_booked_is_named_and_so_is_one_without_a_reference() -> None:
    theirs = [THERE, bank("", 5_00, "credit", is_awaited=False), bank("x" * 81, 1, "credit",
              is_awaited=False)]  # fmt: skip
    assert found([BEFORE, PAID], theirs) == [
        ("no reference", "not booked", "the bank has 500 fen credit", ""),
        ("x" * 80, "not booked", "the bank has 1 fen credit", ""),
    ]


def test_an_instruction_that_the_bank_has_not_answered_yet_is_on_its_way() -> None:
    waits = bank("C2-V1-A1", 5_00, to_at=NOON, claim="clm_2")
    said = [("C2-V1-A1", "not booked", "the bank has 500 fen debit", "clm_2")]
    assert found([BEFORE, PAID], [THERE, waits], silent_before=NOON) == []
    assert found([BEFORE, PAID], [THERE, waits], silent_before=NOON + MINUTE) == said
    rejected = bank("C2-V1-A1", 5_00, to_at=NOON, claim="clm_2", is_awaited=False)
    assert found([BEFORE, PAID], [THERE, rejected], silent_before=NOON) == said
    twice = found([BEFORE, PAID], [THERE, waits, waits], silent_before=NOON)
    assert twice == [("C2-V1-A1", "not booked", "the bank has 1000 fen debit, 2 times", "clm_2")]


def test_what_was_booked_and_is_on_no_statement_is_named_once_one_should_have_it() -> None:
    def late(at: dt.datetime) -> list[tuple[str, str, str, str]]:
        return found([BEFORE, PAID, book("C2-V1-A1", 5_00, at=at, claim="clm_2")], [THERE])

    said = [("C2-V1-A1", "booked 500 fen debit", "not on the bank's statement", "clm_2")]
    # Two clocks may be ten minutes apart at a statement's end.
    assert late(NOON - 10 * MINUTE) == said
    assert late(NOON - 9 * MINUTE) == []


def test_parts_of_one_deposit_are_compared_together() -> None:
    books = [BEFORE, PAID, book("D2", 3_00, "credit"), book("D2", 4_00, "credit")]
    assert found(books, [THERE, bank("D2", 7_00, "credit", is_awaited=False)]) == []
    assert found(books, [THERE]) == [
        ("D2", "booked 700 fen credit", "not on the bank's statement", "")
    ]


def test_every_account_with_a_statement_is_compared_and_what_was_lost_left_out() -> None:
    asked: list[str] = []

    def of(found: Any) -> Any:
        def answer(region: str) -> Any:
            asked.append(region)
            return found

        return answer

    work = SimpleNamespace(
        bank_statements=SimpleNamespace(
            regions=lambda: ["330700", "330800"],
            periods=of([replace(FIRST, closing_fen=939_99)]),
            entries=of([THERE, bank("C9-V1-A1", 1)]),
            movements=of([BEFORE, PAID]),
        )
    )
    deps: Any = SimpleNamespace()
    assert list(statements(deps, work, {"C9-V1-A1": object()}, NOON)) == []
    assert asked == ["330700"] * 3 + ["330800"] * 3
    rows = list(statements(deps, work, {}, NOON + DAY))
    assert rows == [
        Mismatch("R19", "C9-V1-A1", "not booked", "the bank has 1 fen debit", "")
    ] * 2  # fmt: skip


@pytest.mark.parametrize(
    ("opening", "closing", "said"),
    [(1_000_00, 440_00, -560_00), (1_000_00, 940_01, -59_99), (999_99, 940_00, -59_99)],
)
def test_stored_balances_that_the_stored_movements_do_not_explain_are_named(
    opening: int, closing: int, said: int
) -> None:
    """1,000.00 less the payment of 60.00 is 940.00."""
    period = replace(FIRST, opening_fen=opening, closing_fen=closing)
    work = SimpleNamespace(
        bank_statements=SimpleNamespace(
            regions=lambda: ["330800"],
            periods=lambda _: [period],
            entries=lambda _: [THERE],
            movements=lambda _: [replace(BEFORE, amount_fen=opening), PAID],
        )
    )
    assert list(statements(Any, work, {}, NOON)) == [
        Mismatch(
            "R19", "330800 closing", "the stored movements change it by -6000 fen",
            f"the stored balances by {said} fen", "",
        )
    ]  # fmt: skip


# --- a bank that gives no statement ---------------------------------------------------------------


def watched(
    hours: int, seen: dict[str, dt.datetime], moved: dict[str, dt.datetime], *codes: str
) -> tuple[dict[str, str], list[str], int]:
    """The alarms that were raised, those that were closed, and how often was committed."""
    raised: dict[str, str] = {}
    cleared: list[str] = []
    commits: list[int] = []

    class Work:
        bank_statements = SimpleNamespace(last_ends=lambda: seen, first_moves=lambda: moved)
        alarms = SimpleNamespace(
            open_counts=lambda: dict.fromkeys(codes, 1),
            raise_alarm=lambda code, region, detail: raised.update({f"{code} {region}": detail}),
            clear=lambda code, region: cleared.append(f"{code} {region}"),
        )

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def commit(self) -> None:
            commits.append(1)

    deps: Any = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: NOON),
        settings=SimpleNamespace(statement_hours=hours),
        work=lambda write=True: Work(),
    )
    watch_statements(deps)
    return raised, cleared, len(commits)


def test_a_statement_that_does_not_come_is_an_alarm_for_its_region() -> None:
    early = NOON - 48 * HOUR - MINUTE
    moved = {"330700": early, "330800": early}
    seen = {"330800": NOON - HOUR}
    words = {"bank-statement-missing 330700": "no statement of its account since 2026-11-18 03:59Z"}
    assert watched(48, seen, moved) == (words, ["bank-statement-missing 330800"], 1)


def test_in_time_or_where_none_is_due_there_is_no_alarm_and_an_old_one_is_closed() -> None:
    moved = {"330800": NOON - 48 * HOUR}
    assert watched(48, {}, moved) == ({}, [], 0)
    assert watched(0, {}, {"330800": NOON - 900 * HOUR}) == ({}, [], 0)
    closed = ["bank-statement-missing 330800"]
    assert watched(48, {}, moved, "bank-statement-missing") == ({}, closed, 1)
    assert watched(48, {"330800": NOON}, {}) == ({}, [], 0)
