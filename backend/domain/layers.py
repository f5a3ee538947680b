"""Steps 3 to 8 of a benefit on the whole bill: what each layer pays of the in-scope cost.

Order and bases (domain reference 3.1, docs/adr/0009): deductible and pool, yearly caps, layer 2 on
in-scope less pool, layer 3 on what that leaves, the civil-servant supplement on the rest. Each
layer is rounded half up once, here, and pays at most what is left of its base. What others bore
is never paid again, so the layer that pays last gives way first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.bill import BillForBenefit
from backend.domain.catalogue import BP
from backend.domain.deductible import Deductible, compute_deductible
from backend.domain.explanation import Group, Reason
from backend.domain.line_split import format_percent
from backend.domain.money import format_yuan, round_half_up
from backend.domain.person import HistoryEntry
from backend.domain.policy import (
    RATIO_UNIT,
    AidRule,
    ApplicableRules,
    Band,
    CapRule,
    Layer2Rule,
    RemoteRule,
)
from backend.domain.selector import Case

_POOL_UNIT: Final = RATIO_UNIT * BP
_RATIO_DECIMALS: Final = 12

_HARDSHIP: Final = {
    "extreme-poor": ("特困人员", "people in extreme poverty"),
    "low-income": ("低保对象", "people on the minimum living allowance"),
    "low-income-edge": ("低保边缘家庭", "households just above the minimum living allowance"),
    "poverty-risk": ("易返贫人员", "people at risk of falling back into poverty"),
}


@dataclass(frozen=True, slots=True)
class Layers:
    """Bill-level amounts in fen. ``cut`` is the person's by yearly cap, ``borne_cut`` what the
    pool does not pay as others bore it already."""

    in_scope: int
    deductible: Deductible
    pool: int
    cut: int
    cut_reason: Reason | None
    ratio_reason: Reason
    ratio_text: str
    layer2_base: int
    layer2: int
    layer2_reason: Reason | None
    layer2_fund: str
    layer3: int
    layer3_reason: Reason | None
    supplement: int
    supplement_reason: Reason | None
    borne_cut: int

    @property
    def paid(self) -> int:
        return self.pool + self.layer2 + self.layer3 + self.supplement


def compute_layers(
    rules: ApplicableRules,
    case: Case,
    bill: BillForBenefit,
    year: tuple[HistoryEntry, ...],
    *,
    in_scope: int,
    factor_bp: int,
    remote: RemoteRule,
) -> Layers:
    """What every layer pays. ``year`` holds the benefit year's earlier decisions, ``factor_bp``
    the factor of care elsewhere (BP where the pack has another model)."""
    deductible = compute_deductible(rules.deductible, bill, in_scope, year)
    start = (
        sum(e.in_scope_fen for e in year if e.visit_kind == bill.visit_kind)
        if rules.ratio.is_yearly_base
        else 0
    )
    lower, upper = start + deductible.amount_fen, start + in_scope
    # The effective ratio (ratio + bonus) x factor stays exact: 0.87 x 0.85 is not rounded.
    uncapped = round_half_up(_banded(rules.ratio_bands, lower, upper) * factor_bp, _POOL_UNIT)
    capped, cut_reason = _apply_caps(rules.caps, year, uncapped)
    room = bill.total_fen - bill.borne_fen
    pool = min(capped, room)
    base = in_scope - capped
    layer2, layer2_reason = _within(room - pool, *_layer2(rules.layer2, year, base))
    layer3, layer3_reason = _within(
        room - pool - layer2, *_layer3(rules.layer3, case, year, base - layer2)
    )
    supplement, supplement_reason = _within(
        room - pool - layer2 - layer3, *_supplement(rules.supplement, year, base - layer2 - layer3)
    )
    used = _used(rules.ratio_bands, lower, upper)
    return Layers(
        in_scope=in_scope,
        deductible=deductible,
        pool=pool,
        cut=uncapped - capped,
        cut_reason=cut_reason,
        ratio_reason=_ratio_reason(rules.ratio.rule_id, used, factor_bp=factor_bp, remote=remote),
        ratio_text=",".join([_ratio_text(ratio * factor_bp) for ratio in used]),
        layer2_base=base,
        layer2=layer2,
        layer2_reason=layer2_reason,
        # A record names the fund by what it paid, so a fund that pays nothing is not named.
        layer2_fund=str(rules.layer2.fund) if rules.layer2 and layer2 else "",
        layer3=layer3,
        layer3_reason=layer3_reason,
        supplement=supplement,
        supplement_reason=supplement_reason,
        borne_cut=capped - pool,
    )


def _within(room: int, paid: int, reason: Reason | None) -> tuple[int, Reason | None]:
    """At most what the others left of the bill, and then the reason says so."""
    if paid <= room or reason is None:
        return paid, reason
    return room, dataclasses.replace(
        reason,
        zh=f"{reason.zh}（其他方已支付一部分，各方合计不超过票据总额）",
        en=f"{reason.en} (others bore part; all together never exceed the bill)",
    )


def _banded(bands: Sequence[tuple[int, int]], lower: int, upper: int) -> int:
    """Sum over bands of (min(upper, band end) - max(lower, band start)) x ratio.

    Band edges are absolute positions on the cumulated base, deductible or threshold included
    (domain reference 3.3): ``lower`` is where paying starts, not a shift of the bands.
    """
    total = 0
    last = len(bands) - 1
    for index, (over, ratio) in enumerate(bands):
        end = upper if index == last else min(upper, bands[index + 1][0])
        total += max(0, end - max(lower, over)) * ratio
    return total


def _used(bands: Sequence[tuple[int, int]], lower: int, upper: int) -> list[int]:
    """The ratios of the bands between the two positions; of the first band if there is none."""
    used = [
        ratio
        for index, (over, ratio) in enumerate(bands)
        if over < upper and (index + 1 == len(bands) or bands[index + 1][0] > lower)
    ]
    return used or [bands[0][1]]


def _plain(bands: Sequence[Band]) -> list[tuple[int, int]]:
    return [(band.over_fen, band.ratio_bp) for band in bands]


def _apply_caps(
    caps: Sequence[CapRule], year: tuple[HistoryEntry, ...], amount: int
) -> tuple[int, Reason | None]:
    """Pay at most what the tightest yearly cap has left, with the reason when that cuts."""
    reason = None
    for cap in caps:
        used = sum(e.pool_paid_fen for e in year if cap.selector.counts_visit_kind(e.visit_kind))
        left = max(0, cap.limit_fen - used)
        if amount > left:
            amount = left
            limit = format_yuan(cap.limit_fen)
            reason = Reason(
                Group.LIMIT,
                "yearly-cap",
                cap.rule_id,
                f"年度封顶：全年最多支付 {limit} 元，今年前面已支付 {format_yuan(used)} 元",
                f"Yearly cap: at most {limit} yuan a year, {format_yuan(used)} paid before",
            )
    return amount, reason


@dataclass(frozen=True, slots=True)
class _Later:
    """What a later layer pays: the fen, its ratios in plain percent, and its cap's words."""

    paid: int
    percents: str
    threshold: str
    cap_zh: str
    cap_en: str

    @property
    def percents_en(self) -> str:
        return self.percents.replace("、", ", ")


