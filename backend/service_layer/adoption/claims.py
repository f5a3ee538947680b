"""Claims after a restored backup: what the ledger shows of our claims becomes true here again.

An event names (invoice key, payer, counter). The claim that it belongs to is the one here that
made that lodge, or the live claim on the very same leaf that has not been lodged yet as far as this
database knows. A settlement is adopted when its amount, decision fingerprint, version and policy
are those of the decision stored here; where the decision was lost with the backup, when working
the claim out again gives the ledger's amount and policy. Everything else is a case for a person,
and nothing is paid on it.

Money: payout ids derive from claim number and decision version, so that an instruction written
again after the backup is the one that the bank knows. A claim that was lost has no instruction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from backend.domain.claim import UNLODGED_STATES, ClaimState, Stage, StageOutcome
from backend.domain.errors import DomainError
from backend.domain.explanation import Outcome
from backend.domain.ledger import IntentKind, LedgerIntent, SlotState
from backend.service_layer.adoption.decisions import BY_LEDGER, add_decision_of_ledger
from backend.service_layer.adoption.supplements import adopt_supplement
from backend.service_layer.anchoring.adopt import (
    Line,
    add_adopted,
    case_deadline,
    describe,
    open_case,
    resolve_case,
)
from backend.service_layer.anchoring.model import Case, LedgerEvent
from backend.service_layer.claims.benefits import DAMAGE, adjudicate_claim
from backend.service_layer.claims.decide import keep_rules
from backend.service_layer.claims.final_slots import read_final_slots
from backend.service_layer.claims.holds import LOST_CLAIM
from backend.service_layer.claims.records import Claim, Decision, Reason, StageResult
from backend.service_layer.claims.stages import store_stage
from backend.service_layer.handling.withdraw import REASON_WITHDRAWN, note_withdrawal
from backend.service_layer.recovery.adopt import adopt_recovery
from backend.service_layer.recovery.ports import RecoveryServices
from verifier.errors import VerificationError

DIFFERS: Final = "settlement-differs"
PAYMENT: Final = "payment-unknown"
_UNSETTLED: Final = (
    *UNLODGED_STATES,
    ClaimState.LODGED,
    ClaimState.PENDED,
    ClaimState.DECIDED,
    ClaimState.SETTLING,
    ClaimState.WITHDRAWING,
)
_BYTES: Final = ("decision_fingerprint", "policy_hash")


def adopt_claim_event(
    deps: RecoveryServices, work: Any, event: LedgerEvent, at: dt.datetime
) -> Line:
    """Bring the claim of an event to the state that the event shows, or keep a case."""
    if event.call not in _STEPS:
        adopt = adopt_recovery if event.call == "recover" else adopt_supplement
        return adopt(deps, work, event, at) or _keep_payment(deps, work, event, at)
    case_id = _case_id(event)
    case = work.reconciliation.case(case_id)
    if case is not None and case.resolved_at is None:
        return _keep(deps, work, event, at, before=case.detail["events"], kind=LOST_CLAIM)
    return _adopt(deps, work, event, at) or _keep(deps, work, event, at, before=[], kind=LOST_CLAIM)


def _case_id(event: LedgerEvent) -> str:
    return f"claim:{event.key.hex()}:{event.values['counter']}"


def _keep(
    deps: RecoveryServices,
    work: Any,
    event: LedgerEvent,
    at: dt.datetime,
    *,
    before: list[dict[str, Any]],
    kind: str,
) -> Line:
    events = [*before, _to_json(event, at)]
    detail = {"key": event.key.hex(), "counter": event.values["counter"], "events": events}
    open_case(work, _case_id(event), kind, detail, case_deadline(deps))
    return Line("case", describe(event), f"{kind}: no claim here can be shown to be it")


def _keep_payment(deps: RecoveryServices, work: Any, event: LedgerEvent, at: dt.datetime) -> Line:
    """A supplement or a recovery of ours that cannot be shown to be of a claim here: a person
    looks."""
    case_id = f"{event.call}:{event.key.hex()}:{event.block_number}:{event.log_index}"
    open_case(work, case_id, PAYMENT, _to_json(event, at), case_deadline(deps))
    return Line("case", describe(event), f"{event.values['value']} fen, unknown here")


def _adopt(deps: RecoveryServices, work: Any, event: LedgerEvent, at: dt.datetime) -> Line | None:
    """A line when the event was adopted or agrees, None when it cannot be."""
    claim = _claim_of(work, event)
    if claim is None:
        return None
    work.people.lock(claim.person_id)
    return _STEPS[event.call](deps, work, claim, event, at)


def _claim_of(work: Any, event: LedgerEvent) -> Claim | None:
    """The claim that holds this lodge counter, or for a lodge the one that may take it."""
    ids = work.reconciliation.live_claims_on_key(event.key)
    live: list[Claim] = [work.claims.get(claim_id, lock=True) for claim_id in ids]
    for claim in live:
        if claim.lodge_counter == event.values["counter"] and _holds_leaf(work, claim, event):
            return claim
    if event.call == "lodge":
        for claim in live:
            if claim.state in UNLODGED_STATES and _holds_leaf(work, claim, event):
                return claim
    return None


def _holds_leaf(work: Any, claim: Claim, event: LedgerEvent) -> bool:
    if event.call != "lodge":
        return True
    position = work.batches.position_of(claim.version_id)
    return position is not None and position.reference == event.values["leaf_reference"]


def _intent(
    deps: RecoveryServices, work: Any, claim: Claim, kind: IntentKind, key: str, **payload: Any
) -> LedgerIntent:
    return LedgerIntent(
        id=deps.ids.new_id("int"),
        kind=kind,
        account=work.claims.payer_account(claim.payer_number) or "",
        held=True,
        dedupe_key=key,
        subject_id=claim.id,
        payload=payload,
    )


def _lodge(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent, at: dt.datetime
) -> Line:
    """The claim holds the lock. It is screened all the same, with the lock known as its own."""
    counter = event.values["counter"]
    intent = _intent(
        deps,
        work,
        claim,
        IntentKind.LODGE,
        f"lodge:{claim.id}:{counter}:adopted",
        position=work.batches.position_of(claim.version_id).to_payload(),
        payer=claim.payer_number,
        counter=counter,
        deadline=event.values["value"],
    )
    add_adopted(work, intent, event, at)
    work.claims.update(
        claim.id, claim.state, deps.clock.now(), lodge_counter=counter, waiting_for=None
    )
    return Line("adopted", describe(event), f"claim {claim.number}")


def _renew(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent, at: dt.datetime
) -> Line:
    values = event.values
    key = f"renew:{claim.id}:{values['counter']}:{values['value']}"
    intent = _intent(
        deps,
        work,
        claim,
        IntentKind.RENEW,
        key,
        invoice_key=event.key.hex(),
        payer=claim.payer_number,
        counter=values["counter"],
        deadline=values["value"],
    )
    add_adopted(work, intent, event, at)
    return Line("adopted", describe(event), f"claim {claim.number}")


def _settle(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent, at: dt.datetime
) -> Line | None:
    values = event.values
    decision: Decision | None = work.decisions.latest(claim.id)
    if decision is None or decision.version < values["decision_version"]:
        decision = _decide_again(deps, work, claim, event)
    if decision is None or not _is_decision(decision, values) or claim.state not in _UNSETTLED:
        return _differs(deps, work, claim, event, at)
    intent = _intent(
        deps,
        work,
        claim,
        IntentKind.SETTLE,
        f"settle:{claim.id}:{decision.version}",
        invoice_key=event.key.hex(),
        payer=claim.payer_number,
        counter=values["counter"],
        amount=values["value"],
        decision_fingerprint=values["decision_fingerprint"].hex(),
        decision_version=decision.version,
        policy_hash=values["policy_hash"].hex(),
    )
    add_adopted(work, intent, event, at)
    work.claims.resolve_pends(claim.id, BY_LEDGER, "账本已有核定结果", deps.clock.now())
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        state=ClaimState.SETTLING,
        decision_version=decision.version,
        waiting_for=None,
    )
    return Line("adopted", describe(event), f"claim {claim.number}: {values['value']} fen")


def _is_decision(decision: Decision, values: Mapping[str, Any]) -> bool:
    stored = (decision.version, decision.paid_fen, decision.fingerprint, decision.policy_hash)
    names = ("decision_version", "value", "decision_fingerprint", "policy_hash")
    return stored == tuple(values[name] for name in names)


def _decide_again(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent
) -> Decision | None:
    """The decision that was lost, worked out again; None unless the amount is the ledger's."""
    values = event.values
    try:
        bill = work.claims.bill_of_version(claim.version_id)
        adjudicated = adjudicate_claim(deps, work, claim, bill)
    except (DomainError, VerificationError, *DAMAGE):
        return None
    eob, pack = adjudicated[0], adjudicated[-1]
    is_same = eob.paid_fen == values["value"] and eob.policy_hash == values["policy_hash"]
    if eob.outcome is Outcome.REFUSED or not is_same:
        return None
    keep_rules(deps, work, pack)
    return add_decision_of_ledger(deps, work, claim, adjudicated, values)


