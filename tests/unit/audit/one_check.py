"""One check with parameters of one's own, read from a rule file like any other."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.audit.check import LINE_VALUES
from backend.domain.audit.checks import CHECKS
from backend.domain.audit.engine import AuditResult, evaluate
from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.rule import Level, RuleSet
from backend.domain.audit.rule_reader import parse_rules

Found = list[tuple[int | None, str]]

TESTS: Final = {"categories": ["03", "04"]}
"""Examinations, by their category."""


def rules_of(check: str, **parameters: Any) -> RuleSet:
    """A set of one live rule that says every value of its check, and the line where it is one."""
    spec = CHECKS[check]
    own = spec.values - LINE_VALUES if spec.level is Level.LINE else spec.values
    said = "; ".join(f"{name} {{{name}}}" for name in sorted(own)) or "hit"
    rule = {
        "code": "asked",
        "class": "format",
        "nature": "judgement",
        "level": str(spec.level),
        "severity": 1,
        "priority": 1,
        "queue": "any",
        "role": "reviewer",
        "state": "live",
        "valid_from": "2020-01-01",
        "valid_to": "2030-12-31",
        "check": check,
        "parameters": parameters,
        "title": {"zh": "题", "en": "title"},
        "text": {"zh": said, "en": said},
        "basis": {"zh": "据", "en": "basis"},
        "source": "test",
        "owner": "test",
    }
    return parse_rules({"format": "yichu-rules-1", "set_id": "test", "rules": [rule]})


def asked(known: AuditFacts, check: str, **parameters: Any) -> AuditResult:
    """What one check with these parameters says of a claim."""
    return evaluate(rules_of(check, **parameters), known)


def found(known: AuditFacts, check: str, **parameters: Any) -> Found:
    """The line and the values of each hit. Fails when the check says that it cannot judge."""
    result = asked(known, check, **parameters)
    assert not result.not_judged
    return [(hit.line_index, hit.en) for hit in result.hits]


def unjudged(known: AuditFacts, check: str, **parameters: Any) -> list[str]:
    """The reasons for which the check could not judge. Fails when it found something."""
    result = asked(known, check, **parameters)
    assert not result.hits
    return [one.reason for one in result.not_judged]
