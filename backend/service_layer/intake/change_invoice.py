"""Correcting (重传) and voiding (作废) a bill that was uploaded before."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind
from backend.service_layer.intake.drafting import Draft, Upload, draft
from backend.service_layer.intake.errors import (
    CorrectedSinceError,
    EndedInvoiceError,
    LockedInvoiceError,
    RedBillError,
    SettledInvoiceError,
)
from backend.service_layer.intake.faults import Fault, InvalidInvoiceError
from backend.service_layer.intake.intents import enqueue
from backend.service_layer.intake.ports import AlreadyStoredError, IntakeServices, IntakeWork
from backend.service_layer.intake.records import Institution, InvoiceState, StoredInvoice
from backend.service_layer.intake.upload_invoice import UploadResult, open_disputes
from verifier.commitment.batch import RecordKind

_PAID_STATES = frozenset(("settling", "settled", "paying", "paid"))


class VoidReason(IntEnum):
    """Why a bill is void; the number goes with the intent."""

    OTHER = 0
    ISSUED_TWICE = 1
    WRONG_PATIENT = 2
    WRONG_CONTENT = 3
    NOT_RENDERED = 4


def correct_invoice(
    deps: IntakeServices,
    institution: Institution,
    invoice_id: str,
    upload: Upload,
    replaces: int | None = None,
) -> UploadResult:
    """Store new content as the bill's next version. The same content again changes nothing.

    Content that an earlier version had may be a request that arrives again after the correction
    that followed it: it is taken only where ``replaces`` names the present version. Raises
    CorrectedSinceError otherwise, and where ``replaces`` names another version.

    The ledger is asked only when an older leaf stands in a batch; then LedgerUnavailableError may
    be raised. Raises InvalidInvoiceError, LockedInvoiceError, SettledInvoiceError,
    EndedInvoiceError, NotFoundError (also for another institution's bill).
    """
    drafted = draft(deps, upload, institution)
    with deps.work(write=False) as work:
        bill = own_invoice(work, institution, invoice_id)
        _check_identity(upload, drafted, bill)
        if work.invoices.current_version(bill).content_digest == drafted.version.content_digest:
            # A repetition is answered as before, whatever has happened to the bill since.
            return UploadResult(bill.id, created=False)
        _require_newer(work, bill, drafted, replaces)
        needs_ledger = any(
            work.batches.position_of(version.id) for version in work.invoices.versions(bill.id)
        )
    if needs_ledger:
        _refuse_held_on_ledger(deps, bill)
    try:
        return _store_version(deps, institution, invoice_id, drafted, replaces)
    except AlreadyStoredError:
        return _store_version(deps, institution, invoice_id, drafted, replaces)


def _require_newer(
    work: IntakeWork, bill: StoredInvoice, drafted: Draft, replaces: int | None
) -> None:
    if replaces == bill.current_version:
        return
    known = {version.content_digest for version in work.invoices.versions(bill.id)}
    if replaces is not None or drafted.version.content_digest in known:
        raise CorrectedSinceError(bill.current_version)


def _store_version(
    deps: IntakeServices,
    institution: Institution,
    invoice_id: str,
    drafted: Draft,
    replaces: int | None,
) -> UploadResult:
    with deps.work() as work:
        work.invoices.lock_keys(drafted.stored.keys)
        bill = own_invoice(work, institution, invoice_id)
        current = work.invoices.current_version(bill)
        if current.content_digest == drafted.version.content_digest:
            return UploadResult(bill.id, created=False)
        _require_newer(work, bill, drafted, replaces)
        if bill.state != InvoiceState.ACTIVE:
            raise EndedInvoiceError(bill.state)
        claim_state = work.invoices.live_claim_state(bill.id)
        if claim_state is not None:
            raise SettledInvoiceError if claim_state in _PAID_STATES else LockedInvoiceError
        if work.invoices.is_held_by_insurer(bill.id):
            raise LockedInvoiceError
        changed = replace(
            bill,
            kind=drafted.stored.kind,
            second_key=drafted.stored.second_key,
            payer_id_lookup=drafted.stored.payer_id_lookup,
            current_version=bill.current_version + 1,
        )
        version = replace(drafted.version, invoice_id=bill.id, version=bill.current_version + 1)
        work.invoices.add_version(changed, version, drafted.lines)
        if changed.second_key != bill.second_key:
            open_disputes(deps, work, changed)
        work.commit()
    return UploadResult(bill.id, created=True)


def own_invoice(work: IntakeWork, institution: Institution, invoice_id: str) -> StoredInvoice:
    """The institution's own bill; another's is not found, so that ids cannot be probed."""
    bill = work.invoices.get(invoice_id)
    if bill.institution_code != institution.code:
        raise NotFoundError("没有这张票据", "there is no such invoice")
    return bill


def _check_identity(upload: Upload, drafted: Draft, bill: StoredInvoice) -> None:
    invoice, point = drafted.invoice, upload.parsed.pointer
    faults = [
        Fault(point(name), "identity-differs")
        for name in ("invoice_code", "invoice_number")
        if getattr(invoice, name) != getattr(bill, name)
    ]
    if (bill.kind == RecordKind.RED) != invoice.is_red:
        faults.append(Fault(point("total_fen"), "kind-differs"))
    if faults:
        raise InvalidInvoiceError(tuple(faults))
    if invoice.is_red:
        raise RedBillError(
            "红字票据不能更正；请另开票据", "a red bill cannot be corrected; issue another bill"
        )


def _refuse_held_on_ledger(deps: IntakeServices, bill: StoredInvoice) -> None:
    """Another payer may hold the bill without our knowing: the ledger decides."""
    slot = deps.ledger.slot(bill.invoice_key)
    if slot.settled_payers:
        raise SettledInvoiceError
    if slot.open_payer:
        raise LockedInvoiceError


def void_invoice(
    deps: IntakeServices, institution: Institution, invoice_id: str, reason: VoidReason
) -> UploadResult:
    """Declare a bill void, for ever. Wins in every state; doing it again changes nothing.

    A bill that is in no batch is never anchored any more. Raises EndedInvoiceError for a reversed
    bill, RedBillError for a red one, NotFoundError.
    """
    with deps.work() as work:
        bill = own_invoice(work, institution, invoice_id)
        work.invoices.lock_keys(bill.keys)
        bill = own_invoice(work, institution, invoice_id)
        if bill.state == InvoiceState.VOID:
            return UploadResult(bill.id, created=False)
        if bill.state == InvoiceState.REVERSED:
            raise EndedInvoiceError(bill.state)
        if bill.kind == RecordKind.RED:
            raise RedBillError("红字票据不能作废", "a red bill cannot be voided")
        work.invoices.set_state(bill.id, InvoiceState.VOID)
        for version in reversed(work.invoices.versions(bill.id)):
            position = work.batches.position_of(version.id)
            if position is not None:
                payload = {"position": position.to_payload(), "reason": int(reason)}
                enqueue(
                    deps, work, bill, IntentKind.VOID, dedupe_key=f"void:{bill.id}", payload=payload
                )
                break
        work.commit()
    return UploadResult(bill.id, created=True)
