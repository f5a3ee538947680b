"""Adjudication: a pure function from (pack, bill, person, history) to an explanation.

The order is that of domain reference 3.1: line split, share paid first for care elsewhere,
deductible, ratio by band, yearly cap, layer 2. Everything is whole fen and exact fractions;
each layer's payment is rounded half up once for the bill, then allotted to the lines by largest
remainder, ties to the lower line: the pool's over the lines' in-scope amounts, layer 2's over
what the pool left of them. No clock, no I/O, no randomness: the same input gives the same fen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.bill import BillError, BillForBenefit
from backend.domain.catalogue import BP
from backend.domain.deductible import Deductible, compute_deductible
from backend.domain.explanation import (
    Adjustment,
    ExplanationOfBenefits,
    Group,
    LineExplanation,
    PendReason,
    Reason,
    outcome_of,
    verify_balance,
)
from backend.domain.line_split import LineSplit, format_percent, split_lines
from backend.domain.money import allot, format_yuan, round_half_up
from backend.domain.person import RETIRED, History, HistoryEntry, PersonSnapshot
from backend.domain.policy import (
    ApplicableRules,
    Band,
    CapRule,
    Layer2Rule,
    PolicyError,
    PolicyPack,
    RatioRule,
    RemoteModel,
    RemoteRule,
)
from backend.domain.summary import build_summary

_BP_SQUARED: Final = BP * BP
BILLS_MAX: Final = 200
"""Bills in one submission."""


@dataclass(frozen=True, slots=True)
class _Layers:
    """Bill-level amounts in fen. ``share`` is the person's by ratio, ``cut`` by yearly cap."""

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
    borne_cut: int


def adjudicate(
    pack: PolicyPack,
    bill: BillForBenefit,
    person: PersonSnapshot,
    history: History,
) -> ExplanationOfBenefits:
    """Work out what basic insurance pays of a bill, with a reason for every fen it does not.

    Raises :class:`PolicyError` when the pack is not in force on the bill's day or has no rule
    for the case, :class:`MoneyError` when the lines are not the total.
    """
    if not pack.is_effective_on(bill.visit_date):
        raise PolicyError(
            f"政策包 {pack.pack_id} 在就诊当日不生效。",
            f"Policy pack {pack.pack_id} is not in force on the day of the bill.",
        )
    rules = pack.rules_for(
        person.insurance_type, bill.visit_kind, person.person_type, bill.hospital_level
    )
    remote = pack.remote_rule(bill.remote_status)
    year = history.of_year(bill.visit_date.year, person.insurance_type)
    splits, pends = split_lines(pack, bill, person)
    remote_shares = _remote_shares(pack.remote_model, remote, splits)
    scopes = [split.inscp_fen - share for split, share in zip(splits, remote_shares, strict=True)]
    factor = remote.value_bp if pack.remote_model is RemoteModel.FACTOR else BP
    layers = _compute_layers(
        rules, bill, person, year, in_scope=sum(scopes), factor_bp=factor, remote=remote
    )
    lines = _explain_lines(splits, scopes, remote_shares, remote, layers)
    eob = _assemble(pack, bill, person, history, layers=layers, lines=lines, pends=pends)
    verify_balance(eob)
    return eob


def _assemble(
    pack: PolicyPack,
    bill: BillForBenefit,
    person: PersonSnapshot,
    history: History,
    *,
    layers: _Layers,
    lines: tuple[LineExplanation, ...],
    pends: Sequence[PendReason],
) -> ExplanationOfBenefits:
    cuts = [cut for line in lines for cut in line.adjustments]
    paid = layers.pool + layers.layer2
    return ExplanationOfBenefits(
        policy_id=pack.pack_id,
        policy_hash=pack.policy_hash,
        person_digest=person.digest(),
        history_digest=history.digest(),
        service_on=bill.visit_date,
        visit_kind=bill.visit_kind,
        hospital_code=bill.hospital_code,
        hospital_level=bill.hospital_level,
        remote_status=bill.remote_status,
        insurance_type=person.insurance_type,
        person_type=person.person_type,
        submitted_fen=bill.total_fen,
        borne_fen=bill.borne_fen,
        fulamt_ownpay_fen=sum(line.fulamt_ownpay_fen for line in lines),
        overlmt_fen=sum(line.overlmt_fen for line in lines),
        preselfpay_fen=sum(line.preselfpay_fen for line in lines),
        inscp_fen=layers.in_scope,
        deductible_fen=layers.deductible.amount_fen,
        pool_ratio=layers.ratio_text,
        pool_paid_fen=layers.pool,
        layer2_fund=layers.layer2_fund,
        layer2_base_fen=layers.layer2_base,
        layer2_paid_fen=layers.layer2,
        outcome=outcome_of(cuts, layers.in_scope),
        lines=lines,
        summary=build_summary(bill.total_fen, paid, cuts),
        pend_reasons=tuple(pends),
        admitted_on=bill.admitted_on,
        discharged_on=bill.discharged_on,
        stay_number=bill.stay_number,
    )


