"""The simulated bank's book: it keeps what it did, once, whatever becomes of the agency."""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.bank.simulated_book import (
    Answer,
    Closed,
    Credit,
    KnownAccount,
    Movement,
    Page,
    SimulatedBook,
)

AT = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
CHINA = dt.timezone(dt.timedelta(hours=8))
OURS, OTHER = "3308000000000001", "3308000000000002"


@pytest.fixture
def book(tmp_path: Path) -> SimulatedBook:
    return SimulatedBook(tmp_path / "var" / "bank" / "simulated.db")


@pytest.fixture
def page(book: SimulatedBook) -> Iterator[Page]:
    with book.open() as found:
        yield found


def credit(name: str = "E-1", fen: int = 100, reference: str = "", at: dt.datetime = AT) -> Credit:
    return Credit(name, "YC-1", "6217000000000006217", fen, reference or f"SIM-{name}", at)


def moved(
    side: str,
    fen: int,
    reference: str,
    name: str = "",
    at: dt.datetime = AT,
    *,
    account: str = OURS,
) -> Movement:
    return Movement(account, side, fen, reference, name, at)


# --- the book itself ------------------------------------------------------------------------------


def test_what_was_booked_is_there_after_the_bank_was_started_again(
    book: SimulatedBook, tmp_path: Path
) -> None:
    with book.open() as page:
        assert page.credit(credit()) is True
    with SimulatedBook(tmp_path / "var/bank/simulated.db").open() as page:
        assert page.credits() == [credit()]
    assert (tmp_path / "var/bank").stat().st_mode & 0o777 == 0o700


def test_a_page_that_ends_in_an_error_leaves_nothing(book: SimulatedBook) -> None:
    with book.open() as page:
        page.credit(credit("E-1"))
    with pytest.raises(ZeroDivisionError), book.open() as page:
        page.credit(credit("E-2"))
        raise ZeroDivisionError
    with book.open() as page:
        assert [one.end_to_end_id for one in page.credits()] == ["E-1"]


def test_only_one_may_write_at_a_time_and_readers_go_on(
    book: SimulatedBook, tmp_path: Path
) -> None:
    path = tmp_path / "var/bank/simulated.db"
    with book.open() as page:
        page.credit(credit())
    with book.open() as page:
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        page.credit(credit("E-2"))
        # Write-ahead: whoever reads meanwhile is not kept waiting, and sees what was committed.
        assert other.execute("SELECT count(*) FROM credit").fetchone() == (1,)
        other.close()


def test_a_commit_is_on_the_disk(page: Page) -> None:
    # 2 is FULL (sqlite.org/pragma.html#pragma_synchronous).
    assert page._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert page._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# --- accounts, files, credits ---------------------------------------------------------------------


def test_accounts_are_known_as_they_were_named_last(page: Page) -> None:
    open_one = KnownAccount("6217001", "测试甲子", "102")
    closed = KnownAccount("6217002", "测试乙丑", "103", is_closed=True)
    page.enrol([open_one, closed])
    assert (page.account("6217001"), page.account("6217002")) == (open_one, closed)
    assert page.account("6217003") is None
    renamed = replace(open_one, holder="测试丙寅", is_closed=True)
    page.enrol([renamed])
    assert page.account("6217001") == renamed


def test_a_message_is_carried_out_once_and_a_file_is_known_by_name_and_bytes(page: Page) -> None:
    assert page.add_file("a.xml", "YC-1", b"1", AT) is True
    assert page.add_file("b.xml", "YC-1", b"2", AT) is False
    assert page.add_file("b.xml", "YC-2", b"2", AT) is True
    known = [(n, d) for n in ("a.xml", "b.xml") for d in (b"1", b"2") if page.has_file(n, d)]
    assert known == [("a.xml", b"1"), ("b.xml", b"2")]


def test_nobody_is_paid_twice_under_one_name(page: Page) -> None:
    assert page.credit(credit("E-2")) is True
    assert page.credit(credit("E-2", 300, "SIM-9")) is False
    assert page.credit(credit("E-1", at=AT - SECOND)) is True
    assert page.credits() == [credit("E-1", at=AT - SECOND), credit("E-2")]
    assert page.credit_of("E-2") == credit("E-2") and page.credit_of("E-3") is None


# --- movements of the agency's account ------------------------------------------------------------


