"""Keccak-256 against a foreign library, and against published values."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from verifier.keccak import keccak256


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            b"Transfer(address,address,uint256)",
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        ),
    ],
)
def test_published_values(data: bytes, digest: str) -> None:
    assert keccak256(data).hex() == digest


@pytest.mark.parametrize("size", [134, 135, 136, 137, 271, 272, 273, 5000])
def test_lengths_around_a_block_agree_with_a_foreign_library(size: int) -> None:
    data = bytes(range(256)) * 20
    assert keccak256(data[:size]) == keccak(data[:size])


@given(st.binary(max_size=300))
def test_any_bytes_agree_with_a_foreign_library(data: bytes) -> None:
    assert keccak256(data) == keccak(data)
