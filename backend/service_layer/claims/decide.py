"""Decision versions: insert-only rows, each committed with a secret of its own."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.claim import ClaimState
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.person import History, PersonSnapshot
from backend.domain.policy import PolicyPack
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Decision, StoredBill
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint

REFUSED_MARK: Final = "不予批准："
"""Begins the resolution of a pend reason by which a person refused the claim."""

Adjudicated = tuple[ExplanationOfBenefits, PersonSnapshot, History, PolicyPack]


def decision_record(
    eob: ExplanationOfBenefits, claim: Claim, bill: StoredBill, version: int, outcome: str
) -> dict[str, Any]:
    """The explanation of benefits as it is committed (verifier/SPEC.md B3)."""
    record = {
        "format": "yichu-eob-1",
        "invoice_fingerprint": bill.fingerprint.hex(),
        "payer_number": claim.payer_number,
        "lodge_counter": claim.lodge_counter or 0,
        "decision_version": version,
        "outcome": outcome,
        **eob.body(),
    }
    return refuse_record(record) if outcome == "refused" else record


def refuse_record(record: dict[str, Any]) -> dict[str, Any]:
    """The record with nothing paid: each line's paid part becomes one adjustment *refused*."""
    lines = []
    for line in record["lines"]:
        cut = {
            "group": "OTHER",
            "code": "refused",
            "amount_fen": line["paid_fen"],
            "rule_id": "refused",
            "basis_zh": "整笔申请不予报销",
            "basis_en": "the whole claim is refused",
        }
        adjustments = [*line["adjustments"], cut] if line["paid_fen"] else line["adjustments"]
        lines.append(
            {**line, "paid_fen": 0, "pool_fen": 0, "layer2_fen": 0, "adjustments": adjustments}
        )
    total = record["medfee_sumamt_fen"]
    refused = record["paid_fen"]
    summary = list(record["summary"])
    if refused:
        row = {
            "code": "refused",
            "label_zh": "不予报销",
            "label_en": "Refused",
            "amount_fen": -refused,
            "basis_zh": "整笔申请不予报销",
            "basis_en": "the whole claim is refused",
        }
        summary = [*summary[:-1], row, {**summary[-1], "amount_fen": 0}]
    return {
        **record,
        "paid_fen": 0,
        "hifp_pay_fen": 0,
        "hifmi_pay_fen": 0,
        "hifob_pay_fen": 0,
        "fund_pay_sumamt_fen": 0,
        "psn_cash_pay_fen": total,
        "psn_part_amt_fen": total,
        "lines": lines,
        "summary": summary,
    }


def store_decision(
    deps: ClaimServices,
    work: ClaimWork,
    claim: Claim,
    adjudicated: Adjudicated,
    *,
    outcome: str,
    decided_by: str,
    reason: str,
) -> Decision:
    """Insert the next decision version and move the claim to *decided*."""
    eob, snapshot, history, _ = adjudicated
    bill = work.claims.bill_of_version(claim.version_id)
    version = claim.decision_version + 1
    record = decision_record(eob, claim, bill, version, outcome)
    secret = deps.ids.new_secret()
    decision_id = deps.ids.new_id("dec")
    decision = Decision(
        id=decision_id,
        claim_id=claim.id,
        version=version,
        outcome=outcome,
        paid_fen=record["paid_fen"],
        explanation=canonical_bytes(record).decode(),
        fingerprint=compute_fingerprint(record, secret),
        wrapped_secret=deps.secret_box.wrap(secret, decision_id),
        policy_hash=eob.policy_hash,
        person_snapshot=canonical_bytes(snapshot.to_record()).decode(),
        history_snapshot=canonical_bytes(history.to_record()).decode(),
        decided_by=decided_by,
        reason=reason,
        decided_at=deps.clock.now(),
    )
    work.decisions.add(decision)
    work.claims.update(
        claim.id,
        claim.state,
        deps.clock.now(),
        state=ClaimState.DECIDED,
        decision_version=version,
        waiting_for=None,
    )
    return decision
