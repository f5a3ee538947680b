"""The draw favours nobody, and the thresholds of the other samples hold at their edges."""

from __future__ import annotations

import hashlib

import pytest

from backend.domain.sampling import (
    SampleLimits,
    SamplingError,
    digest_of,
    draw_members,
    in_order,
    is_value,
    is_variance,
    sample_size,
    seed_of,
)

PEOPLE = [hashlib.sha256(b"%d" % number).digest() for number in range(40)]


def test_every_decision_is_drawn_about_as_often_as_another() -> None:
    """2,000 seeds at 10 % of 40: each is expected 200 times with a variance of 180. The sum of
    squares, times 39/40 for drawing without replacement, is chi-square with 39 degrees of freedom,
    whose 99.9 % point is 72.06."""
    counts = dict.fromkeys(PEOPLE, 0)
    for number in range(2_000):
        seed = hashlib.sha256(b"seed %d" % number).digest()
        for one in draw_members(seed, PEOPLE, 1_000):
            counts[one] += 1
    assert sum(counts.values()) == 8_000
    assert sum((count - 200) ** 2 / 180 for count in counts.values()) * 39 / 40 < 72.06
    assert min(counts.values()) > 140
    assert max(counts.values()) < 260


def test_the_order_in_which_decisions_are_given_has_no_effect() -> None:
    seed = bytes(32)
    assert draw_members(seed, PEOPLE, 1_000) == draw_members(seed, reversed(PEOPLE), 1_000)


@pytest.mark.parametrize(
    ("population", "share_bp", "size"),
    [(0, 500, 0), (1, 500, 1), (20, 500, 1), (21, 500, 2), (100, 0, 0), (100, 10_000, 100)],
)
def test_the_share_is_rounded_up(population: int, share_bp: int, size: int) -> None:
    assert sample_size(population, share_bp) == size


@pytest.mark.parametrize("paid_fen", [0, 1_999_999])
def test_below_the_amount_is_no_value_sample(paid_fen: int) -> None:
    assert not is_value(paid_fen, SampleLimits())
    assert is_value(2_000_000, SampleLimits())


@pytest.mark.parametrize(
    ("total_fen", "group", "expected"),
    [
        (25_000, (10_000, 30), True),  # (25,000 / 10,000 - 1) x 100 = 150
        (24_999, (10_000, 30), False),
        (25_000, (10_000, 29), False),  # too small a group
        (25_000, (0, 30), False),
        (10**9, None, False),
        (8, (3, 30), True),  # 166.7
        (7, (3, 30), False),  # 133.3
    ],
)
def test_variance_is_told_from_the_median_of_a_large_enough_group(
    total_fen: int, group: tuple[int, int] | None, expected: bool
) -> None:
    assert is_variance(total_fen, group, SampleLimits()) is expected


def test_nobody_has_the_digest_of_nothing() -> None:
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_of([]).hex() == expected


@pytest.mark.parametrize("wrong", [[bytes(31)], [bytes(33)], [bytes(32), bytes(32)]])
def test_a_fingerprint_of_another_size_or_twice_is_refused(wrong: list[bytes]) -> None:
    with pytest.raises(SamplingError, match="twice or is not 32 bytes"):
        in_order(wrong)


def test_a_population_beyond_the_limit_is_refused() -> None:
    with pytest.raises(SamplingError, match="100000 at most"):
        in_order([number.to_bytes(32, "big") for number in range(100_001)])


@pytest.mark.parametrize(("digest", "block"), [(bytes(31), bytes(32)), (bytes(32), b"")])
def test_a_seed_needs_a_whole_digest_and_a_whole_block_hash(digest: bytes, block: bytes) -> None:
    with pytest.raises(SamplingError, match="32 bytes each"):
        seed_of(digest, block)
