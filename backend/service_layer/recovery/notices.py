"""What a person who owes is told: what, why, how to pay it back and how to object."""

from __future__ import annotations

from typing import Final

from backend.domain.money import format_yuan
from backend.domain.recovery import CAUSE_ZH, Cause, Order, Recovery, State
from backend.service_layer.payees.notices import announce
from backend.service_layer.recovery.ports import RecoveryServices, RecoveryWork

KIND: Final = "recovery"
_CAUSE_EN: Final = {
    Cause.VOID: "the bill became void",
    Cause.REVERSED: "the bill was reversed",
    Cause.FINDING: "found by an inspection",
    Cause.LOWER: "a review found that less was due",
    Cause.CLEARING: "the yearly clearing found that less was due",
    Cause.LEDGER: "restored from the ledger",
}


def announce_opening(deps: RecoveryServices, work: RecoveryWork, order: Order) -> None:
    yuan = format_yuan(order.amount_fen)
    day = order.due_on
    announce(
        deps,
        work,
        order.person_id,
        KIND,
        zh=f"有一笔报销款需要退回：{yuan} 元（{CAUSE_ZH[order.cause]}）。请在 {day.month} 月 "
        f"{day.day} 日前转账退回，附言写 {order.id}；也可以申请分期或提出异议。"
        "请从官方入口登录查看，工作人员不会向您要密码或验证码。",
        en=f"¥{yuan} of your benefit are to be paid back by {day.isoformat()} "
        f"({_CAUSE_EN[order.cause]}), by transfer with the reference {order.id}. You can ask for "
        "instalments or object. Log in by the official entry only: staff never ask for a password "
        "or a code.",
    )


def announce_end(deps: RecoveryServices, work: RecoveryWork, recovery: Recovery) -> None:
    order = recovery.order
    is_waived = recovery.state is State.WAIVED
    zh, en = ("余款不再要求退回", "waived") if is_waived else ("已经退清", "paid back in full")
    announce(
        deps,
        work,
        order.person_id,
        KIND,
        zh=f"退款 {order.id} {zh}，您不用再做什么。",
        en=f"What you owed under {order.id} is {en}: there is nothing more to do.",
    )


def announce_reopening(deps: RecoveryServices, work: RecoveryWork, recovery: Recovery) -> None:
    """A person was told that all is paid, and it was somebody else's money."""
    order, yuan = recovery.order, format_yuan(recovery.left_fen)
    announce(
        deps,
        work,
        order.person_id,
        KIND,
        zh=f"更正：退款 {order.id} 先前登记的一笔到账有误，已撤回，还有 {yuan} 元需要退回，附言写 "
        f"{order.id}。您若已经退款，请凭银行回单联系经办机构。",
        en=f"Correction: money that was noted for {order.id} was not yours and is taken back. "
        f"¥{yuan} are still to be paid back, with the reference {order.id}. If you have paid, show "
        "your agency the bank's receipt.",
    )