def estimate_submission(
    pack: PolicyPack,
    bills: Iterable[BillForBenefit],
    person: PersonSnapshot,
    history: History,
) -> dict[bytes, ExplanationOfBenefits]:
    """Each bill of one submission by invoice key, worked out in (visit date, invoice key) order.

    They share a yearly deductible and caps, so each sees the ones before it as reservations;
    the fixed order makes the order of ticking irrelevant. Raises :class:`BillError` when one
    invoice key comes twice or there are more than BILLS_MAX bills.
    """
    ordered = sorted(bills, key=lambda bill: (bill.visit_date, bill.invoice_key))
    if len(ordered) > BILLS_MAX or len({bill.invoice_key for bill in ordered}) != len(ordered):
        raise BillError(
            f"一次最多提交 {BILLS_MAX} 张票据，同一张票据只能选一次。",
            f"A submission holds at most {BILLS_MAX} bills, each of them once.",
        )
    results: dict[bytes, ExplanationOfBenefits] = {}
    for bill in ordered:
        eob = adjudicate(pack, bill, person, history)
        results[bill.invoice_key] = eob
        history = history.with_entries([eob.history_entry(bill.invoice_key.hex())])
    return results


def _remote_shares(
    model: RemoteModel, remote: RemoteRule, splits: Sequence[LineSplit]
) -> list[int]:
    """The share paid first for care elsewhere: once for the bill, then allotted to lines."""
    scopes = [split.inscp_fen for split in splits]
    if model is RemoteModel.FACTOR or remote.value_bp == 0:
        return [0] * len(scopes)
    return allot(round_half_up(sum(scopes) * remote.value_bp, BP), scopes)


def _compute_layers(
    rules: ApplicableRules,
    bill: BillForBenefit,
    person: PersonSnapshot,
    year: tuple[HistoryEntry, ...],
    *,
    in_scope: int,
    factor_bp: int,
    remote: RemoteRule,
) -> _Layers:
    deductible = compute_deductible(rules.deductible, bill, in_scope, year)
    is_retired = person.person_type == RETIRED
    start = (
        sum(e.in_scope_fen for e in year if e.visit_kind == bill.visit_kind)
        if rules.ratio.is_yearly_base
        else 0
    )
    bands = tuple(
        Band(band.over_fen, rules.ratio.ratio_bp(band, is_retired=is_retired))
        for band in rules.ratio.bands
    )
    lower, upper = start + deductible.amount_fen, start + in_scope
    # The effective ratio (ratio + bonus) x factor stays exact: 0.87 x 0.85 is not rounded.
    uncapped = round_half_up(_banded(bands, lower, upper) * factor_bp, _BP_SQUARED)
    pool, cut_reason = _apply_caps(rules.caps, year, uncapped)
    base = in_scope - pool
    layer2, layer2_reason, fund = _compute_layer2(rules.layer2, year, base)
    # What others bore at the counter is never paid again; layer 2, paid last, gives way first.
    beyond = max(0, pool + layer2 - (bill.total_fen - bill.borne_fen))
    borne_layer2 = min(beyond, layer2)
    borne_pool = beyond - borne_layer2
    return _Layers(
        in_scope=in_scope,
        deductible=deductible,
        pool=pool - borne_pool,
        cut=uncapped - pool,
        cut_reason=cut_reason,
        ratio_reason=_ratio_reason(
            rules.ratio, bands, lower, upper, factor_bp=factor_bp, remote=remote
        ),
        ratio_text=_ratio_text(bands, lower, upper, factor_bp),
        layer2_base=base,
        layer2=layer2 - borne_layer2,
        layer2_reason=layer2_reason,
        layer2_fund=fund,
        borne_cut=borne_pool,
    )


def _banded(bands: Sequence[Band], lower: int, upper: int) -> int:
    """Sum over bands of (min(upper, band end) - max(lower, band start)) x ratio, in fen x bp.

    Band edges are absolute positions on the cumulated base, deductible or threshold included
    (domain reference 3.3): ``lower`` is where paying starts, not a shift of the bands.
    """
    total = 0
    for index, band in enumerate(bands):
        end = bands[index + 1].over_fen if index + 1 < len(bands) else upper
        total += max(0, min(upper, end) - max(lower, band.over_fen)) * band.ratio_bp
    return total


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


def _compute_layer2(
    rule: Layer2Rule | None, year: tuple[HistoryEntry, ...], base: int
) -> tuple[int, Reason | None, str]:
    """Layer 2 on the year's compliant cost (in scope less pool), capped by the year."""
    if rule is None:
        return 0, None, ""
    counted = [e for e in year if rule.selector.counts_visit_kind(e.visit_kind)]
    position = sum(e.layer2_base_fen for e in counted)
    left = max(0, rule.cap_fen - sum(e.layer2_paid_fen for e in counted))
    paid = min(left, round_half_up(_banded(rule.bands, position, position + base), BP))
    threshold = format_yuan(rule.bands[0].over_fen)
    reason = Reason(
        Group.FUND,
        "layer-2-paid",
        rule.rule_id,
        f"大病保险：今年自己负担的合规费用超过 {threshold} 元，超过的部分再报",
        f"Serious-illness layer: pays again on this year's own share above {threshold} yuan",
    )
    return paid, reason, str(rule.fund)


