"""What a claim's state means in words, and what a list says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from backend.domain.claim import ClaimState
from backend.entrypoints.mobile.language import say
from backend.entrypoints.mobile.waiting_texts import WAITING, Status
from backend.service_layer.handling.read import ClaimView

_RECORDING: Final = ("Decided, being stamped", "The amount is being written to the ledger.")
_LOCKING: Final = (
    "Accepted, being recorded",
    "The amount is worked out; the bill is being locked on the ledger.",
)
_STATES: Final = {
    ClaimState.SUBMITTED: Status(
        "已受理，正在核对",
        "正在把票据和账本逐项核对。",
        en=("Accepted, being checked", "The bill is being compared with the ledger."),
    ),
    ClaimState.SCREENED: Status(
        "已受理，正在测算",
        "票据核对无误，正在计算金额。",
        en=("Accepted, being worked out", "The bill is right; the amount is being worked out."),
    ),
    ClaimState.CALCULATED: Status(
        "已受理，正在登记", "金额已测算，正在账本上锁定这张票据。", en=_LOCKING
    ),
    ClaimState.LODGING: Status(
        "已受理，正在登记", "金额已测算，正在账本上锁定这张票据。", en=_LOCKING
    ),
    ClaimState.LODGED: Status(
        "已登记，正在核定",
        "票据已锁定，别处不能再报。",
        seal="登记盖戳",
        en=("Recorded, being decided", "The bill is locked: nobody else can claim it."),
    ),
    ClaimState.PENDED: Status(
        "需要人工核对",
        "有一处要工作人员看一下，看完自动继续。您不用再交材料。",
        "wait",
        "登记盖戳",
        en=(
            "A person has to look",
            "Staff have to look at one point; then it goes on by itself. You need not send "
            "anything.",
        ),
    ),
    ClaimState.DECIDED: Status(
        "已核定，正在盖戳", "金额已定，正在写入账本。", seal="登记盖戳", en=_RECORDING
    ),
    ClaimState.SETTLING: Status(
        "已核定，正在盖戳", "金额已定，正在写入账本。", seal="登记盖戳", en=_RECORDING
    ),
    ClaimState.SETTLED: Status(
        "已核定，正在打款",
        "金额已写入账本。",
        "good",
        "核定盖戳",
        en=("Decided, being paid", "The amount is on the ledger."),
    ),
    ClaimState.PAYING: Status(
        "已核定，正在打款",
        "金额已写入账本，正在通过银行打款。",
        "good",
        "核定盖戳",
        en=("Decided, being paid", "The amount is on the ledger and is being paid by the bank."),
    ),
    ClaimState.PAID: Status(
        "已打款",
        "银行已回执。",
        "good",
        "核定盖戳",
        en=("Paid", "The bank has confirmed it."),
    ),
    ClaimState.REVERSED: Status(
        "票据已作废，没有打款",
        "开票单位作废或冲红了这张票据，钱没有打出，您不用退。有新票据时请重新申请。",
        "wait",
        en=(
            "The bill became void, nothing was paid",
            "The hospital voided or reversed this bill. No money left, so you need not pay "
            "anything back. Claim again when there is a new bill.",
        ),
    ),
    ClaimState.RELEASING: Status(
        "不予报销，正在登记",
        "结果正在写入账本。",
        "wait",
        en=("Not reimbursed, being recorded", "The result is being written to the ledger."),
    ),
    ClaimState.REFUSED: Status(
        "没有通过",
        "这张票据这次没有报销，原因在下面。",
        "wait",
        en=("Not reimbursed", "Nothing is paid for this bill this time. The reason is below."),
    ),
    ClaimState.WITHDRAWING: Status(
        "正在撤回",
        "正在账本上放开这张票据，放开后可以重新申请。",
        "wait",
        en=(
            "Being withdrawn",
            "The bill is being unlocked on the ledger; then you can claim it again.",
        ),
    ),
    ClaimState.WITHDRAWN: Status(
        "已撤回",
        "您撤回了这笔申请。回首页可以再选这张票据。",
        en=("Withdrawn", "You withdrew this claim. You can tick the bill again on the first page."),
    ),
    ClaimState.SUPPLEMENTING: Status(
        "复核后改定，正在盖戳",
        "差额正在写入账本，写入后打款。",
        "good",
        "核定盖戳",
        en=(
            "Changed after review, being stamped",
            "The difference is being written to the ledger; then it is paid.",
        ),
    ),
}
_NOTHING_DUE: Final = Status(
    "已办结",
    "按政策这张票据报销 0.00 元，原因在下面。",
    "plain",
    "核定盖戳",
    en=("Done", "By the policy ¥0.00 are paid for this bill. The reason is below."),
)


def status_of(view: ClaimView, case_hours: int | None = None) -> Status:
    """The state of a claim in words. ``case_hours`` is within how many hours staff deal with a
    mismatch (setting ``YICHU_CASE_HOURS``); without it the text says "soon"."""
    claim = view.claim
    if claim.waiting_for in WAITING and not claim.is_closed:
        found = WAITING[claim.waiting_for]
        within = (
            {"zh_within": "尽快", "en_within": "soon"}
            if case_hours is None
            else {"zh_within": f" {case_hours} 小时内", "en_within": f"within {case_hours} hours"}
        )
        return replace(
            found,
            meaning=found.meaning.format(**within),
            en=(found.en[0], found.en[1].format(**within)),
            seal=_STATES[claim.state].seal,
        )
    if claim.state is ClaimState.PAID and view.answer is None:
        return _NOTHING_DUE
    return _STATES[claim.state]


def submission_heading(is_moving: bool, states: Sequence[ClaimState]) -> str:
    """What a submission as a whole waits for; a claim that needs a person is not done."""
    if is_moving:
        return say("已受理，正在办理", "Accepted, under way")
    pended = sum(state is ClaimState.PENDED for state in states)
    if pended:
        return say(f"{pended} 张需要人工核对", f"{pended} to be checked by a person")
    return say("已办结", "Done")


def chip_of(view: ClaimView) -> tuple[str, str]:
    """(words, tone) for a claim's row in a list."""
    found = status_of(view)
    return say(found.title, found.en[0]), found.tone
