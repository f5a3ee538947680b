"""Step 1 of a benefit: what of each line is outside, above the limit, paid first, in scope.

Domain reference 3.1, step 1. Line amounts are first brought to whole fen that add up to the
bill (``money.allot_fen``); then, to the fen, with pric and cnt unrounded,
overlmt = round2(max(0, pric - pric_uplmt_amt) x cnt),
preselfpay = round2((amount - overlmt) x selfpay_prop), inscp = the rest.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

from backend.domain.bill import BenefitLine, BillForBenefit
from backend.domain.catalogue import BP, EXACT, CatalogueItem, CodeMatch
from backend.domain.explanation import Group, PendReason, Reason
from backend.domain.money import allot_fen, format_yuan, round_half_up
from backend.domain.person import PersonSnapshot
from backend.domain.policy import ClassBRule, PolicyPack, TierBasis
from backend.domain.ruling import LineRuling, RulingKind

CLASS_A: Final = "01"
CLASS_B: Final = "02"
CLASS_C: Final = "03"

_E6_PER_FEN: Final = 10_000  # a fen in units of a price (six decimals of a yuan)
_E4: Final = 10_000  # units of a quantity (four decimals) in one
_E10_PER_FEN: Final = 10**8  # a fen in units of price x quantity (6 + 4 decimals)

_OUTSIDE_COVER: Final = Reason(
    Group.NONCOVERED,
    "outside-cover",
    "cover-period",
    "费用发生时不在参保期内，这一项不能报销",
    "You were not insured on that day",
)
_CLASS_C: Final = Reason(
    Group.NONCOVERED,
    "class-c",
    "catalogue-class",
    "目录外：这一项是丙类，全部自费",
    "Outside the catalogue: a class C item, paid by you in full",
)
_ALL_SELF_PAID: Final = Reason(
    Group.NONCOVERED,
    "class-c",
    "catalogue-class",
    "目录外：目录规定这一项全部自费",
    "Outside the catalogue: it says that you pay this in full",
)
_NOT_APPROVED: Final = Reason(
    Group.NONCOVERED,
    "not-approved",
    "hosp-appr-flag",
    "医院没有确认符合限制使用条件，这一项自费",
    "The hospital did not approve this restricted item for payment",
)
_UNCONFIRMED: Final = Reason(
    Group.NONCOVERED,
    "restricted-unconfirmed",
    "hosp-appr-flag",
    "限制使用的项目，还没有医院确认，先按不报销估算，由工作人员核对",
    "A restricted item not yet confirmed: counted as not paid until a person has looked",
)
_UNKNOWN: Final = Reason(
    Group.NONCOVERED,
    "unknown-code",
    "catalogue-match",
    "目录里找不到这个编码，先按不报销估算，由工作人员核对，不会直接拒绝",
    "This code is not in the catalogue: counted as not paid until a person has looked",
)


class LineSplit(NamedTuple):
    """The four parts of one line in fen, with the reasons of the first three.

    A named tuple, as one is made for every line and a bill has up to 5,000.
    """

    line: BenefitLine
    submitted_fen: int
    fulamt_ownpay_fen: int
    overlmt_fen: int
    preselfpay_fen: int
    inscp_fen: int
    full_reason: Reason | None
    limit_reason: Reason | None
    first_reason: Reason | None
    matched: CodeMatch | None = None
    """Under which code the line was judged where that is not the printed one."""


class Terms(NamedTuple):
    """What applies to one line: a reason that it is not payable, or share and limit."""

    excluded: Reason | None = None
    pend: str = ""
    share_bp: int = 0
    tiers: ClassBRule | None = None
    first_reason: Reason | None = None
    limit_e6: int = -1
    limit_reason: Reason | None = None
    ruled_fen: int = -1
    ruled_reason: Reason | None = None
    matched: CodeMatch | None = None


_OUTSIDE_TERMS: Final = Terms(excluded=_OUTSIDE_COVER)
_UNKNOWN_TERMS: Final = Terms(excluded=_UNKNOWN, pend="unknown-code")
_MEMO_MAX: Final = 100_000


def split_lines(
    pack: PolicyPack,
    bill: BillForBenefit,
    person: PersonSnapshot,
    rulings: Sequence[LineRuling] = (),
) -> tuple[list[LineSplit], list[PendReason]]:
    """Split every line. Raises :class:`MoneyError` when the lines are not the bill's total."""
    amounts = allot_fen(bill.total_fen, [line.amount_e4 for line in bill.lines])
    covered: dict[dt.date, bool] = {}
    splits: list[LineSplit] = []
    pends: list[PendReason] = []
    ruled: dict[int, dict[RulingKind, LineRuling]] = {}
    for ruling in rulings:
        ruled.setdefault(ruling.line_index, {})[ruling.kind] = ruling
    for place, (line, amount) in enumerate(zip(bill.lines, amounts, strict=True)):
        day = line.occurred_on or bill.visit_date
        is_covered = covered.get(day)
        if is_covered is None:
            is_covered = covered[day] = person.is_covered_on(day)
        if not is_covered:
            terms = _OUTSIDE_TERMS
        elif ruled and place in ruled:
            terms = _ruled_terms(pack, bill, line, ruled[place])
        else:
            terms = _terms(pack, bill, line)
        if terms.excluded is not None:
            splits.append(
                LineSplit(line, amount, amount, 0, 0, 0, terms.excluded, None, None, terms.matched)
            )
            if terms.pend and amount > 0:
                reason = terms.excluded
                pends.append(PendReason(terms.pend, line.index, reason.zh, reason.en))
            continue
        splits.append(_split(line, amount, terms))
    return splits, pends


