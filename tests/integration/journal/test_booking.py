"""Booking once, on both databases, and two that book the same event at the same moment."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain import journal
from backend.domain.journal import (
    ClaimFund,
    Entry,
    Fund,
    JournalConflictError,
    LayerAmounts,
    Occasion,
    PeriodClosedError,
)
from backend.service_layer.journal.booking import book, book_all
from tests.integration.journal import raw
from tests.integration.journal.claim_rows import add_claims

AT = dt.datetime(2026, 11, 20, 3, 0, 0, 123456, tzinfo=dt.UTC)
FUND = Fund("330800", "310", "330802", "测试中心")
RESIDENTS = dataclasses.replace(FUND, insurance_type="390")


def deposit(number: int, amount: int = 100, fund: Fund = FUND, **changed: Any) -> Entry:
    occasion = Occasion("deposit", f"D{number}", fund, None, AT)
    return journal.funded(dataclasses.replace(occasion, **changed), LayerAmounts(amount, amount))


def booked(engine: sa.Engine, *entries: Entry) -> int:
    with SqlUnitOfWork(engine) as work:
        many = book_all(work, entries)
        work.commit()
    return many


def at_bank(engine: sa.Engine) -> int:
    with SqlUnitOfWork(engine, write=False) as work:
        return work.journal.balance("bank:330800")


def test_entry_is_read_back_as_it_was_booked(engine: sa.Engine) -> None:
    add_claims(engine, "1")
    with SqlUnitOfWork(engine) as work:
        work.journal.fix_claim_fund(ClaimFund("clm_1", FUND, "register", AT))
        work.commit()
    entry = deposit(1, claim_id="clm_1", recorded_by="张三", is_simulated=True, text="说明 / why")
    assert booked(engine, entry, deposit(2)) == 2
    with SqlUnitOfWork(engine, write=False) as work:
        assert work.journal.find([entry.id, "jrn_none"]) == {entry.id: entry}
        assert work.journal.entries_of("clm_1") == [entry]
        assert work.journal.entries(account="bank:330800") == sorted(
            (entry, deposit(2)), key=lambda one: one.id
        )
        assert work.journal.entries(account="transit:330800") == []
        assert work.journal.entries(ends_on=dt.date(2026, 11, 19)) == []
        assert len(work.journal.entries(limit=1)) == 1


def test_same_source_is_booked_once(engine: sa.Engine) -> None:
    later = deposit(1, booked_at=AT + dt.timedelta(days=40), text="again", recorded_by="x")
    with SqlUnitOfWork(engine) as work:
        assert book(work, deposit(1))
        assert not book(work, deposit(1))  # in the same transaction
        work.commit()
    assert booked(engine, deposit(1), later, deposit(1)) == 0
    assert booked(engine, deposit(2), deposit(2)) == 1
    assert at_bank(engine) == 400


@pytest.mark.parametrize(
    "other",
    [
        deposit(1, 101),
        deposit(1, 1),
        deposit(1, fund=RESIDENTS),
        deposit(1, fund=dataclasses.replace(FUND, agency_code="330803")),
        deposit(1, is_simulated=True),
        journal.funded(deposit(1).occasion, LayerAmounts(200)),
        journal.funded(deposit(1).occasion, LayerAmounts(100, 100, 1)),
    ],
)
def test_same_source_with_another_content_is_refused(engine: sa.Engine, other: Entry) -> None:
    booked(engine, deposit(1))
    with pytest.raises(JournalConflictError, match="deposit D1 funded is booked already"):
        booked(engine, deposit(2), other)
    assert at_bank(engine) == 200  # not the one beside it either


def test_two_contents_of_one_source_in_one_call_are_refused(engine: sa.Engine) -> None:
    with pytest.raises(JournalConflictError, match="booked already, with another content"):
        booked(engine, deposit(1), deposit(1, 5))
    assert at_bank(engine) == 0


def test_nothing_is_booked_before_the_commit(engine: sa.Engine) -> None:
    with SqlUnitOfWork(engine) as work:
        book(work, deposit(1))
    assert at_bank(engine) == 0
    assert booked(engine, deposit(1)) == 1


def test_money_of_a_claim_stays_in_its_own_fund(engine: sa.Engine) -> None:
    add_claims(engine, "1")
    entry = deposit(1, claim_id="clm_1")
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)another fund|foreign key"):
        booked(engine, entry)  # no fund is fixed yet
    with SqlUnitOfWork(engine) as work:
        first = work.journal.fix_claim_fund(ClaimFund("clm_1", FUND, "register", AT))
        again = work.journal.fix_claim_fund(ClaimFund("clm_1", RESIDENTS, "settings", AT))
        work.commit()
    assert first == again == ClaimFund("clm_1", FUND, "register", AT)
    for other in (RESIDENTS, dataclasses.replace(FUND, agency_code="330881")):
        with pytest.raises(sa.exc.IntegrityError, match=r"(?i)another fund|foreign key"):
            booked(engine, deposit(1, claim_id="clm_1", fund=other))
    assert booked(engine, entry) == 1


def test_closed_month_takes_no_entry_and_an_open_one_does(engine: sa.Engine) -> None:
    raw.run(engine, raw.proposal(month="2026-10"), raw.close(month="2026-10"))
    last = dt.datetime(2026, 10, 31, 15, 59, 59, tzinfo=dt.UTC)  # 23:59:59 in China
    for at in (last, last - dt.timedelta(days=60)):
        with pytest.raises(PeriodClosedError, match="the months up to 2026-10 are closed"):
            booked(engine, deposit(1, booked_at=at))
        with pytest.raises(PeriodClosedError, match="book in the running month"):
            booked(engine, deposit(2), deposit(1, booked_at=at))
    assert at_bank(engine) == 0
    assert booked(engine, deposit(1, booked_at=last + dt.timedelta(seconds=1))) == 1
    other = Fund("110000", "310", "110000", "测试")
    entry = journal.funded(Occasion("deposit", "D9", other, None, last), LayerAmounts(5))
    assert booked(engine, entry) == 1  # the months of another region


def test_balances_by_day_and_insurance_type(engine: sa.Engine) -> None:
    booked(
        engine,
        deposit(1, 100),
        deposit(2, 30, booked_at=AT + dt.timedelta(days=1)),
        deposit(3, 7, fund=RESIDENTS),
    )
    with SqlUnitOfWork(engine, write=False) as work:
        find = work.journal.balance
        assert find("bank:330800") == 274
        assert find("bank:330800", dt.date(2026, 11, 20)) == 214
        assert find("bank:330800", dt.date(2026, 11, 19)) == 0
        assert find("bank:330800", None, "390") == 14
        assert find("fund:330800:pool", dt.date(2026, 11, 20), "310") == 100
        assert find("bank:110000") == 0
        found = {
            (one.account, one.insurance_type): (one.debit_fen, one.credit_fen)
            for one in work.journal.balances()
        }
        assert work.journal.regions() == ["330800"]
        assert work.journal.first_day("330800") == dt.date(2026, 11, 20)
        assert work.journal.first_day("110000") is None
        assert work.journal.balances(None, "110000") == []
    assert found == {
        ("bank:330800", "310"): (260, 0),
        ("bank:330800", "390"): (14, 0),
        ("fund:330800:pool", "310"): (0, 130),
        ("fund:330800:pool", "390"): (0, 7),
        ("fund:330800:serious-illness", "310"): (0, 130),
        ("fund:330800:serious-illness", "390"): (0, 7),
    }


def test_a_thousand_entries_are_booked_in_one_call(engine: sa.Engine) -> None:
    entries = [deposit(number) for number in range(1_200)]
    assert booked(engine, *entries[:700]) == 700
    assert booked(engine, *entries) == 500
    assert at_bank(engine) == 240_000


# --- at the same moment ---------------------------------------------------------------------------


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """``act`` in so many threads that start together; an error is its thread's result."""
    barrier = threading.Barrier(count)

    def one(index: int) -> Any:
        barrier.wait()
        try:
            return act(index)
        except JournalConflictError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_two_bookings_of_one_source_make_one_entry(postgresql: sa.Engine) -> None:
    for number in range(10):
        found = together(2, lambda _, number=number: booked(postgresql, deposit(number)))
        assert sorted(found) == [0, 1]
    assert at_bank(postgresql) == 10 * 200


