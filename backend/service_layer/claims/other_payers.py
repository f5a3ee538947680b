"""What another payer on the same bill means for a claim: its lock is waited for, and what it has
settled leaves less than the whole bill (design: ledger protocol 4).

A claim that came back was decided on by people, or by a changed register: that decision is not
lost to a lock which another payer holds for the moment. A first claim is refused naming the
holder, as the contracts do.
"""

from __future__ import annotations

from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentKind, LedgerIntent, SlotState
from backend.domain.money import format_yuan
from backend.domain.pend_reasons import GENERAL, Routing
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Reason

LOCK_AWAITED: Final = "other-payer"
"""What a claim that came back waits for while another payer holds its bill."""

BEYOND: Final = "beyond-remainder"
"""The amount is more than other payers have left of the bill: a pend reason, and what a
supplement waits for. A person decides; nothing beyond the total can be paid."""

UNPAYABLE: Final = "returned-claim-unpayable"
"""The alarm of a claim that came back and that the ledger refuses for what others have settled."""

_UNPAYABLE: Final = frozenset(
    {"nothing-left", "settled", "settled-by-payer", "settled-by-basic", "already-settled"}
)
_ROUTING: Final = Routing(2, GENERAL, reattach=True)


def came_back(claim: Claim) -> bool:
    """Whether the claim began again under its number after a refusal."""
    return claim.counted_from is not None


def awaits_lock(claim: Claim, slot: SlotState) -> bool:
    """Whether the claim, which came back and holds nothing yet, finds its bill locked by another
    payer: it waits for the end of that lock, and is not refused."""
    is_unlodged = claim.state in (ClaimState.SUBMITTED, ClaimState.CALCULATED)
    return came_back(claim) and is_unlodged and slot.open_payer not in (0, claim.payer_number)


def lock_reason(holder_text: str) -> Reason:
    """Why a claim waits that found another payer's lock."""
    return Reason(
        LOCK_AWAITED,
        f"另一家保险正在办理这张票据{holder_text}，办完后这笔申请自动接着办，您不用做什么",
        f"another payer holds this bill{holder_text}; the claim goes on by itself afterwards",
        holder=holder_text,
    )


def end_lapsed_lock(deps: ClaimServices, claim: Claim, invoice_key: bytes, slot: SlotState) -> None:
    """Ask the ledger to end another payer's lock whose deadline has passed by the ledger's time:
    anybody may, and nobody else has to. Asked for once a day; for seven days after a pause the
    ledger says that it is not due."""
    if not (slot.open_payer and slot.deadline):  # a lock of the contracts has a deadline
        return
    if deps.ledger.head().at.timestamp() <= slot.deadline:
        return
    day = deps.clock.now().date().isoformat()
    with deps.work() as work:
        account = work.claims.payer_account(claim.payer_number)
        if account is None:
            return
        is_new = work.outbox.add(
            LedgerIntent(
                id=deps.ids.new_id("int"),
                kind=IntentKind.EXPIRE,
                account=account,
                held=True,
                dedupe_key=f"expire:{claim.id}:{slot.lodge_counter}:{day}",
                subject_id=claim.id,
                payload={"invoice_key": invoice_key.hex(), "counter": slot.lodge_counter},
            )
        )
        if is_new:
            work.commit()


def left_of(slot: SlotState) -> int | None:
    """The fen that all payers together may still settle; None where the ledger knows no total."""
    return slot.total_fen - slot.paid_fen if slot.total_fen else None


def beyond_remainder(slot: SlotState, paid_fen: int) -> Reason | None:
    """Why a person has to look before ``paid_fen`` is decided: the ledger would refuse it."""
    left = left_of(slot)
    if left is None or paid_fen <= left:
        return None
    return Reason(
        BEYOND,
        f"按政策应报 {format_yuan(paid_fen)} 元，但其他付款方已核销，这张票据在账本上只剩 "
        f"{format_yuan(left)} 元；所有付款方合计不能超过票据金额，由工作人员决定",
        f"by the policy {format_yuan(paid_fen)} yuan, but other payers have settled and the ledger "
        f"has {format_yuan(left)} yuan left of the bill; a person decides",
        routing=_ROUTING,
    )


def tell_unpayable(work: ClaimWork, claim: Claim, outcome: str, holder_text: str) -> None:
    """A claim that came back is refused for what others have settled: staff look, because people
    had decided for the citizen."""
    if came_back(claim) and outcome in _UNPAYABLE:
        detail = f"claim {claim.number} came back and the ledger refuses it: {outcome}{holder_text}"
        work.alarms.raise_alarm(UNPAYABLE, claim.id, detail)
