"""Reads what a bundle needs: stored records and secrets, batch position, the claim's events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.claims.benefits import read_record
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Decision
from backend.service_layer.evidence.export_bundle import (
    Committed,
    Evidence,
    NotClosedError,
    build_bundle,
)


def export_claim(
    deps: ClaimServices, number: str, policy_text: Callable[[bytes], str | None]
) -> dict[str, Any]:
    """The evidence bundle of the claim with this number.

    ``policy_text`` finds a published pack's canonical text by its hash. Raises
    :class:`NotClosedError` while the settlement or refusal is not final.
    """
    with deps.work(write=False) as work:
        claim = work.claims.by_number(number)
        bill = work.claims.bill_of_version(claim.version_id)
        position = work.batches.position_of(claim.version_id)
        anchor = work.batches.anchor_of(claim.version_id)
        closing = _closing(work, claim.id)
        lodge = None if closing is None else _lodge_of(work, claim.id, closing)
        decision = None if closing is None else _decision_of(work, claim.id, closing)
        if (
            decision is None
            or position is None
            or anchor is None
            or lodge is None
            or closing is None
            or bill.wrapped_secret is None
            or decision.wrapped_secret is None
        ):
            raise NotClosedError(
                f"{number} 还没有在账本上办结，没有可以导出的证据",
                f"{number} is not closed by a decision on the ledger; there is nothing to export",
            )
        document = work.decisions.policy_document(decision.policy_hash)
        text = document or policy_text(decision.policy_hash)
        if text is None:
            raise NotClosedError(
                "找不到这笔决定依据的政策包", "the policy pack of the decision is not at hand"
            )
        return build_bundle(
            Evidence(
                invoice=Committed(
                    read_record(work, bill),
                    deps.secret_box.unwrap(bill.wrapped_secret, bill.version_id),
                ),
                position=position,
                anchor=anchor,
                custody=work.claims.custody_of(bill.institution_code),
                payer_number=claim.payer_number,
                counter=closing.payload["counter"],
                lodge=lodge,
                closing=closing,
                decision=Committed(
                    json.loads(decision.explanation),
                    deps.secret_box.unwrap(decision.wrapped_secret, decision.id),
                ),
                decision_fingerprint=decision.fingerprint,
                decision_version=decision.version,
                policy_hash=decision.policy_hash,
                policy_text=text,
            )
        )


def _effective(work: ClaimWork, claim_id: str, kind: IntentKind) -> list[LedgerIntent]:
    return [i for i in work.outbox.of_subject(claim_id, kind) if i.is_final and i.took_effect]


def _closing(work: ClaimWork, claim_id: str) -> LedgerIntent | None:
    """The event that closed the claim: its settlement, else its last refusal by a decision.

    A supplement closes nothing: the bundle of a supplemented claim shows what was settled first,
    which the slot's paid sum must hold at least (verifier/SPEC.md, check 18).
    """
    refusals = [
        intent
        for intent in _effective(work, claim_id, IntentKind.RELEASE)
        if intent.payload["decision_version"]
    ]
    found = refusals + _effective(work, claim_id, IntentKind.SETTLE)
    return found[-1] if found else None


def _lodge_of(work: ClaimWork, claim_id: str, closing: LedgerIntent) -> LedgerIntent | None:
    """The lodge of the same counter: a claim that came back was lodged more than once."""
    found = [
        intent
        for intent in _effective(work, claim_id, IntentKind.LODGE)
        if intent.payload["counter"] == closing.payload["counter"]
    ]
    return found[-1] if found else None


def _decision_of(work: ClaimWork, claim_id: str, closing: LedgerIntent) -> Decision | None:
    """The decision version that the closing names, not the newest one."""
    version = closing.payload["decision_version"]
    return next((one for one in work.decisions.all_of(claim_id) if one.version == version), None)
