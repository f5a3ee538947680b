"""Booking once: what is the same is known, what differs or is late is refused as a whole."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from backend.domain.journal import JournalConflictError, PeriodClosedError
from backend.service_layer.journal.booking import book, book_all
from tests.unit.journal.books import CITY, NOON, Books, entry

OTHER = (
    "来源 deposit d1 funded 已经记账，内容不同：没有再记。请核对后用新的来源编号冲正。",
    "deposit d1 funded is booked already, with another content: nothing was booked. Compare the "
    "two and correct by an entry of its own source.",
)


def test_an_entry_is_booked_once_and_known_afterwards() -> None:
    books = Books()
    assert book(books.work, entry()) is True
    assert book(books.work, entry(at=NOON + dt.timedelta(days=1))) is False
    assert list(books.stored.values()) == [entry()]


def test_how_many_were_new_is_counted() -> None:
    books = Books()
    assert book_all(books.work, [entry("a"), entry("b"), entry("a")]) == 2
    assert book_all(books.work, [entry("b"), entry("c")]) == 1
    assert book_all(books.work, []) == 0


def test_another_content_of_a_booked_source_is_refused() -> None:
    books = Books()
    book(books.work, entry(fen=100))
    with pytest.raises(JournalConflictError) as caught:
        book(books.work, entry(fen=101))
    assert (caught.value.zh, caught.value.en) == OTHER


def test_two_contents_of_one_source_in_one_call_book_nothing() -> None:
    books = Books()
    with pytest.raises(JournalConflictError) as caught:
        book_all(books.work, [entry("a"), entry("d1", 100), entry("d1", 101)])
    assert (caught.value.zh, caught.value.en) == OTHER
    assert books.stored == {}


def test_another_worker_that_was_faster_with_the_same_is_no_conflict() -> None:
    books = Books(faster={entry("d1").id: entry("d1")})
    assert book_all(books.work, [entry("d1"), entry("d2")]) == 1


def test_another_worker_that_was_faster_with_another_content_is_one() -> None:
    books = Books(faster={entry("d1").id: entry("d1", 99)})
    with pytest.raises(JournalConflictError) as caught:
        book_all(books.work, [entry("d1", 100), entry("d2")])
    assert (caught.value.zh, caught.value.en) == OTHER


@pytest.mark.parametrize("closed", ["2026-11", "2026-12"])
def test_a_closed_month_takes_nothing_and_says_until_when(closed: str) -> None:
    books = Books(closed={"330800": closed})
    with pytest.raises(PeriodClosedError) as caught:
        # The earliest of them decides.
        book_all(books.work, [entry("later", at=NOON + dt.timedelta(days=60)), entry()])
    assert caught.value.zh == f"{closed} 及以前的月份已经结账，不能倒填：请记在当月。"
    assert caught.value.en == (
        f"the months up to {closed} are closed and take no entry: book in the running month."
    )
    assert books.stored == {}


def test_the_month_after_a_closed_one_is_open_and_each_region_has_its_own() -> None:
    other = replace(CITY, region="330700")
    books = Books(closed={"330800": "2026-10", "330700": "2026-11"})
    assert book(books.work, entry()) is True
    assert books.asked == [("lock", "330800", False)]
    with pytest.raises(PeriodClosedError):
        book_all(books.work, [entry("x"), entry("y", fund=other)])


def test_what_is_known_already_does_not_ask_for_its_month() -> None:
    books = Books(stored={entry().id: entry()}, closed={"330800": "2026-11"})
    assert book(books.work, entry()) is False
    assert books.asked == []
