"""The steps of a claim for its page, in the order in which they follow from each other.

Not sorted by time: blocks carry the ledger's clock, which may differ from ours.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.domain.payout import REASON_ZH
from backend.service_layer.claims.records import (
    FROM_LEDGER,
    FROM_OUTSIDE,
    Claim,
    PayoutAnswer,
    Submission,
)
from backend.service_layer.claims.revision_records import RETURNED, WITHDRAWN, ClaimEvent
from backend.service_layer.claims.supplement import payments_in_effect, payout_id
from backend.service_layer.handling.ports import HandlingWork

_BY_CITIZEN: Final = 0  # ReleaseReason.Withdrawn of the contract


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a claim. ``block`` is set only for an event of the ledger: that is a stamp."""

    label: str
    at: dt.datetime | None
    block: int | None = None
    note: str = ""

    @property
    def kind(self) -> str:
        if self.block is not None:
            return "stamped"
        return "done" if self.at is not None else "open"


_ANCHORED: Final = {
    FROM_LEDGER: "医院上传并盖戳",
    FROM_OUTSIDE: "就医地审核，经办机构盖戳（未经医院上链）",
}


def steps_of(work: HandlingWork, claim: Claim, submission: Submission) -> list[Step]:
    """What was done with a claim and what is still to come."""
    anchor = work.batches.anchor_of(claim.version_id)
    is_final = anchor is not None and anchor.is_final
    events = work.revisions.events_of(claim.id)
    locks = _locks(work, claim, events)
    steps = [
        _stamped(_ANCHORED[claim.origin], anchor if is_final else None, "正在盖戳"),
        Step("您提交申请", submission.accepted_at),
        *locks,
    ]
    if claim.state is ClaimState.REFUSED and not locks:
        return [*steps, Step("核对后停止办理", claim.updated_at)]
    if claim.state is ClaimState.WITHDRAWN and not locks:
        return [*steps, *_events(events, WITHDRAWN, "您撤回了申请")]
    return [*steps, *_still_to_lock(work, claim, events), *_money(work, claim)]


def _effective(work: HandlingWork, claim: Claim, kind: IntentKind) -> list[LedgerIntent]:
    return [i for i in work.outbox.of_subject(claim.id, kind) if i.is_final and i.took_effect]


def _locks(work: HandlingWork, claim: Claim, events: list[ClaimEvent]) -> list[Step]:
    """Each lock that the claim had, with how it ended, and its returns between them."""
    releases = {i.payload["counter"]: i for i in _effective(work, claim, IntentKind.RELEASE)}
    returns = _events(events, RETURNED, "复核支持您，重新办理")
    found: list[Step] = []
    for lodge in _effective(work, claim, IntentKind.LODGE):
        found.append(_stamped("核对指纹，锁定票据", lodge, ""))
        release = releases.get(lodge.payload["counter"])
        if release is None:
            continue
        if release.payload["reason"] == _BY_CITIZEN:
            found += _events(events, WITHDRAWN, "您撤回了申请")
            found.append(_stamped("放开票据", release, ""))
            continue
        found.append(_stamped("不予报销，放开票据", release, ""))
        found += returns[:1]
        returns = returns[1:]
    return found + (returns if found else returns[:1])


def _events(events: list[ClaimEvent], kind: str, label: str) -> list[Step]:
    return [Step(label, event.at) for event in events if event.kind == kind]


def _still_to_lock(work: HandlingWork, claim: Claim, events: list[ClaimEvent]) -> list[Step]:
    if claim.state is ClaimState.RELEASING:
        return [Step("不予报销，放开票据", None, None, "正在登记结果")]
    if claim.state is ClaimState.WITHDRAWING:
        asked = _events(events, WITHDRAWN, "您撤回了申请")
        return [*asked, Step("放开票据", None, None, "正在登记")]
    counters = {i.payload["counter"] for i in _effective(work, claim, IntentKind.LODGE)}
    is_open = claim.is_undecided and claim.lodge_counter not in counters
    return [Step("核对指纹，锁定票据", None, None, "正在核对")] if is_open else []


def _money(work: HandlingWork, claim: Claim) -> list[Step]:
    over = (
        ClaimState.REFUSED,
        ClaimState.RELEASING,
        ClaimState.WITHDRAWING,
        ClaimState.WITHDRAWN,
    )
    if claim.state in over:
        return []
    found: list[Step] = []
    for index, intent in enumerate(payments_in_effect(work, claim.id)):
        label = "改定差额并盖戳" if index else "核定金额并盖戳"
        found.append(_stamped(label, intent, "", "" if index else "依据当时有效的政策"))
        found.append(_payment(work, claim, intent, is_first=index == 0))
    if not found:
        is_decided = not claim.is_undecided
        note = "依据当时有效的政策" if is_decided else "还没有核定"
        found = [Step("核定金额并盖戳", None, None, note), _to_pay("核定后打款")]
    elif claim.state is ClaimState.SUPPLEMENTING:
        found += [
            Step("改定差额并盖戳", None, None, "正在登记"),
            Step("银行补付差额", None, None, "登记后打款"),
        ]
    return found


def _payment(work: HandlingWork, claim: Claim, intent: LedgerIntent, *, is_first: bool) -> Step:
    label = "银行打款" if is_first else "银行补付差额"
    payout = work.payouts.get(payout_id(claim, intent.payload["decision_version"]))
    answer = None if payout is None else work.payouts.answer_of(payout.id)
    if claim.state is ClaimState.REVERSED:
        return Step("票据已作废，没有打款", claim.updated_at)
    if not intent.payload["amount"] and claim.is_closed:
        return Step("金额为 0，不用打款", claim.updated_at)
    if answer is not None and answer.outcome == "paid":
        return Step(label, answer.answered_at, None, _bank_note(answer))
    tried = work.payments.tried(payout.id) if payout is not None else []
    if tried and tried[-1].answer is not None:
        code = tried[-1].answer.reason_code
        return Step(label, None, None, f"银行没有付成：{REASON_ZH.get(code, code)}")
    return Step(label, None, None, "已发出，等银行回执" if tried else "核定后打款")


def _bank_note(answer: PayoutAnswer) -> str:
    return "模拟银行回执" if answer.simulated else ""


def _to_pay(note: str) -> Step:
    return Step("银行打款", None, None, note)


def _stamped(label: str, intent: LedgerIntent | None, waiting: str, note: str = "") -> Step:
    if intent is None:
        return Step(label, None, None, waiting)
    return Step(label, intent.block_at, intent.block_number, note)