def test_movements_are_told_in_their_order_after_one_instant_up_to_another(page: Page) -> None:
    page.move(moved("debit", 100, "SIM-2", "E-2", AT + SECOND))
    page.move(moved("debit", 200, "SIM-1", "E-1", AT + SECOND))
    page.move(moved("credit", 900, "入账-1", at=AT))
    page.move(moved("credit", 800, "入账-0", at=AT - SECOND))
    page.move(moved("credit", 700, "入账-2", at=AT + 2 * SECOND))
    page.move(moved("credit", 600, "入账-3", account=OTHER))
    assert page.moved(OURS, AT - SECOND, AT + SECOND) == [
        moved("credit", 900, "入账-1", at=AT),
        moved("debit", 200, "SIM-1", "E-1", AT + SECOND),
        moved("debit", 100, "SIM-2", "E-2", AT + SECOND),
    ]
    assert page.moved_accounts() == [OURS, OTHER]
    assert page.moved(OTHER, AT, AT + SECOND) == []


def test_a_payment_and_its_return_are_two_movements_and_each_is_booked_once(page: Page) -> None:
    for fen in (100, 999):
        page.move(moved("debit", fen, "SIM-1", "E-1"))
        page.move(moved("credit", fen, "RET-1", "E-1", AT + SECOND))
        page.move(moved("credit", fen, "入账-1", at=AT + 2 * SECOND))
    assert page.moved(OURS, AT - SECOND, AT + 9 * SECOND) == [
        moved("debit", 100, "SIM-1", "E-1"),
        moved("credit", 100, "RET-1", "E-1", AT + SECOND),
        moved("credit", 100, "入账-1", at=AT + 2 * SECOND),
    ]


def test_an_instant_is_the_same_whatever_clock_it_was_read_from(page: Page) -> None:
    page.move(moved("debit", 100, "SIM-1", "E-1", AT.astimezone(CHINA)))
    noon = AT + dt.timedelta(hours=4)
    [found] = page.moved(OURS, (AT - SECOND).astimezone(CHINA), AT.astimezone(CHINA))
    assert found.at == AT
    assert page.moved(OURS, AT.astimezone(CHINA), noon) == []
    page.add_answer(Answer("a", b"1", AT.astimezone(CHINA)))
    assert page.answers_due(AT - SECOND) == []
    assert [one.name for one in page.answers_due(AT.astimezone(CHINA))] == ["a"]


def test_the_book_is_kept_in_utc_whatever_the_machines_own_zone(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.move(moved("debit", 100, "SIM-1", "E-1"))
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        page.move(moved("debit", 200, "SIM-2", "E-2", AT + SECOND))
        found = page.moved(OURS, AT - SECOND, AT + SECOND)
        assert [one.amount_fen for one in found] == [100, 200]
        assert page.moved(OURS, AT + SECOND, AT + 2 * SECOND) == []
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_an_earlier_release_has_only_credited_is_found(page: Page) -> None:
    page.credit(credit("E-1"))
    page.credit(credit("E-2"))
    page.move(moved("debit", 100, "SIM-E-1", "E-1"))
    page.move(moved("credit", 500, "E-2x"))
    assert page.without_movement() == [credit("E-2")]


# --- statements -----------------------------------------------------------------------------------


def test_the_last_statement_of_an_account_is_the_one_that_goes_on(page: Page) -> None:
    assert page.last_statement(OURS) is None
    for number in range(1, 12):
        page.close_statement(OURS, Closed(number, AT + number * SECOND, -100 * number))
    page.close_statement(OTHER, Closed(99, AT, 1))
    assert page.last_statement(OURS) == Closed(11, AT + 11 * SECOND, -1_100)
    with pytest.raises(sqlite3.IntegrityError):
        page.close_statement(OURS, Closed(11, AT, 0))


# --- answers --------------------------------------------------------------------------------------


def test_answers_are_due_in_their_order_until_they_were_delivered(page: Page) -> None:
    late = Answer("late", b"4", AT + SECOND)
    for one in (late, Answer("z", b"2", AT), Answer("a", b"3", AT), Answer("m", b"1", AT - SECOND)):
        page.add_answer(one)
    page.add_answer(Answer("z", b"changed", AT - 9 * SECOND))
    due = page.answers_due(AT)
    assert [(one.name, one.content, one.due_at) for one in due] == [
        ("m", b"1", AT - SECOND), ("z", b"2", AT), ("a", b"3", AT),
    ]  # fmt: skip
    assert page.answers_due(AT, limit=2) == due[:2]
    page.delivered(["m", "a"])
    assert [one.name for one in page.answers_due(AT + SECOND)] == ["z", "late"]


def test_at_most_five_hundred_answers_are_delivered_at_once(page: Page) -> None:
    for number in range(501):
        page.add_answer(Answer(f"{number}", b"", AT))
    assert len(page.answers_due(AT)) == 500
