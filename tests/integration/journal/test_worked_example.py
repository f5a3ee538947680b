"""docs/money.md: its example worked out from its own tables of events, then booked."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain import journal
from backend.domain.journal import Entry, Fund, Layer, LayerAmounts, Occasion
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.money_tables import read_tables

PAGE: Final = (Path(__file__).parents[3] / "docs" / "money.md").read_text("utf-8")
DAY: Final = dt.date(2026, 11, 20)
AT: Final = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
FUND: Final = Fund("330800", "310", "330802", "测试中心")
COLUMNS: Final = (
    "bank", "receivable", "payable", "transit", "fund pool", "fund serious-illness",
)  # fmt: skip


def fen(text: str) -> int:
    return int(text.replace(",", "").replace(".", ""))


def table(first_cell: str) -> list[list[str]]:
    """The rows of the page's table whose head begins with this cell."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.strip().splitlines()
        ]
        if head[0] == first_cell:
            return rows
    raise AssertionError(f"no table begins with {first_cell}")


SIDES: Final = {row[0].strip("`"): (row[1], row[2]) for row in table("event")}
GROWS: Final = {
    row[0].strip("`").replace(":<region>", "").replace(":", " "): row[2] for row in table("account")
}
LINES: Final = table("no.")


def amounts(words: list[str]) -> dict[str, int]:
    """``pool 310.40 serious-illness 89.60`` by layer, ``400.00`` under an empty name."""
    if len(words) == 1:
        return {"": fen(words[0])}
    return {layer: fen(amount) for layer, amount in zip(words[::2], words[1::2], strict=True)}


def moved(balances: dict[str, int], debit: str, credit: str, amount: int) -> None:
    """By the page's table of accounts: which side an account grows on."""
    for account, side in ((debit, "debit"), (credit, "credit")):
        balances[account] += amount if GROWS[account] == side else -amount


def test_every_line_follows_from_the_tables_of_the_page() -> None:
    balances = dict.fromkeys(COLUMNS, 0)
    in_effect: dict[str, int] = {}
    for _, said, *columns in LINES:
        event, *words = said.split()
        found = amounts(words)
        if event == "approved":  # the difference to the version before
            difference = {layer: found[layer] - in_effect.get(layer, 0) for layer in found}
            in_effect, found = found, difference
        debit, credit = (side.split(",")[0] for side in SIDES[event])
        for layer, amount in found.items():
            moved(
                balances,
                f"fund {layer}" if debit == "fund" else debit,
                f"fund {layer}" if credit == "fund" else credit,
                amount,
            )
        assert [balances[name] for name in COLUMNS] == [fen(one) for one in columns], said
        assert balances["bank"] + balances["receivable"] == sum(
            balances[name] for name in COLUMNS[2:]
        )
    assert len(LINES) == 16


def entry(number: str, said: str, before: LayerAmounts) -> Entry:
    event, *words = said.split()
    make: Any = getattr(journal, event.replace("-", "_"))
    occasion = Occasion("example", number, FUND, None, AT)
    found = amounts(words)
    if "" in found:
        return make(occasion, found[""])  # type: ignore[no-any-return]
    by_layer = LayerAmounts(
        pool_fen=found.get(Layer.POOL, 0),
        serious_illness_fen=found.get(Layer.SERIOUS_ILLNESS, 0),
    )
    if event == "approved":
        return journal.approved(occasion, before, by_layer)
    return make(occasion, by_layer)  # type: ignore[no-any-return]


@pytest.fixture
def booked(engine: sa.Engine) -> sa.Engine:
    """All sixteen lines, each in its own transaction, with the balances after each."""
    before = LayerAmounts()
    for number, said, *columns in LINES:
        with SqlUnitOfWork(engine) as work:
            made = entry(number, said, before)
            assert book(work, made)
            work.commit()
        if said.startswith("approved"):
            before = LayerAmounts(*amounts(said.split()[1:]).values())
        with SqlUnitOfWork(engine, write=False) as work:
            codes = [
                f"{n.split()[0]}:330800{':' * (' ' in n)}{n[5:] * (' ' in n)}" for n in COLUMNS
            ]
            found = [work.journal.balance(code) for code in codes]
            assert found == [fen(one) for one in columns], said
            assert check_journal(work) == []
    return engine


def test_booked_example_is_the_page(booked: sa.Engine) -> None:
    with SqlUnitOfWork(booked, write=False) as work:
        tables = read_tables(work, DAY, DAY)
        assert tables.faults == ()
    (have,), (owed,), (paid,) = tables.have, tables.owed, tables.paid
    for row, first in ((have, "我有多少钱 have"), (owed, "要付多少钱 owed")):
        said = {name: fen(amount) for name, amount in table(first)}
        opening, closing = said.pop("opening"), said.pop("closing")
        assert (row.opening_fen, dict(row.moves), row.closing_fen) == (opening, said, closing)
    said = {name: fen(amount) for name, amount in table("付了多少钱 paid")}
    assert said == {
        f"paid, {paid.paid_count} payments": paid.paid_fen,
        f"returned, {paid.returned_count} payment": paid.returned_fen,
        "net": paid.net_fen,
    }
    assert (owed.agency_code, paid.agency_name) == ("330802", "测试中心")


def test_sum_in_the_text_is_the_last_line() -> None:
    match = re.search(
        r"`([\d.]+) \+ ([\d.]+) = ([\d.]+) \+ ([\d.]+) \+ ([\d.]+) \+ ([\d.]+)`", PAGE
    )
    assert match is not None
    assert [fen(one) for one in match.groups()] == [fen(one) for one in LINES[-1][2:]]
    left = sum(fen(one) for one in match.groups()[:2])
    assert left == sum(fen(one) for one in match.groups()[2:])
