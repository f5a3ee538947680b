"""What the pages say of a bill from outside: where it is, what follows, what to do."""

from __future__ import annotations

from typing import Final

from backend.domain.claim import ClaimState
from backend.entrypoints.mobile.language import first_large, say
from backend.entrypoints.mobile.waiting_texts import NONE, Status, Words
from backend.service_layer.handling.steps import Step
from backend.service_layer.outside.records import OutsideState, StepKind
from backend.service_layer.outside.view import OutsideView

LABEL: Final = "未经医院上链"
LABEL_EN: Final = "not anchored by its hospital"

_STATES: Final = {
    OutsideState.TYPING: Status(
        "已收下，等待录入",
        "图片上没有数据，工作人员会照着录入，另一个人核对。您不用做什么。",
        "wait",
        en=(
            "Taken, waiting to be typed",
            "A picture holds no data: a clerk types what it shows and another one compares. "
            "There is nothing for you to do.",
        ),
    ),
    OutsideState.COMPARING: Status(
        "已录入，等待核对",
        "另一位工作人员正在对照图片核对。您不用做什么。",
        "wait",
        en=(
            "Typed, waiting to be compared",
            "Another clerk compares it with the picture. There is nothing for you to do.",
        ),
    ),
    OutsideState.CHECKING: Status(
        "就医地审核中",
        "工作人员在核实票据的真伪和明细。少了费用清单可以在下面补。",
        "wait",
        en=(
            "Being checked at the place of care",
            "A clerk checks that the bill and its lines are genuine. If the cost list is missing, "
            "send it below.",
        ),
    ),
    OutsideState.ANCHORING: Status(
        "审核通过，正在上链",
        "由经办机构上链盖戳，盖好后自动提交报销申请。",
        en=(
            "Accepted, being written to the ledger",
            "The agency stamps it on the ledger; the claim is then sent by itself.",
        ),
    ),
    OutsideState.ACCEPTED: Status(
        "已提交报销申请",
        "申请的进度和金额在下面。",
        "good",
        en=("Your claim is sent", "How far it is, and the amount, stand below."),
    ),
    OutsideState.MATCHED: Status(
        "医院已经上传了这张票",
        "不用再交。请回首页勾选这张票据，直接报销。",
        "good",
        en=(
            "The hospital has uploaded this bill",
            "No need to hand it in. Tick it on the first page and claim it there.",
        ),
    ),
    OutsideState.REFUSED: Status(
        "没有收下这张票据",
        "原因在下面，没有影响您的其他票据。",
        "wait",
        en=(
            "This bill was not taken",
            "The reason stands below. Your other bills are as they were.",
        ),
    ),
    OutsideState.WITHDRAWN: Status(
        "您已撤回",
        "这张票据可以重新交。",
        en=("You withdrew it", "You can hand this bill in again."),
    ),
}
_NEXT: Final[dict[str, Words]] = {
    "member-not-uploaded": (
        "请打电话给医院的医保办，请他们上传这张票据。上传后它会出现在首页。",
        "Call the hospital's insurance office and ask it to upload this bill. It then appears on "
        "your first page.",
    ),
    "duplicate": (
        "请在“外来票据”或“我的申请”里找到先前的那一笔。认为不对，请打电话 {phone}。",
        "Look for the earlier one among your bills from outside or your claims. If you think that "
        "this is wrong, call {phone}.",
    ),
    "another-person": (
        "请找医院更正票据上的证件号码。更正后票据会出现在首页。认为不对，请打电话 {phone}。",
        "Ask the hospital to correct the identity number on the bill. It then appears on your "
        "first page. If you think that this is wrong, call {phone}.",
    ),
    "document-refused": (
        "可以换一份清楚、完整的票据重新交。认为不对，请打电话 {phone} 申请人工复核。",
        "You can hand in a clear and complete copy. If you think that this is wrong, call {phone} "
        "and ask for a review by a person.",
    ),
    "uploaded-by-hospital": (
        "回首页勾选这张票据，一触报销。",
        "Go to the first page, tick this bill and claim it with one touch.",
    ),
}
_PENDED: Final = Status(
    "等待参保地确认",
    "就医地审核已通过，参保地的另一位工作人员在确认。您不用做什么。",
    "wait",
    en=(
        "Waiting for the place of insurance",
        "It was accepted at the place of care; another clerk, at your place of insurance, confirms "
        "it. There is nothing for you to do.",
    ),
)


def status_of(view: OutsideView) -> Status:
    """The heading of a bill from outside; of an accepted one it follows the claim."""
    if view.bill.state is OutsideState.ACCEPTED:
        if view.claim is None:
            return Status(
                "审核通过，还不能报销",
                view.bill.reason_zh or "请打电话问清楚。",
                "wait",
                en=(
                    "Accepted, and cannot be claimed yet",
                    first_large(view.bill.reason_en or "Call and ask why."),
                ),
            )
        if view.claim.state is ClaimState.PENDED:
            return _PENDED
    return _STATES[view.bill.state]


def next_of(view: OutsideView, phone: str) -> str:
    """What the person can do now; empty when there is nothing to do."""
    zh, en = _NEXT.get(view.bill.reason_code or "", NONE)
    return say(zh, en).format(phone=phone)


def steps_of(view: OutsideView) -> tuple[Step, ...]:
    """The two-party steps as a page shows them; what is not done yet has no time."""
    bill = view.bill
    handed = Step("交件", bill.created_at, note="" if bill.uploaded_by == "citizen" else "窗口代收")
    found = [handed]
    if bill.source in ("picture", "pdf") or view.last(StepKind.TYPE) is not None:
        found.append(_step(view, StepKind.TYPE, "工作人员录入"))
        found.append(_step(view, StepKind.COMPARE, "另一人核对"))
    found.append(_step(view, StepKind.CARE_PLACE, "就医地审核", "核实票据真伪和明细"))
    submitted = view.claim.created_at if view.claim is not None else None
    found.append(Step("经办机构上链并提交申请", submitted, note=LABEL))
    found.append(_step(view, StepKind.INSURED_PLACE, "参保地确认", "另一位工作人员确认"))
    return tuple(found)


def _step(view: OutsideView, kind: StepKind, label: str, note: str = "") -> Step:
    done = view.last(kind)
    if done is None:
        return Step(label, None, note=note)
    refused = "没有通过" if done.outcome == "refused" else ""
    return Step(label, done.at, note=refused)
