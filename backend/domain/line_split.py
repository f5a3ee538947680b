"""Step 1 of a benefit: what of each line is outside, above the limit, paid first, in scope.

Domain reference 3.1, step 1. Line amounts are first brought to whole fen that add up to the
bill (``money.allot_fen``); then, to the fen, with pric and cnt unrounded,
overlmt = round2(max(0, pric - pric_uplmt_amt) x cnt),
preselfpay = round2((amount - overlmt) x selfpay_prop), inscp = the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from backend.domain.bill import BenefitLine, BillForBenefit
from backend.domain.catalogue import BP, CatalogueItem
from backend.domain.explanation import Group, PendReason, Reason
from backend.domain.money import allot_fen, format_yuan, round_half_up
from backend.domain.person import PersonSnapshot
from backend.domain.policy import PolicyPack

CLASS_A: Final = "01"
CLASS_B: Final = "02"
CLASS_C: Final = "03"

_E6_PER_FEN: Final = 10_000  # a fen in units of a price (six decimals of a yuan)
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


@dataclass(frozen=True, slots=True)
class LineSplit:
    """The four parts of one line in fen, with the reasons of the first three."""

    line: BenefitLine
    submitted_fen: int
    fulamt_ownpay_fen: int
    overlmt_fen: int
    preselfpay_fen: int
    inscp_fen: int
    full_reason: Reason | None
    limit_reason: Reason | None
    first_reason: Reason | None


@dataclass(frozen=True, slots=True)
class _Terms:
    """What applies to one line: a reason that it is not payable, or share and limit."""

    excluded: Reason | None = None
    pend: str = ""
    share_bp: int = 0
    share_rule_id: str = ""
    limit_fen: int | None = None


def split_lines(
    pack: PolicyPack, bill: BillForBenefit, person: PersonSnapshot
) -> tuple[list[LineSplit], list[PendReason]]:
    """Split every line. Raises :class:`MoneyError` when the lines are not the bill's total."""
    amounts = allot_fen(bill.total_fen, [line.amount_e4 for line in bill.lines])
    covered: dict[object, bool] = {}
    splits: list[LineSplit] = []
    pends: list[PendReason] = []
    for line, amount in zip(bill.lines, amounts, strict=True):
        day = line.occurred_on or bill.visit_date
        if day not in covered:
            covered[day] = person.is_covered_on(day)
        terms = _terms(pack, bill, line) if covered[day] else _Terms(excluded=_OUTSIDE_COVER)
        if terms.pend and amount > 0:
            reason = terms.excluded
            pends.append(
                PendReason(
                    terms.pend,
                    line.index,
                    reason.zh if reason else "",
                    reason.en if reason else "",
                )
            )
        splits.append(_split(line, amount, terms))
    return splits, pends


def _split(line: BenefitLine, amount: int, terms: _Terms) -> LineSplit:
    if terms.excluded is not None:
        return LineSplit(line, amount, amount, 0, 0, 0, terms.excluded, None, None)
    over = 0
    limit_reason = None
    if terms.limit_fen is not None:
        excess_e6 = line.price_e6 - terms.limit_fen * _E6_PER_FEN
        if excess_e6 > 0 and line.quantity_e4 > 0:
            over = min(amount, round_half_up(excess_e6 * line.quantity_e4, _E10_PER_FEN))
            limit_reason = _limit_reason(terms.limit_fen)
    first = 0
    first_reason = None
    if terms.share_bp:
        first = round_half_up((amount - over) * terms.share_bp, BP)
        first_reason = _first_reason(terms.share_bp, terms.share_rule_id)
    return LineSplit(
        line, amount, 0, over, first, amount - over - first, None, limit_reason, first_reason
    )


def _terms(pack: PolicyPack, bill: BillForBenefit, line: BenefitLine) -> _Terms:
    if pack.catalogue is None:
        return _printed_terms(pack, line)
    # The catalogue of the day of the bill: a stay is judged by one catalogue, not by two.
    negative = pack.catalogue.find_negative(line.catalogue_code, bill.visit_date)
    if negative is not None:
        return _Terms(
            excluded=Reason(
                Group.NONCOVERED, "negative-list", negative.rule_id, negative.zh, negative.en
            )
        )
    item = pack.catalogue.find(line.catalogue_code, bill.visit_date)
    if item is None:
        return _Terms(excluded=_UNKNOWN, pend="unknown-code")
    return _catalogue_terms(pack, line, item)


def _catalogue_terms(pack: PolicyPack, line: BenefitLine, item: CatalogueItem) -> _Terms:
    if item.level == CLASS_C:
        return _Terms(excluded=_CLASS_C)
    if line.approval_flag == "2" or (item.restricted and line.approval_flag == "0"):
        return _Terms(excluded=_NOT_APPROVED)
    if item.restricted and line.approval_flag != "1":
        return _Terms(excluded=_UNCONFIRMED, pend="restricted-unconfirmed")
    share, rule_id = item.selfpay_bp, "catalogue-share"
    if share is None:
        share = pack.class_b_bp if item.level == CLASS_B else 0
        rule_id = pack.class_b_rule_id
    if share >= BP:
        return _Terms(excluded=_ALL_SELF_PAID)
    return _Terms(share_bp=share, share_rule_id=rule_id, limit_fen=item.price_limit_fen)


def _printed_terms(pack: PolicyPack, line: BenefitLine) -> _Terms:
    if line.level == CLASS_C:
        return _Terms(excluded=_CLASS_C)
    if line.approval_flag == "2":
        return _Terms(excluded=_NOT_APPROVED)
    if line.level == CLASS_A:
        return _Terms()
    if line.level == CLASS_B:
        return _Terms(share_bp=pack.class_b_bp, share_rule_id=pack.class_b_rule_id)
    return _Terms(excluded=_UNKNOWN, pend="unknown-code")


@lru_cache(maxsize=512)
def _first_reason(share_bp: int, rule_id: str) -> Reason:
    percent = format_percent(share_bp)
    return Reason(
        Group.PATIENT,
        "class-b-share",
        rule_id,
        f"乙类先自付 {percent}",
        f"Class B: the first {percent} is yours",
    )


@lru_cache(maxsize=4096)
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
