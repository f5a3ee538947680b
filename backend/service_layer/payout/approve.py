"""settled -> paying: what the ledger has settled for good is owed, and stands in the journal."""

from __future__ import annotations

from backend.domain.claim import ClaimState
from backend.service_layer.claims.holds import NEXT_RUN, WAITING, are_payouts_held
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.claims.stages import wait_for
from backend.service_layer.claims.supplement import (
    PAYING_KINDS,
    payout_id,
    state_after_payment,
    unpaid,
)
from backend.service_layer.failpoints import reach
from backend.service_layer.payout.booking import book_approved
from backend.service_layer.payout.holding import SLOT, UNREAD, slot_bars
from backend.service_layer.payout.lanes import is_machine_clean
from backend.service_layer.payout.ports import PayoutServices, PayoutWork
from backend.service_layer.ports import LedgerUnavailableError


def approve(deps: PayoutServices, claim: Claim) -> bool:
    """Read the slot again and write the payable, its journal entry and the claim's state in one
    transaction. Version by version: a supplement's payable is its difference."""
    with deps.work(write=False) as work:
        is_held = are_payouts_held(work)
        bill = work.claims.bill_of_version(claim.version_id)
        followed = work.chain.cursor()
    if is_held:
        return wait_for(deps, claim, WAITING)
    try:
        slot = deps.ledger.final_slots([bill.invoice_key], followed)[bill.invoice_key]
    except LedgerUnavailableError:
        return wait_for(deps, claim, UNREAD)
    with deps.work() as work:
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        now = deps.clock.now()
        work.outbox.look_ahead([claim.id], *PAYING_KINDS)
        bar = slot_bars(work, claim, bill, slot)
        if bar is not None:
            if bar.code == SLOT:
                work.alarms.raise_alarm("payout-held", claim.id, bar.detail)
            changed = claim.waiting_for != bar.code and work.claims.update(
                claim.id, claim.state, now, waiting_for=bar.code
            )
            work.commit()
            return changed
        work.alarms.clear("payout-held", claim.id)
        intent = unpaid(work, claim)
        if intent is None:
            after = state_after_payment(work, claim)
            work.claims.update(claim.id, claim.state, now, state=after, waiting_for=None)
            work.commit()
            return True
        add_payable(deps, work, claim, intent.payload)
        work.commit()
    reach("payout.approved")
    return True


def add_payable(
    deps: PayoutServices, work: PayoutWork, claim: Claim, payload: dict[str, int]
) -> None:
    """Write the payable of a settlement or supplement in effect (``payload`` of its intent), with
    its journal entry; the claim is being paid from now on."""
    now = deps.clock.now()
    person = work.people.get(claim.person_id)
    account = deps.payees.account_for(work, claim.person_id, now).account
    payable = Payout(
        id=payout_id(claim, payload["decision_version"]),
        claim_id=claim.id,
        decision_version=payload["decision_version"],
        amount_fen=payload["amount"],
        payee_bank=person.payee_bank if account is None else account.bank_name,
        payee_account_tail=person.payee_account_tail if account is None else account.tail,
        instructed_at=now,
    )
    work.payouts.add(payable)
    book_approved(deps, work, claim, payable)
    is_instant = is_machine_clean(deps, work, claim, payable)
    work.claims.update(
        claim.id,
        claim.state,
        now,
        state=ClaimState.PAYING,
        waiting_for=None if is_instant else NEXT_RUN,
    )
