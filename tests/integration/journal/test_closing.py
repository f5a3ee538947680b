"""The monthly close: what is open, what is refused, and what a closed month keeps."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain import journal
from backend.domain.journal import JournalError, LayerAmounts, PeriodClosedError
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.month_statement import month_end, open_items
from backend.service_layer.money_reconciliation.closing import OpenItemsError
from tests.integration.journal import raw
from tests.integration.journal.month_world import (
    CITY,
    KECHENG,
    RESIDENTS,
    book_now,
    close_month,
    noon,
    said,
    services_on,
    two_months,
)

SIGNED: dict[str, Any] = {"by": "会计甲", "reason": "月结"}


def test_open_items_are_listed_with_claim_agency_and_age(engine: sa.Engine) -> None:
    two_months(engine)
    with SqlUnitOfWork(engine, write=False) as work:
        october = open_items(work, "330800", dt.date(2026, 10, 31))
        november = open_items(work, "330800", dt.date(2026, 11, 30))
        assert open_items(work, "330800", dt.date(2026, 9, 30)) == ()
        assert open_items(work, "110000", dt.date(2026, 11, 30)) == ()
    assert [(one.account, one.claim_number, one.balance_fen, one.since) for one in october] == [
        ("payable:330800", "B", 50_00, dt.date(2026, 10, 30))
    ]
    found = [
        (one.account, one.insurance_type, one.claim_number, one.agency_code, one.balance_fen)
        for one in november
    ]
    assert found == [
        ("payable:330800", "310", "A", "330802", 300_00),
        ("transit:330800", "390", "C", "330802", 80_00),
        ("receivable:330800", "310", "D", "330802", 70_00),
    ]


def test_money_that_is_open_without_a_claim_is_listed(engine: sa.Engine) -> None:
    book_now(
        engine,
        journal.recovery_opened(said("r", CITY, noon(11, 1)), LayerAmounts(9_00)),
    )
    with SqlUnitOfWork(engine, write=False) as work:
        (one,) = open_items(work, "330800", dt.date(2026, 11, 30))
    assert (one.account, one.claim_number, one.balance_fen, one.since) == (
        "receivable:330800", "", 9_00, None,
    )  # fmt: skip


def test_month_with_nothing_open_closes_and_takes_no_entry_any_more(engine: sa.Engine) -> None:
    services = services_on(engine, noon(10, 1))
    book_now(engine, journal.funded(said("f", CITY, noon(9, 30)), LayerAmounts(5)))
    close, statement = close_month(services, "330800", "2026-09", carry_forward=True, **SIGNED)
    assert statement.items == ()
    assert (close.open_count, close.open_fen, close.closed_by) == (0, 0, "会计甲")
    for at in (noon(9, 30), noon(9, 1), noon(1, 1)):
        with (
            pytest.raises(PeriodClosedError, match="up to 2026-09 are closed"),
            services.work() as work,
        ):
            book(work, journal.funded(said("late", CITY, at), LayerAmounts(5)))
    book_now(engine, journal.funded(said("now", CITY, noon(10, 1)), LayerAmounts(5)))
    with services.work(write=False) as work:
        assert work.journal.closes("330800") == [close]
        assert check_journal(work) == []


def test_open_items_keep_a_month_open_unless_they_are_carried_forward(engine: sa.Engine) -> None:
    two_months(engine)
    services = services_on(engine, noon(12, 1))
    with pytest.raises(OpenItemsError, match="2026-11 has 3 open items"):
        close_month(services, "330800", "2026-11", carry_forward=False, **SIGNED)
    with services.work(write=False) as work:
        assert work.journal.closes() == []
    close, statement = close_month(services, "330800", "2026-11", carry_forward=True, **SIGNED)
    assert (close.open_count, close.open_fen) == (3, 450_00)
    assert len(statement.items) == 3


def test_closes_are_chained_and_keep_the_trial_balance(engine: sa.Engine) -> None:
    two_months(engine)
    services = services_on(engine, noon(12, 2))
    first, _ = close_month(services, "330800", "2026-10", carry_forward=True, **SIGNED)
    second, _ = close_month(services, "330800", "2026-11", carry_forward=True, **SIGNED)
    for close, previous in ((first, "0" * 64), (second, first.digest.hex())):
        kept = json.loads(close.statement)
        assert close.digest == hashlib.sha256(close.statement.encode()).digest()
        assert kept["previous"] == previous
        assert sum(one["debit_fen"] for one in kept["trial_balance"]) == sum(
            one["credit_fen"] for one in kept["trial_balance"]
        )
    kept = json.loads(first.statement)
    assert kept["until"] == "2026-10-31"
    assert kept["open_items"] == [
        {"account": "payable:330800", "insurance_type": "310", "claim": "B", "balance_fen": 5000}
    ]
    assert {
        "account": "bank:330800", "insurance_type": "310", "debit_fen": 150000, "credit_fen": 30000,
    } in kept["trial_balance"]  # fmt: skip
    book_now(engine, journal.rejected(said("c9", RESIDENTS, noon(12, 2), "C"), 80_00))
    with services.work(write=False) as work:
        assert check_journal(work) == []  # a later month changes nothing of a closed one


@pytest.mark.parametrize(
    ("month", "message"),
    [
        ("2026-11", "2026-11 is not over yet"),  # the last hour of it, in China
        ("2026-12", "2026-12 is not over yet"),
        ("2027-01", "2027-01 is not over yet"),
        ("2026-13", "like 2026-11"),
        ("2026-00", "like 2026-11"),
        ("2026-1", "like 2026-11"),
        ("1999-12", "like 2026-11"),
        ("2026-11-30", "like 2026-11"),
        ("２０２６-10", "like 2026-11"),
        ("", "like 2026-11"),
    ],
)
def test_month_that_cannot_be_closed_is_refused(
    sqlite: sa.Engine, month: str, message: str
) -> None:
    services = services_on(sqlite, dt.datetime(2026, 11, 30, 15, 59, tzinfo=dt.UTC))
    with pytest.raises(JournalError, match=message):
        close_month(services, "330800", month, carry_forward=True, **SIGNED)


def test_month_is_over_at_midnight_in_china(sqlite: sa.Engine) -> None:
    services = services_on(sqlite, dt.datetime(2026, 11, 30, 16, tzinfo=dt.UTC))
    close_month(services, "330800", "2026-11", carry_forward=False, **SIGNED)


@pytest.mark.parametrize("month", ["2026-10", "2026-09", "2025-12"])
def test_closed_month_and_those_before_it_are_not_closed_again(
    sqlite: sa.Engine, month: str
) -> None:
    services = services_on(sqlite, noon(11, 20))
    close_month(services, "330800", "2026-10", carry_forward=False, **SIGNED)
    with pytest.raises(JournalError, match="the months up to 2026-10 are closed already"):
        close_month(services, "330800", month, carry_forward=False, **SIGNED)


@pytest.mark.parametrize("signed", [{"by": " ", "reason": "x"}, {"by": "x", "reason": ""}])
def test_close_that_nobody_signs_is_refused(sqlite: sa.Engine, signed: dict[str, str]) -> None:
    with pytest.raises(JournalError, match="who closes the month and a reason"):
        close_month(
            services_on(sqlite, noon(11, 1)), "330800", "2026-10", carry_forward=True, **signed
        )


@pytest.mark.parametrize(("month", "day"), [("2026-02", 28), ("2028-02", 29), ("2026-12", 31)])
def test_last_day_of_a_month(month: str, day: int) -> None:
    assert month_end(month).day == day


# --- the check: each rule is shown to find a break of its own --------------------------------

NO_TRIGGERS = (
    "DROP TRIGGER journal_transfer_no_update",
    "DROP TRIGGER journal_transfer_no_delete",
    "DROP TRIGGER journal_entry_no_update",
    "DROP TRIGGER journal_entry_is_whole",
    "DROP TRIGGER journal_transfer_moves",
    "DROP TRIGGER journal_close_no_update",
)


def faults_after(engine: sa.Engine, *statements: str) -> set[tuple[str, str]]:
    """What the check finds once somebody with the file in hand has done this to it."""
    raw.run(engine, *NO_TRIGGERS, *statements)
    with SqlUnitOfWork(engine, write=False) as work:
        return {(one.rule, one.subject) for one in check_journal(work)}


def entry_id(source: str, kind: str) -> str:
    named = f"yichu-journal-1|test|{source}|{kind}"
    return "jrn_" + hashlib.sha256(named.encode()).hexdigest()[:36]


def test_books_that_nobody_touched_have_no_fault(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    assert faults_after(sqlite) == set()


def test_changed_amount_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    paid = entry_id("a3", "paid")
    found = faults_after(
        sqlite, f"UPDATE journal_transfer SET amount_fen = 1 WHERE entry_id = '{paid}'"
    )
    assert ("not-whole", paid) in found


def test_removed_transfer_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    deposit = entry_id("f1", "funded")
    found = faults_after(
        sqlite, f"DELETE FROM journal_transfer WHERE entry_id = '{deposit}' AND part = 2"
    )
    assert ("not-whole", deposit) in found


def test_entry_all_of_whose_transfers_are_gone_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    deposit = entry_id("f2", "funded")
    found = faults_after(sqlite, f"DELETE FROM journal_transfer WHERE entry_id = '{deposit}'")
    assert ("not-whole", deposit) in found


def test_transfer_to_another_regions_account_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    found = faults_after(
        sqlite,
        raw.account("bank:110000"),
        "UPDATE journal_transfer SET debit_account = 'bank:110000' "
        f"WHERE entry_id = '{entry_id('f2', 'funded')}'",
    )
    assert {("not-balanced", "330800 390"), ("not-balanced", "110000 390")} <= found


def test_payment_without_an_instruction_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    book_now(sqlite, journal.paid(said("odd", KECHENG, noon(11, 20), "D"), 10_00))
    assert faults_after(sqlite) == {
        ("wrong-side", "transit:330800 310"),
        ("claim-wrong-side", "D transit:330800"),
    }


def test_claim_paid_out_of_what_another_is_owed_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    book_now(sqlite, journal.instructed(said("odd", KECHENG, noon(11, 20), "D"), 10_00))
    assert faults_after(sqlite) == {("claim-wrong-side", "D payable:330800")}


def test_more_paid_than_there_was_is_found(sqlite: sa.Engine) -> None:
    book_now(
        sqlite,
        journal.approved(said("1", CITY, noon(11, 1)), LayerAmounts(), LayerAmounts(5)),
        journal.instructed(said("2", CITY, noon(11, 1)), 5),
        journal.paid(said("3", CITY, noon(11, 1)), 5),
    )
    assert faults_after(sqlite) == {("wrong-side", "bank:330800 310")}


def test_closed_month_that_was_changed_is_found(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    services = services_on(sqlite, noon(12, 1))
    close_month(services, "330800", "2026-10", carry_forward=True, **SIGNED)
    close_month(services, "330800", "2026-11", carry_forward=True, **SIGNED)
    assert faults_after(
        sqlite,
        "UPDATE journal_entry SET booked_on = '2026-11-02' "
        f"WHERE id = '{entry_id('b1', 'approved')}'",
    ) == {("closed-month-changed", "330800 2026-10")}


@pytest.mark.parametrize(
    "change",
    [
        "statement = replace(statement, '30000', '30001')",
        "digest = x'00'",
        "month = '2026-08'",
    ],
)
def test_statement_that_was_changed_is_found(sqlite: sa.Engine, change: str) -> None:
    two_months(sqlite)
    services = services_on(sqlite, noon(12, 1))
    close_month(services, "330800", "2026-10", carry_forward=True, **SIGNED)
    ((rule, _),) = faults_after(sqlite, f"UPDATE journal_close SET {change}")
    assert rule == "closed-month-changed"


def test_journal_with_faults_is_not_closed(sqlite: sa.Engine) -> None:
    two_months(sqlite)
    book_now(sqlite, journal.paid(said("odd", KECHENG, noon(11, 20), "D"), 10_00))
    with pytest.raises(JournalError, match="the journal has 2 faults: run `yichu journal check`"):
        close_month(
            services_on(sqlite, noon(12, 1)), "330800", "2026-11", carry_forward=True, **SIGNED
        )
