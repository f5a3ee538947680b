"""Red bills that do not reverse the whole of a claim's bill: a person looks at the lines.

A red bill that cancels the whole ends the claim (the bill is reversed). One that cancels a part, or
whose lines are not those of its original, is no exact fact about what may be paid: the lines are
named, and nothing is decided before somebody has ruled on them.
"""

from __future__ import annotations

from typing import Final

from backend.domain.invoice import Invoice, scaled_text
from backend.domain.red_bill import WORDS, LineFault, RedMatch, match_red_lines
from backend.service_layer.claims.benefits import read_invoice
from backend.service_layer.claims.declaration_records import BY_RED_BILL
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Reason, StoredBill
from backend.service_layer.claims.stages import raise_pends

PARTLY_REVERSED: Final = "partly-reversed"
RED_DIFFERS: Final = "red-bill-differs"
NAMED_MAX: Final = 10
"""Lines named in one text; of more the number is said."""


def red_reasons(work: ClaimWork, bill: StoredBill) -> tuple[Reason, ...]:
    """Why a person has to look at the bill's lines, by what its red bills say; mostly nothing."""
    stored = work.claims.reds_of(bill.invoice_id)
    if not stored:
        return ()
    original = read_invoice(work, bill)
    reds = [read_invoice(work, red) for red in stored]
    match = match_red_lines(original, reds)
    return (*_partly(original, match), *_differing(reds, match))


def _partly(original: Invoice, match: RedMatch) -> list[Reason]:
    if match.is_full:
        return []
    return [
        Reason(
            PARTLY_REVERSED,
            f"第 {index + 1} 行“{original.lines[index].name}”已由红票退 "
            f"{scaled_text(taken.amount_e4, 4)} 元（数量 {scaled_text(taken.quantity_e4, 4)}），"
            "退了的部分不能报销，由工作人员裁定",
            f"line {index + 1}: a red bill took back {scaled_text(taken.amount_e4, 4)} (quantity "
            f"{scaled_text(taken.quantity_e4, 4)}); a person rules on what is left",
            line_index=index,
        )
        for index, taken in sorted(match.cancelled.items())
    ]


def _differing(reds: list[Invoice], match: RedMatch) -> list[Reason]:
    if not match.faults:
        return []
    zh, en = [], []
    for position, faults in match.faults.items():
        red = reds[position]
        tail = red.invoice_number[-4:]
        zh.append(f"尾号 {tail}：" + "；".join(_said(red, one, 0) for one in faults[:NAMED_MAX]))
        en.append(f"…{tail}: " + "; ".join(_said(red, one, 1) for one in faults[:NAMED_MAX]))
        if len(faults) > NAMED_MAX:
            zh.append(f"共 {len(faults)} 行")
            en.append(f"{len(faults)} lines in all")
    return [
        Reason(
            RED_DIFFERS,
            f"医院开了红票，但红票的明细和这张票对不上（{'；'.join(zh)}），由工作人员向医院核实",
            f"a red bill was issued whose lines are not those of this bill ({'; '.join(en)}); a "
            "person asks the hospital",
        )
    ]


def _said(red: Invoice, fault: LineFault, language: int) -> str:
    line, why = red.lines[fault.line_index], WORDS[fault.why][language]
    number = fault.line_index + 1
    return f"第 {number} 行“{line.name}”{why}" if language == 0 else f"line {number}: {why}"


def raise_red(deps: ClaimServices, work: ClaimWork, claim: Claim, bill: StoredBill) -> None:
    """Raise what the red bills say and was not raised yet; what has other words since is closed
    and raised anew, also where a person resolved it. The caller holds the claim and commits."""
    for reason in red_reasons(work, bill):
        last = None
        for pend in work.claims.pends_of(claim.id):
            if (pend.code, pend.line_index) == (reason.code, reason.line_index):
                last = pend if last is None or pend.occurrence > last.occurrence else last
        if last is not None and last.zh == reason.zh:
            continue
        if last is not None and last.resolved_at is None:
            text = "又收到红票，内容有变化，另行提出"
            work.claims.resolve_pend(last.id, BY_RED_BILL, text, deps.clock.now())
        raise_pends(deps, work, claim, (reason,), again=True)
