"""The three tables of one month added up by hand, and each sum that does not tie named."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from backend.service_layer.journal.money_tables import build_tables, to_json
from backend.service_layer.journal.records import Balance, Turnover
from tests.unit.journal.books import balance, turnover

DAYS = (dt.date(2026, 11, 1), dt.date(2026, 11, 30))
BANK, PAYABLE, TRANSIT = "bank:330800", "payable:330800", "transit:330800"
POOL, OWED_BACK = "fund:330800:pool", "receivable:330800"
CITY = ("330800", "市中心")

#: Before: 1,000.00 came in; 200.00 were approved, instructed and paid; 30.00 of it is owed back.
BEFORE = [
    turnover("funded", BANK, POOL, 1_000_00, CITY),
    turnover("approved", POOL, PAYABLE, 200_00),
    turnover("instructed", PAYABLE, TRANSIT, 200_00),
    turnover("paid", TRANSIT, BANK, 200_00),
    turnover("recovery-opened", OWED_BACK, POOL, 30_00),
]
#: Within: 90.00 approved, 70.00 instructed, 50.00 of it paid in two payments, 10.00 came back.
WITHIN = [
    turnover("approved", POOL, PAYABLE, 90_00, count=3),
    turnover("instructed", PAYABLE, TRANSIT, 70_00),
    turnover("paid", TRANSIT, BANK, 50_00, count=2),
    turnover("returned", BANK, PAYABLE, 10_00),
]
AT_END = [
    balance(BANK, 1_010_00, 250_00),
    balance(OWED_BACK, 30_00),
    balance(PAYABLE, 270_00, 300_00),
    balance(TRANSIT, 250_00, 270_00),
    balance(POOL, 290_00, 1_030_00),
]


def faults(
    within: list[Turnover] | None = None, at_end: list[Balance] | None = None
) -> tuple[str, ...]:
    return build_tables(*DAYS, BEFORE, within or WITHIN, at_end or AT_END).faults


def ended(account: str, debit: int, credit: int) -> list[Balance]:
    """The balances with one of them another."""
    return [balance(account, debit, credit) if one.account == account else one for one in AT_END]


def test_the_tables_for_programs_are_those_added_up_by_hand() -> None:
    assert to_json(build_tables(*DAYS, BEFORE, WITHIN, AT_END)) == {
        "starts_on": "2026-11-01",
        "ends_on": "2026-11-30",
        "simulated": False,
        "ties": True,
        "faults": [],
        "have": [
            {
                "region": "330800",
                "insurance_type": "310",
                "opening_fen": 800_00,
                "moves": {"paid": -50_00, "returned": 10_00},
                "closing_fen": 760_00,
                "owed_fen": 50_00,
                "free_fen": 710_00,
                "receivable_fen": 30_00,
                "clearing_fen": 0,
                "net_fen": {"pool": 740_00},
            }
        ],
        "owed": [
            {
                "region": "330800",
                "insurance_type": "310",
                "agency_code": "330802",
                "agency_name": "柯城测试",
                "opening_fen": 0,
                "moves": {"approved": 90_00, "paid": -50_00, "returned": 10_00},
                "closing_fen": 50_00,
                "payable_fen": 30_00,
                "transit_fen": 20_00,
            }
        ],
        "paid": [
            {
                "region": "330800",
                "insurance_type": "310",
                "agency_code": "330802",
                "agency_name": "柯城测试",
                "paid_count": 2,
                "paid_fen": 50_00,
                "returned_count": 1,
                "returned_fen": 10_00,
                "net_fen": 40_00,
            }
        ],
    }


def test_money_of_which_a_part_is_simulated_is_said_to_be() -> None:
    within = [replace(WITHIN[0], is_simulated=True), *WITHIN[1:]]
    tables = build_tables(*DAYS, BEFORE, within, AT_END)
    assert tables.has_simulated and tables.faults == ()


def test_two_insurance_types_and_two_agencies_are_rows_of_their_own() -> None:
    residents = [
        turnover("approved", POOL, PAYABLE, 5_00, insurance="390"),
        turnover("approved", POOL, PAYABLE, 7_00, CITY, insurance="390"),
    ]
    at_end = [
        *AT_END, balance(PAYABLE, 0, 12_00, "390"), balance(POOL, 12_00, 0, "390"),
    ]  # fmt: skip
    tables = build_tables(*DAYS, BEFORE, WITHIN + residents, at_end)
    assert tables.faults == ()
    assert [(row.insurance_type, row.owed_fen) for row in tables.have] == [
        ("310", 50_00), ("390", 12_00),
    ]  # fmt: skip
    assert [(row.insurance_type, row.agency_code, row.closing_fen) for row in tables.owed] == [
        ("310", "330802", 50_00), ("390", "330800", 7_00), ("390", "330802", 5_00),
    ]  # fmt: skip
    assert [row.insurance_type for row in tables.paid] == ["310"]


def test_what_was_owed_before_and_did_not_move_is_still_owed() -> None:
    before = [turnover("approved", POOL, PAYABLE, 5_00)]
    at_end = [balance(PAYABLE, 0, 5_00), balance(POOL, 5_00)]
    tables = build_tables(*DAYS, before, [], at_end)
    (row,) = tables.owed
    assert (row.opening_fen, row.moves, row.closing_fen) == (5_00, (), 5_00)
    assert (row.payable_fen, row.transit_fen, tables.paid, tables.faults) == (5_00, 0, (), ())


def test_what_was_owed_and_is_paid_in_the_period_is_told_with_its_opening() -> None:
    before = [
        turnover("approved", POOL, PAYABLE, 5_00), turnover("instructed", PAYABLE, TRANSIT, 5_00),
    ]  # fmt: skip
    (row,) = build_tables(*DAYS, before, [turnover("paid", TRANSIT, BANK, 5_00)], []).owed
    assert (row.opening_fen, dict(row.moves), row.closing_fen) == (5_00, {"paid": -5_00}, 0)


def test_an_agency_whose_money_only_passed_through_before_has_no_row() -> None:
    assert build_tables(*DAYS, BEFORE, [], []).owed == ()


# --- what does not tie ---------------------------------------------------------------------------


def test_a_bank_balance_that_is_not_what_moved_is_named() -> None:
    assert faults(at_end=ended(BANK, 1_010_01, 250_00)) == (
        "330800 310 bank: 76000 fen against 76001 fen",
    )


@pytest.mark.parametrize("account", [PAYABLE, TRANSIT])
def test_an_owed_sum_that_is_not_the_accounts_is_named(account: str) -> None:
    found = faults(at_end=ended(account, 0, 20_01))
    assert [text.rpartition(" ")[0].split(": ")[0] for text in found] == [
        "330800 310 owed", "330800 310 position",
    ]  # fmt: skip
    extra = 20_01 + (20_00 if account == PAYABLE else 30_00)
    assert found[0] == f"330800 310 owed: 5000 fen against {extra} fen"


def test_a_position_that_is_not_what_there_is_less_what_is_owed_is_named() -> None:
    # 760.00 at the bank and 30.00 owed back, against 50.00 owed and another 741.00.
    assert faults(at_end=ended(POOL, 289_00, 1_030_00)) == (
        "330800 310 position: 79000 fen against 79100 fen",
    )
    assert faults(at_end=ended(OWED_BACK, 31_00, 0)) == (
        "330800 310 position: 79100 fen against 79000 fen",
    )
    assert faults(at_end=[*AT_END, balance("clearing:330800", 0, 1)]) == (
        "330800 310 position: 79000 fen against 79001 fen",
    )


def test_a_payment_that_took_nothing_from_what_was_owed_is_named() -> None:
    # 5.00 left the bank and came out of the pool, past what is owed.
    within = [*WITHIN, turnover("paid", POOL, BANK, 5_00)]
    at_end = [
        balance(BANK, 1_010_00, 255_00) if one.account == BANK else one
        for one in ended(POOL, 295_00, 1_030_00)
    ]
    assert faults(within, at_end) == (
        "330800 310 paid of what was owed: 5000 fen against 5500 fen",
    )


def test_a_payment_that_did_not_leave_the_bank_is_named() -> None:
    within = [*WITHIN, turnover("paid", TRANSIT, POOL, 5_00)]
    at_end = [
        balance(TRANSIT, 255_00, 270_00) if one.account == TRANSIT else one
        for one in ended(POOL, 290_00, 1_035_00)
    ]
    assert faults(within, at_end) == ("330800 310 paid: 5000 fen against 5500 fen",)


def test_a_return_that_did_not_reach_the_bank_is_named() -> None:
    within = [*WITHIN, turnover("returned", POOL, PAYABLE, 5_00)]
    at_end = [
        balance(PAYABLE, 270_00, 305_00) if one.account == PAYABLE else one
        for one in ended(POOL, 295_00, 1_030_00)
    ]
    assert faults(within, at_end) == ("330800 310 returned: 1000 fen against 1500 fen",)


def test_one_funds_fault_is_not_the_others() -> None:
    residents = [turnover("funded", BANK, POOL, 5_00, CITY, insurance="390")]
    at_end = [*AT_END, balance(BANK, 4_00, 0, "390"), balance(POOL, 0, 5_00, "390")]
    tables = build_tables(*DAYS, BEFORE, WITHIN + residents, at_end)
    assert tables.faults == ("330800 390 bank: 500 fen against 400 fen",)
    assert to_json(tables)["ties"] is False
    assert to_json(tables)["faults"] == ["330800 390 bank: 500 fen against 400 fen"]
