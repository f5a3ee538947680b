"""Bills after a restored backup: lost batches find their leaves again, withdrawn bills stay so.

A batch is adopted as a head alone. Its leaves are found again when bills that are stored here in
no batch (they were uploaded before the backup and batched after it, or were uploaded again with
their old secrets) give exactly its root in the order in which batches are formed. Nothing less is
believed: such a bill then stands at its old leaf and is not anchored twice. Bills that give no
root are anchored anew; the slot of their key is the same, so that nothing is paid twice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from backend.domain.draw_proof import information_leaf
from backend.service_layer.anchoring.adopt import Line, leaves_case, resolve_case
from backend.service_layer.anchoring.model import KnownBatch, LedgerEvent
from backend.service_layer.intake.form_batches import enqueue_followers, leaf_of
from backend.service_layer.intake.ports import IntakeServices
from backend.service_layer.intake.records import InvoiceState
from verifier.commitment import merkle

_CANDIDATES_MAX: Final = 20_000
_HASHES_MAX: Final = 4_000_000
_CHOICES_MAX: Final = 200_000
_STATES: Final = {"void": InvoiceState.VOID, "reverse": InvoiceState.REVERSED}

Leaf = tuple[bytes, bytes, str]
"""(leaf hash, leaf bytes, version id)"""


def adopt_bill_event(work: Any, event: LedgerEvent) -> Line:
    """A bill that was voided or reversed after the backup is so here too."""
    what = f"{event.call} {event.key.hex()[:16]}"
    state = _STATES.get(event.call)
    if state is None:
        return Line("agrees", what, "the ledger is asked whenever it matters")
    for bill in work.invoices.with_keys([event.key]):
        institution = work.institutions.get(bill.institution_code)
        if institution.ledger_number != event.values["leaf_reference"] >> 32:
            continue
        if bill.state == InvoiceState.ACTIVE:
            work.invoices.set_state(bill.id, state)
            return Line("adopted", what, bill.id)
        return Line("agrees", what, bill.id)
    return Line("agrees", what, "the bill is not here")


def find_lost_leaves(deps: IntakeServices) -> list[Line]:
    """Give each batch without leaves the stored bills that have its root."""
    with deps.work(write=False) as work:
        lost: Sequence[KnownBatch] = _board(work).batches_without_leaves()
    lines = []
    for batch in lost:
        with deps.work() as work:
            lines.append(_find(deps, work, batch))
            work.commit()
    return lines


def _board(work: Any) -> Any:
    return work.reconciliation


def _find(deps: IntakeServices, work: Any, batch: KnownBatch) -> Line:
    what = leaves_case(batch)
    listed = f"bills 0 to {batch.size - 1} are not here: let the institution upload them again"
    case = _board(work).case(leaves_case(batch))
    if case is not None and case.resolved_at is not None:
        return Line("agrees", what, f"closed by {case.resolved_by}: {case.resolution}")
    if batch.root in _information_roots(work, batch.institution_code):
        resolve_case(work, what, "reconcile", "an announcement, no bill")
        return Line("agrees", what, "the announcement of a draw; it holds no bill")
    found = _with_root(_candidates(work, batch.institution_code), batch)
    if found is None:
        return Line("case", what, listed)
    _board(work).add_leaves(batch.id, [(leaf, version_id) for _, leaf, version_id in found])
    for _, _, version_id in found:
        version = work.invoices.version_by_id(version_id)
        enqueue_followers(deps, work, work.invoices.get(version.invoice_id), version)
    resolve_case(work, leaves_case(batch), "reconcile", "all leaves found")
    return Line("adopted", what, f"{batch.size} bills stand at their old leaves")


def _information_roots(work: Any, code: str) -> set[bytes]:
    """Roots of the batches that hold an announcement of a draw that is stored here."""
    return {information_leaf(code, digest).hash() for digest in work.samples.digests()}


def _candidates(work: Any, code: str) -> list[Leaf]:
    """Leaves of the stored versions that are in no batch, in the order of upload."""
    institution = work.institutions.get(code)
    found = []
    for version_id in _board(work).unbatched(code, _CANDIDATES_MAX):
        version = work.invoices.version_by_id(version_id)
        leaf = leaf_of(institution, work.invoices.get(version.invoice_id), version)
        found.append((leaf.hash(), leaf.encode(), version_id))
    return found


def _with_root(candidates: Sequence[Leaf], batch: KnownBatch) -> list[Leaf] | None:
    """The candidates whose tree has the batch's root. Batches take what waits in the order of
    upload and order it by leaf hash, so runs are tried first; then, for small batches, any choice.
    """
    size = batch.size
    runs = (candidates[start : start + size] for start in range(len(candidates) - size + 1))
    choices: Iterable[Sequence[Leaf]] = runs
    if math.comb(len(candidates), size) <= _CHOICES_MAX:
        choices = itertools.chain(runs, itertools.combinations(candidates, size))
    hashed = 0
    for choice in choices:
        ordered = sorted(choice)
        if merkle.root_hash([leaf_hash for leaf_hash, _, _ in ordered]) == batch.root:
            return ordered
        hashed += size
        if hashed > _HASHES_MAX:
            return None
    return None
