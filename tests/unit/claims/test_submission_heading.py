"""What the receipt of a submission says at the top."""

from __future__ import annotations

import pytest

from backend.domain.claim import ClaimState
from backend.entrypoints.mobile.status_texts import submission_heading


@pytest.mark.parametrize(
    ("is_moving", "states", "said"),
    [
        (True, [ClaimState.PAID, ClaimState.SETTLING], "已受理，正在办理"),
        (True, [ClaimState.PENDED, ClaimState.SETTLING], "已受理，正在办理"),
        (False, [ClaimState.PAID, ClaimState.REFUSED], "已办结"),
    ],
)
def test_heading_says_what_is_going_on(
    is_moving: bool, states: list[ClaimState], said: str
) -> None:
    assert submission_heading(is_moving, states) == said


def test_a_submission_with_a_pended_claim_is_not_called_done() -> None:
    states = [ClaimState.PAID, ClaimState.PENDED, ClaimState.PENDED]
    assert submission_heading(False, states) == "2 张需要人工核对"
