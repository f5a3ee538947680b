"""R13: reports that were not believed, against what is booked on the same instructions."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.refused_rules import refused_answers
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.payout.unmatched import LostItem
from tests.unit.money_reconciliation.exchange import (
    Exchange,
    agreeing,
    booked,
    message_of,
    report,
    said,
)

PAID, REJECTED = AnswerStatus.PAID, AnswerStatus.REJECTED
RETURNED, ACCEPTED = AnswerStatus.RETURNED, AnswerStatus.ACCEPTED
LOST = {"C1-V1-A1": LostItem("C1-V1-A1", "YC1", 6_000)}
NAME = "C1-V1-A1"


def found(
    content: bytes,
    *statuses: str,
    cases: Sequence[tuple[str, bool]] = (),
    lost: dict[str, LostItem] | None = None,
    **fields: Any,
) -> list[Mismatch]:
    """``statuses``: what is booked of the one instruction; ``cases``: id, whether it is closed."""
    one: Exchange = agreeing()
    one.messages = [message_of(content, **({"verdict": "refused"} | fields))]
    one.answers = [booked(status=status) for status in statuses]
    work = one.work
    work.payments = SimpleNamespace(
        message_by_id=lambda name: SimpleNamespace(wrapped_content=content + b"@" + name.encode())
    )
    work.reconciliation = SimpleNamespace(
        cases_of=lambda kind: [
            SimpleNamespace(id=name, resolved_at="then" if closed else None)
            for name, closed in cases
            if kind == "bank-file"
        ]
    )
    return list(refused_answers(one.deps, work, lost or {}))


@pytest.mark.parametrize(
    ("content", "here", "there"),
    [
        (report(said(NAME)), ["rejected"], "the bank said paid"),
        (report(group_status=PAID), ["rejected"], "the bank said paid"),
        (report(said(NAME, REJECTED, reason_code="DU04")), ["rejected"],
         "the bank said rejected DU04"),
        (report(group_status=REJECTED, group_reason_code="DU01"), ["rejected"],
         "the bank said rejected DU01"),
        (report(said(NAME, REJECTED, reason_code="AC04")), ["paid"], "the bank said rejected"),
        (report(group_status=REJECTED), ["paid"], "the bank said rejected"),
        (report(said(NAME, RETURNED)), ["paid"], "the bank said returned"),
        (report(said(NAME, RETURNED)), ["rejected"], "the bank said returned"),
    ],
)  # fmt: skip
def test_what_was_refused_and_contradicts_the_books_holds_its_claim(
    content: bytes, here: list[str], there: str
) -> None:
    words = f"{there} in a refused report"
    assert found(content, *here) == [Mismatch("R13", NAME, here[0], words, "clm_c1")]


@pytest.mark.parametrize(
    ("content", "here"),
    [
        (report(said(NAME)), ["paid"]),
        (report(said(NAME)), ["paid", "returned"]),
        (report(said(NAME, REJECTED, reason_code="DU04")), ["paid"]),
        (report(said(NAME, REJECTED, reason_code="AB05")), ["rejected"]),
        (report(said(NAME, REJECTED, reason_code="AB05")), ["paid", "returned"]),
        (report(said(NAME, RETURNED)), ["paid", "returned"]),
        (report(said(NAME, ACCEPTED)), ["rejected"]),
        (report(said(NAME)), []),
        (report(said("C9-V1-A1")), ["rejected"]),
    ],
)
def test_what_was_refused_and_contradicts_nothing_is_not_named(
    content: bytes, here: list[str]
) -> None:
    assert found(content, *here) == []


def test_the_same_said_in_many_files_is_one_row() -> None:
    content = report(said(NAME))
    one = found(content, "rejected")
    assert len(one) == 1
    both = report(said(NAME), group_status=PAID)
    assert found(both, "rejected") == one


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "booked"}, {"verdict": "repeated"}, {"original_id": None},
        {"original_id": "YC2"}, {"cases": [("bank-file:bmg_1", True)]}, {"lost": LOST},
    ],
)  # fmt: skip
def test_what_is_of_no_refused_report_or_dealt_with_is_not_named(fields: dict[str, Any]) -> None:
    assert found(report(said(NAME)), "rejected", **fields) == []


@pytest.mark.parametrize("case", [("bank-file:bmg_1", False), ("bank-file:bmg_2", True)])
def test_a_case_that_is_open_or_of_another_file_changes_nothing(case: tuple[str, bool]) -> None:
    assert len(found(report(said(NAME)), "rejected", cases=[case])) == 1


def test_a_stored_file_that_does_not_open_is_named() -> None:
    assert found(b"damaged", "rejected") == [
        Mismatch("R13", "r1.json", "refused", "cannot be read: secret-damaged")
    ]


def test_a_report_that_is_none_any_longer_says_nothing() -> None:
    assert found(b"{}", "rejected") == []
