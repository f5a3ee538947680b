"""Lodging and deciding: the lock on the ledger first, the decision only when it is final."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from backend.domain.claim import ClaimState, Stage, StageOutcome
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.domain.policy import PolicyError
from backend.service_layer.claims import screening
from backend.service_layer.claims.approval_limit import beyond_approval
from backend.service_layer.claims.benefits import adjudicate_claim, store_calculation
from backend.service_layer.claims.claimable import DISPUTED
from backend.service_layer.claims.decide import REFUSED_MARK, last_return, store_decision
from backend.service_layer.claims.declaration_records import BY_NOBODY
from backend.service_layer.claims.no_rule import (
    adjudicated_without_rules,
    pend_for,
    pend_without_rule,
)
from backend.service_layer.claims.other_payers import (
    LOCK_AWAITED,
    awaits_lock,
    beyond_remainder,
    came_back,
    end_lapsed_lock,
    tell_unpayable,
)
from backend.service_layer.claims.outside_gate import OUTSIDE_REASON, lacks_confirmation
from backend.service_layer.claims.records import MISMATCH, Claim, PendReason, Reason, StageResult
from backend.service_layer.claims.red_bills import raise_red
from backend.service_layer.claims.stages import keep_waiting, raise_pends, store_stage, wait_for
from backend.service_layer.failpoints import reach
from backend.service_layer.handling.closing import (
    close_refused,
    enqueue_release,
    raise_mismatch,
    release_reason,
)
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.screen_step import compare, holder_text, take_readings
from backend.service_layer.handling.year_totals import recalculate_year

LOCK: Final = dt.timedelta(days=175)
"""How long the ledger keeps the bill for us: within the 180 days that the contract
allows, and longer than the legal clock."""

NOT_POSSIBLE: Final = "lodge-not-possible"
RETRY_AFTER: Final = dt.timedelta(seconds=30)
_TRY_AGAIN: Final = frozenset({"paused", "suspended", "bad-deadline", "quarantined"})
_REFUSALS: Final = {
    "locked": "这张票据正由另一笔申请办理{holder}，同一张票只能报一次",
    "settled-by-payer": "这张票据已经报销过{holder}，不能重复报销",
    "settled-by-basic": "这张票据已由基本医保报销过{holder}，不能重复报销",
    "settled": "这张票据已经报销过{holder}",
    "nothing-left": "这张票据的金额已由其他方付清{holder}，没有可报的余额",
    "is-void": "医院已作废这张票据",
    "is-reversed": "医院已对这张票据开具红票",
    "is-on-paper": "这张票据已换开纸质票据，请先退回纸质票",
    "bound-elsewhere": "账本上这个号码对应另一份票据",
}


def enqueue_lodge(deps: HandlingServices, claim: Claim) -> bool:  # noqa: PLR0911 - one return a bar
    """calculated -> lodging: ask the ledger to lock the bill, naming the counter it creates."""
    with deps.work(write=False) as work:
        tries = work.outbox.of_subject(claim.id, IntentKind.LODGE)
        bill = work.claims.bill_of_version(claim.version_id)
    now = deps.clock.now()
    if claim.waiting_for == "ledger-refused" and now - claim.updated_at < RETRY_AFTER:
        return False
    found = deps.ledger.bill(bill.invoice_key)
    head, slot = found.head, found.slot
    if awaits_lock(claim, slot):
        end_lapsed_lock(deps, claim, bill.invoice_key, slot)
        return wait_for(deps, claim, LOCK_AWAITED)
    counter = slot.lodge_counter + 1
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        if _is_lodged(claim, slot, tries):
            work.claims.update(claim.id, claim.state, now, state=ClaimState.LODGING)
            work.commit()
            return True
        # The bill may have changed since it was screened; it is not locked by reading it.
        stop = screening.standing(work.claims.bill_of_version(claim.version_id))
        if stop is not None:
            return _hold_lodge(deps, work, claim, screening.stopped(stop, {}))
        position = work.batches.position_of(claim.version_id)
        account = work.claims.payer_account(claim.payer_number)
        if position is None or account is None:
            return _cannot_lodge(deps, work, claim, "position" if position is None else "account")
        work.alarms.clear(NOT_POSSIBLE, claim.id)
        work.outbox.add(
            LedgerIntent(
                id=deps.ids.new_id("int"),
                kind=IntentKind.LODGE,
                account=account,
                held=True,
                dedupe_key=f"lodge:{claim.id}:{counter}:{len(tries)}",
                subject_id=claim.id,
                payload={
                    "position": position.to_payload(),
                    "payer": claim.payer_number,
                    "counter": counter,
                    "deadline": int((head.at + LOCK).timestamp()),
                },
            )
        )
        work.claims.update(
            claim.id,
            claim.state,
            now,
            state=ClaimState.LODGING,
            lodge_counter=counter,
            waiting_for=None,
        )
        work.commit()
    reach("claims.lodge-enqueued")
    return True


def _is_lodged(claim: Claim, slot: SlotState, tries: Sequence[LedgerIntent]) -> bool:
    """Whether the claim holds its lock already: one that was adopted from the chain."""
    return (slot.open_payer, slot.lodge_counter) == (
        claim.payer_number,
        claim.lodge_counter,
    ) and any(
        intent.is_final and intent.took_effect and intent.payload["counter"] == slot.lodge_counter
        for intent in tries
    )


def _hold_lodge(
    deps: HandlingServices, work: HandlingWork, claim: Claim, result: StageResult
) -> bool:
    now = deps.clock.now()
    if result.outcome is StageOutcome.WAITING:
        return keep_waiting(deps, work, claim, result, now)
    store_stage(deps, work, claim, result, now)
    close_refused(deps, work, claim)
    work.commit()
    return True


def _cannot_lodge(deps: HandlingServices, work: HandlingWork, claim: Claim, missing: str) -> bool:
    """Something that only an operator can put right is missing: said once, tried again."""
    if claim.waiting_for == "operator":
        return False
    work.alarms.raise_alarm(NOT_POSSIBLE, claim.id, f"claim {claim.number}: no {missing}")
    work.claims.update(claim.id, claim.state, deps.clock.now(), waiting_for="operator")
    work.commit()
    return True


def read_lodge(deps: HandlingServices, claim: Claim) -> bool:
    """lodging -> lodged once the lodge is final, or refused naming the holder."""
    with deps.work(write=False) as work:
        intents = work.outbox.of_subject(claim.id, IntentKind.LODGE)
    if not intents:
        return False
    intent = intents[-1]
    if intent.state is IntentState.QUARANTINED:
        return wait_for(deps, claim, "operator")
    if intent.state is IntentState.QUEUED:
        return _read_queued(deps, claim)
    if not intent.is_final:
        return False
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        now = deps.clock.now()
        if intent.took_effect:
            work.claims.update(
                claim.id, claim.state, now, state=ClaimState.LODGED, waiting_for=None
            )
        elif intent.outcome == "stale":
            # Another lodge took the counter; the slot is read again.
            work.claims.update(claim.id, claim.state, now, state=ClaimState.CALCULATED)
        elif intent.outcome == "locked" and came_back(claim):
            # Another payer was faster; the lodge is asked for again when its lock has ended.
            work.claims.update(
                claim.id, claim.state, now, state=ClaimState.CALCULATED, waiting_for=LOCK_AWAITED
            )
        elif intent.outcome in _TRY_AGAIN:
            work.claims.update(
                claim.id,
                claim.state,
                now,
                state=ClaimState.CALCULATED,
                waiting_for="ledger-refused",
            )
        else:
            _refused_by_ledger(deps, work, claim, intent)
        work.commit()
    reach("claims.lodged")
    return True


def _read_queued(deps: HandlingServices, claim: Claim) -> bool:
    """A lodge that is not signed yet is held while its bill is disputed; the page says so."""
    with deps.work(write=False) as work:
        stop = screening.standing(work.claims.bill_of_version(claim.version_id))
    is_held = stop is not None and stop.code == DISPUTED
    return wait_for(deps, claim, "dispute" if is_held else None)


def _refused_by_ledger(
    deps: HandlingServices, work: HandlingWork, claim: Claim, intent: LedgerIntent
) -> None:
    outcome = intent.outcome or "unknown"
    detail: dict[str, Any] = intent.outcome_detail or {}
    bill = work.claims.bill_of_version(claim.version_id)
    payer, counter = int(detail.get("holder_payer", 0)), int(detail.get("holder_counter", 0))
    holder = holder_text(work, claim, bill, payer, counter) if payer else ""
    text = _REFUSALS.get(outcome)
    if text is None:
        work.alarms.raise_alarm("lodge-refused", claim.id, f"{claim.number}: {outcome}")
        text = "账本没有接受这张票据，已报警，请拨打电话"
    tell_unpayable(work, claim, outcome, holder)
    reason = Reason(
        outcome,
        text.format(holder=holder),
        f"the ledger refused the bill: {outcome}{holder}",
        holder=f"{payer}/{counter}" if payer else "",
    )
    result = StageResult(
        Stage.SCREENING,
        StageOutcome.REFUSED,
        {"ledger_outcome": outcome, "block": intent.block_number or 0, **detail},
        (reason,),
    )
    store_stage(deps, work, claim, result, deps.clock.now())
    close_refused(deps, work, claim)


def decide(deps: HandlingServices, claim: Claim) -> bool:
    """lodged -> decided or pended, after the comparison of screening was made again."""
    readings = take_readings(deps, claim)
    if readings.ledger is None:
        return wait_for(deps, claim, "ledger")
    started = deps.clock.now()
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        result = compare(deps, work, claim, readings.ledger)
        if result.outcome is StageOutcome.WAITING:
            return keep_waiting(deps, work, claim, result, started)
        store_stage(deps, work, claim, result, started)
        if result.outcome is StageOutcome.REFUSED:
            _stop_lodged(deps, work, claim, result)
            work.commit()
            return True
        raise_red(deps, work, claim, work.claims.bill_of_version(claim.version_id))
        if lacks_confirmation(work, work.claims.bill_of_version(claim.version_id)):
            # Raised again where something else than the insured place has resolved it.
            raise_pends(deps, work, claim, (OUTSIDE_REASON,))
        open_pends = [p for p in work.claims.pends_of(claim.id) if p.resolved_at is None]
        if open_pends:
            work.claims.update(
                claim.id,
                claim.state,
                deps.clock.now(),
                state=ClaimState.PENDED,
                waiting_for="reviewer",
            )
            work.commit()
            return True
        conclude(deps, work, claim, readings.ledger.slot)
        work.commit()
    reach("claims.decided")
    return True


def conclude(deps: HandlingServices, work: HandlingWork, claim: Claim, slot: SlotState) -> None:
    """Decide by the policy, or refuse where a person did. The machine may approve; after pend
    reasons the person who resolved them is named. An amount that the ledger's ``slot`` has no room
    for beside what others settled is put before a person."""
    bill = work.claims.bill_of_version(claim.version_id)
    try:
        adjudicated = adjudicate_claim(deps, work, claim, bill)
        store_calculation(deps, work, claim.id, adjudicated[0])
    except PolicyError as error:
        if not is_refused_by_person(work, claim):
            pend_without_rule(deps, work, claim, error)
            return
        adjudicated = adjudicated_without_rules(deps, work, claim, bill)
    eob = adjudicated[0]
    outcome, decided_by, reason = str(eob.outcome), "machine", _reason_of(eob)
    returned = last_return(work, claim)
    if returned is not None and outcome != "refused":
        decided_by, reason = returned.by, returned.text
    for pend in _present_pends(work, claim):
        if pend.resolved_by and pend.resolution:
            decided_by, reason = pend.resolved_by, pend.resolution.removeprefix(REFUSED_MARK)
            if pend.resolution.startswith(REFUSED_MARK):
                outcome = "refused"
                break
    beyond = None
    if outcome != "refused":
        beyond = beyond_approval(deps, work, claim, eob.paid_fen) or beyond_remainder(
            slot, eob.paid_fen
        )
    if beyond is not None:
        pend_for(deps, work, claim, beyond)
        return
    store_decision(
        deps, work, claim, adjudicated, outcome=outcome, decided_by=decided_by, reason=reason
    )
    if outcome == "refused":
        recalculate_year(deps, work, claim)


def is_refused_by_person(work: HandlingWork, claim: Claim) -> bool:
    """Whether a person resolved one of the claim's pend reasons by refusing it."""
    return any(
        (pend.resolution or "").startswith(REFUSED_MARK) for pend in _present_pends(work, claim)
    )


def _present_pends(work: HandlingWork, claim: Claim) -> list[PendReason]:
    """The reasons that bear on the next decision: what was resolved before an earlier decision
    of the claim is part of that one, which people have overturned since."""
    pends = [p for p in work.claims.pends_of(claim.id) if p.resolved_by not in BY_NOBODY]
    last = work.decisions.latest(claim.id)
    if last is None:
        return pends
    return [pend for pend in pends if pend.resolved_at and pend.resolved_at > last.decided_at]


def _reason_of(eob: ExplanationOfBenefits) -> str:
    if str(eob.outcome) == "refused":
        return "；".join(row.zh for row in eob.summary[1:-1]) or "没有可以报销的项目"
    return "符合政策，按规则核定"


def _stop_lodged(
    deps: HandlingServices, work: HandlingWork, claim: Claim, result: StageResult
) -> None:
    """The bill no longer holds after we locked it: give the lock back without a decision."""
    if any(reason.code == MISMATCH for reason in result.reasons):
        raise_mismatch(work, claim, result)
    enqueue_release(deps, work, claim, release_reason(result), None)
