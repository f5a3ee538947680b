"""Who has to do something about a payment that the bank did not make, by its reason."""

from __future__ import annotations

import pytest

from backend.domain.payout import ACCOUNT_GONE, BANK_SIDE, KNOWN_AT_THE_BANK, PAYEE_SIDE
from backend.service_layer.payout.holding import waiting_after_failure


@pytest.mark.parametrize(
    ("reason", "waits_for"),
    [
        ("AC01", "payee"), ("AC04", "payee"), ("AC06", "payee"), ("BE01", "payee"),
        ("RC04", "payee"), ("AB05", "bank-retry"), ("AM04", "bank-retry"), ("MS03", "bank-retry"),
        ("CANC", "payout-desk"), ("DS02", "payout-desk"), ("AC02", "payout-desk"),
        ("MD07", "payout-desk"), ("NARR", "payout-desk"), ("X-99", "payout-desk"),
        ("", "payout-desk"),
    ],
)  # fmt: skip
def test_a_reason_is_the_payees_the_banks_or_else_the_agencys(reason: str, waits_for: str) -> None:
    assert waiting_after_failure(reason) == waits_for


def test_no_reason_is_of_two_sides() -> None:
    assert PAYEE_SIDE >= ACCOUNT_GONE
    assert not PAYEE_SIDE & BANK_SIDE
    assert not KNOWN_AT_THE_BANK & (PAYEE_SIDE | BANK_SIDE)
