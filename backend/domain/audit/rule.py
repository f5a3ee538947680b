"""One audit rule, and the set of them, as data that a person can read and two people switch.

A rule names a check (``checks``) and gives it parameters, a validity by **date of service**, where
its hits go, and the words. ``nature`` decides what a hit may do: an *exact* rule states a fact that
anyone can recompute and may refuse; a *judgement* rule only routes to a person (requirement 3.3).
A rule on *trial* is evaluated and recorded without effect (requirement A6).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from backend.domain.audit.items import SelectorTable, selectors_in
from backend.domain.audit.text import Text
from backend.domain.errors import DomainError
from backend.domain.invoice import VisitKind

RULES_FORMAT: Final = "yichu-rules-1"
SEVERITY_MAX: Final = 5
PRIORITY_MAX: Final = 5


class RuleError(DomainError):
    """A rule that does not exist, or a state that it cannot take."""

    code = "bad-rule"


class RuleClass(StrEnum):
    """The classes that the sources name (domain reference 4.2, requirements section 4)."""

    FORMAT = "format"
    IDENTITY = "identity"
    SUMS = "sums"
    DUPLICATE = "duplicate"
    CHARGING = "charging"
    QUANTITY = "quantity"
    STAY = "stay"
    SEX = "sex"
    AGE = "age"
    RESTRICTED = "restricted"
    ACCIDENT = "accident"
    REMOTE = "remote"
    LATE = "late"
    OUTLIER = "outlier"
    OTHER_FUND = "other-fund"
    OPERATION = "operation"
    CODING = "coding"
    INSTITUTION = "institution"


CLASS_TITLES: Final[Mapping[RuleClass, tuple[str, str]]] = MappingProxyType(
    {
        RuleClass.FORMAT: ("票据形式", "form of the bill"),
        RuleClass.IDENTITY: ("身份核对", "identity"),
        RuleClass.SUMS: ("金额勾稽", "sums"),
        RuleClass.DUPLICATE: ("重复与近似重复", "duplicates and near-duplicates"),
        RuleClass.CHARGING: ("重复收费与分解收费", "repeated and split charging"),
        RuleClass.QUANTITY: ("超量", "over-quantity"),
        RuleClass.STAY: ("住院合理性", "stays"),
        RuleClass.SEX: ("性别与项目", "sex against item"),
        RuleClass.AGE: ("年龄与项目", "age against item"),
        RuleClass.RESTRICTED: ("限制使用", "restricted items"),
        RuleClass.ACCIDENT: ("意外伤害与第三方责任", "accident and third-party liability"),
        RuleClass.REMOTE: ("异地就医", "care out of the area"),
        RuleClass.LATE: ("逾期申报", "late filing"),
        RuleClass.OUTLIER: ("费用异常", "outliers"),
        RuleClass.OTHER_FUND: ("其他支付渠道", "other funds"),
        RuleClass.OPERATION: ("手术真实性", "operations"),
        RuleClass.CODING: ("高编高靠", "up-coding"),
        RuleClass.INSTITUTION: ("机构与人员", "institution and staff"),
    }
)


class Nature(StrEnum):
    EXACT = "exact"
    JUDGEMENT = "judgement"


class Level(StrEnum):
    """Whether a hit is about the claim as a whole or about one line."""

    CLAIM = "claim"
    LINE = "line"


class RuleState(StrEnum):
    TRIAL = "trial"
    LIVE = "live"
    RETIRED = "retired"


NEXT_STATES: Final[Mapping[RuleState, frozenset[RuleState]]] = MappingProxyType(
    {
        RuleState.TRIAL: frozenset((RuleState.LIVE, RuleState.RETIRED)),
        RuleState.LIVE: frozenset((RuleState.TRIAL, RuleState.RETIRED)),
        RuleState.RETIRED: frozenset((RuleState.TRIAL,)),
    }
)
"""What a rule's state may change to: a retired rule comes back on trial, never straight to live."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which claims a rule looks at. An empty set means any."""

    origins: frozenset[str] = frozenset()
    claim_kinds: frozenset[str] = frozenset()
    visit_kinds: frozenset[str] = frozenset()

    def covers(self, origin: str, claim_kind: str, visit_kind: VisitKind) -> bool:
        return (
            (not self.origins or origin in self.origins)
            and (not self.claim_kinds or claim_kind in self.claim_kinds)
            and (not self.visit_kinds or str(visit_kind) in self.visit_kinds)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``severity`` goes from 1 (slight) to 5 (grave), ``priority`` from 1 (most urgent)
    to 5; ``queue`` and ``role`` say who looks at its hits. ``basis`` is what the rule rests on in
    words that a clerk can repeat, ``source`` where that was found, ``owner`` who answers for it.
    ``parameters`` are the parsed values of the check's own parameters."""

    code: str
    rule_class: RuleClass
    nature: Nature
    level: Level
    severity: int
    priority: int
    queue: str
    role: str
    state: RuleState
    valid_from: dt.date
    valid_to: dt.date
    check: str
    parameters: Mapping[str, Any]
    title: Text
    text: Text
    basis: Text
    source: str
    owner: str
    scope: Scope = Scope()
    is_reattached: bool = False
    """Whether it may be raised again after a person resolved it."""

    def is_valid_on(self, day: dt.date) -> bool:
        return self.valid_from <= day <= self.valid_to

    @property
    def may_refuse(self) -> bool:
        """Whether a hit may refuse the claim by itself: live and exact."""
        return self.nature is Nature.EXACT and self.state is RuleState.LIVE


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order of their codes. ``digest`` is SHA-256 of the file's canonical bytes."""

    set_id: str
    rules: tuple[Rule, ...]
    digest: bytes = bytes(32)
    by_code: Mapping[str, Rule] = field(init=False, compare=False, repr=False)
    table: SelectorTable = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.rules, key=lambda rule: rule.code))
        object.__setattr__(self, "rules", ordered)
        object.__setattr__(self, "by_code", MappingProxyType({r.code: r for r in ordered}))
        parameters = (value for rule in ordered for value in rule.parameters.values())
        object.__setattr__(self, "table", SelectorTable(selectors_in(parameters)))

    def rule(self, code: str) -> Rule:
        """The rule of that code. Raises :class:`RuleError` when there is none."""
        found = self.by_code.get(code)
        if found is None:
            raise RuleError(f"没有规则 {code}。", f"There is no rule {code}.")
        return found

    def with_states(self, states: Mapping[str, RuleState]) -> RuleSet:
        """The set with other states, as people switched them since the file was written.

        Raises :class:`RuleError` for a code that is not in the set.
        """
        for code in states:
            self.rule(code)
        changed = (replace(rule, state=states.get(rule.code, rule.state)) for rule in self.rules)
        return RuleSet(self.set_id, tuple(changed), self.digest)

    def only(self, *codes: str) -> RuleSet:
        """These rules alone, whatever their state, as if on trial: for a run over history."""
        wanted = (replace(self.rule(code), state=RuleState.TRIAL) for code in codes)
        return RuleSet(self.set_id, tuple(wanted), self.digest)
