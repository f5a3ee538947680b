"""Reads what a bundle needs: stored records and secrets, batch position, the claim's events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.claims.benefits import read_record
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.evidence.export_bundle import (
    Committed,
    DecidedVersion,
    Evidence,
    EvidenceLostError,
    NotClosedError,
    build_bundle,
)

PolicyText = Callable[[bytes], str | None]


def export_claim(deps: ClaimServices, number: str, policy_text: PolicyText) -> dict[str, Any]:
    """The evidence bundle of the claim with this number: every decision version on the ledger.

    ``policy_text`` finds a published pack's canonical text by its hash. Raises
    :class:`NotClosedError` while the settlement or refusal is not final, and
    :class:`EvidenceLostError` when a version on the ledger cannot be opened any more.
    """
    with deps.work(write=False) as work:
        claim = work.claims.by_number(number)
        bill = work.claims.bill_of_version(claim.version_id)
        position = work.batches.position_of(claim.version_id)
        anchor = work.batches.anchor_of(claim.version_id)
        closings = _closings(work, claim.id)
        if position is None or anchor is None or not closings or bill.wrapped_secret is None:
            raise NotClosedError(
                f"{number} 还没有在账本上办结，没有可以导出的证据",
                f"{number} is not closed by a decision on the ledger; there is nothing to export",
            )

        def decided(event: LedgerIntent) -> DecidedVersion:
            return _decided(deps, work, (claim.id, number), event, policy_text)

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
                closing=decided(closings[-1]),
                earlier=tuple(decided(event) for event in closings[:-1]),
                later=tuple(
                    decided(event) for event in _effective(work, claim.id, IntentKind.SUPPLEMENT)
                ),
                recoveries=tuple(_effective(work, claim.id, IntentKind.RECOVER)),
            )
        )


def _effective(work: ClaimWork, claim_id: str, kind: IntentKind) -> list[LedgerIntent]:
    """What the ledger carried out for good, by version; of the calls for one counter the one
    whose event it is: a repetition has none."""
    found = [i for i in work.outbox.of_subject(claim_id, kind) if i.is_final and i.took_effect]
    done = {i.payload.get("counter") for i in found if i.outcome == "done"}
    found = [i for i in found if i.outcome == "done" or i.payload.get("counter") not in done]
    return sorted(found, key=lambda intent: int(intent.payload.get("decision_version", 0)))


def _closings(work: ClaimWork, claim_id: str) -> list[LedgerIntent]:
    """The refusals by a decision, then the settlement, if there is one: the last is the closing."""
    refusals = [
        intent
        for intent in _effective(work, claim_id, IntentKind.RELEASE)
        if intent.payload["decision_version"]
    ]
    return refusals + _effective(work, claim_id, IntentKind.SETTLE)


def _lodge_of(work: ClaimWork, claim_id: str, event: LedgerIntent) -> LedgerIntent | None:
    """The lodge of the same counter: a claim that came back was lodged more than once."""
    if event.kind is IntentKind.SUPPLEMENT:
        return None
    lodges = _effective(work, claim_id, IntentKind.LODGE)
    found = [one for one in lodges if one.payload["counter"] == event.payload["counter"]]
    return found[-1] if found else None


def _decided(
    deps: ClaimServices,
    work: ClaimWork,
    claim: tuple[str, str],
    event: LedgerIntent,
    policy_text: PolicyText,
) -> DecidedVersion:
    """The decision version that an event names. ``claim`` is id and number."""
    claim_id, number = claim
    version = event.payload["decision_version"]
    decision = next(
        (one for one in work.decisions.all_of(claim_id) if one.version == version), None
    )
    if decision is None or decision.wrapped_secret is None:
        raise EvidenceLostError(
            f"{number} 第 {version} 版决定的数据已不在本系统，无法导出完整的证据",
            f"{number}: decision version {version} is on the ledger and cannot be opened here any "
            "more; a complete bundle cannot be made",
        )
    text = work.decisions.policy_document(decision.policy_hash)
    text = text or policy_text(decision.policy_hash)
    if text is None:
        raise EvidenceLostError(
            "找不到这笔决定依据的政策包", "the policy pack of the decision is not at hand"
        )
    return DecidedVersion(
        event=event,
        lodge=_lodge_of(work, claim_id, event),
        number=version,
        decision=Committed(
            json.loads(decision.explanation),
            deps.secret_box.unwrap(decision.wrapped_secret, decision.id),
        ),
        fingerprint=decision.fingerprint,
        policy_hash=decision.policy_hash,
        policy_text=text,
    )
