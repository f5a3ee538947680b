"""What may go at once (秒到账): every reason against it alone is enough."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.payout import InstantLimits, PayoutRules
from backend.service_layer.claims.records import ACCIDENT, FROM_OUTSIDE, Claim, Payout
from backend.service_layer.payout.lanes import is_machine_clean
from tests.unit.payout.payables import CLAIM, PAYABLE

MACHINE = SimpleNamespace(version=1, decided_by="machine")
LIMITS = InstantLimits(6_000, 6_000, 6_000)


def is_clean(
    claim: Claim = CLAIM,
    payable: Payout = PAYABLE,
    *,
    limits: InstantLimits = LIMITS,
    pends: tuple[Any, ...] = (),
    tried: tuple[Any, ...] = (),
    decisions: tuple[Any, ...] = (MACHINE,),
) -> bool:
    asked: list[str] = []

    def of(expected: str, found: tuple[Any, ...]) -> Any:
        def answer(subject: str) -> list[Any]:
            asked.append(subject)
            return list(found) if subject == expected else []

        return answer

    work: Any = SimpleNamespace(
        claims=SimpleNamespace(pends_of=of("clm_1", pends)),
        payments=SimpleNamespace(tried=of("pay_1", tried)),
        decisions=SimpleNamespace(all_of=of("clm_1", decisions)),
    )
    deps: Any = SimpleNamespace(settings=SimpleNamespace(payout=PayoutRules(instant=limits)))
    return is_machine_clean(deps, work, claim, payable)


def test_an_ordinary_claim_that_the_machine_decided_goes_at_once_up_to_its_limit() -> None:
    assert is_clean() is True


@pytest.mark.parametrize(
    "claim", [replace(CLAIM, kind=ACCIDENT), replace(CLAIM, origin=FROM_OUTSIDE)]
)
def test_an_accident_or_a_bill_that_its_hospital_did_not_anchor_waits(claim: Claim) -> None:
    assert is_clean(claim) is False


@pytest.mark.parametrize("fen", [5_999, 0])
def test_over_the_limit_of_a_bill_or_with_the_lane_off_it_waits(fen: int) -> None:
    assert is_clean(limits=replace(LIMITS, bill_fen=fen)) is False


def test_what_a_person_had_to_look_at_waits() -> None:
    assert is_clean(pends=("pend",)) is False


def test_what_was_tried_before_waits() -> None:
    assert is_clean(tried=("attempt",)) is False


@pytest.mark.parametrize(
    "decisions",
    [
        (),
        (SimpleNamespace(version=1, decided_by="复核员甲"),),
        # The machine's is another version than the one that is paid.
        (SimpleNamespace(version=2, decided_by="machine"),),
        (MACHINE, SimpleNamespace(version=1, decided_by="复核员甲")),
    ],
)
def test_what_the_machine_alone_did_not_decide_waits(decisions: tuple[Any, ...]) -> None:
    assert is_clean(decisions=decisions) is False


def test_a_later_version_is_judged_by_its_own_decision() -> None:
    later = SimpleNamespace(version=2, decided_by="复核员甲")
    assert is_clean(decisions=(MACHINE, later)) is True
    assert is_clean(payable=replace(PAYABLE, decision_version=2), decisions=(MACHINE, later)) is (
        False
    )
