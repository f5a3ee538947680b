"""Policy packs: dated benefit rules as data (figures and sources live in backend/policies).

A pack is a JSON document of strings and whole numbers: amounts in fen, ratios in basis points,
so that its canonical bytes, and with them its hash, are exact. It is refused as a whole when
anything in it is wrong, overlapping or missing, and never edited once published: a change is a
new pack with a new date.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from backend.domain.catalogue import BP, Catalogue
from backend.domain.errors import DomainError
from backend.domain.invoice import VisitKind

POLICY_FORMAT: Final = "yichu-policy-1"
HOSPITAL_LEVELS: Final = (1, 2, 3)


class PolicyError(DomainError):
    """A pack that has no rule, or not exactly one, for what it was asked."""

    code = "no-rule"


class DeductibleMode(StrEnum):
    """The six modes of domain reference 3.2. S standard, x in-scope now, P in-scope before."""

    PER_VISIT = "per-visit"  # min(S, x)
    PER_YEAR = "per-year"  # clamp(S - P, 0, x), P over the year
    PER_QUARTER = "per-quarter"
    PER_MONTH = "per-month"
    ONCE_PER_HOSPITAL_YEAR = "once-per-hospital-year"  # first visit there: min(S, x); later 0
    ONCE_PER_YEAR_TOPPED_UP = "once-per-year-topped-up"  # clamp(S - taken, 0, x)


class Merging(StrEnum):
    """Which stays count as one for a deductible taken by the visit."""

    NONE = "none"
    MID_STAY = "mid-stay"
    TRANSFER = "transfer"
    BOTH = "both"


class RemoteModel(StrEnum):
    """Care outside the insured area: a factor on the ratio, or a share paid first."""

    FACTOR = "factor"
    PAID_FIRST = "paid-first"


class Fund(StrEnum):
    """The fund of layer 2, by its setlinfo field."""

    RESIDENT_SERIOUS = "hifmi"  # 居民大病
    EMPLOYEE_LARGE = "hifob"  # 职工大额


@dataclass(frozen=True, slots=True)
class Selector:
    """To whom and where a rule applies. An empty set means any."""

    insurance_types: frozenset[str] = frozenset()
    visit_kinds: frozenset[str] = frozenset()
    person_types: frozenset[str] = frozenset()
    hospital_levels: frozenset[int] = frozenset()

    def matches(
        self, insurance_type: str, visit_kind: str, person_type: str, hospital_level: int
    ) -> bool:
        return (
            (not self.insurance_types or insurance_type in self.insurance_types)
            and (not self.visit_kinds or visit_kind in self.visit_kinds)
            and (not self.person_types or person_type in self.person_types)
            and (not self.hospital_levels or hospital_level in self.hospital_levels)
        )

    def counts_visit_kind(self, visit_kind: VisitKind) -> bool:
        return not self.visit_kinds or str(visit_kind) in self.visit_kinds


@dataclass(frozen=True, slots=True)
class DeductibleRule:
    """起付线. ``ceiling_fen`` bounds the sum of deductibles of one year and visit kind."""

    rule_id: str
    selector: Selector
    mode: DeductibleMode
    standard_fen: int
    merging: Merging = Merging.NONE
    ceiling_fen: int | None = None
    stops_above_standard: bool = False
    """Variant of the topped-up mode in one working system: nothing more once P > S."""


@dataclass(frozen=True, slots=True)
class Band:
    """From ``over_fen`` on the cumulated base upward, up to the next band, at ``ratio_bp``."""

    over_fen: int
    ratio_bp: int


@dataclass(frozen=True, slots=True)
class RatioRule:
    """报销比例 of the basic pool, banded on the visit's or the year's in-scope cost."""

    rule_id: str
    selector: Selector
    bands: tuple[Band, ...]
    is_yearly_base: bool = False
    retired_bonus_bp: int = 0

    def ratio_bp(self, band: Band, *, is_retired: bool) -> int:
        """The band's ratio with bonus: a ratio of 0 stays 0, and nothing exceeds 100 %."""
        if band.ratio_bp == 0 or not is_retired:
            return band.ratio_bp
        return min(BP, band.ratio_bp + self.retired_bonus_bp)