def test_two_contents_of_one_source_one_is_booked_and_one_refused(postgresql: sa.Engine) -> None:
    for number in range(10):
        found = together(
            2, lambda index, number=number: booked(postgresql, deposit(number, 100 + index))
        )
        assert found.count(1) == 1
        (refused,) = [one for one in found if one != 1]
        assert isinstance(refused, JournalConflictError)
        assert "with another content" in refused.en


def test_second_waits_for_the_first_and_books_when_that_one_gives_up(
    postgresql: sa.Engine,
) -> None:
    with SqlUnitOfWork(postgresql) as work:
        assert book(work, deposit(1))
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(booked, postgresql, deposit(1))
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
            work.rollback()
            assert second.result(timeout=20) == 1
    assert at_bank(postgresql) == 200


def test_eight_workers_with_the_same_sources_book_each_once(postgresql: sa.Engine) -> None:
    def act(index: int) -> int:
        # Always in the same order, as a worker's list of due items is.
        return sum(booked(postgresql, deposit(number)) for number in range(25))

    assert sum(together(8, act)) == 25
    assert at_bank(postgresql) == 25 * 200


def test_first_bookings_of_an_account_meet_without_an_error(postgresql: sa.Engine) -> None:
    assert together(6, lambda index: booked(postgresql, deposit(index))) == [1] * 6


def test_month_is_closed_after_the_bookings_that_were_under_way(postgresql: sa.Engine) -> None:
    def close() -> str:
        with SqlUnitOfWork(postgresql) as work:
            work.journal.lock_months("330800", to_close=True)
            seen = str(work.journal.balance("bank:330800"))
            work.commit()
        return seen

    with SqlUnitOfWork(postgresql) as work, ThreadPoolExecutor(1) as pool:
        book(work, deposit(1))
        closing = pool.submit(close)
        with pytest.raises(TimeoutError):
            closing.result(timeout=0.3)
        work.commit()
        assert closing.result(timeout=20) == "200"


def test_entry_that_comes_while_a_month_is_closed_is_refused(postgresql: sa.Engine) -> None:
    def late() -> str:
        try:
            booked(postgresql, deposit(1))
        except PeriodClosedError as error:
            return error.code
        return "booked"

    with SqlUnitOfWork(postgresql) as work, ThreadPoolExecutor(1) as pool:
        work.journal.lock_months("330800", to_close=True)
        booking = pool.submit(late)
        with pytest.raises(TimeoutError):
            booking.result(timeout=0.3)
        work.connection.exec_driver_sql(raw.proposal(month="2026-11"))
        work.connection.exec_driver_sql(raw.close(month="2026-11"))
        work.commit()
        assert booking.result(timeout=20) == "month-closed"