def _split(line: BenefitLine, amount: int, terms: Terms) -> LineSplit:
    over = full = first = 0
    limit_e6 = terms.limit_e6
    if 0 <= limit_e6 < line.price_e6 and line.quantity_e4 > 0:
        excess = (line.price_e6 - limit_e6) * line.quantity_e4
        over = min(amount, round_half_up(excess, _E10_PER_FEN))
    considered = amount - over
    if 0 <= terms.ruled_fen < considered:
        full = considered - terms.ruled_fen
        considered = terms.ruled_fen
    if terms.tiers is not None:
        first = _tiered_share(terms.tiers, considered, line.quantity_e4)
    elif terms.share_bp:
        first = round_half_up(considered * terms.share_bp, BP)
    return LineSplit(
        line,
        amount,
        full,
        over,
        first,
        considered - first,
        terms.ruled_reason,
        terms.limit_reason,
        terms.first_reason,
        terms.matched,
    )


def _tiered_share(rule: ClassBRule, amount: int, quantity_e4: int) -> int:
    """The share paid first by marginal tiers, rounded half up once for the line.

    On the price of a unit the tiers are laid on amount / quantity, exactly: their edges are the
    pack's times the quantity. A line without a quantity counts as one unit.
    """
    by_price = rule.base is TierBasis.UNIT_PRICE and quantity_e4 > 0
    units_e4 = quantity_e4 if by_price else _E4
    whole = amount * _E4
    total = 0
    for index, band in enumerate(rule.bands):
        start = band.over_fen * units_e4
        if start >= whole:
            break
        is_last = index + 1 == len(rule.bands)
        end = whole if is_last else min(whole, rule.bands[index + 1].over_fen * units_e4)
        total += (end - start) * band.ratio_bp
    return round_half_up(total, _E4 * BP)


def _ruled_terms(
    pack: PolicyPack,
    bill: BillForBenefit,
    line: BenefitLine,
    ruled: dict[RulingKind, LineRuling],
) -> Terms:
    """The terms of a line as a reviewer ruled: an exclusion wins over everything else."""
    excluded = ruled.get(RulingKind.EXCLUDE)
    if excluded is not None:
        return Terms(excluded=_ruled_reason("reviewer-excluded", excluded))
    match = ruled.get(RulingKind.MATCH)
    if match is not None:
        line = dataclasses.replace(line, catalogue_code=match.catalogue_code)
    if RulingKind.CONFIRM in ruled:
        line = dataclasses.replace(line, approval_flag="1")
    terms = _terms(pack, bill, line)
    limit = ruled.get(RulingKind.LIMIT)
    if limit is None or limit.limit_fen is None:
        return terms
    return terms._replace(
        ruled_fen=limit.limit_fen, ruled_reason=_ruled_reason("reviewer-limited", limit)
    )


def _ruled_reason(code: str, ruling: LineRuling) -> Reason:
    return Reason(Group.NONCOVERED, code, ruling.rule_id, ruling.basis_zh, ruling.basis_en)


def _terms(pack: PolicyPack, bill: BillForBenefit, line: BenefitLine) -> Terms:
    """The terms of one line, remembered: they depend on the pack and this key alone."""
    # The catalogue of the day of the bill: a stay is judged by one catalogue, not by two.
    key = (line.catalogue_code, line.level, line.approval_flag, bill.visit_date)
    terms: Terms | None = pack.terms_memo.get(key)
    if terms is None:
        terms = _find_terms(pack, bill, line)
        if len(pack.terms_memo) >= _MEMO_MAX:
            pack.terms_memo.clear()
        pack.terms_memo[key] = terms
    return terms


