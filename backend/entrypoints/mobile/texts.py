"""How amounts, times, numbers and states are written on the citizen's pages."""

from __future__ import annotations

import datetime as dt

from backend.domain.local_time import SHANGHAI
from backend.domain.money import format_yuan
from backend.domain.revision import APPEAL_REASONS, REOPEN_REASONS, RequestOutcome
from backend.entrypoints.mobile.language import say, translated
from backend.service_layer.claims.revision_records import RevisionOutcome, RevisionRequest
from backend.service_layer.handling.read import ClaimView

MINUS = "\u2212"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def yuan(amount_fen: int) -> str:
    """1,234.56 with U+2212 for minus."""
    return format_yuan(amount_fen).replace("-", MINUS)


def day(value: dt.date) -> str:
    """11 月 21 日, or 21 Nov."""
    return say(f"{value.month} 月 {value.day} 日", f"{value.day} {MONTHS[value.month - 1]}")


def full_day(value: dt.date) -> str:
    """With the year, for a date that may lie in another one."""
    return say(f"{value.year} 年 {day(value)}", f"{day(value)} {value.year}")


def moment(value: dt.datetime) -> str:
    """11 月 21 日 09:31, or 21 Nov 09:31, Shanghai time."""
    local = value.astimezone(SHANGHAI)
    return f"{day(local)} {local:%H:%M}"


def fours(number: str) -> str:
    """A long number in groups of four; what follows a hyphen stays."""
    head, hyphen, tail = number.partition("-")
    groups = " ".join(head[i : i + 4] for i in range(0, len(head), 4))
    return f"{groups} {hyphen} {tail}" if hyphen else groups


PROVISIONAL = (
    "（以国务院放假通知为准）",
    " (provisional: the holidays of that year are not announced yet)",
)

_AGAIN = ("回首页就能再选这张票据。", "you can tick the bill again on the first page.")
_CALL = ("认为不对，请打电话 {phone}。", "If you think this is wrong, call {phone}.")
_REPLACED = (
    "请向医院要一张有效的票据，新票据上传后可以报销。" + _CALL[0],
    "Ask the hospital for a valid bill; you can claim it when it is uploaded. " + _CALL[1],
)
_SETTLED = (
    "这张票据已经报过，不会再报一次。" + _CALL[0],
    "This bill was reimbursed before; that is done once. " + _CALL[1],
)
_ON_PAPER = (
    "把纸质票退回医院，退回登记以后，" + _AGAIN[0] + _CALL[0],
    "Give the paper bill back to the hospital. When that is recorded, "
    + _AGAIN[1]
    + " "
    + _CALL[1],
)
_NEXT = {
    "refused": (
        "这张票据没有被占用。医院更正票据后，更正的那张可以再申请。"
        "认为不对，{review}打电话 {phone}。",
        "The bill is not locked. If the hospital corrects it, you can claim the corrected one. "
        "If you think this is wrong, {review_en}call {phone}.",
    ),
    "locked": (
        "这张票据现在由另一笔申请占用。那笔申请放开以后，" + _AGAIN[0] + _CALL[0],
        "Another claim holds this bill now. When that one lets it go, "
        + _AGAIN[1]
        + " "
        + _CALL[1],
    ),
    "already-settled": _SETTLED,
    "settled-by-payer": _SETTLED,
    "settled-by-basic": _SETTLED,
    "settled": _SETTLED,
    "settled-online": _SETTLED,
    "nothing-left": (
        "没有要您付的余额，不用再报。" + _CALL[0],
        "Nothing of it is left for you to pay, so there is nothing to claim. " + _CALL[1],
    ),
    "void": _REPLACED,
    "is-void": _REPLACED,
    "reversed": _REPLACED,
    "is-reversed": _REPLACED,
    "red": _REPLACED,
    "corrected": (
        "更正后的票据在首页，请重新申请。",
        "The corrected bill is on the first page: claim that one.",
    ),
    "on-paper": _ON_PAPER,
    "is-on-paper": _ON_PAPER,
    "ruled-against": _CALL,
    "bound-elsewhere": _CALL,
    "fingerprint-mismatch": (
        "工作人员已收到报警，您不用再交材料。想问进展，请打电话 {phone}。",
        "Staff know of it, you need not send anything. To ask how it goes, call {phone}.",
    ),
    "past-limit": (
        "有正当理由的，可以在这一页申请复核，写明为什么晚了。" + _CALL[0],
        "With a good reason you can appeal on this page and say why it was late. " + _CALL[1],
    ),
    "not-covered": (
        "参保信息更正以后，这笔申请按原受理号自动重新办理。认为不对，{review}打电话 {phone}。",
        "When your insurance data are corrected, this claim is taken up again by itself under its "
        "number. If you think this is wrong, {review_en}call {phone}.",
    ),
}
_ELSE = ("请打电话 {phone} 问清楚。", "Call {phone} to ask.")


def next_step(view: ClaimView, phone: str) -> str:
    """What the citizen can do after a refusal, by its reason; nothing is said of the bill that
    the reason does not tell."""
    codes = [reason.code for reason in view.refusals]
    zh, en = next((_NEXT[code] for code in codes if code in _NEXT), _ELSE)
    is_open = view.appeal.is_open
    return say(
        zh.format(phone=phone, review="可以在下面申请人工复核，也可以" if is_open else "可以"),
        en.format(phone=phone, review_en="appeal below, or " if is_open else ""),
    )


_UPHELD = ("复核支持您", "The review was for you")
_EFFECTS = {
    "version": (
        "复核支持您，金额已改定，差额补付",
        "The review was for you: the amount is changed, the difference is paid",
    ),
    "returned": (
        "复核支持您，已用原受理号重新办理",
        "The review was for you: the claim is taken up again under its number",
    ),
    "bill-held": (
        "复核支持您；这张票据正在另一笔申请里办理，那一笔结束后自动接着办",
        "The review was for you. Another claim holds the bill now; when that one is over, this one "
        "goes on by itself",
    ),
    "unchanged": (
        "复核支持您的意见，金额没有变化",
        "The review agreed with you; the amount stays the same",
    ),
    "lower": (
        "复核认为金额不应增加；要您退钱的，会另外通知",
        "The review found no reason for more. If anything is to be paid back, you are told",
    ),
}
_REJECTED = ("复核维持原结果", "The review left the result as it was")


def reason_of(request: RevisionRequest) -> str:
    """The coded reason of an appeal or a reopening in words."""
    reasons = {**APPEAL_REASONS, **REOPEN_REASONS}
    return translated(reasons.get(request.code, request.code))


def effect_of(outcome: RevisionOutcome) -> str:
    """How a review of an outcome ended, in words."""
    if outcome.outcome is RequestOutcome.REJECTED:
        return say(*_REJECTED)
    return say(*_EFFECTS.get(outcome.effect, _UPHELD))
