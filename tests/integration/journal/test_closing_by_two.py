"""A month is closed by two people, and not past what the bank's statement or a case leaves open."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain import journal
from backend.domain.errors import ConflictError
from backend.domain.journal import LayerAmounts
from backend.domain.local_time import SHANGHAI
from backend.domain.two_people import SamePersonError
from backend.service_layer.claims.acting import NotAtWorkError
from backend.service_layer.money_reconciliation.closing import (
    OpenItemsError,
    confirm_close,
    propose_close,
)
from tests.integration.journal.month_world import CITY, Services, book_now, noon, said, services_on

MIDNIGHT = dt.datetime(2026, 12, 1, tzinfo=SHANGHAI)


@pytest.fixture
def office(sqlite: sa.Engine) -> Services:
    """5 fen were deposited in November; it is December."""
    book_now(sqlite, journal.funded(said("f", CITY, noon(11, 1)), LayerAmounts(5)))
    return services_on(sqlite, noon(12, 2))


def proposed(office: Services, by: str = "会计甲", *, carry: bool = False) -> Any:
    return propose_close(office, "330800", "2026-11", by=by, reason="月结", carry_forward=carry)[0]


def confirmed(office: Services, by: str = "会计乙") -> Any:
    return confirm_close(office, "330800", "2026-11", by=by, reason="已复核")[0]


def closes(office: Services) -> list[str]:
    with office.work(write=False) as work:
        return [one.month for one in work.journal.closes("330800")]


def statement(
    office: Services, to_at: dt.datetime = MIDNIGHT, closing: int = 5, name: str = "S1"
) -> None:
    """A kept statement of the bank with the deposit on it."""
    at = noon(12, 2)
    with office.engine.begin() as connection:
        connection.execute(
            tables.bank_message.insert().values(
                id=f"msg_{name}", name=f"{name}.xml", digest=name.encode() * 16, verdict="filed",
                difference="", wrapped_content=b"", received_at=at,
            )
        )  # fmt: skip
        connection.execute(
            tables.bank_statement.insert().values(
                id=f"bst_{name}", region="330800", account="A", statement_id=name,
                from_at=noon(10, 31), to_at=to_at, opening_fen=0, closing_fen=closing,
                entry_count=1, simulated=True, message_id=f"msg_{name}", filing=1,
            )
        )  # fmt: skip
        connection.execute(
            tables.bank_statement_entry.insert().values(
                statement_id=f"bst_{name}", ordinal=1, side="credit", amount_fen=5,
                reference="f", end_to_end_id="", booked_on=dt.date(2026, 11, 1),
            )
        )  # fmt: skip


def mismatch(office: Services, rule: str) -> None:
    said = {"rule": rule, "here": "1", "there": "2"}
    with office.work() as work:
        work.reconciliation.put_case(f"money:{rule}:x#1", "money-mismatch", said)
        work.commit()


@pytest.mark.parametrize("to_at", [MIDNIGHT, MIDNIGHT - dt.timedelta(seconds=1)])
def test_one_proposes_and_another_closes_what_the_bank_agrees_with(
    office: Services, to_at: dt.datetime
) -> None:
    statement(office, to_at)
    asked = proposed(office)
    assert (asked.ordinal, asked.by, asked.carried) == (1, "会计甲", "")
    assert closes(office) == []
    close = confirmed(office)
    assert (close.closed_by, close.digest) == ("会计乙", asked.digest)
    assert closes(office) == ["2026-11"]


@pytest.mark.parametrize("by", ["会计甲", " 会计甲 "])
def test_nobody_closes_what_they_proposed(office: Services, by: str) -> None:
    proposed(office, carry=True)
    with pytest.raises(SamePersonError):
        confirmed(office, by)
    assert closes(office) == []


def test_the_program_closes_no_month(office: Services) -> None:
    with pytest.raises(NotAtWorkError):
        proposed(office, "worker", carry=True)
    proposed(office, carry=True)
    with pytest.raises(NotAtWorkError):
        confirmed(office, "system")


def test_what_nobody_proposed_is_not_closed(office: Services) -> None:
    with pytest.raises(ConflictError, match="nobody has proposed to close 2026-11"):
        confirmed(office)


@pytest.mark.parametrize("to_at", [None, MIDNIGHT - dt.timedelta(hours=1)])
def test_without_a_statement_to_the_months_end_it_is_carried_forward_or_stays_open(
    office: Services, to_at: dt.datetime | None
) -> None:
    if to_at:
        statement(office, to_at)
    with pytest.raises(OpenItemsError, match="no statement of the bank reaches 2026-11-30"):
        proposed(office)
    assert proposed(office, carry=True).carried == "no-bank-statement"
    assert confirmed(office).month == "2026-11"


def test_a_statement_that_does_not_agree_keeps_the_month_open(office: Services) -> None:
    statement(office, closing=7)
    with pytest.raises(OpenItemsError, match="the balance statement of S1 does not agree") as found:
        proposed(office)
    assert "银行存款余额调节表不符（对账单 S1）" in found.value.zh
    assert proposed(office, carry=True).carried == "bank-differs S1"


@pytest.mark.parametrize("rule", ["R16", "R18", "R19"])
def test_an_open_mismatch_of_the_books_keeps_the_month_open(office: Services, rule: str) -> None:
    statement(office)
    mismatch(office, rule)
    with pytest.raises(OpenItemsError, match=f"a mismatch is open: money:{rule}:x#1"):
        proposed(office)
    assert proposed(office, carry=True).carried == f"case money:{rule}:x#1"


def test_a_mismatch_of_one_claim_keeps_no_month_open(office: Services) -> None:
    statement(office)
    mismatch(office, "R9")
    assert proposed(office).carried == ""


def test_what_changed_since_it_was_proposed_is_proposed_again(office: Services) -> None:
    statement(office)
    proposed(office)
    mismatch(office, "R19")
    with pytest.raises(ConflictError, match="not what it was when it was proposed"):
        confirmed(office)
    proposed(office, carry=True)
    book_now(office.engine, journal.funded(said("late", CITY, noon(11, 30)), LayerAmounts(1)))
    with pytest.raises(ConflictError, match="not what it was when it was proposed"):
        confirmed(office)
    assert proposed(office, "会计丙", carry=True).ordinal == 3
    assert proposed(office, "会计丙", carry=True).ordinal == 3, "the same again is one"
    with pytest.raises(SamePersonError):
        confirmed(office, "会计丙")
    assert confirmed(office, "会计甲").closed_by == "会计甲", "who proposed an older one may"


def test_an_account_that_never_moved_needs_no_statement(sqlite: sa.Engine) -> None:
    office = services_on(sqlite, noon(12, 2))
    book_now(sqlite, journal.funded(said("f", CITY, noon(12, 1)), LayerAmounts(5)))
    assert proposed(office).carried == ""
    assert confirmed(office).open_count == 0
