"""Taking one bill in. Repeating it any number of times has one effect."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.service_layer.intake import reversal
from backend.service_layer.intake.drafting import Draft, Upload, draft
from backend.service_layer.intake.errors import DifferentContentError
from backend.service_layer.intake.ports import AlreadyStoredError, IntakeServices, IntakeWork
from backend.service_layer.intake.records import Institution, StoredInvoice

DISPUTE_ALARM = "invoice-number-disputed"


@dataclass(frozen=True, slots=True)
class UploadResult:
    """``created`` is false when the very same content was here before."""

    invoice_id: str
    created: bool


def upload_invoice(deps: IntakeServices, institution: Institution, upload: Upload) -> UploadResult:
    """Store a bill; the ledger is not asked, so it may be down.

    Raises InvalidInvoiceError (every fault at once), SecretError, FingerprintMismatchError,
    DifferentContentError (same number, other content), RedBillError.
    """
    drafted = draft(deps, upload, institution)
    try:
        return _store(deps, institution, drafted)
    except AlreadyStoredError:
        # Another request stored this identity between our look and our insert: look again.
        return _store(deps, institution, drafted)


def _store(deps: IntakeServices, institution: Institution, drafted: Draft) -> UploadResult:
    stored = drafted.stored
    with deps.work() as work:
        work.invoices.lock_keys(stored.keys)
        found = work.invoices.find(institution.code, stored.invoice_code, stored.invoice_number)
        if found is not None:
            return _compare(work, found, drafted)
        original = reversal.original_of(work, drafted.invoice) if drafted.invoice.is_red else None
        if original is not None:
            stored = replace(stored, original_id=original.id)
        work.invoices.add(stored, drafted.version, drafted.lines)
        if original is not None:
            reversal.apply_reds(deps, work, original)
        elif not drafted.invoice.is_red:
            reversal.apply_waiting_reds(deps, work, stored)
        open_disputes(deps, work, stored)
        work.commit()
    return UploadResult(stored.id, created=True)


def _compare(work: IntakeWork, found: StoredInvoice, drafted: Draft) -> UploadResult:
    """The same resource for content that any version had; a conflict for other content."""
    digests = {version.content_digest for version in work.invoices.versions(found.id)}
    if drafted.version.content_digest not in digests:
        raise DifferentContentError(found.id)
    return UploadResult(found.id, created=False)


def open_disputes(deps: IntakeServices, work: IntakeWork, stored: StoredInvoice) -> None:
    """The same number elsewhere: hold every bill that prints it, and call a person."""
    others = [bill for bill in work.invoices.with_keys(stored.keys) if bill.id != stored.id]
    if not others:
        return
    now = deps.clock.now()
    codes = sorted({bill.institution_code for bill in others} | {stored.institution_code})
    # Claims look a dispute up under the bill's first key, so each bill's first key gets one.
    for key in sorted({bill.invoice_key for bill in others} | {stored.invoice_key}):
        work.disputes.open(deps.ids.new_id("dsp"), key, now)
        work.alarms.raise_alarm(DISPUTE_ALARM, key.hex(), "institutions " + ", ".join(codes))