def _later(
    bands: Sequence[Band], cap_fen: int | None, *, position: int, base: int, used: int
) -> _Later:
    """Bands over a base that begins at ``position``; of a yearly cap ``used`` is gone."""
    plain = _plain(bands)
    paid = round_half_up(_banded(plain, position, position + base), BP)
    zh = en = ""
    if cap_fen is not None and paid > max(0, cap_fen - used):
        paid = max(0, cap_fen - used)
        limit, before = format_yuan(cap_fen), format_yuan(used)
        zh = f"（全年最多 {limit} 元，今年前面已付 {before} 元）"
        en = f" (at most {limit} yuan a year, {before} paid before)"
    ratios = _used(plain, max(position, bands[0].over_fen), position + base)
    percents = "、".join([format_percent(ratio) for ratio in ratios])
    first = bands[0].over_fen
    return _Later(paid, percents, format_yuan(first) if first else "", zh, en)


def _layer2(
    rule: Layer2Rule | None, year: tuple[HistoryEntry, ...], base: int
) -> tuple[int, Reason | None]:
    """Layer 2 on the year's compliant cost (in scope less pool), capped by the year."""
    if rule is None:
        return 0, None
    counted = [e for e in year if rule.selector.counts_visit_kind(e.visit_kind)]
    found = _later(
        rule.bands,
        rule.cap_fen,
        position=sum(e.layer2_base_fen for e in counted),
        base=base,
        used=sum(e.layer2_paid_fen for e in counted),
    )
    over_zh = over_en = ""
    if found.threshold:
        over_zh, over_en = f"超过 {found.threshold} 元的部分", f" above {found.threshold} yuan"
    return found.paid, Reason(
        Group.FUND,
        "layer-2-paid",
        rule.rule_id,
        f"大病保险：今年您自己负担的合规费用{over_zh}再报 {found.percents}{found.cap_zh}",
        f"Serious-illness layer: {found.percents_en} of this year's own share{over_en}"
        f"{found.cap_en}",
    )


