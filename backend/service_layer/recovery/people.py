"""What people do with an order: approve, dismiss, plan, take down money, waive.

Who acts is a member of staff where staff are registered, and nobody of an institution acts on what
that institution owes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.journal import recovered as recovered_entry
from backend.domain.journal import recovery_waived
from backend.domain.local_time import local_day
from backend.domain.money import format_yuan
from backend.domain.recovery import (
    APPROVALS_NEEDED,
    REASON_MAX,
    Approval,
    Instalment,
    Receipt,
    Recovery,
    RecoveryConflictError,
    RecoveryError,
    SamePersonError,
    State,
    Waiver,
    check_approval,
    check_reason,
    check_receipt,
    monthly,
    share,
)
from backend.domain.two_people import signature
from backend.service_layer.claims.records import Claim
from backend.service_layer.failpoints import reach
from backend.service_layer.journal.arrival import simulate_arrival
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.funds import fund_of_claim
from backend.service_layer.journal.movements import left_of_credit
from backend.service_layer.recovery.causes import locked_claim
from backend.service_layer.recovery.closing import WAIVER_ASKED, close_when_over
from backend.service_layer.recovery.opening import (
    PROPOSED,
    RECEIPT,
    WAIVER,
    borne_of,
    occasion,
    receipt_source,
    take_effect,
)
from backend.service_layer.recovery.ports import (
    Dismissal,
    RecoveryServices,
    RecoveryWork,
    WaiverRequest,
)
from backend.service_layer.supervision.leads import person_of

BY_CLERK: Final = "clerk"


def taken(work: RecoveryWork, order_id: str) -> tuple[Claim, Recovery]:
    """The claim and the order, locked in the order in which everybody locks."""
    claim = locked_claim(work, work.recoveries.get(order_id).order.claim_id)
    return claim, work.recoveries.get(order_id, lock=True)


def person_at(work: RecoveryWork, by: str, recovery: Recovery) -> str:
    return person_of(work, by, recovery.order.institution_code or "")


def approve(deps: RecoveryServices, order_id: str, by: str, reason: str) -> Recovery:
    """One of two people says that a proposed order stands; with the second it is owed.

    Raises NotFoundError, RecoveryError (no reason), SamePersonError, RecoveryConflictError (not
    proposed; the claim's payments are not all done; the fund bears less of it by now).
    """
    text = check_reason(reason)
    with deps.work() as work:
        claim, found = taken(work, order_id)
        person = person_at(work, by, found)
        check_approval(found, person)
        ordinal = len(found.approvals) + 1
        if ordinal == APPROVALS_NEEDED:
            _require_still_so(work, claim, found)
        work.recoveries.add_approval(Approval(order_id, ordinal, person, text, deps.clock.now()))
        if ordinal == APPROVALS_NEEDED:
            take_effect(deps, work, claim, found.order)
            work.alarms.clear(PROPOSED, order_id)
        changed: Recovery = work.recoveries.get(order_id)
        work.commit()
    reach("recovery.approved")
    return changed


def _require_still_so(work: RecoveryWork, claim: Claim, found: Recovery) -> None:
    """Between proposal and decision the claim may have got another version, or lost its bill."""
    if claim.state is not ClaimState.PAID:
        raise RecoveryConflictError(
            "这笔申请还有款项在途，付完再批准", "the claim's payments are not all done: wait"
        )
    decision = work.decisions.latest(claim.id)
    if decision is not None and decision.decided_at > found.order.created_at:
        raise RecoveryConflictError(
            "提出以后又有新的核定；请驳回，需要时重新提出",
            "the claim has a newer decision than this: dismiss it",
        )
    borne = borne_of(work, claim.id)
    layers = zip(found.order.layers.items(), borne.items(), strict=True)
    if any(wanted > there for (_, wanted), (_, there) in layers):
        raise RecoveryConflictError(
            "基金现在承担的已经少于这笔追款；请驳回，需要时重新提出",
            "the fund bears less of the claim than this by now: dismiss it",
        )


def dismiss(deps: RecoveryServices, order_id: str, by: str, reason: str) -> Recovery:
    """Decide against a proposed order: nothing is owed. Raises as :func:`approve`."""
    text = check_reason(reason)
    with deps.work() as work:
        _, found = taken(work, order_id)
        person = person_at(work, by, found)
        if found.state is not State.PROPOSED:
            raise RecoveryConflictError(
                f"这笔追款现在是 {found.state}，不能驳回；不再追的请豁免",
                f"the recovery is {found.state}: what is owed is waived by two people",
            )
        work.recoveries.add_dismissal(Dismissal(order_id, person, text, deps.clock.now()))
        work.alarms.clear(PROPOSED, order_id)
        changed: Recovery = work.recoveries.get(order_id)
        work.commit()
    return changed


def plan(
    deps: RecoveryServices, order_id: str, count: int, first_due: dt.date, *, by: str, reason: str
) -> Recovery:
    """Divide what is left into monthly parts; it takes the place of the plan before. The plan that
    stands, said again by the same person, is no other one.

    Raises NotFoundError, RecoveryError, RecoveryConflictError (nothing is owed).
    """
    text = check_reason(reason)
    with deps.work() as work:
        _, found = taken(work, order_id)
        person = person_at(work, by, found)
        now = deps.clock.now()
        if not found.state.is_owed:
            raise RecoveryConflictError(
                f"这笔追款现在是 {found.state}，不能分期",
                f"the recovery is {found.state}: there is nothing to divide",
            )
        if first_due < local_day(now):
            raise RecoveryError("首期不能在今天以前", "the first part is not due before today")
        last = max((one.plan for one in found.instalments), default=0)
        parts = [
            Instalment(order_id, last + 1, place, day, amount, person, text, now)
            for place, (day, amount) in enumerate(
                monthly(found.left_fen, count, first_due), start=1
            )
        ]
        standing = [one for one in found.instalments if one.plan == last]
        if standing and standing == [replace(p, plan=last, at=standing[0].at) for p in parts]:
            return found
        work.recoveries.add_plan(parts)
        changed: Recovery = work.recoveries.get(order_id)
        work.commit()
    return changed


@dataclass(frozen=True, slots=True)
class Incoming:
    """Money that came in: the bank's reference, the order that it is for, how much, which day."""

    reference: str
    order_id: str
    amount_fen: int
    received_on: dt.date


def receive(deps: RecoveryServices, money: Incoming, *, by: str) -> bool:
    """Take down money that a clerk sees on the account; False when the reference is there
    already for this order, the same. One transfer may be for several orders.

    Raises NotFoundError, RecoveryError, RecoveryConflictError (nothing is owed, more than is
    left, or the reference stands for other money of this order).
    """
    with deps.work() as work:
        is_new = take_receipt(deps, work, money, by=by)
        work.commit()
    reach("recovery.received")
    return is_new


def take_receipt(
    deps: RecoveryServices, work: RecoveryWork, money: Incoming, *, by: str, source: str = BY_CLERK
) -> bool:
    """:func:`receive` within the caller's transaction."""
    order_id, reference = money.order_id, money.reference.strip()
    claim, found = taken(work, order_id)
    person = person_at(work, by, found)
    known = next((one for one in found.receipts if one.reference == reference), None)
    if known is not None:
        if (known.amount_fen, known.received_on) == (money.amount_fen, money.received_on):
            return False
        raise RecoveryConflictError(
            f"银行流水号 {reference} 已登记过，内容不同：没有再记。原来登记错的，先用 yichu "
            "recovery take-back 撤回（两个人），再登记对的",
            f"the bank's reference {reference} stands for other money: nothing was stored. If that "
            "is wrong, take it back (`yichu recovery take-back`, two people) and store the right",
        )
    now = deps.clock.now()
    check_receipt(found, reference, money.amount_fen, money.received_on, local_day(now))
    ordinal = 1 + sum(one.reference == reference for one in found.taken_back)
    has_others = work.recoveries.receipt(reference) is not None
    if has_others:
        _require_left(work, fund_of_claim(deps, work, claim).region, reference, money.amount_fen)
    work.recoveries.add_receipt(
        Receipt(
            reference=reference,
            order_id=order_id,
            amount_fen=money.amount_fen,
            received_on=money.received_on,
            source=source,
            is_simulated=deps.bank.is_simulated,
            recorded_by=person,
            recorded_at=now,
            ordinal=ordinal,
        )
    )
    booked_from = (RECEIPT, receipt_source(order_id, reference, ordinal))
    said_by = occasion(deps, work, claim, booked_from, person)
    book(work, recovered_entry(said_by, money.amount_fen))
    part = order_id if has_others else ""
    simulate_arrival(deps, said_by.fund.region, reference, money.amount_fen, part)
    close_when_over(deps, work, claim, order_id)
    return True


def _require_left(work: RecoveryWork, region: str, reference: str, amount_fen: int) -> None:
    """The same line of the bank laid on a second order by mistake is no money."""
    left = left_of_credit(work, region, reference)
    if left is not None and amount_fen > left:
        raise RecoveryConflictError(
            f"对账单上 {reference} 只剩 {format_yuan(left)} 元没有登记：没有再记",
            f"{format_yuan(left)} yuan of {reference} on the bank's statement are not booked yet: "
            "nothing was stored",
        )


def ask_waiver(deps: RecoveryServices, order_id: str, by: str, reason: str) -> WaiverRequest:
    """Ask that what is left be given up; another person decides (:func:`approve_waiver`).

    Raises NotFoundError, RecoveryError, RecoveryConflictError (nothing is owed).
    """
    text = check_reason(reason)
    with deps.work() as work:
        _, found = taken(work, order_id)
        person = person_at(work, by, found)
        _require_owed(found)
        before = work.recoveries.waiver_requests(order_id)
        if before and (before[-1].by, before[-1].reason) == (person, text):
            return before[-1]
        request = WaiverRequest(order_id, len(before) + 1, person, text, deps.clock.now())
        work.recoveries.add_waiver_request(request)
        work.alarms.raise_alarm(WAIVER_ASKED, order_id, f"{found.left_fen} fen")
        work.commit()
    return request


def ask_waiver_of_set_aside(deps: RecoveryServices, order_id: str, by: str, reason: str) -> bool:
    """What is left of an order whose finding was set aside is not owed: ask that it be given up,
    in the name of who set it aside. Another person approves, as always. False when nothing is
    owed any more."""
    with deps.work(write=False) as work:
        found: Recovery = work.recoveries.get(order_id)
    if not found.state.is_owed:
        return False
    ask_waiver(deps, order_id, by, f"认定已撤销：{reason}"[:REASON_MAX])
    return True


def approve_waiver(deps: RecoveryServices, order_id: str, by: str) -> Recovery:
    """Give up what is left, as another person has asked: the layers bear it after all.

    Raises NotFoundError, RecoveryConflictError (nobody asked, nothing is owed), SamePersonError.
    """
    with deps.work() as work:
        claim, found = taken(work, order_id)
        person = person_at(work, by, found)
        _require_owed(found)
        asked = work.recoveries.waiver_requests(order_id)
        if not asked:
            raise RecoveryConflictError(
                "还没有人提出豁免", "nobody has asked for a waiver of this recovery"
            )
        request = asked[-1]
        if signature(request.by) == signature(person):
            raise SamePersonError("提出人不能批准", "who asked for the waiver cannot approve it")
        left, now = found.left_fen, deps.clock.now()
        work.recoveries.add_waiver(
            Waiver(order_id, left, request.by, person, request.reason, now), request.ordinal
        )
        said_by = occasion(deps, work, claim, (WAIVER, order_id), person)
        book(work, recovery_waived(said_by, share(found.order.layers, left)))
        found = close_when_over(deps, work, claim, order_id)
        work.commit()
    reach("recovery.waived")
    return found


def _require_owed(found: Recovery) -> None:
    if not found.state.is_owed:
        raise RecoveryConflictError(
            f"这笔追款现在是 {found.state}，没有可豁免的",
            f"the recovery is {found.state}: there is nothing to waive",
        )
