"""The figures of a signed report: of which days they are, and in what form."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

from backend.service_layer.money_reconciliation import figures
from backend.service_layer.money_reconciliation.figures import money_figures
from tests.unit.money_reconciliation.test_balance_statement import BANK, BOOKS, FIRST
from verifier.commitment.canonical import canonical_bytes

LATE = dt.datetime(2026, 11, 20, 17, 0, tzinfo=dt.UTC)  # 01:00 of the 21st in China


def desk(periods: list[Any], asked: list[Any]) -> Any:
    def turnover(starts_on: Any, ends_on: Any, region: Any) -> list[Any]:
        asked.append((starts_on, ends_on, region))
        return []

    return SimpleNamespace(
        journal=SimpleNamespace(turnover=turnover, balances=lambda *_: []),
        bank_statements=SimpleNamespace(
            regions=lambda: ["330800"], periods=lambda _: periods, entries=lambda _: BANK,
            movements=lambda _: BOOKS,
        ),
    )  # fmt: skip


def test_the_tables_are_of_the_whole_day_before_and_of_this_one_in_china() -> None:
    asked: list[Any] = []
    said = money_figures(desk([FIRST], asked), LATE)
    days = [(one["starts_on"], one["ends_on"]) for one in said["tables"]]
    assert days == [("2026-11-20", "2026-11-20"), ("2026-11-21", "2026-11-21")]
    assert {region for _, _, region in asked} == {None}, "all regions"
    assert [one["ties"] for one in said["tables"]] == [1, 1]


def test_each_account_stands_with_both_balances_and_its_open_items(monkeypatch: Any) -> None:
    monkeypatch.setattr(figures, "ITEMS_MAX", 0)
    (account,) = money_figures(desk([FIRST], []), LATE)["balance_statements"]
    assert (account["bank_fen"], account["simulated"]) == (1_255_00, 1)
    # 1,255.00 + 70.00 - 45.00 at the bank; 1,000.00 + 300.00 - 60.00 - 45.00 + 70.00 in the books.
    assert (account["adjusted_bank_fen"], account["book_fen"]) == (1_280_00, 1_265_00)
    assert account["agrees"] == 1
    counts = {name: account[f"{name}_count"] for name in ("we_received", "we_paid")}
    assert counts == {"we_received": 1, "we_paid": 1}, "counted, though none is written out"
    assert account["bank_paid_fen"] == 5_00 and account["bank_paid"] == []


def test_all_of_it_has_a_canonical_form() -> None:
    said = money_figures(desk([FIRST], []), LATE)
    assert b"TYPED" in canonical_bytes(said)


def test_an_account_whose_only_statement_was_withdrawn_is_named_without_figures() -> None:
    said = money_figures(desk([], []), LATE)["balance_statements"]
    assert said == [{"region": "330800", "statement_id": ""}]
