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
from backend.domain.open_points import OpenPoint, missing_rule
from backend.domain.person import RETIRED
from backend.domain.selector import Case, Selector

POLICY_FORMAT: Final = "yichu-policy-1"
HOSPITAL_LEVELS: Final = (1, 2, 3)
RATIO_UNIT: Final = BP * BP
"""A whole in the unit of effective ratios: a factor on a personal share keeps eight decimals."""


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


class TierBasis(StrEnum):
    """What the bands of a tiered class 乙 share are laid on."""

    LINE_AMOUNT = "line-amount"
    UNIT_PRICE = "unit-price"


@dataclass(frozen=True, slots=True)
class DeductibleWaiver:
    """Stays without deductible: those whose main diagnosis begins with one of the prefixes, from
    the year's ``from_stay``-th such stay on."""

    rule_id: str
    diagnosis_prefixes: tuple[str, ...]
    from_stay: int


@dataclass(frozen=True, slots=True)
class DeductibleRule:
    """起付线. ``ceiling_fen`` bounds the sum of deductibles of one year and visit kind.

    ``later_standard_fen`` is the standard of a visit that is not the year's first (per visit).
    """

    rule_id: str
    selector: Selector
    mode: DeductibleMode
    standard_fen: int
    merging: Merging = Merging.NONE
    ceiling_fen: int | None = None
    stops_above_standard: bool = False
    """Variant of the topped-up mode in one working system: nothing more once P > S."""
    later_standard_fen: int | None = None
    waivers: tuple[DeductibleWaiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """From ``over_fen`` on the cumulated base upward, up to the next band, at ``ratio_bp``.

    ``retired_ratio_bp`` is the explicit ratio of retired persons, where the row gives one.
    """

    over_fen: int
    ratio_bp: int
    retired_ratio_bp: int | None = None


@dataclass(frozen=True, slots=True)
class ClassBRule:
    """What of a class 乙 item is paid first where the catalogue names no share for it.

    One band from 0 is a flat share. Several are marginal tiers: each share applies to the part
    of the line's amount, or of the price of one unit, that lies in its band.
    """

    rule_id: str
    bands: tuple[Band, ...]
    base: TierBasis = TierBasis.LINE_AMOUNT

    @property
    def is_flat(self) -> bool:
        return len(self.bands) == 1


@dataclass(frozen=True, slots=True)
class RatioRule:
    """报销比例 of the basic pool, banded on the visit's or the year's in-scope cost.

    Retired persons: the band's explicit ratio wins; else ``retired_share_bp`` is a factor on the
    personal share, or ``retired_bonus_bp`` is added to the ratio.
    """

    rule_id: str
    selector: Selector
    bands: tuple[Band, ...]
    is_yearly_base: bool = False
    retired_bonus_bp: int = 0
    retired_share_bp: int | None = None

    def effective_ratio(self, band: Band, *, is_retired: bool) -> int:
        """The band's ratio in RATIO_UNIT, exact. Neither bonus nor factor revives a ratio of 0,
        and nothing exceeds the whole."""
        if not is_retired:
            return band.ratio_bp * BP
        if band.retired_ratio_bp is not None:
            return band.retired_ratio_bp * BP
        if band.ratio_bp == 0:
            return 0
        if self.retired_share_bp is not None:
            return RATIO_UNIT - (BP - band.ratio_bp) * self.retired_share_bp
        return min(BP, band.ratio_bp + self.retired_bonus_bp) * BP


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
    is the threshold, edges are absolute, ``cap_fen`` bounds what it pays in a year (None: no
    cap)."""

    rule_id: str
    selector: Selector
    fund: Fund
    bands: tuple[Band, ...]
    cap_fen: int | None


@dataclass(frozen=True, slots=True)
class AidRule:
    """医疗救助 (layer 3), or 公务员补助 (the supplement), on what the layers before it left of the
    in-scope cost. Bands and cap are as in layer 2, their base the year's or the visit's.

    The selector of an aid rule names hardship codes, that of a supplement rule names ranks.
    """

    rule_id: str
    selector: Selector
    bands: tuple[Band, ...]
    is_yearly_base: bool
    cap_fen: int | None


@dataclass(frozen=True, slots=True)
class ClaimDeadline:
    """Until when a bill may be claimed: so many months after the service, or a day (month, day)
    of the calendar year after it. Exactly one of the two is set."""

    rule_id: str
    months: int | None = None
    next_year_until: tuple[int, int] | None = None


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
    class_b: ClassBRule
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
    layer3: tuple[AidRule, ...] = ()
    supplement: tuple[AidRule, ...] = ()
    claim_deadline: ClaimDeadline | None = None
    open_points: tuple[OpenPoint, ...] = ()
    _rules: dict[Case, ApplicableRules] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    terms_memo: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Line terms already looked up (``line_split`` fills it); a copy of a pack starts anew."""

    def is_effective_on(self, day: dt.date) -> bool:
        return self.effective_from <= day <= self.effective_to

    def rules_for(self, case: Case) -> ApplicableRules:
        """The rules of one case. Raises :class:`PolicyError` when the pack has none.

        The answer is remembered: it depends on nothing but the pack and the case.
        """
        found = self._rules.get(case)
        if found is None:
            found = _select(self, case)
            self._rules[case] = found
        return found

    def names_visit_kind(self, case: Case) -> bool:
        """Whether a ratio is written for this case's visit kind by name, not for any kind."""
        return any(
            case.visit_kind in rule.selector.visit_kinds and rule.selector.matches(case)
            for rule in self.ratios
        )

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
    """What a pack says about one case. ``ratio_bands`` are (over_fen, effective ratio)."""

    deductible: DeductibleRule
    ratio: RatioRule
    ratio_bands: tuple[tuple[int, int], ...]
    caps: tuple[CapRule, ...]
    layer2: Layer2Rule | None
    layer3: AidRule | None
    supplement: AidRule | None


def _select(pack: PolicyPack, case: Case) -> ApplicableRules:
    deductibles = [rule for rule in pack.deductibles if rule.selector.matches(case)]
    ratios = [rule for rule in pack.ratios if rule.selector.matches(case)]
    layer2 = [rule for rule in pack.layer2 if rule.selector.matches(case)]
    layer3 = [rule for rule in pack.layer3 if rule.selector.matches(case)]
    supplement = [rule for rule in pack.supplement if rule.selector.matches(case)]
    is_single = len(deductibles) == 1 and len(ratios) == 1
    if not is_single or max(len(layer2), len(layer3), len(supplement)) > 1:
        point = missing_rule(pack.open_points, case)
        if point is not None:
            raise PolicyError(
                f"{point.zh}，请转人工办理。", f"{point.en}; a person has to look at it."
            )
        raise PolicyError(
            "政策包对这类参保人和就诊没有唯一的规则，请转人工办理。",
            "The pack has not exactly one rule for this insurance, person, visit and hospital "
            "level; a person has to look at it.",
        )
    ratio = ratios[0]
    is_retired = case.person_type == RETIRED
    return ApplicableRules(
        deductible=deductibles[0],
        ratio=ratio,
        ratio_bands=tuple(
            (band.over_fen, ratio.effective_ratio(band, is_retired=is_retired))
            for band in ratio.bands
        ),
        caps=tuple(rule for rule in pack.caps if rule.selector.matches(case)),
        layer2=layer2[0] if layer2 else None,
        layer3=layer3[0] if layer3 else None,
        supplement=supplement[0] if supplement else None,
    )
