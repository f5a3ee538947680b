"""After the decision: settle or release on the ledger, each only when final."""

from __future__ import annotations

from typing import Any

from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.claims import screening
from backend.service_layer.claims.records import (
    MISMATCH,
    Claim,
    Decision,
    StageResult,
)
from backend.service_layer.claims.stages import (
    keep_waiting,
    store_stage,
    wait_for,
)
from backend.service_layer.failpoints import reach
from backend.service_layer.handling.ports import HandlingServices, HandlingWork
from backend.service_layer.handling.year_totals import recalculate_year

REASON_REFUSED = 1
REASON_LAPSED = 2
REASON_BILL_VOID = 3


def enqueue_closing(deps: HandlingServices, claim: Claim) -> bool:
    """decided -> settling, or releasing for a refusal or a bill that no longer stands."""
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        decision = work.decisions.latest(claim.id)
        assert decision is not None, "a decided claim has a decision"
        if decision.outcome == "refused":
            enqueue_release(deps, work, claim, REASON_REFUSED, decision)
        else:
            stop = screening.standing(work.claims.bill_of_version(claim.version_id))
            if stop is not None:
                return _hold_settlement(deps, work, claim, screening.stopped(stop, {}))
            _enqueue_settle(deps, work, claim, decision)
        work.commit()
    reach("claims.settle-enqueued")
    return True


def _hold_settlement(
    deps: HandlingServices, work: HandlingWork, claim: Claim, result: StageResult
) -> bool:
    """The bill changed since the decision: wait for a dispute, else give the lock back."""
    now = deps.clock.now()
    if result.outcome is StageOutcome.WAITING:
        return keep_waiting(deps, work, claim, result, now)
    store_stage(deps, work, claim, result, now)
    enqueue_release(deps, work, claim, release_reason(result), None)
    work.commit()
    return True


def release_reason(result: StageResult) -> int:
    """The reason code of a release without a decision."""
    codes = {reason.code for reason in result.reasons}
    return REASON_BILL_VOID if codes & {"void", "reversed"} else REASON_LAPSED


def _enqueue_settle(
    deps: HandlingServices, work: HandlingWork, claim: Claim, decision: Decision
) -> None:
    bill = work.claims.bill_of_version(claim.version_id)
    _enqueue(
        deps,
        work,
        claim,
        kind=IntentKind.SETTLE,
        dedupe_key=f"settle:{claim.id}:{decision.version}",
        payload={
            "invoice_key": bill.invoice_key.hex(),
            "payer": claim.payer_number,
            "counter": claim.lodge_counter,
            "amount": decision.paid_fen,
            "decision_fingerprint": decision.fingerprint.hex(),
            "decision_version": decision.version,
            "policy_hash": decision.policy_hash.hex(),
        },
    )
    work.claims.update(claim.id, claim.state, deps.clock.now(), state=ClaimState.SETTLING)


def enqueue_release(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    reason: int,
    decision: Decision | None,
    *,
    state: ClaimState = ClaimState.RELEASING,
) -> None:
    """Give the lock back; a refusal carries its decision, so that it can be proved too. The claim
    is in ``state`` until the release is final."""
    bill = work.claims.bill_of_version(claim.version_id)
    _enqueue(
        deps,
        work,
        claim,
        kind=IntentKind.RELEASE,
        dedupe_key=f"release:{claim.id}:{claim.lodge_counter}:{reason}",
        payload={
            "invoice_key": bill.invoice_key.hex(),
            "payer": claim.payer_number,
            "counter": claim.lodge_counter,
            "reason": reason,
            "decision_fingerprint": (decision.fingerprint if decision else bytes(32)).hex(),
            "decision_version": decision.version if decision else 0,
            "policy_hash": (decision.policy_hash if decision else bytes(32)).hex(),
        },
    )
    work.claims.update(claim.id, claim.state, deps.clock.now(), state=state, waiting_for=None)
    recalculate_year(deps, work, claim)


