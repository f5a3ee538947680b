"""What a check is: a pure function over facts, with declared parameters and declared values.

A check answers with findings, or with :class:`Unjudged` when a fact is missing that it cannot do
without. It never guesses, and it never passes in silence what it could not see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.facts import AuditFacts
from backend.domain.audit.rule import Level
from backend.domain.audit.text import Text

Value = str | int | Text
Values = dict[str, Value]
LINE_VALUES: Final = frozenset(("line", "item"))
"""What every text about a line may name without the check's doing."""

EXAMPLES_MAX: Final = 20
"""Entries of a list in the evidence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``values`` fill the rule's text; ``evidence`` is kept beside it."""

    values: Mapping[str, Value] = field(default_factory=dict)
    line_index: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unjudged:
    """``reason`` is a stable code; the words say which fact is missing."""

    reason: str
    zh: str
    en: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


Answer = Sequence[Finding] | Unjudged
Run = Callable[[AuditFacts, BillIndex, Mapping[str, Any]], Answer]


class Kind(Enum):
    """How a parameter is written in the rule file."""

    INTEGER = "integer"
    TEXTS = "texts"
    ITEMS = "items"
    ITEM_LIMITS = "item-limits"
    DIAGNOSIS_LIMITS = "diagnosis-limits"
    ITEM_PAIRS = "item-pairs"


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: every one is required, so that a rule file says all that it does.

    ``low`` and ``high`` bound an integer; ``choices`` the entries of a list of texts.
    """

    name: str
    kind: Kind
    low: int = 0
    high: int = 2**40 - 1
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check by name, with what its rules may set and what their texts may name."""

    name: str
    level: Level
    run: Run
    params: tuple[Param, ...]
    values: frozenset[str]


def claim_check(
    name: str, run: Run, params: tuple[Param, ...] = (), values: tuple[str, ...] = ()
) -> CheckSpec:
    return CheckSpec(name, Level.CLAIM, run, params, frozenset(values))


def line_check(
    name: str, run: Run, params: tuple[Param, ...] = (), values: tuple[str, ...] = ()
) -> CheckSpec:
    return CheckSpec(name, Level.LINE, run, params, frozenset(values) | LINE_VALUES)


def whole(name: str, low: int = 0, high: int = 2**40 - 1) -> Param:
    """A whole number."""
    return Param(name, Kind.INTEGER, low, high)


def texts(name: str, *choices: str) -> Param:
    """A list of texts with at least one entry."""
    return Param(name, Kind.TEXTS, choices=choices)


ITEMS: Final = Param("items", Kind.ITEMS)

NO_DIAGNOSIS: Final = Unjudged(
    "no-diagnosis", "票据没有诊断编码，无法判断", "the bill has no diagnosis code"
)
NO_GENDER: Final = Unjudged(
    "no-gender", "登记信息没有性别，无法判断", "the register does not say the person's sex"
)
NO_BIRTH: Final = Unjudged(
    "no-birth-date", "登记信息没有出生日期，无法判断", "the register has no date of birth"
)
NO_OTHERS: Final = Unjudged(
    "no-other-bills",
    "没有查到本人其他票据的信息，无法判断",
    "the person's other bills were not given",
)
NO_TWINS: Final = Unjudged(
    "no-twins", "没有跨机构比对信息，无法判断", "bills of other people and hospitals were not given"
)
NO_LEVEL: Final = Unjudged(
    "no-hospital-level", "不知道医院等级，无法判断", "the level of the hospital is not known"
)
NO_STAY_DATES: Final = Unjudged(
    "no-stay-dates",
    "住院票据缺少入院或出院日期，无法判断",
    "the stay's day of admission or discharge is missing",
)
NO_LINE_DAYS: Final = Unjudged(
    "no-line-days", "明细没有发生日期，无法判断", "the lines do not say on which day they arose"
)
NO_REGISTER: Final = Unjudged(
    "no-institution", "没有机构登记信息，无法判断", "the register of institutions was not given"
)
NO_CATALOGUE: Final = Unjudged("no-catalogue", "没有目录，无法判断", "no catalogue was given")
