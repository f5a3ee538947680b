"""More money by a later decision: a supplement on the ledger, then a payment of the difference.

The claim stays settled while this goes on. What has been paid is read from the intents that the
ledger carried out, never from the newest decision: a decision that is stored may not be in effect
yet. A supplement names the paid sum that it starts from, so that one that is sent on a wrong idea
of what was paid has no effect.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from backend.domain.claim import ClaimState
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.service_layer.claims.final_slots import is_behind, read_final_slots
from backend.service_layer.claims.other_payers import BEYOND, beyond_remainder, end_lapsed_lock
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Decision, StoredBill
from backend.service_layer.claims.stages import wait_for
from backend.service_layer.failpoints import reach
from backend.service_layer.ports import FinalSlot

REFUSED_BY_LEDGER: Final = "supplement-refused"
DIFFERS: Final = "supplement-differs"
RETRY_AFTER: Final = dt.timedelta(seconds=30)
PAYING_KINDS: Final = (IntentKind.SETTLE, IntentKind.SUPPLEMENT)
_TRY_AGAIN: Final = frozenset(
    {"stale", "locked", "paused", "suspended", "quarantined", "policy-unknown"}
)
_STOPPED: Final = SlotState.VOID | SlotState.REVERSED | SlotState.ON_PAPER


def payments_in_effect(work: ClaimWork, claim_id: str) -> list[LedgerIntent]:
    """The settlement and the supplements that the ledger carried out for good, by version."""
    asked = work.outbox.of_subject(claim_id, *PAYING_KINDS)
    found = [intent for intent in asked if intent.is_final and intent.took_effect]
    return sorted(found, key=lambda intent: int(intent.payload["decision_version"]))


def payout_id(claim: Claim, decision_version: int) -> str:
    """Derived, so that an instruction that is written twice is one row."""
    return f"pay_{claim.number}_v{decision_version}"


def unpaid(work: ClaimWork, claim: Claim) -> LedgerIntent | None:
    """The first payment in effect for which no instruction has been written yet."""
    for intent in payments_in_effect(work, claim.id):
        is_instructed = work.payouts.get(payout_id(claim, intent.payload["decision_version"]))
        if intent.payload["amount"] and is_instructed is None:
            return intent
    return None


def state_after_payment(work: ClaimWork, claim: Claim) -> ClaimState:
    """Where a claim goes whose instruction is carried out: another one may not be yet, or another
    version may wait already."""
    work.outbox.look_ahead([claim.id], *PAYING_KINDS)
    if unpaid(work, claim) is not None:
        return ClaimState.SETTLED
    if work.payments.is_owed(claim.id):
        return ClaimState.PAYING
    in_effect = [
        intent.payload["decision_version"] for intent in payments_in_effect(work, claim.id)
    ]
    newest = work.decisions.latest(claim.id)
    if newest is not None and in_effect and newest.version > in_effect[-1]:
        return ClaimState.SUPPLEMENTING
    return ClaimState.PAID


def advance_supplement(deps: ClaimServices, claim: Claim) -> bool:
    """supplementing -> settled once the supplement is final; asks the ledger for it before."""
    with deps.work(write=False) as work:
        tries = work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT)
        decision = work.decisions.latest(claim.id)
        bill = work.claims.bill_of_version(claim.version_id)
        is_unpaid = unpaid(work, claim) is not None
        in_effect = payments_in_effect(work, claim.id)
    assert decision is not None, "a claim in effect has a decision"
    newest = tries[-1] if tries else None
    if newest is not None and not newest.is_final:
        is_stuck = newest.state is IntentState.QUARANTINED
        return wait_for(deps, claim, "operator") if is_stuck else False
    if is_unpaid:
        return _move(deps, claim, ClaimState.SETTLED)
    if newest is not None and not newest.took_effect:
        is_same = newest.payload["decision_version"] == decision.version
        if is_same and newest.outcome not in _TRY_AGAIN:
            return _stop(deps, claim, REFUSED_BY_LEDGER, f"{newest.outcome}")
        if is_same and deps.clock.now() - claim.updated_at < RETRY_AFTER:
            return wait_for(deps, claim, "ledger-refused")
    slot = read_final_slots(deps, [bill.invoice_key])[bill.invoice_key]
    if is_behind(slot, in_effect):
        return wait_for(deps, claim, "ledger")
    return _ask(deps, claim, bill, slot, seen=len(tries))


def _move(deps: ClaimServices, claim: Claim, state: ClaimState) -> bool:
    with deps.work() as work:
        changed = work.claims.update(
            claim.id, claim.state, deps.clock.now(), state=state, waiting_for=None
        )
        work.commit()
    reach("claims.supplemented")
    return changed


def _stop(
    deps: ClaimServices, claim: Claim, code: str, detail: str, waiting_for: str = "operator"
) -> bool:
    """Nothing is sent or paid: a person looks. What was settled before stays as it is."""
    with deps.work() as work:
        work.alarms.raise_alarm(code, claim.id, f"claim {claim.number}: {detail}")
        changed = claim.waiting_for != waiting_for and work.claims.update(
            claim.id, claim.state, deps.clock.now(), waiting_for=waiting_for
        )
        work.commit()
    return changed


def _ask(
    deps: ClaimServices, claim: Claim, bill: StoredBill, read: FinalSlot, *, seen: int
) -> bool:
    """Ask for the difference, unless the claim or its supplements (``seen`` of them) have moved
    on since they were read: another worker was here. What final or newest block has against it
    stops it; it starts from what the newest one has as paid, as the ledger will compare."""
    slot = read.newest
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        if len(work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT)) != seen:
            return False
        decision = work.decisions.latest(claim.id)
        assert decision is not None, "a claim in effect has a decision"
        paid = sum(i.payload["amount"] for i in payments_in_effect(work, claim.id))
        difference = decision.paid_fen - paid
        bar = _bar(claim, bill, read.final, paid) or _bar(claim, bill, slot, paid)
        if difference > 0 and slot.open_payer and bar is None:
            work.rollback()
            end_lapsed_lock(deps, claim, bill.invoice_key, slot)
            return wait_for(deps, claim, "bill-locked")
        if difference > 0 and bar is not None:
            work.rollback()
            return _stop(deps, claim, *bar)
        beyond = beyond_remainder(slot, difference)
        if beyond is not None:
            work.rollback()
            return _stop(deps, claim, REFUSED_BY_LEDGER, beyond.en, BEYOND)
        work.alarms.clear(DIFFERS, claim.id)
        work.alarms.clear(REFUSED_BY_LEDGER, claim.id)
        if difference > 0:
            amounts = {"paid_before": slot.paid_fen, "amount": difference}
            _enqueue(
                deps, work, claim, decision, {"invoice_key": bill.invoice_key.hex(), **amounts}
            )
        after = claim.state if difference > 0 else ClaimState.PAID
        work.claims.update(claim.id, claim.state, deps.clock.now(), state=after, waiting_for=None)
        work.commit()
    reach("claims.supplement-enqueued")
    return True


def _bar(claim: Claim, bill: StoredBill, slot: SlotState, paid: int) -> tuple[str, str] | None:
    """(alarm, detail) when a supplement must not be asked for now."""
    if slot.flags & _STOPPED:
        return REFUSED_BY_LEDGER, f"the bill has the flags {slot.flags}"
    if not slot.has_settled(claim.payer_number):
        return DIFFERS, "the ledger knows no settlement of ours"
    expected = bill.borne_fen + paid
    is_ours_alone = slot.settled_payers == 1 << (claim.payer_number - 1)
    if slot.paid_fen < expected or (is_ours_alone and slot.paid_fen != expected):
        # More than we know of was paid: a supplement that a backup has lost. Never pay it twice.
        return DIFFERS, f"the ledger has {slot.paid_fen} fen as paid, known here are {expected}"
    return None


def _enqueue(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    decision: Decision,
    amounts: dict[str, Any],
) -> None:
    account = work.claims.payer_account(claim.payer_number)
    assert account is not None, "a settled claim has a payer with an account"
    tries = len(work.outbox.of_subject(claim.id, IntentKind.SUPPLEMENT))
    work.outbox.add(
        LedgerIntent(
            id=deps.ids.new_id("int"),
            kind=IntentKind.SUPPLEMENT,
            account=account,
            held=True,
            dedupe_key=f"supplement:{claim.id}:{decision.version}:{tries}",
            subject_id=claim.id,
            payload={
                **amounts,
                "payer": claim.payer_number,
                "decision_fingerprint": decision.fingerprint.hex(),
                "decision_version": decision.version,
                "policy_hash": decision.policy_hash.hex(),
            },
        )
    )