def _differs(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent, at: dt.datetime
) -> Line:
    """Settled on the ledger, but not as it is or would be decided here: a person looks."""
    if claim.state in _UNSETTLED:
        # Without an intent of its own the claim stays here; it is neither paid nor refused.
        work.claims.update(
            claim.id,
            claim.state,
            deps.clock.now(),
            state=ClaimState.SETTLING,
            waiting_for="operator",
        )
    detail = f"claim {claim.number}: the ledger settled {event.values['value']} fen"
    _keep(deps, work, event, at, before=[], kind=DIFFERS)
    return Line("case", describe(event), detail)


def _release(
    deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent, at: dt.datetime
) -> Line | None:
    """The lock was given back after the backup: the claim ends; why is lost where it was not
    stored yet, and the page says so."""
    values = event.values
    if claim.state not in _UNSETTLED:
        return None
    intent = _intent(
        deps,
        work,
        claim,
        IntentKind.RELEASE,
        f"release:{claim.id}:{values['counter']}:{values['value']}",
        invoice_key=event.key.hex(),
        payer=claim.payer_number,
        counter=values["counter"],
        reason=values["value"],
        decision_fingerprint=values["decision_fingerprint"].hex(),
        decision_version=values["decision_version"],
        policy_hash=values["policy_hash"].hex(),
    )
    add_adopted(work, intent, event, at)
    if values["value"] == REASON_WITHDRAWN:
        return _release_withdrawn(deps, work, claim, event)
    reason = Reason(
        "released-on-ledger",
        "账本显示这笔申请已经办结，没有报销；详细理由请打电话问清楚",
        "the ledger shows that this claim was released; the reason was lost with a backup",
    )
    result = StageResult(
        Stage.AUDIT, StageOutcome.REFUSED, {"release_reason": values["value"]}, (reason,)
    )
    store_stage(deps, work, claim, result, deps.clock.now())
    work.claims.update(
        claim.id, claim.state, deps.clock.now(), state=ClaimState.RELEASING, waiting_for=None
    )
    return Line("adopted", describe(event), f"claim {claim.number} was released")


