"""What was asked back already is not asked back by a clearing again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from backend.domain.journal import LayerAmounts
from backend.domain.recovery import Cause
from backend.service_layer.clearing.taken import lowered, opened, total


def order(cause: Cause, *amounts: int, is_opened: bool = True, is_dismissed: bool = False) -> Any:
    return SimpleNamespace(
        order=SimpleNamespace(cause=cause, layers=LayerAmounts(*amounts)),
        is_opened=is_opened,
        is_dismissed=is_dismissed,
    )


def work(*orders: Any) -> Any:
    recoveries = SimpleNamespace(of_claim=lambda claim: list(orders) if claim == "clm_1" else [])
    return SimpleNamespace(recoveries=recoveries)


def test_only_what_is_or_was_owed_counts() -> None:
    owed = order(Cause.LOWER, 5)
    asked = order(Cause.LOWER, 5, is_opened=False)
    dismissed = order(Cause.LOWER, 5, is_dismissed=True)
    assert opened(work(owed, asked, dismissed), "clm_1") == [owed]
    assert opened(work(owed), "clm_2") == []


def test_what_supervision_or_a_void_bill_takes_says_nothing_of_what_a_claim_comes_to() -> None:
    found = work(
        order(Cause.LOWER, 1, 2, 3, 4), order(Cause.CLEARING, 10, 20, 30, 40),
        order(Cause.FINDING, 100), order(Cause.VOID, 100), order(Cause.REVERSED, 100),
        order(Cause.LEDGER, 100),
    )  # fmt: skip
    assert lowered(found, "clm_1") == LayerAmounts(11, 22, 33, 44)
    assert lowered(work(), "clm_1") == LayerAmounts()


def test_amounts_are_added_layer_by_layer() -> None:
    assert total([order(Cause.VOID, 1, 2, 3, 4), order(Cause.VOID, 5, 0, 0, 1)]) == LayerAmounts(
        6, 2, 3, 5
    )
