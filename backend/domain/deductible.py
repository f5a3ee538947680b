"""Step 3 of a benefit: the deductible (起付线) of this visit (domain reference 3.2)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.bill import BillForBenefit
from backend.domain.explanation import Group, Reason
from backend.domain.invoice import VisitKind
from backend.domain.money import format_yuan
from backend.domain.person import HistoryEntry
from backend.domain.policy import DeductibleMode, DeductibleRule, DeductibleWaiver, Merging

_LEVEL_ZH: Final = {1: "一级医院", 2: "二级医院", 3: "三级医院"}
_NUMBERS_ZH: Final = ("", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十")
_TRANSFER_GAP: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Deductible:
    """The deductible of one visit in fen, and why it is that much."""

    amount_fen: int
    reason: Reason
    waiver_id: str = ""


def compute_deductible(
    rule: DeductibleRule,
    bill: BillForBenefit,
    in_scope_fen: int,
    year: tuple[HistoryEntry, ...],
) -> Deductible:
    """Apply the rule's mode. ``year`` holds this benefit year's earlier decisions.

    Only decisions of the same visit kind count: an outpatient deductible is not used up by a
    stay. What counts as one stay with this bill (``rule.merging``) counts as this visit, at
    whichever hospital and in whichever period of the year it was. The result is never negative
    and never above the in-scope cost.
    """
    same_kind = tuple(entry for entry in year if entry.visit_kind == bill.visit_kind)
    taken = sum(entry.deductible_fen for entry in same_kind)
    standard = rule.standard_fen
    waiver = _waiver_of(rule, bill.diagnosis_code) if rule.waivers else None
    waiver_id = "" if waiver is None else waiver.rule_id
    if waiver is not None:
        before = sum(entry.waiver_id == waiver_id for entry in same_kind)
        if before + 1 >= waiver.from_stay:
            return Deductible(0, _reason(rule, bill, same_kind, taken, 0), waiver_id)
    merged = _merged_stay(rule.merging, bill, same_kind)
    if rule.mode is DeductibleMode.PER_VISIT:
        if rule.later_standard_fen is not None and len(merged) < len(same_kind):
            standard = rule.later_standard_fen
        amount = standard - sum(entry.deductible_fen for entry in merged)
    elif rule.mode is DeductibleMode.ONCE_PER_HOSPITAL_YEAR:
        seen = any(
            entry.hospital_code == bill.hospital_code
            and (entry.deductible_base_fen is None or entry.deductible_fen > 0)
            for entry in same_kind
        )
        amount = 0 if seen else standard - sum(entry.deductible_fen for entry in merged)
    elif rule.mode is DeductibleMode.ONCE_PER_YEAR_TOPPED_UP:
        amount = standard - taken
        used = sum(entry.counted_fen for entry in same_kind)
        if rule.stops_above_standard and used > standard:
            amount = 0
    else:
        # The three cumulative modes count in-scope cost, not the deductible already taken.
        amount = standard - sum(
            entry.counted_fen
            for entry in same_kind
            if _period(rule.mode, entry.service_on) == _period(rule.mode, bill.visit_date)
            or any(entry is one for one in merged)
        )
    if rule.ceiling_fen is not None:
        amount = min(amount, rule.ceiling_fen - taken)
    amount = max(0, min(amount, in_scope_fen))
    return Deductible(amount, _reason(rule, bill, same_kind, taken, amount), waiver_id)


def _waiver_of(rule: DeductibleRule, diagnosis_code: str) -> DeductibleWaiver | None:
    """The waiver that a main diagnosis falls under; a bill that names none falls under none."""
    for waiver in rule.waivers:
        if diagnosis_code and diagnosis_code.startswith(waiver.diagnosis_prefixes):
            return waiver
    return None


def _period(mode: DeductibleMode, day: dt.date) -> tuple[int, int]:
    if mode is DeductibleMode.PER_MONTH:
        return day.year, day.month
    if mode is DeductibleMode.PER_QUARTER:
        return day.year, (day.month - 1) // 3
    return day.year, 0


def _merged_stay(
    merging: Merging, bill: BillForBenefit, entries: tuple[HistoryEntry, ...]
) -> list[HistoryEntry]:
    """Earlier decisions that count as one stay with this bill, followed back link by link.

    A mid-stay settlement (中途结算) has the same hospital and stay number; a transfer (转院) is
    an admission elsewhere on the day of the discharge or the day after.
    """
    if merging is Merging.NONE or bill.visit_kind is not VisitKind.INPATIENT:
        return []
    merged: list[HistoryEntry] = []
    links = [(bill.hospital_code, bill.stay_number, bill.admitted_on)]
    rest = list(entries)
    while links:
        hospital, stay, admitted = links.pop()
        for entry in list(rest):
            mid_stay = entry.hospital_code == hospital and entry.stay_number == stay != ""
            transfer = (
                entry.hospital_code != hospital
                and admitted is not None
                and entry.discharged_on is not None
                and dt.timedelta(0) <= admitted - entry.discharged_on <= _TRANSFER_GAP
            )
            if (mid_stay and merging in (Merging.MID_STAY, Merging.BOTH)) or (
                transfer and merging in (Merging.TRANSFER, Merging.BOTH)
            ):
                rest.remove(entry)
                merged.append(entry)
                links.append((entry.hospital_code, entry.stay_number, entry.admitted_on))
    return merged


def _reason(
    rule: DeductibleRule,
    bill: BillForBenefit,
    same_kind: tuple[HistoryEntry, ...],
    taken: int,
    amount: int,
) -> Reason:
    yuan = format_yuan(amount)
    standard = format_yuan(rule.standard_fen)
    if rule.mode is DeductibleMode.PER_VISIT and bill.visit_kind is VisitKind.INPATIENT:
        count = len(same_kind) + 1
        number = _NUMBERS_ZH[count] if count < len(_NUMBERS_ZH) else str(count)
        zh = f"起付线：今年第{number}次住院，{_LEVEL_ZH[bill.hospital_level]}，先自付 {yuan} 元"
        en = (
            f"Deductible: stay number {count} this year, level {bill.hospital_level} hospital; "
            f"the first {yuan} yuan are yours"
        )
    elif rule.mode is DeductibleMode.PER_YEAR:
        zh = f"起付线：全年 {standard} 元，今年前面已付 {format_yuan(taken)} 元，这次 {yuan} 元"
        en = (
            f"Deductible: {standard} yuan a year, {format_yuan(taken)} taken before, "
            f"{yuan} this time"
        )
    else:
        zh = f"起付线：标准 {standard} 元，这次先自付 {yuan} 元"
        en = f"Deductible: the standard is {standard} yuan; {yuan} this time"
    if rule.ceiling_fen is not None and taken > 0:
        ceiling = format_yuan(rule.ceiling_fen)
        zh += f"（全年最多 {ceiling} 元，前面已付 {format_yuan(taken)} 元）"
        en += f" (at most {ceiling} a year, {format_yuan(taken)} taken before)"
    return Reason(Group.LIMIT, "deductible", rule.rule_id, zh, en)
