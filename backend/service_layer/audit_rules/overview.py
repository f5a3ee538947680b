"""The rules as people look at them: state, origin, history, hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.audit.rule import Rule
from backend.service_layer.audit_rules.audit_claim import filed_on
from backend.service_layer.audit_rules.outcomes import RuleStatistics, rule_statistics
from backend.service_layer.audit_rules.ports import AuditServices, AuditWork
from backend.service_layer.audit_rules.records import (
    Answer,
    Proposal,
    RuleVersion,
    StoredHit,
    TrialRun,
)


@dataclass(frozen=True, slots=True)
class RuleOverview:
    """A rule as it holds for services of today, and how it came to be so."""

    rule: Rule
    version: RuleVersion
    statistics: RuleStatistics


@dataclass(frozen=True, slots=True)
class RuleDetail:
    """Everything that is kept of one rule, the newest first."""

    overview: RuleOverview
    versions: tuple[RuleVersion, ...]
    proposals: tuple[tuple[Proposal, Answer | None], ...]
    trials: tuple[TrialRun, ...]
    hits: tuple[StoredHit, ...]


def rule_overviews(deps: AuditServices) -> list[RuleOverview]:
    """Every rule of the program, by code. Reads only: what an audit would store first is shown."""
    with deps.work(write=False) as work:
        return _overviews(deps, work)


def _overviews(deps: AuditServices, work: AuditWork) -> list[RuleOverview]:
    versions = known_versions(deps, work)
    rules = deps.rule_book.in_force(versions, filed_on(deps.clock.now())).rules
    newest = {version.rule_code: version for version in versions}
    return [
        RuleOverview(one.rule, newest[one.rule.code], one)
        for one in rule_statistics(rules, work.audit_rules.counts())
    ]


def rule_detail(deps: AuditServices, code: str) -> RuleDetail:
    """One rule with its history. Raises :class:`RuleError` for an unknown code."""
    deps.rule_book.shipped.rule(code)
    with deps.work(write=False) as work:
        overview = next(one for one in _overviews(deps, work) if one.rule.code == code)
        versions = [v for v in known_versions(deps, work) if v.rule_code == code]
        return RuleDetail(
            overview=overview,
            versions=tuple(reversed(versions)),
            proposals=tuple(work.audit_rules.proposals(code)),
            trials=tuple(work.audit_rules.trials_of(code)),
            hits=tuple(work.audit_rules.hits_of_rule(code)),
        )


def known_versions(deps: AuditServices, work: AuditWork) -> Sequence[RuleVersion]:
    """The stored versions, with the first ones of rules that no audit has used yet."""
    versions = work.audit_rules.versions()
    known = {version.rule_code for version in versions}
    first = deps.rule_book.first_versions(known, deps.clock.now())
    return sorted([*versions, *first], key=lambda version: (version.rule_code, version.version))
