"""Comparing a decided claim with what another pack gives: by bill, by line, with both reasons."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.domain.explanation import ExplanationOfBenefits
    from backend.service_layer.claims.records import Claim, Decision


class Finding(StrEnum):
    """What a shadow run found of one claim."""

    SAME = "same"
    HIGHER = "higher"  # the new pack pays more
    LOWER = "lower"
    OTHER_REASONS = "other-reasons"  # the same amount, made up differently
    NO_RULE = "no-rule"  # the new pack works out nothing; a person would have to
    NOT_IN_FORCE = "not-in-force"  # the pack is not in force on the day of service
    REFUSED_BY_PERSON = "refused-by-person"  # no pack changes what a person refused
    UNREADABLE = "unreadable"  # what is stored of the claim does not adjudicate


DIFFERENT = frozenset(
    {Finding.HIGHER, Finding.LOWER, Finding.OTHER_REASONS, Finding.NO_RULE, Finding.UNREADABLE}
)
"""Findings that somebody has to explain before the pack goes into force."""


@dataclass(frozen=True, slots=True)
class ReasonAmount:
    """One cut of a line: its code, amount in fen, and both texts."""

    code: str
    amount_fen: int
    zh: str
    en: str

    def to_record(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "amount_fen": self.amount_fen,
            "basis_zh": self.zh,
            "basis_en": self.en,
        }


@dataclass(frozen=True, slots=True)
class LineDifference:
    """One line that is paid, or explained, differently; ``index`` counts from 0."""

    index: int
    name: str
    old_paid_fen: int
    new_paid_fen: int
    old: tuple[ReasonAmount, ...]
    new: tuple[ReasonAmount, ...]

    def to_record(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "name": self.name,
            "old_paid_fen": self.old_paid_fen,
            "new_paid_fen": self.new_paid_fen,
            "old": [reason.to_record() for reason in self.old],
            "new": [reason.to_record() for reason in self.new],
        }


@dataclass(frozen=True, slots=True)
class ClaimComparison:
    """One claim under both packs. ``new_paid_fen`` is None where the new one gives no amount;
    ``reason`` (zh, en) says why; ``pends`` are the codes for which a person would look."""

    claim_number: str
    decision_version: int
    service_on: dt.date
    finding: Finding
    old_paid_fen: int
    new_paid_fen: int | None = None
    reason: tuple[str, str] = ("", "")
    lines: tuple[LineDifference, ...] = ()
    pends: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, claim: Claim, decision: Decision, finding: Finding, reason: tuple[str, str] = ("", "")
    ) -> ClaimComparison:
        """A claim for which no new amount was worked out."""
        return cls(
            claim.number,
            decision.version,
            claim.service_on,
            finding,
            decision.paid_fen,
            reason=reason,
        )

    def to_record(self) -> dict[str, Any]:
        """What ``yichu policy shadow --json`` prints of a claim, one line each."""
        record: dict[str, Any] = {
            "claim_number": self.claim_number,
            "decision_version": self.decision_version,
            "service_on": self.service_on.isoformat(),
            "finding": str(self.finding),
            "old_paid_fen": self.old_paid_fen,
            "lines": [line.to_record() for line in self.lines],
            "pends": list(self.pends),
        }
        if self.new_paid_fen is not None:
            record["new_paid_fen"] = self.new_paid_fen
        if self.reason[0]:
            record["reason_zh"], record["reason_en"] = self.reason
        return record


@dataclass(slots=True)
class ShadowTotals:
    """Numbers of claims by finding, and the money by direction (fen, both positive)."""

    claims: dict[Finding, int] = field(default_factory=lambda: dict.fromkeys(Finding, 0))
    higher_fen: int = 0
    lower_fen: int = 0
    old_paid_fen: int = 0
    new_paid_fen: int = 0
    to_a_person: int = 0
    """Claims that would wait for a person under the new pack."""

    def add(self, found: ClaimComparison) -> None:
        self.claims[found.finding] += 1
        if found.new_paid_fen is None:
            return
        self.old_paid_fen += found.old_paid_fen
        self.new_paid_fen += found.new_paid_fen
        self.higher_fen += max(0, found.new_paid_fen - found.old_paid_fen)
        self.lower_fen += max(0, found.old_paid_fen - found.new_paid_fen)
        self.to_a_person += bool(found.pends)

    @property
    def has_differences(self) -> bool:
        return any(self.claims[finding] for finding in DIFFERENT)

    def to_record(self) -> dict[str, Any]:
        return {
            "claims": {str(finding): number for finding, number in self.claims.items()},
            "higher_fen": self.higher_fen,
            "lower_fen": self.lower_fen,
            "old_paid_fen": self.old_paid_fen,
            "new_paid_fen": self.new_paid_fen,
            "to_a_person": self.to_a_person,
        }


def compare(
    claim: Claim, decision: Decision, record: dict[str, Any], eob: ExplanationOfBenefits
) -> ClaimComparison:
    """The decision's record against the new explanation. Two lines are the same when each code
    cuts the same amount; rule ids and wording differ between any two packs."""
    lines = []
    for old, new in zip(record["lines"], eob.lines, strict=True):
        before = tuple(
            ReasonAmount(cut["code"], cut["amount_fen"], cut["basis_zh"], cut["basis_en"])
            for cut in old["adjustments"]
        )
        now = tuple(
            ReasonAmount(cut.code, cut.amount_fen, cut.basis_zh, cut.basis_en)
            for cut in new.adjustments
        )
        if old["paid_fen"] != new.paid_fen or _amounts(before) != _amounts(now):
            lines.append(
                LineDifference(new.index, new.name, old["paid_fen"], new.paid_fen, before, now)
            )
    return ClaimComparison(
        claim_number=claim.number,
        decision_version=decision.version,
        service_on=claim.service_on,
        finding=_finding(decision.paid_fen, eob.paid_fen, bool(lines)),
        old_paid_fen=decision.paid_fen,
        new_paid_fen=eob.paid_fen,
        lines=tuple(lines),
        pends=tuple(dict.fromkeys(pend.code for pend in eob.pend_reasons)),
    )


def _finding(old_fen: int, new_fen: int, lines_differ: bool) -> Finding:
    if new_fen != old_fen:
        return Finding.HIGHER if new_fen > old_fen else Finding.LOWER
    return Finding.OTHER_REASONS if lines_differ else Finding.SAME


def _amounts(reasons: tuple[ReasonAmount, ...]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for reason in reasons:
        sums[reason.code] = sums.get(reason.code, 0) + reason.amount_fen
    return sums
