"""The three tables, added up by hand; and tables that do not tie name the sum."""

from __future__ import annotations

import dataclasses
import datetime as dt
from itertools import pairwise

import pytest
import sqlalchemy as sa

from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain import journal
from backend.service_layer.journal.money_tables import (
    MoneyTables,
    build_tables,
    read_tables,
    to_json,
)
from backend.service_layer.journal.records import Balance, Turnover
from tests.integration.journal.month_world import CITY, book_now, noon, said, two_months

OCTOBER = (dt.date(2026, 10, 1), dt.date(2026, 10, 31))
NOVEMBER = (dt.date(2026, 11, 1), dt.date(2026, 11, 30))


def tables_of(engine: sa.Engine, days: tuple[dt.date, dt.date]) -> MoneyTables:
    with SqlUnitOfWork(engine, write=False) as work:
        return read_tables(work, *days)


def test_october_added_up_by_hand(engine: sa.Engine) -> None:
    two_months(engine)
    tables = tables_of(engine, OCTOBER)
    employees, residents = tables.have
    assert (employees.region, employees.insurance_type) == ("330800", "310")
    assert employees.opening_fen == 0
    assert dict(employees.moves) == {"funded": 1_500_00, "paid": -300_00}
    assert employees.closing_fen == 1_200_00
    assert employees.owed_fen == 50_00
    assert employees.free_fen == 1_150_00
    assert dict(employees.net_fen) == {"pool": 700_00, "serious-illness": 450_00}
    assert (residents.closing_fen, residents.owed_fen) == (700_00, 0)
    kecheng, qujiang = tables.owed
    assert (kecheng.agency_code, kecheng.agency_name) == ("330802", "柯城测试")
    assert dict(kecheng.moves) == {"approved": 300_00, "paid": -300_00}
    assert (kecheng.opening_fen, kecheng.closing_fen) == (0, 0)
    assert (qujiang.agency_code, qujiang.closing_fen, qujiang.payable_fen) == (
        "330803", 50_00, 50_00,
    )  # fmt: skip
    (paid,) = tables.paid
    assert (paid.agency_code, paid.paid_count, paid.paid_fen, paid.net_fen) == (
        "330802", 1, 300_00, 300_00,
    )  # fmt: skip
    assert tables.faults == ()
    assert not tables.has_simulated


def test_november_opens_with_what_october_closed_with(engine: sa.Engine) -> None:
    two_months(engine)
    october, november = tables_of(engine, OCTOBER), tables_of(engine, NOVEMBER)
    employees, residents = november.have
    assert employees.opening_fen == october.have[0].closing_fen == 1_200_00
    assert dict(employees.moves) == {"paid": -50_00, "returned": 300_00, "recovered": 20_00}
    assert employees.closing_fen == 1_470_00
    assert (employees.receivable_fen, employees.owed_fen) == (70_00, 300_00)
    assert dict(employees.net_fen) == {"pool": 790_00, "serious-illness": 450_00}
    assert 1_470_00 + 70_00 == 300_00 + 790_00 + 450_00
    assert (residents.closing_fen, residents.owed_fen, residents.free_fen) == (
        700_00, 80_00, 620_00,
    )  # fmt: skip
    rows = {(one.insurance_type, one.agency_code): one for one in november.owed}
    assert sorted(rows) == [("310", "330802"), ("310", "330803"), ("390", "330802")]
    assert rows["310", "330802"].payable_fen == 300_00
    assert rows["310", "330803"].opening_fen == 50_00
    assert rows["310", "330803"].closing_fen == 0
    assert (rows["390", "330802"].payable_fen, rows["390", "330802"].transit_fen) == (0, 80_00)
    paid = {(one.insurance_type, one.agency_code): one for one in november.paid}
    assert sorted(paid) == [("310", "330802"), ("310", "330803")]
    back = paid["310", "330802"]
    assert (back.paid_fen, back.returned_count, back.returned_fen, back.net_fen) == (
        0, 1, 300_00, -300_00,
    )  # fmt: skip
    assert november.faults == ()


