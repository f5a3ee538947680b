"""Until when a bill may be claimed: by months, or by a day of the next calendar year."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.domain.claim_deadline import is_past_limit, last_day, past_limit
from backend.domain.policy import ClaimDeadline
from tests.unit.domain import benefit_cases as case


def pack(**deadline: Any) -> Any:
    clocks: dict[str, Any] = {"promise_working_days": 5, "legal_working_days": 30}
    if deadline:
        clocks["claim_deadline"] = {"rule_id": "dl", "source": "s"} | deadline
    return case.pack(clocks=clocks)


@pytest.mark.parametrize(
    ("deadline", "service_on", "expected"),
    [
        (ClaimDeadline("d", months=12), dt.date(2026, 3, 2), dt.date(2027, 3, 2)),
        (ClaimDeadline("d", months=1), dt.date(2026, 1, 31), dt.date(2026, 2, 28)),
        (ClaimDeadline("d", months=12), dt.date(2028, 2, 29), dt.date(2029, 2, 28)),
        (ClaimDeadline("d", months=10), dt.date(2026, 3, 31), dt.date(2027, 1, 31)),
        (ClaimDeadline("d", months=9), dt.date(2026, 3, 31), dt.date(2026, 12, 31)),
        (ClaimDeadline("d", next_year_until=(6, 30)), dt.date(2026, 1, 1), dt.date(2027, 6, 30)),
        (ClaimDeadline("d", next_year_until=(3, 31)), dt.date(2026, 12, 31), dt.date(2027, 3, 31)),
    ],
)
def test_last_day(deadline: ClaimDeadline, service_on: dt.date, expected: dt.date) -> None:
    assert last_day(deadline, service_on) == expected


@pytest.mark.parametrize(
    ("submitted_on", "is_past"),
    [(dt.date(2026, 3, 2), False), (dt.date(2027, 6, 30), False), (dt.date(2027, 7, 1), True)],
)
def test_claim_is_past_the_limit_from_the_day_after(submitted_on: dt.date, is_past: bool) -> None:
    one = case.bill(case.line(0, 100))
    assert is_past_limit(pack(next_year_until="06-30"), one, submitted_on) is is_past


def test_reason_names_both_days_and_the_way_to_appeal() -> None:
    reason = past_limit(pack(months=12), case.DAY, dt.date(2027, 3, 3))
    assert reason is not None
    assert (reason.code, reason.rule_id) == ("past-limit", "dl")
    assert "2026-03-02 的费用最晚 2027-03-02 申请" in reason.zh
    assert "申请复核" in reason.zh
    assert "appeal" in reason.en


def test_pack_without_deadline_refuses_nobody() -> None:
    assert not is_past_limit(pack(), case.bill(case.line(0, 100)), dt.date(2099, 1, 1))
