"""What people made of the hits, and what that says of each rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from backend.domain.audit.rule import Rule, RuleSet
from backend.domain.errors import DomainError
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork
from backend.service_layer.audit_rules.records import (
    CLEARED,
    ON_TRIAL,
    REFUSED,
    UPHELD,
    HitPlace,
    RuleCount,
    StoredHit,
    place_of,
)
from backend.service_layer.claims.records import PendReason

JUDGED_MIN: Final = 10
"""Hits that people must have judged before a share says anything of a rule."""
NEARLY_ALWAYS_CLEARED_BP: Final = 1_000
"""A rule upheld in less than a tenth of its hits costs more than it finds (requirement 3.3: people
uphold about a quarter)."""


class OutcomeError(DomainError):
    """An outcome that is neither upheld nor cleared."""

    code = "bad-outcome"


@dataclass(frozen=True, slots=True)
class RuleStatistics:
    """A rule with its counts."""

    rule: Rule
    count: RuleCount

    @property
    def is_nearly_always_cleared(self) -> bool:
        """Whether people clear almost everything that the rule flags: retire or change it."""
        share = self.count.upheld_bp
        return (
            share is not None
            and self.count.judged >= JUDGED_MIN
            and share < NEARLY_ALWAYS_CLEARED_BP
        )


def record_outcome(
    deps: AuditServices,
    work: AuditWork,
    claim_id: str,
    outcomes: Mapping[HitPlace, str],
    by: str,
) -> int:
    """Mark the claim's hits as upheld or cleared by a person; the caller commits.

    Places that no rule hit (reasons of the code itself) are passed over, trial hits have no
    outcome, and what is recorded already is not repeated. Returns how many were marked.
    """
    wrong = sorted(set(outcomes.values()) - {UPHELD, CLEARED})
    if wrong:
        raise OutcomeError(f"结果不认识：{wrong[0]}", f"unknown outcome {wrong[0]}")
    known = work.audit_rules.outcomes_of(claim_id)
    marked = 0
    for hit in _newest(work.audit_rules.hits_of(claim_id)):
        outcome = outcomes.get(place_of(hit))
        if outcome is None or hit.effect == ON_TRIAL or known.get(hit.id) == outcome:
            continue
        work.audit_rules.add_outcome(hit.id, outcome, by, deps.clock.now())
        marked += 1
    return marked


def record_refusal_review(
    deps: AuditServices, work: AuditWork, claim_id: str, by: str, *, is_overruled: bool
) -> int:
    """People looked at a claim again that an exact rule had refused: overruled, the rule's hits
    are cleared and refuse this claim no more; else they are upheld. The caller commits."""
    outcome = CLEARED if is_overruled else UPHELD
    refused = [hit for hit in work.audit_rules.hits_of(claim_id) if hit.effect == REFUSED]
    return record_outcome(deps, work, claim_id, {place_of(hit): outcome for hit in refused}, by)


def _newest(hits: Iterable[StoredHit]) -> list[StoredHit]:
    """The last hit of each rule and line: an audit that ran again found the same thing anew."""
    found = {(hit.rule_code, hit.line_index): hit for hit in hits}
    return list(found.values())


def outcomes_of_review(
    pends: Iterable[PendReason], *, is_refused: bool, changed_lines: Iterable[int] = ()
) -> dict[HitPlace, str]:
    """What a review without a word on single reasons says of them: a refusal, or a ruling that
    takes something off the line, upholds the rule's doubt; an approval clears it."""
    changed = set(changed_lines)
    return {
        (pend.rule_code, pend.line_index): UPHELD
        if is_refused or pend.line_index in changed or (pend.line_index is None and changed)
        else CLEARED
        for pend in pends
        if pend.rule_code
    }


def rule_statistics(rules: RuleSet, counts: Iterable[RuleCount]) -> list[RuleStatistics]:
    """Every rule with its counts, the ones that never spoke up with zeros."""
    by_code = {count.rule_code: count for count in counts}
    return [
        RuleStatistics(rule, by_code.get(rule.code, RuleCount(rule.code))) for rule in rules.rules
    ]


def median_upheld_bp(statistics: Iterable[RuleStatistics]) -> int | None:
    """The middle of the rules' upheld shares (rules with enough judged hits), in basis points."""
    shares = sorted(
        share
        for one in statistics
        if one.count.judged >= JUDGED_MIN and (share := one.count.upheld_bp) is not None
    )
    if not shares:
        return None
    middle = len(shares) // 2
    if len(shares) % 2:
        return shares[middle]
    return (shares[middle - 1] + shares[middle]) // 2
