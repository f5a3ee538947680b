"""Closing open batches: leaves in an order that says nothing, root, head, anchor intent.

Called by the worker on a cadence. Each institution's batch is one transaction. Supersede and
reverse are enqueued here, as soon as the leaves that they name stand in batches.
"""

from __future__ import annotations

from typing import Final, Protocol

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

#: So that a backlog never holds up what the worker does besides for more than about a second.
BATCHES_A_PASS: Final = 8
_DONE = (IntentState.MINED, IntentState.FINAL)


def form_batches(deps: IntakeServices, cadence_seconds: float = 0) -> int:
    """Form at most one batch an institution, BATCHES_A_PASS in all; returns how many were formed.

    As many as that means that more may be waiting: call again at once. An institution whose last
    batch is younger than half the cadence gets another one only when it is full: few bills in a
    batch cost gas, and tell an observer when they were uploaded.
    """
    formed = 0
    with deps.work(write=False) as work:
        waiting = work.institutions.with_unbatched()
        has_disputes = bool(work.disputes.unsettled())
    for code in waiting:
        if formed == BATCHES_A_PASS:
            break
        with deps.work() as work:
            if _form_batch(deps, work, code, cadence_seconds):
                work.commit()
                formed += 1
    if has_disputes:
        with deps.work() as work:
            finish_rulings(deps, work)
            work.commit()
    return formed


def _form_batch(deps: IntakeServices, work: IntakeWork, code: str, cadence_seconds: float) -> bool:
    institution = work.institutions.get(code)
    if institution.ledger_number is None or institution.ledger_account is None:
        return False
    last = work.batches.last(code)
    # A self-custody key is offered one batch at a time, so that its agent signs in order.
    if institution.is_self_custody and last is not None and not _is_anchored(work, last.id):
        return False
    versions = work.batches.unbatched(code, MAX_BATCH)
    if not versions:
        return False
    is_early = last is not None and (
        0 <= (deps.clock.now() - last.created_at).total_seconds() < cadence_seconds / 2
    )
    if is_early and len(versions) < MAX_BATCH:
        return False
    # Ordering by leaf hash shuffles: the hash depends on each bill's secret fingerprint, so the
    # order tells an observer nothing about when a bill was uploaded.
    encoded = [(_leaf(code, version, version).encode(), version.id) for version in versions]
    members = sorted((merkle.leaf_hash(leaf), leaf, version_id) for leaf, version_id in encoded)
    record = _batch(deps, institution, last, [leaf_hash for leaf_hash, _, _ in members])
    work.batches.add(record, [(leaf, version_id) for _, leaf, version_id in members])
    work.outbox.add(_anchor_intent(deps, institution, record))
    for version in versions:
        is_linked = version.original_id is not None or version.state == InvoiceState.REVERSED
        if version.version > 1 or is_linked:
            bill = work.invoices.get(version.invoice_id)
            enqueue_followers(deps, work, bill, work.invoices.version_by_id(version.id))
    return True


def add_information_batch(
    deps: IntakeServices, work: IntakeWork, institution: Institution, leaf: BatchLeaf
) -> None:
    """Form a batch of one leaf that is no bill. The batch's root is the leaf's hash, by which it
    is found again; no invoice version stands behind it. By the worker only, as ``form_batches``."""
    last = work.batches.last(institution.code)
    record = _batch(deps, institution, last, [leaf.hash()])
    work.batches.add_information(record)
    work.outbox.add(_anchor_intent(deps, institution, record))


class _BillKeys(Protocol):
    """What a leaf says of the bill."""

    @property
    def kind(self) -> int: ...
    @property
    def key_version(self) -> int: ...
    @property
    def invoice_key(self) -> bytes: ...
    @property
    def second_key(self) -> bytes: ...


class _Content(Protocol):
    """What a leaf says of the version."""

    @property
    def fingerprint(self) -> bytes: ...
    @property
    def total_fen(self) -> int: ...
    @property
    def borne_fen(self) -> int: ...


def leaf_of(institution: Institution, bill: StoredInvoice, version: StoredVersion) -> BatchLeaf:
    """The batch leaf of a version. A red bill's signed amounts stay inside its fingerprint."""
    return _leaf(institution.code, bill, version)


def _leaf(code: str, bill: _BillKeys, version: _Content) -> BatchLeaf:
    kind = RecordKind(bill.kind)
    is_red = kind is RecordKind.RED
    return BatchLeaf(
        institution_code=code,
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


def enqueue_followers(
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
