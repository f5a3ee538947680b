"""Evaluating rules over the facts of one claim. Pure and deterministic.

The same rules and facts give the same answer, whatever the order in which rules or other bills
were handed in. Cost is linear in the lines of the bill: a rule never compares lines with lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.rule import Nature, Rule, RuleSet, RuleState

HITS_A_RULE_MAX: Final = 50
"""Hits kept of one rule on one bill; the others are counted in :attr:`AuditResult.omitted`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One rule found something. ``line_index`` is the line's place in the invoice record, None
    for the claim as a whole. ``evidence`` holds the figures behind the words (strings, whole
    numbers, lists and objects of them), fit for canonical JSON."""

    rule_code: str
    line_index: int | None
    zh: str
    en: str
    evidence: dict[str, Any]
    state: RuleState
    nature: Nature

    @property
    def has_effect(self) -> bool:
        """Only a live rule's hit has any."""
        return self.state is RuleState.LIVE


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A rule that could not say anything, and why: a fact is missing, or a group too small."""

    rule_code: str
    reason: str
    zh: str
    en: str
    state: RuleState
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditResult:
    """``hits`` by priority, code and line; ``not_judged`` by code; ``evaluated`` the codes of all
    rules that were asked; ``omitted`` how many further hits a rule had beyond the limit."""

    hits: tuple[Hit, ...]
    not_judged: tuple[NotJudged, ...]
    evaluated: tuple[str, ...]
    omitted: tuple[tuple[str, int], ...] = ()

    @property
    def effective(self) -> tuple[Hit, ...]:
        """The hits of live rules."""
        return tuple(hit for hit in self.hits if hit.has_effect)


def evaluate(rules: RuleSet, facts: AuditFacts) -> AuditResult:
    """Ask every rule that is live or on trial, valid on the day of service and in scope."""
    raise NotImplementedError
