"""What an institution may know about its own bills."""

from __future__ import annotations

from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.ledger import IntentKind, LeafPosition
from backend.service_layer.intake.change_invoice import own_invoice
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.intake.records import Institution, InvoiceStatus, StoredInvoice

PAGE_MAX = 200
_KINDS = (IntentKind.SUPERSEDE, IntentKind.VOID, IntentKind.REVERSE)


class NotAnchoredError(ConflictError):
    """The bill's batch is not on the ledger yet, so there is nothing to prove."""

    code = "not-anchored-yet"


def invoice_status(
    deps: IntakeServices, institution: Institution, invoice_id: str
) -> InvoiceStatus:
    """The state of one bill. Raises NotFoundError, for another institution's bill too."""
    with deps.work(write=False) as work:
        return _status(work, own_invoice(work, institution, invoice_id))


def find_invoice(
    deps: IntakeServices, institution: Institution, code: str, number: str
) -> InvoiceStatus:
    """The bill with this number. Raises NotFoundError."""
    with deps.work(write=False) as work:
        bill = work.invoices.find(institution.code, code, number)
        if bill is None:
            raise NotFoundError("没有这张票据", "there is no such invoice")
        return _status(work, bill)


def list_invoices(
    deps: IntakeServices, institution: Institution, after: str, limit: int
) -> tuple[list[StoredInvoice], bool]:
    """One page in the order of upload, and whether more follow."""
    with deps.work(write=False) as work:
        wanted = min(max(limit, 1), PAGE_MAX)
        page = list(work.invoices.of_institution(institution.code, after, wanted + 1))
    return page[:wanted], len(page) > wanted


def inclusion_proof(
    deps: IntakeServices, institution: Institution, invoice_id: str
) -> tuple[InvoiceStatus, LeafPosition]:
    """The leaf with its path to the anchored root. Raises NotAnchoredError before that."""
    status = invoice_status(deps, institution, invoice_id)
    if status.position is None or status.anchor_state not in ("mined", "final"):
        raise NotAnchoredError(
            "票据所在批次尚未上链，请稍后再取证明",
            "the bill's batch is not on the ledger yet; ask again later",
        )
    return status, status.position


def _status(work: IntakeWork, bill: StoredInvoice) -> InvoiceStatus:
    version = work.invoices.current_version(bill)
    calls = [intent for kind in _KINDS for intent in work.outbox.of_subject(bill.id, kind)]
    return InvoiceStatus(
        invoice=bill,
        version=version,
        position=work.batches.position_of(version.id),
        anchor=work.batches.anchor_of(version.id),
        calls=tuple(calls),
        disputes=tuple(work.disputes.of_keys(bill.keys)),
        claim_state=work.invoices.live_claim_state(bill.id),
    )