@dataclass(frozen=True, slots=True)
class CapRule:
    """封顶线: the pool pays at most this a year over the visit kinds of the selector."""

    rule_id: str
    selector: Selector
    limit_fen: int


@dataclass(frozen=True, slots=True)
class RemoteRule:
    """One status of care outside the area. ``value_bp`` is a factor or a share paid first."""

    rule_id: str
    status: str
    value_bp: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Layer2Rule:
    """大病/大额 on the year's compliant cost (in-scope less pool); the first band's lower edge
    is the threshold, edges are absolute, ``cap_fen`` bounds what it pays in a year."""

    rule_id: str
    selector: Selector
    fund: Fund
    bands: tuple[Band, ...]
    cap_fen: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from and how sure they are."""

    source_id: str
    title: str
    confidence: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class PolicyPack:
    """A parsed pack. ``catalogue`` is None when the pack trusts the class printed on the bill.

    ``policy_hash`` is SHA-256 of the pack's canonical bytes; the pack names its catalogue's
    digest, so the hash pins both.
    """

    pack_id: str
    region: str
    name_zh: str
    name_en: str
    effective_from: dt.date
    effective_to: dt.date
    class_b_bp: int
    class_b_rule_id: str
    deductibles: tuple[DeductibleRule, ...]
    ratios: tuple[RatioRule, ...]
    caps: tuple[CapRule, ...]
    remote_model: RemoteModel
    remote: tuple[RemoteRule, ...]
    layer2: tuple[Layer2Rule, ...]
    sources: tuple[Source, ...]
    promise_working_days: int
    legal_working_days: int
    policy_hash: bytes
    catalogue: Catalogue | None = None
    catalogue_digest: bytes | None = None
    catalogue_file: str = ""
    _rules: dict[tuple[str, str, str, int], ApplicableRules] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    terms_memo: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Line terms already looked up (``line_split`` fills it); a copy of a pack starts anew."""

    def is_effective_on(self, day: dt.date) -> bool:
        return self.effective_from <= day <= self.effective_to

    def rules_for(
        self, insurance_type: str, visit_kind: VisitKind, person_type: str, hospital_level: int
    ) -> ApplicableRules:
        """The rules of one case. Raises :class:`PolicyError` when the pack has none.

        The answer is remembered: it depends on nothing but the pack and the arguments.
        """
        case = (insurance_type, str(visit_kind), person_type, hospital_level)
        found = self._rules.get(case)
        if found is None:
            found = _select(self, case)
            self._rules[case] = found
        return found

    def remote_rule(self, status: str) -> RemoteRule:
        """The rule of a remote status; raises :class:`PolicyError` for one not in the pack."""
        for rule in self.remote:
            if rule.status == status:
                return rule
        raise PolicyError(
            f"政策包没有异地就医状态 {status}。", f"The pack has no remote status {status}."
        )


@dataclass(frozen=True, slots=True)
class ApplicableRules:
    """What a pack says about one insurance type, visit kind, person type and level."""

    deductible: DeductibleRule
    ratio: RatioRule
    caps: tuple[CapRule, ...]
    layer2: Layer2Rule | None


def _select(pack: PolicyPack, case: tuple[str, str, str, int]) -> ApplicableRules:
    deductibles = [rule for rule in pack.deductibles if rule.selector.matches(*case)]
    ratios = [rule for rule in pack.ratios if rule.selector.matches(*case)]
    layers = [rule for rule in pack.layer2 if rule.selector.matches(*case)]
    if len(deductibles) != 1 or len(ratios) != 1 or len(layers) > 1:
        raise PolicyError(
            "政策包对这类参保人和就诊没有唯一的规则，请转人工办理。",
            "The pack has not exactly one rule for this insurance, person, visit and hospital "
            "level; a person has to look at it.",
        )
    return ApplicableRules(
        deductible=deductibles[0],
        ratio=ratios[0],
        caps=tuple(rule for rule in pack.caps if rule.selector.matches(*case)),
        layer2=layers[0] if layers else None,
    )
