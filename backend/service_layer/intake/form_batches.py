"""Closing open batches: leaves in an order that says nothing, root, head, anchor intent.

Called by the worker on a cadence. Each institution's batch is one transaction. Supersede and
reverse are enqueued here, as soon as the leaves that they name stand in batches.
"""

from __future__ import annotations

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.service_layer.intake.disputes import finish_rulings
from backend.service_layer.intake.intents import enqueue
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.intake.records import (
    NO_KEY,
    FormedBatch,
    Institution,
    InvoiceState,
    StoredInvoice,
    StoredVersion,
)
from backend.service_layer.intake.reversal import enqueue_reverse
from verifier.commitment import merkle
from verifier.commitment.batch import MAX_BATCH, BatchLeaf, RecordKind, batch_head

_DONE = (IntentState.MINED, IntentState.FINAL)


def form_batches(deps: IntakeServices) -> int:
    """Form at most one batch an institution; returns how many were formed."""
    formed = 0
    with deps.work(write=False) as work:
        waiting = work.institutions.with_unbatched()
        has_disputes = bool(work.disputes.unsettled())
    for code in waiting:
        with deps.work() as work:
            if _form_batch(deps, work, code):
                work.commit()
                formed += 1
    if has_disputes:
        with deps.work() as work:
            finish_rulings(deps, work)
            work.commit()
    return formed


def _form_batch(deps: IntakeServices, work: IntakeWork, code: str) -> bool:
    institution = work.institutions.get(code)
    if institution.ledger_number is None or institution.ledger_account is None:
        return False
    last = work.batches.last(code)
    # A self-custody key is offered one batch at a time, so that its agent signs in order.
    if institution.is_self_custody and last is not None and not _is_anchored(work, last.id):
        return False
    version_ids = work.batches.unbatched_versions(code, MAX_BATCH)
    if not version_ids:
        return False
    members = []
    for version_id in version_ids:
        version = work.invoices.version_by_id(version_id)
        bill = work.invoices.get(version.invoice_id)
        members.append((leaf_of(institution, bill, version), bill, version))
    # Ordering by leaf hash shuffles: the hash depends on each bill's secret fingerprint, so the
    # order tells an observer nothing about when a bill was uploaded.
    members.sort(key=lambda member: member[0].hash())
    leaves = [leaf for leaf, _, _ in members]
    record = _batch(deps, institution, last, [leaf.hash() for leaf in leaves])
    ids = [version.id for _, _, version in members]
    work.batches.add(record, list(zip((leaf.encode() for leaf in leaves), ids, strict=True)))
    work.outbox.add(_anchor_intent(deps, institution, record))
    for _, bill, version in members:
        _enqueue_followers(deps, work, bill, version)
    return True


def leaf_of(institution: Institution, bill: StoredInvoice, version: StoredVersion) -> BatchLeaf:
    """The batch leaf of a version. A red bill's signed amounts stay inside its fingerprint."""
    kind = RecordKind(bill.kind)
    is_red = kind is RecordKind.RED
    return BatchLeaf(
        institution_code=institution.code,
        kind=kind,
        key_version=bill.key_version,
        invoice_key=bill.invoice_key,
        second_key=bill.second_key or NO_KEY,
        fingerprint=version.fingerprint,
        total_fen=0 if is_red else version.total_fen,
        borne_fen=0 if is_red else version.borne_fen,
    )


def _batch(
    deps: IntakeServices,
    institution: Institution,
    last: FormedBatch | None,
    hashes: list[bytes],
) -> FormedBatch:
    assert institution.ledger_number is not None
    sequence = 1 if last is None else last.sequence + 1
    previous = bytes(32) if last is None else last.head
    root = merkle.root_hash(hashes)
    return FormedBatch(
        id=deps.ids.new_id("bat"),
        institution_code=institution.code,
        sequence=sequence,
        previous_head=previous,
        root=root,
        size=len(hashes),
        head=batch_head(institution.ledger_number, sequence, previous, root, len(hashes)),
        created_at=deps.clock.now(),
    )


def _anchor_intent(
    deps: IntakeServices, institution: Institution, record: FormedBatch
) -> LedgerIntent:
    assert institution.ledger_account is not None
    return LedgerIntent(
        id=deps.ids.new_id("int"),
        kind=IntentKind.ANCHOR,
        account=institution.ledger_account,
        held=not institution.is_self_custody,
        dedupe_key=f"anchor:{record.id}",
        subject_id=record.id,
        payload={
            "sequence": record.sequence,
            "previous_head": record.previous_head.hex(),
            "root": record.root.hex(),
            "size": record.size,
        },
    )


def _is_anchored(work: IntakeWork, batch_id: str) -> bool:
    intent = work.outbox.find(f"anchor:{batch_id}")
    return intent is not None and intent.state in _DONE


def _enqueue_followers(
    deps: IntakeServices, work: IntakeWork, bill: StoredInvoice, version: StoredVersion
) -> None:
    """What the ledger must hear now that this version has a leaf."""
    new = work.batches.position_of(version.id) if version.version > 1 else None
    if new is not None:
        for older in reversed(work.invoices.versions(bill.id)):
            old = work.batches.position_of(older.id) if older.version < version.version else None
            if old is not None:
                payload = {"old": old.to_payload(), "new": new.to_payload()}
                key = f"supersede:{version.id}"
                enqueue(deps, work, bill, IntentKind.SUPERSEDE, dedupe_key=key, payload=payload)
                break
    if bill.original_id is not None:
        enqueue_reverse(deps, work, bill.original_id)
    if bill.state == InvoiceState.REVERSED:
        enqueue_reverse(deps, work, bill.id)
