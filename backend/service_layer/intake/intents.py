"""Enqueueing what an institution's account must say on the ledger."""

from __future__ import annotations

from typing import Any

from backend.domain.ledger import IntentKind, LedgerIntent
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.intake.records import StoredInvoice


def enqueue(
    deps: IntakeServices,
    work: IntakeWork,
    invoice: StoredInvoice,
    kind: IntentKind,
    *,
    dedupe_key: str,
    payload: dict[str, Any],
) -> bool:
    """One wanted call about one bill, sent by its institution; False when it was there before."""
    institution = work.institutions.get(invoice.institution_code)
    assert institution.ledger_account is not None, "a batched bill has a registered issuer"
    return work.outbox.add(
        LedgerIntent(
            id=deps.ids.new_id("int"),
            kind=kind,
            account=institution.ledger_account,
            held=not institution.is_self_custody,
            dedupe_key=dedupe_key,
            subject_id=invoice.id,
            payload=payload,
        )
    )