def _ratio_text(bands: Sequence[Band], lower: int, upper: int, factor_bp: int) -> str:
    """The effective ratio as an exact decimal text; of several bands that were used, each."""
    used = _used_bands(bands, lower, upper)
    texts = []
    for band in used:
        whole, part = divmod(band.ratio_bp * factor_bp, _BP_SQUARED)
        decimals = f"{part:08d}".rstrip("0").ljust(4, "0")
        texts.append(f"{whole}.{decimals}")
    return ",".join(texts)


def _used_bands(bands: Sequence[Band], lower: int, upper: int) -> list[Band]:
    used = [
        band
        for index, band in enumerate(bands)
        if band.over_fen < upper and (index + 1 == len(bands) or bands[index + 1].over_fen > lower)
    ]
    return used or [bands[0]]


def _ratio_reason(
    rule: RatioRule,
    bands: Sequence[Band],
    lower: int,
    upper: int,
    *,
    factor_bp: int,
    remote: RemoteRule,
) -> Reason:
    percents = [format_percent(band.ratio_bp) for band in _used_bands(bands, lower, upper)]
    zh = f"个人比例：统筹支付 {'、'.join(percents)}"
    en = f"Your share by ratio: the fund pays {', '.join(percents)}"
    if factor_bp != BP:
        zh += f"，{remote.zh}再乘 {format_percent(factor_bp)}"
        en += f" times {format_percent(factor_bp)} ({remote.en})"
    zh += "，其余自付"
    en += ", the rest is yours"
    return Reason(Group.PATIENT, "personal-ratio", rule.rule_id, zh, en)


_BORNE: Final = Reason(
    Group.OTHER,
    "borne-by-others",
    "not-beyond-total",
    "其他方已经支付了一部分，各方合计不超过票据总额",
    "Others already bore part of this bill; all together never exceed its total",
)


def _explain_lines(
    splits: Sequence[LineSplit],
    scopes: Sequence[int],
    remote_shares: Sequence[int],
    remote: RemoteRule,
    layers: _Layers,
) -> tuple[LineExplanation, ...]:
    pool = allot(layers.pool, scopes)
    own = [scope - paid for scope, paid in zip(scopes, pool, strict=True)]
    layer2 = allot(layers.layer2, own)
    # The person's in-scope part is made of four pieces, each allotted over what is then left,
    # so that no line gets a negative piece and every line balances.
    deductible = allot(layers.deductible.amount_fen, own)
    left = [a - b for a, b in zip(own, deductible, strict=True)]
    cap = allot(layers.cut, left)
    left = [a - b for a, b in zip(left, cap, strict=True)]
    borne = allot(layers.borne_cut, left)
    ratio = [a - b for a, b in zip(left, borne, strict=True)]
    remote_reason = _remote_reason(remote) if any(remote_shares) else None
    deductible_reason = layers.deductible.reason
    lines = []
    for i, split in enumerate(splits):
        parts = (
            (split.full_reason, split.fulamt_ownpay_fen),
            (split.limit_reason, split.overlmt_fen),
            (split.first_reason, split.preselfpay_fen),
            (remote_reason, remote_shares[i]),
            (deductible_reason, deductible[i]),
            (layers.ratio_reason, ratio[i]),
            (layers.cut_reason, cap[i]),
            (layers.layer2_reason, -layer2[i]),
            (_BORNE, borne[i]),
        )
        lines.append(
            LineExplanation(
                index=split.line.index,
                catalogue_code=split.line.catalogue_code,
                name=split.line.name,
                submitted_fen=split.submitted_fen,
                fulamt_ownpay_fen=split.fulamt_ownpay_fen,
                overlmt_fen=split.overlmt_fen,
                preselfpay_fen=split.preselfpay_fen + remote_shares[i],
                inscp_fen=scopes[i],
                pool_fen=pool[i],
                layer2_fen=layer2[i],
                # A list first: a generator costs a tenth of the whole adjudication here.
                adjustments=tuple(
                    [
                        Adjustment(reason, amount)
                        for reason, amount in parts
                        if amount and reason is not None
                    ]
                ),
            )
        )
    return tuple(lines)


def _remote_reason(remote: RemoteRule) -> Reason:
    percent = format_percent(remote.value_bp)
    return Reason(
        Group.PATIENT,
        "remote-share",
        remote.rule_id,
        f"异地就医先自付 {percent}（{remote.zh}）",
        f"Care elsewhere: the first {percent} is yours ({remote.en})",
    )
