"""A bill became void or was reversed while money of its claim is owed, under way, or out.

What is not with the bank falls away at once. What is under way is waited for: the bank says
whether it was paid. What was paid is owed back.
"""

from __future__ import annotations

from typing import Final

from backend.domain.claim import ClaimState
from backend.domain.journal import LayerAmounts, approval_reversed, recovery_offset
from backend.domain.ledger import IntentKind
from backend.domain.local_time import local_day
from backend.domain.recovery import Cause, Debtor, Receipt, Recovery, less, share
from backend.service_layer.claims.records import Claim, Payout, StoredBill
from backend.service_layer.claims.supplement import DIFFERS, REFUSED_BY_LEDGER
from backend.service_layer.failpoints import reach
from backend.service_layer.handling.year_totals import recalculate_year
from backend.service_layer.journal.booking import book
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.recovery.closing import close_when_over
from backend.service_layer.recovery.opening import (
    RECEIPT,
    SYSTEM,
    Ground,
    borne_of,
    occasion,
    order_recovery,
    receipt_source,
)
from backend.service_layer.recovery.ports import (
    PayableReversal,
    RecoveryServices,
    RecoveryWork,
    still_owed,
)

PAYABLE: Final = "payable"
OVERPAID: Final = "recovery-overpaid"
UNBOOKED: Final = "recovery-unbooked"
RETURNED: Final = "returned"
_CAUSES: Final = {"void": Cause.VOID, "reversed": Cause.REVERSED}
_REASONS: Final = {
    Cause.VOID: "开票单位作废了这张票据 / the bill was declared void",
    Cause.REVERSED: "这张票据已被红字票据冲销 / the bill was reversed by a red bill",
}
_HANDLED: Final = (
    ClaimState.SETTLED,
    ClaimState.PAYING,
    ClaimState.SUPPLEMENTING,
    ClaimState.PAID,
)


def settle_withdrawn(deps: RecoveryServices, claim_id: str) -> bool:
    """Bring the money of one claim whose bill is void or reversed to what is right; False when
    nothing changed now. Doing it again changes nothing."""
    with deps.work() as work:
        work.people.lock(work.claims.get(claim_id).person_id)
        claim = work.claims.get(claim_id, lock=True)
        bill = work.claims.bill_of_version(claim.version_id)
        cause = _CAUSES.get(bill.state)
        if cause is None or claim.state not in _HANDLED or _is_supplement_open(work, claim):
            return False
        changed = _settle(deps, work, claim, bill, cause)
        if changed:  # it counts no longer: what was decided on it is worked out again
            recalculate_year(deps, work, claim)
        work.commit()
    reach("recovery.withdrawn")
    return changed


def _is_supplement_open(work: RecoveryWork, claim: Claim) -> bool:
    """Whether the ledger has not answered a supplement yet: then its sum is not known."""
    tries = work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT)
    return bool(tries) and not tries[-1].is_final


def _settle(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, bill: StoredBill, cause: Cause
) -> bool:
    payables = still_owed(work, claim.id)
    standing = {one.id: _standing(work, one) for one in payables}
    if "paid" in standing.values() and not work.journal.entries_of(claim.id):
        # Paid by a release that kept no journal: there is no receivable to book it against.
        work.alarms.raise_alarm(UNBOOKED, claim.id, f"claim {claim.number}: {bill.state}")
        return False
    open_ones = [one for one in payables if standing[one.id] == "unpaid"]
    done = [_fall_away(deps, work, claim, one, cause) for one in open_ones]
    if "under-way" in standing.values() or not all(done):
        return any(done)
    borne = borne_of(work, claim.id)
    changed = any(done) or bool(borne.total_fen)
    if borne.total_fen:
        ground = Ground(cause, claim.invoice_id, _REASONS[cause])
        order_recovery(deps, work, claim, borne, ground)
    is_out = "paid" in standing.values() or bool(work.recoveries.of_claim(claim.id))
    after = ClaimState.PAID if is_out else ClaimState.REVERSED
    for alarm in ("payout-held", "payment-returned", REFUSED_BY_LEDGER, DIFFERS, OVERPAID):
        work.alarms.clear(alarm, claim.id)
    if claim.state is not after or claim.waiting_for is not None:
        changed |= work.claims.update(
            claim.id, claim.state, deps.clock.now(), state=after, waiting_for=None
        )
    return changed


def _standing(work: RecoveryWork, payable: Payout) -> str:
    """``unpaid`` (not with the bank), ``under-way`` or ``paid``."""
    tried = work.payments.tried(payable.id)
    if not tried:
        answer = work.payouts.answer_of(payable.id)
        is_paid = answer is not None and answer.outcome == AnswerStatus.PAID
        return "paid" if is_paid else "unpaid"
    if tried[-1].is_open:
        return "under-way"
    return "paid" if tried[-1].is_paid else "unpaid"


def _fall_away(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, payable: Payout, cause: Cause
) -> bool:
    """Take back an approval that is not with the bank. Where the bank had carried it out and gave
    it back, the money first fills what is owed back already. False when more came back than is
    anybody's here: a person looks."""
    borne = borne_of(work, claim.id)
    owed = _owed_by_person(work, claim) if _was_returned(work, payable) else []
    offset = min(payable.amount_fen, sum(one.left_fen for one in owed))
    rest = payable.amount_fen - offset
    if rest > borne.total_fen:
        detail = f"claim {claim.number}: {rest - borne.total_fen} fen came back twice"
        work.alarms.raise_alarm(OVERPAID, claim.id, detail)
        return False
    _offset(deps, work, claim, payable, offset)
    if rest:
        after: LayerAmounts = less(borne, share(borne, rest))
        said = occasion(deps, work, claim, (PAYABLE, payable.id))
        book(work, approval_reversed(said, borne, after))
    now = deps.clock.now()
    work.recoveries.add_reversal(PayableReversal(payable.id, claim.id, offset, str(cause), now))
    return True


def _was_returned(work: RecoveryWork, payable: Payout) -> bool:
    tried = work.payments.tried(payable.id)
    answer = tried[-1].answer if tried else None
    return answer is not None and answer.status is AnswerStatus.RETURNED


def _owed_by_person(work: RecoveryWork, claim: Claim) -> list[Recovery]:
    return [
        one
        for one in work.recoveries.of_claim(claim.id)
        if one.state.is_owed and one.order.debtor is Debtor.PERSON
    ]


def _offset(
    deps: RecoveryServices, work: RecoveryWork, claim: Claim, payable: Payout, amount_fen: int
) -> None:
    """The very money that is owed back has come back through the bank: no other payment is ever
    kept for it."""
    now = deps.clock.now()
    for one in _owed_by_person(work, claim):
        part = min(amount_fen, one.left_fen)
        if not part:
            break
        name = one.order.id
        reference = f"{RETURNED}:{payable.id}:{one.order.ordinal}"
        work.recoveries.add_receipt(
            Receipt(
                reference, name, part, local_day(now), RETURNED, deps.bank.is_simulated, SYSTEM, now
            )
        )
        said = occasion(deps, work, claim, (RECEIPT, receipt_source(name, reference)))
        book(work, recovery_offset(said, part))
        close_when_over(deps, work, claim, name)
        amount_fen -= part