def test_days_of_a_month_add_up_to_the_month(engine: sa.Engine) -> None:
    two_months(engine)
    month = tables_of(engine, NOVEMBER)
    days = [
        tables_of(engine, (dt.date(2026, 11, day), dt.date(2026, 11, day))) for day in range(1, 31)
    ]
    for before, after in pairwise(days):
        assert [row.closing_fen for row in before.have] == [row.opening_fen for row in after.have]
        assert after.faults == ()
    assert sum(row.paid_fen for day in days for row in day.paid) == sum(
        row.paid_fen for row in month.paid
    )
    assert [row.closing_fen for row in days[-1].have] == [r.closing_fen for r in month.have]


def test_another_region_is_left_out_unless_asked_for(engine: sa.Engine) -> None:
    two_months(engine)
    with SqlUnitOfWork(engine, write=False) as work:
        assert read_tables(work, *NOVEMBER, "110000").have == ()
        assert len(read_tables(work, *NOVEMBER, "330800").have) == 2


def test_simulated_money_is_said_to_be_simulated(engine: sa.Engine) -> None:
    entry = journal.funded(said("s", CITY, noon(11, 1), is_simulated=True), journal.LayerAmounts(1))
    book_now(engine, entry)
    tables = tables_of(engine, NOVEMBER)
    assert tables.has_simulated
    assert to_json(tables)["simulated"] is True


def test_json_has_every_amount_in_fen(engine: sa.Engine) -> None:
    two_months(engine)
    told = to_json(tables_of(engine, NOVEMBER))
    assert told["ties"] is True
    assert told["have"][0]["closing_fen"] == 1_470_00
    assert told["have"][0]["moves"] == {"paid": -50_00, "returned": 300_00, "recovered": 20_00}
    assert [row["closing_fen"] for row in told["owed"]] == [300_00, 0, 80_00]
    assert [row["net_fen"] for row in told["paid"]] == [-300_00, 50_00]
    assert (told["starts_on"], told["ends_on"]) == ("2026-11-01", "2026-11-30")


# --- tables that do not tie -------------------------------------


@pytest.mark.parametrize(
    ("account", "sum_name"),
    [
        ("bank:330800", "bank: 147000 fen against 147001 fen"),
        ("payable:330800", "owed: 30000 fen against 30001 fen"),
        ("transit:330800", "owed: 30000 fen against 30001 fen"),
        ("receivable:330800", "position: 154001 fen against 154000 fen"),
        ("clearing:330800", "position: 154000 fen against 154001 fen"),
        ("fund:330800:pool", "position: 154000 fen against 154001 fen"),
    ],
)
def test_one_fen_too_many_on_an_account_is_named(
    sqlite: sa.Engine, account: str, sum_name: str
) -> None:
    two_months(sqlite)
    with SqlUnitOfWork(sqlite, write=False) as work:
        before = work.journal.turnover(None, dt.date(2026, 10, 31))
        within = work.journal.turnover(*NOVEMBER)
        balances = {
            (one.account, one.insurance_type): one for one in work.journal.balances(NOVEMBER[1])
        }
    one = balances.get((account, "310"), Balance(account, "310", 0, 0))
    is_debit = account.partition(":")[0] in ("bank", "receivable")
    side = "debit_fen" if is_debit else "credit_fen"
    balances[account, "310"] = dataclasses.replace(one, **{side: getattr(one, side) + 1})
    tables = build_tables(*NOVEMBER, before, within, balances.values())
    assert f"330800 310 {sum_name}" in tables.faults


def test_payment_past_the_accounts_of_what_is_owed_is_named() -> None:
    odd = Turnover(
        "330800", "310", "330802", "x", "paid", "fund:330800:pool", "bank:330800", False, 5, 1
    )
    balances = [Balance("bank:330800", "310", 0, 5), Balance("fund:330800:pool", "310", 5, 0)]
    tables = build_tables(*NOVEMBER, [], [odd], balances)
    assert tables.faults == ("330800 310 paid of what was owed: 0 fen against 5 fen",)
