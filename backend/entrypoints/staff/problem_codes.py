"""The problem codes of the staff API, each with its status and meaning (``/problems/<code>``)."""

from __future__ import annotations

from typing import Final

from backend.entrypoints import problems

PROBLEMS: Final = {
    "staff-login-refused": (401, "工作人员登录没有成功", "The staff sign-in did not succeed"),
    "staff-unauthorized": (401, "需要工作人员登录", "A staff sign-in is needed"),
    "too-many-requests": (429, "请求太频繁", "Too many requests"),
    "malformed-staff-request": (400, "请求内容看不懂", "The request cannot be read"),
    "review-refused": (422, "审核内容不能接受", "The review cannot be accepted"),
    "review-right-missing": (
        403,
        "缺少权限，什么都没有改动",
        "A right is missing; nothing changed",
    ),
    "second-step-refused": (403, "同一人不能办两个环节", "Nobody holds two steps of a case"),
    "not-your-step": (403, "环节不在您手上", "You do not hold this step"),
    "not-your-case": (403, "案件没有分派给您", "The case was not given to you"),
    "not-eligible": (403, "不符合分派条件", "Not fit for this step"),
    "case-changed": (409, "案件刚被别人办理", "Somebody else moved the case"),
    "third-request-refused": (409, "补充材料最多要求两次", "At most two requests for material"),
    "material-refused": (422, "补充材料不能接受", "The material cannot be accepted"),
    "idempotency-key-used": (
        409,
        "这个键已用于别的请求",
        "The key was used for another request",
    ),
    "reopen-same-person": (403, "提出人不能确认", "Who proposed cannot confirm"),
    "reopen-expired": (409, "提案已过期", "The proposal ran out"),
    "rule-switch-refused": (422, "规则启停不能接受", "The switch cannot be accepted"),
    "declaration-incomplete": (422, "还没有填完", "the declaration is not complete"),
    "lead-wrong-step": (409, "现在不能做这一步", "This step is not possible now"),
    "lead-same-hands": (403, "同一人在一案中只任一职", "Nobody holds two parts of a case"),
    "lead-too-early": (409, "机构的期限还没有过", "The provider's time still runs"),
    "lead-too-late": (409, "期限已过，没有收下", "The time for this has passed"),
    "lead-bad-step": (422, "内容不合要求，没有收下", "What was sent is not as it must be"),
    "bad-recovery": (422, "追款内容不合要求", "The recovery cannot be so"),
    "recovery-conflict": (409, "追款现在不能这样办", "Not possible with this recovery now"),
    "recovery-same-person": (403, "要两个不同的人", "Two different people are needed"),
    "bad-clearing": (422, "不能这样清算", "The clearing cannot be so"),
    "clearing-year-open": (409, "年度还没有过完", "The year is not over"),
    "clearing-conflict": (409, "差额现在不能这样办", "Not possible with this difference now"),
    "no-such-case": (404, "没有这条待办", "There is no such open case"),
    "outcome-missing": (422, "没有写明结果", "How it ends was not said"),
    "words-missing": (422, "没有写明经办人或理由", "Who and why were not said"),
    "not-at-work": (403, "这个名字不能经办", "Nobody acts by this name"),
    "bad-journal-entry": (422, "不能这样记账", "It could never be booked so"),
    "journal-conflict": (409, "这笔已按别的内容记账", "It is booked already, with another content"),
    "month-closed": (409, "这个月已经月结", "The month is closed"),
    "fund-short": (409, "基金在银行的钱不够", "The fund has less at the bank"),
    "bad-page": (422, "没有这一页", "There is no such page"),
    "bad-receipt-file": (422, "到账文件没有入账", "Nothing of the file was booked"),
    "bad-points": (422, "不能这样记分", "Points cannot be booked so"),
    "announcement-not-anchored": (
        409,
        "公告还没有上链",
        "The announcement is not on the ledger yet",
    ),
    "block-not-final": (409, "指定的区块还没有最终确认", "The named block is not final yet"),
    "drawn-already": (409, "已经公告或抽取过", "Announced or drawn already"),
    "bad-ruling": (422, "逐行裁定有矛盾", "The rulings contradict each other"),
}


def declare() -> None:
    """Register the codes (again with the same meaning is harmless)."""
    for code, (status, zh, en) in PROBLEMS.items():
        problems.register(code, status, zh, en)