def _find_terms(pack: PolicyPack, bill: BillForBenefit, line: BenefitLine) -> Terms:
    if pack.catalogue is None:
        return _printed_terms(pack, line)
    negative = pack.catalogue.find_negative(line.catalogue_code, bill.visit_date)
    if negative is not None:
        return Terms(
            excluded=Reason(
                Group.NONCOVERED, "negative-list", negative.rule_id, negative.zh, negative.en
            )
        )
    match = pack.catalogue.match(line.catalogue_code, bill.visit_date)
    if match is None:
        return _UNKNOWN_TERMS
    terms = _catalogue_terms(pack, line, match.item)
    return terms if match.how == EXACT else terms._replace(matched=match)


def _catalogue_terms(pack: PolicyPack, line: BenefitLine, item: CatalogueItem) -> Terms:
    if item.level == CLASS_C:
        return Terms(excluded=_CLASS_C)
    if line.approval_flag == "2" or (item.restricted and line.approval_flag == "0"):
        return Terms(excluded=_NOT_APPROVED)
    if item.restricted and line.approval_flag != "1":
        return Terms(excluded=_UNCONFIRMED, pend="restricted-unconfirmed")
    if item.selfpay_bp is not None:
        terms = _flat_terms(item.selfpay_bp, "catalogue-share")
    else:
        terms = _class_b_terms(pack.class_b) if item.level == CLASS_B else Terms()
    limit = item.price_limit_fen
    if limit is None or terms.excluded is not None:
        return terms
    return terms._replace(limit_e6=limit * _E6_PER_FEN, limit_reason=_limit_reason(limit))


def _class_b_terms(rule: ClassBRule) -> Terms:
    if rule.is_flat:
        return _flat_terms(rule.bands[0].ratio_bp, rule.rule_id)
    return Terms(tiers=rule, first_reason=_tiers_reason(rule))


def _flat_terms(share_bp: int, rule_id: str) -> Terms:
    if share_bp >= BP:
        return Terms(excluded=_ALL_SELF_PAID)
    return Terms(
        share_bp=share_bp, first_reason=_first_reason(share_bp, rule_id) if share_bp else None
    )


def _printed_terms(pack: PolicyPack, line: BenefitLine) -> Terms:
    if line.level == CLASS_C:
        return Terms(excluded=_CLASS_C)
    if line.approval_flag == "2":
        return Terms(excluded=_NOT_APPROVED)
    if line.level == CLASS_A:
        return Terms()
    if line.level == CLASS_B:
        return _class_b_terms(pack.class_b)
    return _UNKNOWN_TERMS


def _first_reason(share_bp: int, rule_id: str) -> Reason:
    percent = format_percent(share_bp)
    return Reason(
        Group.PATIENT,
        "class-b-share",
        rule_id,
        f"乙类先自付 {percent}",
        f"Class B: the first {percent} is yours",
    )


def _tiers_reason(rule: ClassBRule) -> Reason:
    by_price = rule.base is TierBasis.UNIT_PRICE
    parts_zh, parts_en = [], []
    for index, band in enumerate(rule.bands):
        percent = format_percent(band.ratio_bp)
        if index + 1 < len(rule.bands):
            edge = format_yuan(rule.bands[index + 1].over_fen)
            parts_zh.append(f"{edge} 元以内{'的部分' if index else ''} {percent}")
            parts_en.append(f"{percent} up to {edge} yuan")
        else:
            parts_zh.append(f"超过的部分 {percent}")
            parts_en.append(f"{percent} above")
    base_zh, base_en = ("单价", "the unit price") if by_price else ("每行金额", "the line's amount")
    return Reason(
        Group.PATIENT,
        "class-b-share",
        rule.rule_id,
        f"乙类分段先自付（按{base_zh}）：{'，'.join(parts_zh)}",
        f"Class B, paid first by tiers of {base_en}: {', '.join(parts_en)}",
    )


def _limit_reason(limit_fen: int) -> Reason:
    price = format_yuan(limit_fen)
    return Reason(
        Group.NONCOVERED,
        "over-price-limit",
        "catalogue-limit",
        f"超限价：每单位最高按 {price} 元计算，超出部分自费",
        f"Above the price limit of {price} yuan a unit",
    )


def format_percent(ratio_bp: int) -> str:
    """Basis points as a percentage without superfluous zeros: 8400 is ``84%``."""
    whole, rest = divmod(ratio_bp, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + "%"
