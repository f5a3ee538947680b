"""Outliers against bills alike, and amounts that somebody should see (requirement A14).

Above 2.5 times or below 0.4 times the median of the same hospital level, visit kind and main
diagnosis; a group below its minimum size judges nobody. The group goes into the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex, round_e4
from backend.domain.audit.check import (
    EXAMPLES_MAX,
    ITEMS,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    Values,
    claim_check,
    line_check,
    whole,
)
from backend.domain.audit.facts import AuditFacts, GroupStatistics
from backend.domain.money import format_yuan

_BP: Final = 10_000


def _group_record(group: GroupStatistics) -> dict[str, Any]:
    examples = sorted(group.examples, key=lambda one: (one.service_on, one.reference))
    return {
        "hospital_level": group.hospital_level,
        "visit_kind": str(group.visit_kind),
        "diagnosis": group.diagnosis,
        "size": group.size,
        "median_fen": group.median_fen,
        "examples": [
            {
                "reference": one.reference,
                "service_on": one.service_on.isoformat(),
                "total_fen": one.total_fen,
            }
            for one in examples[:EXAMPLES_MAX]
        ],
    }


def _usable(facts: AuditFacts, size_min: int) -> GroupStatistics | Unjudged:
    group = facts.group
    if group is None:
        return Unjudged(
            "no-group",
            "没有可比的同类票据（等级、就诊类型和诊断），无法判断",
            "there are no bills alike (level, kind of visit, diagnosis) to compare with",
        )
    if group.size >= size_min and group.median_fen <= 0:
        return Unjudged(
            "no-median",
            "同类票据的中位数不是正数，无法判断",
            "the median of the bills alike is not above zero",
            {"group": _group_record(group)},
        )
    if group.size < size_min:
        return Unjudged(
            "small-group",
            f"同类票据只有 {group.size} 张，少于 {size_min} 张，无法判断",
            f"only {group.size} bills alike, fewer than {size_min}",
            {"group": _group_record(group)},
        )
    return group


def _above(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    group = _usable(facts, params["size_min"])
    if isinstance(group, Unjudged):
        return group
    if facts.invoice.total_fen * _BP <= group.median_fen * params["factor_bp"]:
        return ()
    return _outlier(facts, group)


def _below(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    group = _usable(facts, params["size_min"])
    if isinstance(group, Unjudged):
        return group
    if facts.invoice.total_fen * _BP >= group.median_fen * params["factor_bp"]:
        return ()
    return _outlier(facts, group)


def _outlier(facts: AuditFacts, group: GroupStatistics) -> Answer:
    total = facts.invoice.total_fen
    hundredths = abs(total) * 100 // group.median_fen
    values: Values = {
        "amount": format_yuan(total),
        "median": format_yuan(group.median_fen),
        "times": f"{'-' if total < 0 else ''}{hundredths // 100}.{hundredths % 100:02d}",
        "size": group.size,
    }
    return (Finding(values, evidence={"total_fen": total, "group": _group_record(group)}),)


def _high_amount(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    total, limit = facts.invoice.total_fen, params["total_fen"]
    if total < limit:
        return ()
    values: Values = {"amount": format_yuan(total), "limit": format_yuan(limit)}
    return (Finding(values, evidence={"total_fen": total, "limit_fen": limit}),)


def _high_line(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    limit = params["line_fen"]
    return [
        Finding(
            {"amount": format_yuan(round_e4(line.amount_e4)), "limit": format_yuan(limit)},
            index,
            {"amount_fen": round_e4(line.amount_e4), "limit_fen": limit},
        )
        for index, line in enumerate(bill.lines)
        if line.amount_e4 >= limit * 100
    ]


def _share(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The items make up too large a share of a bill above a floor."""
    total = facts.invoice.total_fen
    if total <= 0 or total < params["total_fen"]:
        return ()
    part = bill.amount_fen(bill.meant(params["items"]))
    if part * 100 < params["percent"] * total:
        return ()
    values: Values = {"percent": part * 100 // total, "amount": format_yuan(part)}
    return (Finding(values, evidence={"part_fen": part, "total_fen": total}),)


_OUTLIER: Final = (whole("size_min", 2, 10_000), whole("factor_bp", 1, 1_000_000))
_VALUES: Final = ("amount", "median", "times", "size")

CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("above-group", _above, _OUTLIER, _VALUES),
    claim_check("below-group", _below, _OUTLIER, _VALUES),
    claim_check("high-amount", _high_amount, (whole("total_fen", 1),), ("amount", "limit")),
    line_check("high-line", _high_line, (whole("line_fen", 1),), ("amount", "limit")),
    claim_check(
        "share-of-bill",
        _share,
        (ITEMS, whole("percent", 1, 100), whole("total_fen", 1)),
        ("percent", "amount"),
    ),
)
