"""The steps of a case, its risk, and a draw that anybody can repeat."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.pend_reasons import PEND_ROUTING, USUAL, routing_of
from backend.domain.review import (
    Candidate,
    Concern,
    DrawError,
    Finding,
    Outcome,
    ReviewLimits,
    Risk,
    StepName,
    classify,
    covers,
    draw,
    next_step,
)

LIMITS = ReviewLimits(
    high_risk_above_fen=5_000_000,
    high_risk_priority=1,
    high_risk_severity=5,
    second_approver_above_fen=1_000_000,
)
YES, NO = Outcome.APPROVE, Outcome.REFUSE


@pytest.mark.parametrize(
    ("concerns", "amount_fen", "risk"),
    [
        ([Concern(3)], 5_000_000, Risk.LOW),
        ([Concern(3)], 5_000_001, Risk.HIGH),
        ([Concern(2), Concern(5)], 0, Risk.LOW),
        ([Concern(5), Concern(1)], 0, Risk.HIGH),
        ([Concern(3, 4)], 0, Risk.LOW),
        ([Concern(3, 5)], 0, Risk.HIGH),
        ([], 0, Risk.LOW),
    ],
)
def test_risk_is_high_above_the_amount_or_for_an_urgent_or_severe_reason(
    concerns: list[Concern], amount_fen: int, risk: Risk
) -> None:
    assert classify(concerns, amount_fen, LIMITS) is risk


@pytest.mark.parametrize(
    ("found", "amount_fen", "expected"),
    [
        ([], 0, "single"),
        ([("single", YES)], 1_000_000, None),
        ([("single", YES)], 1_000_001, "second-approver"),
        ([("single", NO)], 1_000_001, "second-approver"),
        ([("single", YES), ("second-approver", YES)], 1_000_001, None),
        ([("single", YES), ("second-approver", NO)], 1_000_001, "final"),
        ([("single", NO), ("second-approver", YES)], 1_000_001, "final"),
        ([("single", YES), ("second-approver", NO), ("final", NO)], 1_000_001, None),
    ],
)
def test_low_risk_has_one_reviewer_and_a_second_above_the_amount(
    found: list[tuple[str, Outcome]], amount_fen: int, expected: str | None
) -> None:
    findings = [Finding(StepName(step), outcome) for step, outcome in found]
    step = next_step(Risk.LOW, findings, amount_fen, LIMITS)
    assert (None if step is None else str(step)) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((YES, 1_000_001), (YES, 1_000_001), None),
        ((YES, 1_000_001), (YES, 4_000_000), "final"),  # nobody else has seen that amount
        ((YES, 4_000_000), (YES, 1_000_001), "final"),
        ((NO, 1_000_001), (NO, 4_000_000), None),
    ],
)
def test_a_second_approver_who_rules_another_amount_is_another_opinion(
    first: tuple[Outcome, int], second: tuple[Outcome, int], expected: str | None
) -> None:
    names = (StepName.SINGLE, StepName.SECOND_APPROVER)
    found = [Finding(name, *said) for name, said in zip(names, (first, second), strict=True)]
    step = next_step(Risk.LOW, found, 4_000_000, LIMITS)
    assert (None if step is None else str(step)) == expected


def test_high_risk_goes_through_four_steps_whatever_each_finds() -> None:
    findings: list[Finding] = []
    steps = []
    for outcome in (YES, NO, YES, NO):
        step = next_step(Risk.HIGH, findings, 0, LIMITS)
        assert step is not None
        steps.append(str(step))
        findings.append(Finding(step, outcome))
    assert steps == ["first", "second", "final", "panel"]
    assert next_step(Risk.HIGH, findings, 10**9, LIMITS) is None


def test_the_draw_is_sha_256_over_seed_and_the_lightest_in_order() -> None:
    # By hand: b, c hold one step, a holds two; the digest of tag, seed and "b", "c" modulo 2.
    seed = bytes(range(32))
    digest = hashlib.sha256(b"yichu-review-draw-1" + seed + b"\x00\x01b\x00\x01c").digest()
    expected = ["b", "c"][int.from_bytes(digest, "big") % 2]
    given = [Candidate("c", 1), Candidate("a", 2), Candidate("b", 1)]
    assert draw(seed, given) == draw(seed, reversed(given)) == expected


@given(st.binary(min_size=32, max_size=32), st.sets(st.text("abcdef", min_size=1), min_size=1))
def test_a_draw_takes_one_of_the_lightest_and_order_has_no_effect(
    seed: bytes, names: set[str]
) -> None:
    candidates = [Candidate(name, len(name)) for name in names]
    chosen = draw(seed, candidates)
    assert len(chosen) == min(len(name) for name in names)
    assert draw(seed, candidates[::-1]) == chosen


def test_over_many_seeds_nobody_is_left_out() -> None:
    candidates = [Candidate(name, 0) for name in "abcde"]
    seeds = (hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(1_000))
    counts = dict.fromkeys("abcde", 0)
    for seed in seeds:
        counts[draw(seed, candidates)] += 1
    assert all(140 <= count <= 260 for count in counts.values()), counts


@pytest.mark.parametrize(("seed", "candidates"), [(bytes(32), []), (b"short", [Candidate("a", 0)])])
def test_a_draw_from_nobody_or_with_another_seed_is_refused(
    seed: bytes, candidates: list[Candidate]
) -> None:
    with pytest.raises(DrawError, match="nobody that the case can be given to"):
        draw(seed, candidates)


def test_a_supervisor_may_what_a_reviewer_may_and_not_the_other_way() -> None:
    assert covers("supervisor", "reviewer") and covers("reviewer", "reviewer")
    assert not covers("reviewer", "supervisor")
    assert not covers("clerk", "reviewer") and not covers("citizen", "reviewer")


def test_a_reason_that_nobody_routed_goes_to_the_general_queue() -> None:
    assert routing_of("no-such-code") == USUAL
    assert (USUAL.queue, USUAL.role, USUAL.reattach) == ("general", "reviewer", False)
    assert all(1 <= routing.priority <= 5 for routing in PEND_ROUTING.values())
    assert routing_of("name-mismatch").queue == "identity"
