"""Reproducible choices. Only ``Random.random`` is used, whose sequence Python promises to keep;
``choice`` and ``randrange`` have changed between versions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A named stream of choices: equal (seed, name) gives equal choices on every machine."""

    __slots__ = ("_next",)

    def __init__(self, seed: int, name: str) -> None:
        self._next = random.Random(f"yichu-sample/{seed}/{name}").random

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return int(self._next() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self._next() * (high - low + 1))

    def one_of(self, values: Sequence[T]) -> T:
        return values[int(self._next() * len(values))]

    def chance(self, share: float) -> bool:
        return self._next() < share
