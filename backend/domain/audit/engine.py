"""Evaluating rules over the facts of one claim. Pure and deterministic.

The same rules and facts give the same answer, whatever the order in which rules or other bills
were handed in. Cost is linear in the lines of the bill: no check compares lines with lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import Finding, Unjudged, Value
from backend.domain.audit.checks import CHECKS
from backend.domain.audit.facts import AuditFacts, OtherBill
from backend.domain.audit.rule import Level, Nature, Rule, RuleSet, RuleState
from backend.domain.audit.text import Text

HITS_A_RULE_MAX: Final = 50
"""Hits kept of one rule on one bill; the others are counted in :attr:`AuditResult.omitted`."""

_INTEGER_MAX: Final = 2**53 - 1


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
    facts = _ordered(facts)
    bill = BillIndex(facts.invoice, rules.table)
    found: list[tuple[int, Hit]] = []
    not_judged: list[NotJudged] = []
    evaluated: list[str] = []
    omitted: list[tuple[str, int]] = []
    for rule in rules.rules:
        if not _applies(rule, facts, bill):
            continue
        evaluated.append(rule.code)
        answer = CHECKS[rule.check].run(facts, bill, rule.parameters)
        if isinstance(answer, Unjudged):
            not_judged.append(_not_judged(rule, answer))
            continue
        found.extend((rule.priority, _hit(rule, bill, one)) for one in answer[:HITS_A_RULE_MAX])
        if len(answer) > HITS_A_RULE_MAX:
            omitted.append((rule.code, len(answer) - HITS_A_RULE_MAX))
    found.sort(key=_hit_order)
    return AuditResult(
        hits=tuple(hit for _, hit in found),
        not_judged=tuple(not_judged),
        evaluated=tuple(evaluated),
        omitted=tuple(omitted),
    )


def _applies(rule: Rule, facts: AuditFacts, bill: BillIndex) -> bool:
    return (
        rule.state is not RuleState.RETIRED
        and rule.is_valid_on(facts.service_on)
        and rule.scope.covers(facts.claim.origin, facts.claim.kind, bill.visit_kind)
    )


def _hit_order(entry: tuple[int, Hit]) -> tuple[int, str, int, str]:
    priority, hit = entry
    index = -1 if hit.line_index is None else hit.line_index
    return (priority, hit.rule_code, index, hit.en)


def _ordered(facts: AuditFacts) -> AuditFacts:
    """Other bills by day and reference, so that the order of asking for them has no effect."""
    if not facts.others and not facts.twins:
        return facts
    return replace(facts, others=_sorted_bills(facts.others), twins=_sorted_bills(facts.twins))


def _sorted_bills(bills: tuple[OtherBill, ...] | None) -> tuple[OtherBill, ...] | None:
    if bills is None:
        return None
    return tuple(sorted(bills, key=lambda bill: (bill.service_on, bill.reference)))


def _not_judged(rule: Rule, answer: Unjudged) -> NotJudged:
    return NotJudged(
        rule.code, answer.reason, answer.zh, answer.en, rule.state, _fit(answer.evidence)
    )


def _hit(rule: Rule, bill: BillIndex, finding: Finding) -> Hit:
    values: dict[str, Value] = dict(finding.values)
    if rule.level is Level.LINE and finding.line_index is not None:
        values["line"] = finding.line_index + 1
        values.setdefault("item", bill.lines[finding.line_index].name)
    return Hit(
        rule_code=rule.code,
        line_index=finding.line_index,
        zh=rule.text.zh.format_map(_words(values, "zh")),
        en=rule.text.en.format_map(_words(values, "en")),
        evidence=_fit(finding.evidence),
        state=rule.state,
        nature=rule.nature,
    )


def _fit(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence with numbers that canonical JSON has no room for as texts."""
    return {
        name: str(value) if type(value) is int and abs(value) > _INTEGER_MAX else value
        for name, value in evidence.items()
    }


def _words(values: Mapping[str, Value], language: str) -> dict[str, str]:
    return {
        name: str(getattr(value, language)) if isinstance(value, Text) else str(value)
        for name, value in values.items()
    }