def _release_withdrawn(deps: RecoveryServices, work: Any, claim: Claim, event: LedgerEvent) -> Line:
    """The citizen had withdrawn the claim after the backup."""
    if claim.state is not ClaimState.WITHDRAWING:
        note_withdrawal(deps, work, claim, "按账本恢复", BY_LEDGER)
    work.claims.resolve_pends(claim.id, BY_LEDGER, "申请人撤回", deps.clock.now())
    work.claims.update(
        claim.id, claim.state, deps.clock.now(), state=ClaimState.WITHDRAWING, waiting_for=None
    )
    return Line("adopted", describe(event), f"claim {claim.number} was withdrawn")


_STEPS: Final[Mapping[str, Callable[..., Line | None]]] = {
    "lodge": _lodge,
    "settle": _settle,
    "release": _release,
    "renew": _renew,
}

# --- cases ------------------------------------------------------------------------------------


def retry_cases(deps: RecoveryServices) -> list[Line]:
    """Try the open cases of claims again: their bills may have come back since."""
    with deps.work(write=False) as reading:
        board: Any = reading
        cases = [c for c in board.reconciliation.open_cases() if c.kind in (LOST_CLAIM, DIFFERS)]
    return [_retry(deps, case) for case in cases]


def _retry(deps: RecoveryServices, case: Case) -> Line:
    events = [_from_json(entry) for entry in case.detail["events"]]
    key, counter = bytes.fromhex(case.detail["key"]), case.detail["counter"]
    read = read_final_slots(deps, [key])[key]
    slot = read.newest
    what = case.id
    with deps.work() as transaction:
        work: Any = transaction
        if case.kind == LOST_CLAIM and _claim_of(work, events[0][0]) is not None:
            lines = [_adopt(deps, work, event, at) for event, at in events]
            if all(line is not None and line.verdict != "case" for line in lines):
                resolve_case(work, case.id, "reconcile", "adopted")
                work.commit()
                return Line("adopted", what, "its claim was found")
            work.rollback()
            return Line("case", what, _standing(case, slot))
        calls = {event.call for event, _ in events}
        # A release that is not final may be taken back, and the lock with it.
        is_open = any(
            one.open_payer and one.lodge_counter == counter for one in (read.final, read.newest)
        )
        if case.kind == LOST_CLAIM and not is_open and "settle" not in calls:
            resolve_case(work, case.id, "reconcile", "the lock has ended; nothing was paid")
            work.commit()
            return Line("agrees", what, "its lock has ended; nothing was paid on it")
    return Line("case", what, _standing(case, slot))


