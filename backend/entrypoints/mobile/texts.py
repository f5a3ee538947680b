"""How amounts, times, numbers and states are written on the citizen's pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.claim import ClaimState
from backend.domain.local_time import SHANGHAI
from backend.domain.money import format_yuan
from backend.domain.revision import APPEAL_REASONS, REOPEN_REASONS, RequestOutcome
from backend.service_layer.claims.read import ClaimView
from backend.service_layer.claims.revision_records import RevisionOutcome, RevisionRequest

MINUS = "\u2212"


def yuan(amount_fen: int) -> str:
    """1,234.56 with U+2212 for minus."""
    return format_yuan(amount_fen).replace("-", MINUS)


def day(value: dt.date) -> str:
    return f"{value.month} 月 {value.day} 日"


def full_day(value: dt.date) -> str:
    """With the year, for a date that may lie in another one."""
    return f"{value.year} 年 {day(value)}"


def moment(value: dt.datetime) -> str:
    """11 月 21 日 09:31, Shanghai time."""
    local = value.astimezone(SHANGHAI)
    return f"{local.month} 月 {local.day} 日 {local:%H:%M}"


def fours(number: str) -> str:
    """A long number in groups of four; what follows a hyphen stays."""
    head, hyphen, tail = number.partition("-")
    groups = " ".join(head[i : i + 4] for i in range(0, len(head), 4))
    return f"{groups} {hyphen} {tail}" if hyphen else groups


@dataclass(frozen=True, slots=True)
class Status:
    """A state in words: what it means and what to do; ``tone`` is good, wait or plain."""

    title: str
    meaning: str
    tone: str = "plain"
    seal: str = ""


_WAITING = {
    "anchor": Status(
        "已受理，等票据盖戳",
        "这张票据正在上链，盖戳后自动继续，您不用做什么。",
        "wait",
    ),
    "ledger": Status(
        "已受理，正在排队",
        "账本暂时连不上。申请已经保存，恢复后自动继续，您不用做什么。",
        "wait",
    ),
    "ledger-refused": Status(
        "已受理，正在排队", "账本暂停受理，恢复后自动继续，您不用做什么。", "wait"
    ),
    "dispute": Status(
        "已受理，等核实票号",
        "另一家医院上传了相同号码的票据，工作人员正在核实哪一张是真的。"
        "核实后自动继续，您不用做什么。",
        "wait",
    ),
    "citizen": Status(
        "需要您补充材料",
        "工作人员需要您补充一些材料，请点下面的按钮看要什么。",
        "wait",
    ),
    "declaration": Status(
        "等您说明怎么受的伤",
        "这张票据是看伤的。请点下面的按钮填几句，交了自动继续。",
        "wait",
    ),
    "operator": Status("需要工作人员处理", "我们已收到报警，处理后继续。不会重复付款。", "wait"),
    "payout-held": Status(
        "暂缓打款",
        "票据状态有变化，工作人员正在核实，您不用再交材料。想问进展，请拨打 12393。不会重复付款。",
        "wait",
    ),
    "reconcile": Status(
        "已核定，暂缓打款",
        "系统正在与账本核对，核对完自动打款，您不用做什么。不会重复付款。",
        "wait",
    ),
    "bill-locked": Status(
        "复核后改定，等另一方办完",
        "另一家保险正在办理这张票据，办完后自动补付差额，您不用做什么。",
        "wait",
    ),
    "payee": Status(
        "银行没有付成",
        "钱没有到您的账户，原因在下面。请在“收款账户”里改正，改好后自动再付一次，"
        "也可以拨打 12393。不会重复付款。",
        "wait",
    ),
    "payout-run": Status(
        "已核定，等下一批打款", "下一批打款时一起付到您的账户，您不用做什么。", "good"
    ),
    "bank-retry": Status(
        "银行这次没有付成", "不是您账户的问题，下一批会再付一次，您不用做什么。", "wait"
    ),
    "payout-stopped": Status(
        "暂缓打款", "工作人员暂停了这笔打款，正在核实。想问进展，请拨打 12393。", "wait"
    ),
    "payout-case": Status(
        "暂缓打款",
        "对账发现一处不一致，工作人员 72 小时内核实，核实后自动打款，您不用做什么。",
        "wait",
    ),
    "fund-short": Status(
        "已核定，等基金拨款", "基金账户余额不够，拨款到账后自动打款，您不用做什么。", "wait"
    ),
    "account-missing": Status(
        "已核定，等您填收款账户", "请在“收款账户”里填您本人的银行账户，填好后自动打款。", "wait"
    ),
    "account-unverified": Status(
        "已核定，等核对收款账户",
        "银行还没有确认这个账户是您的。请在“收款账户”里核对，核对后自动打款。",
        "wait",
    ),
    "account-closed": Status(
        "已核定，收款账户已销户", "请在“收款账户”里换一个账户，换好后自动打款。", "wait"
    ),
    "account-delay": Status(
        "已核定，等新账户生效",
        "您改了收款账户，为防冒领，过几天才生效。生效后自动打款，您不用做什么。",
        "wait",
    ),
}

_STATES = {
    ClaimState.SUBMITTED: Status("已受理，正在核对", "正在把票据和账本逐项核对。"),
    ClaimState.SCREENED: Status("已受理，正在测算", "票据核对无误，正在计算金额。"),
    ClaimState.CALCULATED: Status("已受理，正在登记", "金额已测算，正在账本上锁定这张票据。"),
    ClaimState.LODGING: Status("已受理，正在登记", "金额已测算，正在账本上锁定这张票据。"),
    ClaimState.LODGED: Status("已登记，正在核定", "票据已锁定，别处不能再报。", seal="登记盖戳"),
    ClaimState.PENDED: Status(
        "需要人工核对",
        "有一处要工作人员看一下，看完自动继续。您不用再交材料。",
        "wait",
        "登记盖戳",
    ),
    ClaimState.DECIDED: Status("已核定，正在盖戳", "金额已定，正在写入账本。", seal="登记盖戳"),
    ClaimState.SETTLING: Status("已核定，正在盖戳", "金额已定，正在写入账本。", seal="登记盖戳"),
    ClaimState.SETTLED: Status("已核定，正在打款", "金额已写入账本。", "good", "核定盖戳"),
    ClaimState.PAYING: Status("已核定，正在打款", "已通知银行。", "good", "核定盖戳"),
    ClaimState.PAID: Status("已打款", "银行已回执。", "good", "核定盖戳"),
    ClaimState.REVERSED: Status(
        "票据已作废，没有打款",
        "开票单位作废或冲红了这张票据，钱没有打出，您不用退。有新票据时请重新申请。",
        "wait",
    ),
    ClaimState.RELEASING: Status("不予报销，正在登记", "结果正在写入账本。", "wait"),
    ClaimState.REFUSED: Status("没有通过", "这张票据这次没有报销，原因在下面。", "wait"),
    ClaimState.WITHDRAWING: Status(
        "正在撤回", "正在账本上放开这张票据，放开后可以重新申请。", "wait"
    ),
    ClaimState.WITHDRAWN: Status("已撤回", "您撤回了这笔申请。回首页可以再选这张票据。"),
    ClaimState.SUPPLEMENTING: Status(
        "复核后改定，正在盖戳", "差额正在写入账本，写入后打款。", "good", "核定盖戳"
    ),
}


PROVISIONAL = "（以国务院放假通知为准）"

_AGAIN = "回首页就能再选这张票据。"
_CALL = "认为不对，请打电话 {phone}。"
_REPLACED = "请向医院要一张有效的票据，新票据上传后可以报销。" + _CALL
_SETTLED = "这张票据已经报过，不会再报一次。" + _CALL
_NEXT = {
    "refused": "这张票据没有被占用。医院更正票据后，更正的那张可以再申请。"
    "认为不对，{review}打电话 {phone}。",
    "locked": "这张票据现在由另一笔申请占用。那笔申请放开以后，" + _AGAIN + _CALL,
    "already-settled": _SETTLED,
    "settled-by-payer": _SETTLED,
    "settled-by-basic": _SETTLED,
    "settled": _SETTLED,
    "settled-online": _SETTLED,
    "nothing-left": "没有要您付的余额，不用再报。" + _CALL,
    "void": _REPLACED,
    "is-void": _REPLACED,
    "reversed": _REPLACED,
    "is-reversed": _REPLACED,
    "red": _REPLACED,
    "corrected": "更正后的票据在首页，请重新申请。",
    "on-paper": "把纸质票退回医院，退回登记以后，" + _AGAIN + _CALL,
    "is-on-paper": "把纸质票退回医院，退回登记以后，" + _AGAIN + _CALL,
    "ruled-against": _CALL,
    "bound-elsewhere": _CALL,
    "fingerprint-mismatch": "工作人员已收到报警，您不用再交材料。想问进展，请打电话 {phone}。",
    "past-limit": "有正当理由的，可以在这一页申请复核，写明为什么晚了。" + _CALL,
    "not-covered": "参保信息更正以后，这笔申请按原受理号自动重新办理。"
    "认为不对，{review}打电话 {phone}。",
}


def next_step(view: ClaimView, phone: str) -> str:
    """What the citizen can do after a refusal, by its reason; nothing is said of the bill that
    the reason does not tell."""
    codes = [reason.code for reason in view.refusals]
    found = next((_NEXT[code] for code in codes if code in _NEXT), "请打电话 {phone} 问清楚。")
    review = "可以在下面申请人工复核，也可以" if view.appeal.is_open else "可以"
    return found.format(phone=phone, review=review)


_EFFECTS = {
    "version": "复核支持您，金额已改定，差额补付",
    "returned": "复核支持您，已用原受理号重新办理",
    "bill-held": "复核支持您；这张票据正在另一笔申请里办理，那一笔结束后自动接着办",
    "unchanged": "复核支持您的意见，金额没有变化",
    "lower": "复核认为金额不应增加；要您退钱的，会另外通知",
}


def reason_of(request: RevisionRequest) -> str:
    """The coded reason of an appeal or a reopening in words."""
    reasons = {**APPEAL_REASONS, **REOPEN_REASONS}
    return reasons.get(request.code, request.code)


def effect_of(outcome: RevisionOutcome) -> str:
    """How a review of an outcome ended, in words."""
    if outcome.outcome is RequestOutcome.REJECTED:
        return "复核维持原结果"
    return _EFFECTS.get(outcome.effect, "复核支持您")


def status_of(view: ClaimView) -> Status:
    claim = view.claim
    if claim.waiting_for in _WAITING and not claim.is_closed:
        found = _WAITING[claim.waiting_for]
        return Status(found.title, found.meaning, found.tone, _STATES[claim.state].seal)
    found = _STATES[claim.state]
    if claim.state is ClaimState.PAID and view.answer is None:
        return Status("已办结", "按政策这张票据报销 0.00 元，原因在下面。", "plain", "核定盖戳")
    return found


def submission_heading(is_moving: bool, states: Sequence[ClaimState]) -> str:
    """What a submission as a whole waits for; a claim that needs a person is not done."""
    if is_moving:
        return "已受理，正在办理"
    pended = sum(state is ClaimState.PENDED for state in states)
    return f"{pended} 张需要人工核对" if pended else "已办结"


def chip_of(view: ClaimView) -> tuple[str, str]:
    """(words, tone) for a claim's row in a list."""
    found = status_of(view)
    return found.title, found.tone