def _enqueue(
    deps: HandlingServices,
    work: HandlingWork,
    claim: Claim,
    *,
    kind: IntentKind,
    dedupe_key: str,
    payload: dict[str, object],
) -> None:
    account = work.claims.payer_account(claim.payer_number)
    assert account is not None, "a lodged claim has a payer with an account"
    work.outbox.add(
        LedgerIntent(
            id=deps.ids.new_id("int"),
            kind=kind,
            account=account,
            held=True,
            dedupe_key=dedupe_key,
            subject_id=claim.id,
            payload=payload,
        )
    )


def _newest(deps: HandlingServices, claim: Claim, kind: IntentKind) -> LedgerIntent | None:
    with deps.work(write=False) as work:
        intents = work.outbox.of_subject(claim.id, kind)
    return intents[-1] if intents else None


def read_settlement(deps: HandlingServices, claim: Claim) -> bool:
    """settling -> settled once the settlement is final; a void bill is released instead."""
    intent = _newest(deps, claim, IntentKind.SETTLE)
    if intent is None or not intent.is_final:
        if intent is not None and intent.state is IntentState.QUARANTINED:
            return wait_for(deps, claim, "operator")
        return False
    if intent.took_effect:
        with deps.work() as work:
            changed = work.claims.update(
                claim.id,
                claim.state,
                deps.clock.now(),
                state=ClaimState.SETTLED,
                waiting_for=None,
            )
            work.commit()
        reach("claims.settled")
        return changed
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        if intent.outcome in ("is-void", "is-reversed"):
            enqueue_release(deps, work, claim, REASON_BILL_VOID, None)
            work.commit()
            return True
        # Anything else contradicts what we know (another settlement, an unpublished policy):
        # nothing is paid, a person looks.
        work.alarms.raise_alarm("settlement-refused", claim.id, f"{intent.outcome}")
        changed = claim.waiting_for != "operator" and work.claims.update(
            claim.id, claim.state, deps.clock.now(), waiting_for="operator"
        )
        work.commit()
    return changed


def read_release(deps: HandlingServices, claim: Claim) -> bool:
    """releasing -> refused once the release is final; the bill is free again."""
    intent = _newest(deps, claim, IntentKind.RELEASE)
    if intent is None or not intent.is_final:
        if intent is not None and intent.state is IntentState.QUARANTINED:
            return wait_for(deps, claim, "operator")
        return False
    with deps.work() as work:
        work.people.lock(claim.person_id)
        if work.claims.get(claim.id, lock=True).state is not claim.state:
            return False
        if not intent.took_effect and intent.outcome != "stale":
            work.alarms.raise_alarm("release-refused", claim.id, f"{intent.outcome}")
            work.commit()
            return wait_for(deps, claim, "operator")
        close_refused(deps, work, claim)
        work.commit()
    reach("claims.released")
    return True


def refuse_unlodged(
    deps: HandlingServices, work: HandlingWork, claim: Claim, result: StageResult
) -> None:
    """An exact fact refuses a claim that holds nothing on the ledger: it leaves its submission.

    A claim whose lock was adopted from the chain before it was screened gives that back first.
    """
    if any(reason.code == MISMATCH for reason in result.reasons):
        raise_mismatch(work, claim, result)
    lodges = work.outbox.of_subject(claim.id, IntentKind.LODGE)
    if any(intent.is_final and intent.took_effect for intent in lodges):
        enqueue_release(deps, work, claim, release_reason(result), None)
        return
    close_refused(deps, work, claim)


def raise_mismatch(work: HandlingWork, claim: Claim, result: StageResult) -> None:
    faults: Any = result.inputs.get("faults", [])
    work.alarms.raise_alarm(
        MISMATCH, claim.version_id, f"claim {claim.number}: {', '.join(faults)}"
    )


def close_refused(deps: HandlingServices, work: HandlingWork, claim: Claim) -> bool:
    """The claim is refused and frees its bill; later claims of the year are worked out again."""
    changed = work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        state=ClaimState.REFUSED,
        live_invoice_id=None,
        waiting_for=None,
    )
    if changed:
        recalculate_year(deps, work, claim)
    return changed
