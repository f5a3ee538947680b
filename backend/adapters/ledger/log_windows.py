"""How many blocks one ``eth_getLogs`` may span, learnt from what the node refuses.

Nodes limit the range (Besu: 1,000 blocks by default), the number of logs, or both, and each says so
in its own words (reference T20). So the window is halved at any refusal, and grows again towards
the smallest refused size; that bound is forgotten after a while, since the number of logs differs
from range to range.
"""

from __future__ import annotations

from typing import Final

BLOCKS_MAX: Final = 1_000
#: Answered windows after which a refused size is tried again.
FORGET_AFTER: Final = 64


class LogWindow:
    """The size of the next window in blocks. Not shared between threads without harm: two
    threads at worst learn a limit twice."""

    def __init__(self, blocks_max: int = BLOCKS_MAX) -> None:
        self._blocks_max = blocks_max
        self._refused = blocks_max + 1
        self._answered = 0
        self.blocks = blocks_max

    def answered(self) -> None:
        """The node answered a window of this size: the next may be larger."""
        self._answered += 1
        if self._answered >= FORGET_AFTER:
            self._answered, self._refused = 0, self._blocks_max + 1
        middle = (self.blocks + self._refused) // 2
        self.blocks = max(self.blocks, min(2 * self.blocks, middle, self._blocks_max))

    def refused(self) -> bool:
        """The node refused a window of this size; False when one block alone was too much."""
        if self.blocks == 1:
            return False
        self._refused = self.blocks
        self._answered = 0
        self.blocks = self.blocks // 2
        return True
