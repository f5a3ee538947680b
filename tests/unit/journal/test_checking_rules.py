"""What a journal that cannot be signed is told: the rule, the row, and by how much."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest

from backend.service_layer.journal.checking import Fault, check_journal
from backend.service_layer.journal.month_statement import (
    MonthStatement,
    OpenItem,
    month_end,
    month_statement,
    open_items,
)
from backend.service_layer.journal.records import ClaimBalance, JournalClose
from tests.unit.journal.books import NOON, Books, balance

END = dt.date(2026, 10, 31)
BALANCED = [balance("bank:330800", 900, 0), balance("fund:330800:pool", 0, 900)]


def of_claim(account: str, fen: int, insurance: str = "310") -> ClaimBalance:
    return ClaimBalance("clm_1", "C1", account, insurance, "330802", fen, dt.date(2026, 10, 2))


def test_books_that_balance_have_no_fault() -> None:
    assert check_journal(Books(sums=BALANCED).work) == []


def test_an_entry_that_is_not_whole_is_named() -> None:
    assert check_journal(Books(broken=["jrn_1", "jrn_2"]).work) == [
        Fault(
            "not-whole",
            name,
            "凭证不完整，或分录没有凭证",
            "the entry is not whole, or its transfers have no entry",
        )
        for name in ("jrn_1", "jrn_2")
    ]


def test_books_that_do_not_balance_are_named_one_set_by_itself() -> None:
    sums = [
        *BALANCED,
        balance("bank:330800", 7, 0, "390"),
        balance("fund:330800:pool", 0, 9, "390"),
        # Another region's surplus does not make up for it.
        balance("bank:330700", 2, 0, "390"),
    ]
    assert check_journal(Books(sums=sums).work) == [
        Fault("not-balanced", "330700 390", "借方 2 分，贷方 0 分",
              "debits are 2 fen, credits 0 fen"),
        Fault("not-balanced", "330800 390", "借方 7 分，贷方 9 分",
              "debits are 7 fen, credits 9 fen"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("account", "side"),
    [
        ("bank:330800", "credit"),
        ("receivable:330800", "credit"),
        ("payable:330800", "debit"),
        ("transit:330800", "debit"),
    ],
)
def test_an_account_on_its_wrong_side_is_named_with_that_side(account: str, side: str) -> None:
    debit, credit = (0, 5) if side == "credit" else (5, 0)
    sums = [balance(account, debit, credit), balance("fund:330800:pool", credit, debit)]
    assert check_journal(Books(sums=sums).work) == [
        Fault("wrong-side", f"{account} 310", "余额方向相反：5 分",
              f"stands 5 fen on the {side} side")
    ]  # fmt: skip


def test_a_funds_position_and_the_clearing_may_stand_on_either_side() -> None:
    sums = [balance("fund:330800:pool", 5, 0), balance("clearing:330800", 0, 5)]
    assert check_journal(Books(sums=sums).work) == []
    turned = [balance("fund:330800:pool", 0, 5), balance("clearing:330800", 5, 0)]
    assert check_journal(Books(sums=turned).work) == []


@pytest.mark.parametrize("kind", ["receivable", "payable", "transit"])
def test_a_claim_on_the_wrong_side_of_an_account_is_named(kind: str) -> None:
    account = f"{kind}:330800"
    books = Books(sums=BALANCED, of_claims=[of_claim(account, -5), of_claim(account, 5)])
    assert check_journal(books.work) == [
        Fault("claim-wrong-side", f"C1 {account}", "这笔申请的余额方向相反：5 分",
              "the claim stands 5 fen on the other side")
    ]  # fmt: skip


# --- a month's end -------------------------------------------------------------------------------


def test_a_months_last_day_knows_leap_years() -> None:
    assert [month_end(month) for month in ("2026-11", "2028-02", "2026-02", "2026-12")] == [
        dt.date(2026, 11, 30), dt.date(2028, 2, 29), dt.date(2026, 2, 28), dt.date(2026, 12, 31),
    ]  # fmt: skip


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "2026-1", "1926-11", "2026-11-30", ""])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match=f"^{month}$"):
        month_end(month)


def test_open_items_are_the_claims_and_what_is_left_of_the_account() -> None:
    books = Books(
        sums=[
            balance("payable:330800", 0, 70),
            balance("payable:330800", 0, 8, "390"),
            balance("transit:330800", 10, 30),
            balance("fund:330800:pool", 100, 0),
        ],
        of_claims=[
            of_claim("payable:330800", 50), of_claim("payable:330800", 20),
            of_claim("transit:330800", 15), of_claim("receivable:330800", 4, "390"),
        ],
    )  # fmt: skip
    day = dt.date(2026, 10, 2)
    assert open_items(books.work, "330800", END) == (
        OpenItem("payable:330800", "310", "C1", "330802", 50, day),
        OpenItem("payable:330800", "310", "C1", "330802", 20, day),
        OpenItem("payable:330800", "390", "", "", 8, None),
        OpenItem("transit:330800", "310", "C1", "330802", 15, day),
        OpenItem("transit:330800", "310", "", "", 5, None),
        # A claim whose account has no balance at all: what is owed to nobody is the difference.
        OpenItem("receivable:330800", "390", "C1", "330802", 4, day),
        OpenItem("receivable:330800", "390", "", "", -4, None),
    )
    assert set(books.asked) == {
        *(("balances", END, "330800"),),
        *(
            ("claims", f"{kind}:330800", END)
            for kind in ("payable", "transit", "receivable", "clearing")
        ),
    }


def a_month() -> tuple[Books, MonthStatement]:
    books = Books(
        sums=[balance("payable:330800", 20, 70), balance("fund:330800:pool", 50, 0)],
        of_claims=[of_claim("payable:330800", 50)],
    )
    return books, month_statement(books.work, "330800", END, b"\x01" * 32)


def test_a_statement_is_canonical_json_of_the_trial_balance_and_what_is_open() -> None:
    books, statement = a_month()
    assert json.loads(statement.text) == {
        "format": "yichu-month-1",
        "region": "330800",
        "until": "2026-10-31",
        "previous": "01" * 32,
        "trial_balance": [
            {"account": "payable:330800", "insurance_type": "310", "debit_fen": 20,
             "credit_fen": 70},
            {"account": "fund:330800:pool", "insurance_type": "310", "debit_fen": 50,
             "credit_fen": 0},
        ],
        "open_items": [
            {"account": "payable:330800", "insurance_type": "310", "claim": "C1",
             "balance_fen": 50}
        ],
    }  # fmt: skip
    assert statement.digest == hashlib.sha256(statement.text.encode()).digest()
    assert (statement.open_fen, len(statement.items)) == (50, 1)
    assert {asked for asked in books.asked if asked[0] == "balances"} == {
        ("balances", END, "330800")
    }


def closed(month: str, statement: MonthStatement) -> JournalClose:
    return JournalClose(
        "jcl_1", "330800", month, 1, 50, statement.text, statement.digest, "会计甲", "月结", NOON
    )


def test_closed_months_are_compared_each_with_the_digest_of_the_one_before() -> None:
    books, _ = a_month()
    october = month_statement(books.work, "330800", END, bytes(32))
    november = month_statement(books.work, "330800", dt.date(2026, 11, 30), october.digest)
    books.months = [closed("2026-10", october), closed("2026-11", november)]
    books.sums = [*books.sums]
    assert [one.rule for one in check_journal(books.work)] == []
    # Without the chain November would be another statement.
    loose = month_statement(books.work, "330800", dt.date(2026, 11, 30), bytes(32))
    books.months[1] = closed("2026-11", loose)
    assert check_journal(books.work) == [
        Fault("closed-month-changed", "330800 2026-11", "结账后的账与结账时不同",
              "the month is not what it was when it was closed")
    ]  # fmt: skip


@pytest.mark.parametrize("month", ["2026-10", "2026-13"])
def test_a_closed_month_that_was_changed_is_named(month: str) -> None:
    books, statement = a_month()
    now = month_statement(books.work, "330800", END, bytes(32))
    for text, digest in ((now.text + " ", now.digest), (now.text, bytes(32))):
        changed = MonthStatement(statement.items, text, digest)
        books.months = [closed(month, changed)]
        assert [(one.rule, one.subject) for one in check_journal(books.work)] == [
            ("closed-month-changed", f"330800 {month}")
        ]