def _standing(case: Case, slot: SlotState) -> str:
    """What an open case comes to on the ledger, for the person who has to look."""
    settled = [
        entry["values"]["value"] for entry in case.detail["events"] if entry["call"] == "settle"
    ]
    if settled:
        return f"{case.kind}: settled with {settled[-1]} fen; look for it in the bank's statement"
    if slot.open_payer and slot.lodge_counter == case.detail["counter"]:
        return f"{case.kind}: our lock is open and no claim here holds it"
    return f"{case.kind}: the lock has ended"


def _to_json(event: LedgerEvent, at: dt.datetime) -> dict[str, Any]:
    values = {k: v.hex() if isinstance(v, bytes) else v for k, v in event.values.items()}
    return {
        "call": event.call,
        "outcome": event.outcome,
        "key": event.key.hex(),
        "values": values,
        "tx_hash": event.tx_hash.hex(),
        "block_number": event.block_number,
        "block_hash": event.block_hash.hex(),
        "log_index": event.log_index,
        "item_index": event.item_index,
        "at": at.isoformat(),
    }


def _from_json(entry: Mapping[str, Any]) -> tuple[LedgerEvent, dt.datetime]:
    values = {k: bytes.fromhex(v) if k in _BYTES else v for k, v in dict(entry["values"]).items()}
    event = LedgerEvent(
        call=entry["call"],
        outcome=entry["outcome"],
        item_index=entry["item_index"],
        key=bytes.fromhex(entry["key"]),
        values=values,
        tx_hash=bytes.fromhex(entry["tx_hash"]),
        block_number=entry["block_number"],
        block_hash=bytes.fromhex(entry["block_hash"]),
        log_index=entry["log_index"],
    )
    return event, dt.datetime.fromisoformat(entry["at"])