def _layer3(
    rule: AidRule | None, case: Case, year: tuple[HistoryEntry, ...], base: int
) -> tuple[int, Reason | None]:
    """Medical assistance on in scope less pool less layer 2 (case D10 of the reference)."""
    if rule is None:
        return 0, None
    counted = [e for e in year if rule.selector.counts_visit_kind(e.visit_kind)]
    found = _later(
        rule.bands,
        rule.cap_fen,
        position=sum(e.layer2_base_fen - e.layer2_paid_fen for e in counted)
        if rule.is_yearly_base
        else 0,
        base=base,
        used=sum(e.layer3_paid_fen for e in counted),
    )
    who_zh, who_en = _HARDSHIP.get(case.hardship, (case.hardship, case.hardship))
    zh, en = _above(found, is_yearly=rule.is_yearly_base)
    return found.paid, Reason(
        Group.FUND,
        "layer-3-paid",
        rule.rule_id,
        f"医疗救助：您是{who_zh}，医保和大病保险报过以后，{zh}再救助 {found.percents}"
        f"{found.cap_zh}",
        f"Medical assistance for {who_en}: {found.percents_en} of {en} after "
        f"basic insurance and the serious-illness layer{found.cap_en}",
    )


def _supplement(
    rule: AidRule | None, year: tuple[HistoryEntry, ...], base: int
) -> tuple[int, Reason | None]:
    """The civil-servant supplement on the in-scope cost that no layer before it paid."""
    if rule is None:
        return 0, None
    counted = [e for e in year if rule.selector.counts_visit_kind(e.visit_kind)]
    found = _later(
        rule.bands,
        rule.cap_fen,
        position=sum(e.layer2_base_fen - e.layer2_paid_fen - e.layer3_paid_fen for e in counted)
        if rule.is_yearly_base
        else 0,
        base=base,
        used=sum(e.supplement_paid_fen for e in counted),
    )
    zh, en = _above(found, is_yearly=rule.is_yearly_base)
    return found.paid, Reason(
        Group.FUND,
        "supplement-paid",
        rule.rule_id,
        f"公务员补助：前面各项报过以后，{zh}再补助 {found.percents}{found.cap_zh}",
        f"Civil-servant supplement: {found.percents_en} of {en} after all "
        f"that was paid before{found.cap_en}",
    )


def _above(found: _Later, *, is_yearly: bool) -> tuple[str, str]:
    when_zh, when_en = ("今年", "this year") if is_yearly else ("这次", "this time")
    if not found.threshold:
        return (
            f"{when_zh}您自己负担的目录内费用",
            f"your own share of in-scope cost {when_en}",
        )
    return (
        f"{when_zh}您自己负担的目录内费用超过 {found.threshold} 元的部分",
        f"your own share of in-scope cost {when_en} above {found.threshold} yuan",
    )


def _ratio_text(ratio: int) -> str:
    """An effective ratio in units of 1e-12 as an exact decimal of at least four places."""
    whole, part = divmod(ratio, _POOL_UNIT)
    decimals = f"{part:0{_RATIO_DECIMALS}d}".rstrip("0").ljust(4, "0")
    return f"{whole}.{decimals}"


def _ratio_percent(ratio: int) -> str:
    """An effective ratio in RATIO_UNIT as an exact percentage without superfluous zeros."""
    whole, part = divmod(ratio, RATIO_UNIT // 100)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".") + "%"


def _ratio_reason(
    rule_id: str, used: Sequence[int], *, factor_bp: int, remote: RemoteRule
) -> Reason:
    percents = [_ratio_percent(ratio) for ratio in used]
    zh = f"个人比例：统筹支付 {'、'.join(percents)}"
    en = f"Your share by ratio: the fund pays {', '.join(percents)}"
    if factor_bp != BP:
        zh += f"，{remote.zh}再乘 {format_percent(factor_bp)}"
        en += f" times {format_percent(factor_bp)} ({remote.en})"
    zh += "，其余自付"
    en += ", the rest is yours"
    return Reason(Group.PATIENT, "personal-ratio", rule_id, zh, en)
