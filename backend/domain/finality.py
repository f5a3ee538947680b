"""When a fact on the ledger counts: a property of the network, never of the caller."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.domain.errors import DomainError

BLOCKS_MAX: Final = 10_000
EPOCH_DEFAULT: Final = 30_000  # of EIP-225
EPOCH_MAX: Final = 1_000_000
_RULE: Final = re.compile(r"(blocks|clique|qbft)(?::([1-9][0-9]{0,6}))?")


class FinalityKind(StrEnum):
    """What makes a block final."""

    BLOCKS = "blocks"  # so many confirmations, the including block is the first
    CLIQUE = "clique"  # descendants sealed by floor(n/2) + 1 distinct signers
    QBFT = "qbft"  # the header carries the commit seals of ceil(2n/3) validators


class FinalityRuleError(DomainError):
    """A text that is no finality rule."""

    code = "bad-finality-rule"


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """A kind and its number: confirmations of *blocks*, the epoch of *clique* in blocks."""

    kind: FinalityKind = FinalityKind.BLOCKS
    number: int = 1

    @classmethod
    def parse(cls, text: str) -> FinalityRule:
        """``blocks:N``, ``clique``, ``clique:EPOCH`` or ``qbft``; raises FinalityRuleError."""
        match = _RULE.fullmatch(text)
        if match is None:
            raise _refusal()
        kind, digits = FinalityKind(match[1]), match[2]
        if kind is FinalityKind.BLOCKS:
            if digits is None or int(digits) > BLOCKS_MAX:
                raise _refusal()
            return cls(kind, int(digits))
        if kind is FinalityKind.CLIQUE:
            epoch = EPOCH_DEFAULT if digits is None else int(digits)
            if epoch > EPOCH_MAX:
                raise _refusal()
            return cls(kind, epoch)
        if digits is not None:
            raise _refusal()
        return cls(kind, 1)

    def __str__(self) -> str:
        return self.kind if self.kind is FinalityKind.QBFT else f"{self.kind}:{self.number}"


def _refusal() -> FinalityRuleError:
    return FinalityRuleError(
        f"终局规则应为 blocks:N（1 到 {BLOCKS_MAX}）、clique:检查点周期（区块数） 或 qbft",
        f"a finality rule is blocks:N (1 to {BLOCKS_MAX}), clique:EPOCH (1 to {EPOCH_MAX}) or qbft",
    )
