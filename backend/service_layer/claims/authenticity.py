"""The public check of one bill: genuine, altered, void, unknown, or cannot tell now.

The answer holds no name, number, amount or date of the person: whoever holds the QR code holds
the bill itself and can compare.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from backend.domain.errors import DomainError
from backend.domain.ledger import SlotState
from backend.service_layer.claims import screening
from backend.service_layer.claims.benefits import StoredBillUnreadableError, read_record
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import StoredBill, StoredLeaf
from backend.service_layer.ports import LedgerUnavailableError
from verifier.errors import VerificationError


class Verdict(StrEnum):
    GENUINE = "genuine"
    ALTERED = "altered"
    VOID = "void"
    UNKNOWN = "unknown"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Report:
    """``claimed`` is no, open or settled; ``block`` the block as of which the ledger spoke."""

    verdict: Verdict
    institution_name: str = ""
    claimed: str = ""
    block: int | None = None
    at: dt.datetime | None = None
    is_outside: bool = False
    """The agency anchored it, not its hospital."""


def check_bill(deps: ClaimServices, token: str) -> Report:
    """Recompute the bill's fingerprint from what is stored and compare with the ledger now."""
    with deps.work(write=False) as work:
        bill = work.claims.bill_by_token(token) if token else None
        if bill is None:
            return Report(Verdict.UNKNOWN)
        stored = work.claims.leaf_of_version(bill.version_id)
        leaf = _leaf_now(deps, work, bill)
    try:
        head = deps.ledger.head()
        slot = deps.ledger.slot(bill.invoice_key)
        anchored = bytes(32)
        if stored is not None:
            anchored = deps.ledger.batch_head(stored.institution_number, stored.sequence)
    except LedgerUnavailableError:
        return Report(Verdict.CANNOT_TELL, bill.institution_name, is_outside=bill.is_outside)
    verdict = _verdict(bill, stored, leaf, anchored, slot)
    claimed = "settled" if slot.settled_payers else "open" if slot.open_payer else "no"
    return Report(verdict, bill.institution_name, claimed, head.number, head.at, bill.is_outside)


def _leaf_now(deps: ClaimServices, work: ClaimWork, bill: StoredBill) -> bytes | None:
    """The leaf that the stored bill gives now, None when it is no longer readable as a bill."""
    if bill.wrapped_secret is None:
        return None
    try:
        secret = deps.secret_box.unwrap(bill.wrapped_secret, bill.version_id)
        return screening.recompute_leaf(bill, read_record(work, bill), secret, deps.network_key)
    except (StoredBillUnreadableError, VerificationError, DomainError):
        return None


def _verdict(
    bill: StoredBill,
    stored: StoredLeaf | None,
    leaf: bytes | None,
    anchored: bytes,
    slot: SlotState,
) -> Verdict:
    if slot.flags & (SlotState.VOID | SlotState.REVERSED) or bill.state in ("void", "reversed"):
        return Verdict.VOID
    if leaf is None:
        return Verdict.ALTERED
    if bill.is_disputed or stored is None or anchored == bytes(32):
        return Verdict.CANNOT_TELL  # not stamped yet, or two hospitals claim the number
    if screening.commitment_faults(bill, leaf, stored, anchored):
        return Verdict.ALTERED
    return Verdict.GENUINE
