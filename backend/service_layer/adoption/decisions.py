"""The decision behind a payment that only the ledger knows, stored again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.revision import Cause
from backend.service_layer.claims.decide import Adjudicated, decision_record
from backend.service_layer.claims.records import Claim, Decision
from backend.service_layer.recovery.ports import RecoveryServices
from verifier.commitment.canonical import canonical_bytes

BY_LEDGER: Final = "ledger"


def add_decision_of_ledger(
    deps: RecoveryServices,
    work: Any,
    claim: Claim,
    adjudicated: Adjudicated,
    values: Mapping[str, Any],
) -> Decision:
    """Store what was worked out again as the decision that an event's ``values`` name.

    It keeps the ledger's fingerprint. The secret behind that is lost, as after an erasure, so
    that no evidence can be exported for it and nobody can pass this text off as the old one.
    """
    eob, snapshot, history, _ = adjudicated
    bill = work.claims.bill_of_version(claim.version_id)
    record = decision_record(eob, claim, bill, values["decision_version"])
    decision = Decision(
        id=deps.ids.new_id("dec"),
        claim_id=claim.id,
        version=values["decision_version"],
        outcome=str(eob.outcome),
        paid_fen=eob.paid_fen,
        explanation=canonical_bytes(record).decode(),
        fingerprint=values["decision_fingerprint"],
        wrapped_secret=None,
        policy_hash=eob.policy_hash,
        person_snapshot=canonical_bytes(snapshot.to_record()).decode(),
        history_snapshot=canonical_bytes(history.to_record()).decode(),
        decided_by=BY_LEDGER,
        reason="按账本恢复：金额与账本一致",
        decided_at=deps.clock.now(),
    )
    work.decisions.add(decision)
    at = decision.decided_at
    work.revisions.add_cause(decision.id, claim.id, decision.version, Cause.LEDGER, at)
    return decision
