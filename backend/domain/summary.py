"""The citizen's table: from the bill's total to what is paid, one row a kind of cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from backend.domain.explanation import Adjustment, Reason, SummaryRow

# Row code -> (zh label, en label), in the order of the calculation.
_LABELS: Final = {
    "excluded": ("目录外", "Outside the catalogue"),
    "to-be-checked": ("待人工核对", "To be checked by a person"),
    "reviewed-out": ("审核扣除", "Taken out by a reviewer"),
    "over-price-limit": ("超限价", "Above the price limit"),
    "class-b-share": ("乙类先自付", "Class B, paid first"),
    "remote-share": ("异地先自付", "Care elsewhere, paid first"),
    "deductible": ("起付线", "Deductible"),
    "personal-ratio": ("个人比例", "Your share by ratio"),
    "yearly-cap": ("年度封顶", "Yearly cap"),
    "layer-2-paid": ("大病保险", "Serious-illness layer"),
    "layer-3-paid": ("医疗救助", "Medical assistance"),
    "supplement-paid": ("公务员补助", "Civil-servant supplement"),
    "borne-by-others": ("其他方已支付", "Already borne by others"),
    "refused": ("不予报销", "Refused"),
}

_ROW_OF_CODE: Final = {
    "class-c": "excluded",
    "negative-list": "excluded",
    "not-approved": "excluded",
    "outside-cover": "excluded",
    "reviewer-excluded": "reviewed-out",
    "reviewer-limited": "reviewed-out",
    "unknown-code": "to-be-checked",
    "restricted-unconfirmed": "to-be-checked",
}

_REASONS_SHOWN: Final = 3


def build_summary(
    submitted_fen: int, paid_fen: int, cuts: Iterable[Adjustment]
) -> tuple[SummaryRow, ...]:
    """Rows from 票据总额 to 报销; all before the last add up to the last. Empty rows are left
    out, and a row that has several reasons names up to three of them."""
    amounts = dict.fromkeys(_LABELS, 0)
    reasons: dict[str, dict[tuple[str, str], None]] = {row: {} for row in _LABELS}
    sums: dict[int, int] = {}
    by_identity: dict[int, Reason] = {}
    for reason, amount in cuts:
        # Lines share their reason objects; by identity no long text is hashed once a line.
        key = id(reason)
        if key in sums:
            sums[key] += amount
        else:
            sums[key] = amount
            by_identity[key] = reason
    for key, reason in by_identity.items():
        amount = sums[key]
        row = _ROW_OF_CODE.get(reason.code, reason.code)
        amounts[row] -= amount
        reasons[row][(reason.zh, reason.en)] = None
    rows = [
        SummaryRow("total", "票据总额", "Bill total", submitted_fen, "整张票据的金额", "The bill")
    ]
    for row, (label_zh, label_en) in _LABELS.items():
        if amounts[row]:
            shown = list(reasons[row])[:_REASONS_SHOWN]
            more = len(reasons[row]) - len(shown)
            zh = "；".join(text for text, _ in shown) + (f"；另有 {more} 种原因" if more else "")
            en = "; ".join(text for _, text in shown) + (f"; and {more} more" if more else "")
            rows.append(SummaryRow(row, label_zh, label_en, amounts[row], zh, en))
    rows.append(
        SummaryRow(
            "paid", "报销", "Reimbursed", paid_fen, "打到您账户的金额", "Paid to your account"
        )
    )
    return tuple(rows)
