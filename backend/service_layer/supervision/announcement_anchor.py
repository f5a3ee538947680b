"""The announcement's digest on the ledger, before the block that gives the seed.

The agency is an issuer of the ledger; what it anchors besides bills from outside is information: a
leaf without key and amount. Each announcement is a batch of its own with that one leaf, so that the
batch's root says which announcement it holds.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

from backend.domain.draw_proof import AnnouncementAnchor, information_leaf
from backend.domain.ledger import LedgerIntent
from backend.domain.sampling import SamplingError
from backend.service_layer.intake.form_batches import add_information_batch
from backend.service_layer.intake.ports import IntakeServices, IntakeWork
from backend.service_layer.supervision.sampling_records import (
    SampleServices,
    SampleWork,
    StoredAnnouncement,
)

NO_ISSUER: Final = "sample-no-issuer"


class _Agency(Protocol):
    def agency_code(self) -> str | None:
        """The code under which the agency is registered as an issuer, None when it is not."""
        ...


class _IssuerWork(IntakeWork, Protocol):
    """The unit of work as whoever forms batches sees it."""

    @property
    def outside(self) -> _Agency: ...


def _issuer(work: SampleWork) -> _IssuerWork:
    # The unit of work has every repository; the port of samples does not know those of intake.
    return cast("_IssuerWork", work)


def anchor_announcements(deps: SampleServices) -> int:
    """Queue the leaf of every announcement that is not drawn and not queued; returns how many.

    Called by the worker alone, like the forming of other batches. Without an agency that is
    registered as an issuer nothing can be anchored, and an alarm says so.
    """
    with deps.work(write=False) as work:
        waiting = [
            one
            for one in work.samples.undrawn()
            if one.digest == one.announcement.digest and _batch_of(work, one) is None
        ]
    queued = 0
    for stored in waiting:
        with deps.work() as work:
            queued += _queue(deps, work, stored)
            work.commit()
    return queued


def _queue(deps: SampleServices, work: SampleWork, stored: StoredAnnouncement) -> bool:
    issuer = _issuer(work)
    code = issuer.outside.agency_code()
    if code is None:
        detail = "register the agency as an issuer: `yichu outside set-up-agency`"
        work.alarms.raise_alarm(NO_ISSUER, "agency", detail)
        return False
    work.alarms.clear(NO_ISSUER, "agency")
    leaf = information_leaf(code, stored.digest)
    institution = issuer.institutions.get(code)
    add_information_batch(cast("IntakeServices", deps), issuer, institution, leaf)
    return True


def _batch_of(work: SampleWork, stored: StoredAnnouncement) -> tuple[str, LedgerIntent] | None:
    """(institution code, anchor intent) of the batch whose one leaf is this announcement."""
    issuer = _issuer(work)
    code = issuer.outside.agency_code()
    if code is None:
        return None
    batch = issuer.batches.with_root(information_leaf(code, stored.digest).hash())
    intent = None if batch is None else issuer.outbox.find(f"anchor:{batch.id}")
    return None if intent is None else (code, intent)


def anchor_of(work: SampleWork, stored: StoredAnnouncement) -> AnnouncementAnchor | None:
    """Where the announcement stands on the ledger; None before its anchor is final."""
    found, deployment = _batch_of(work, stored), work.chain.deployment()
    if found is None or deployment is None:
        return None
    code, intent = found
    number = _issuer(work).institutions.get(code).ledger_number
    if not (intent.is_final and intent.took_effect) or number is None:
        return None
    if intent.tx_hash is None or intent.block_number is None or intent.block_hash is None:
        return None
    return AnnouncementAnchor(
        institution_code=code,
        institution_number=number,
        sequence=intent.payload["sequence"],
        previous_head=bytes.fromhex(intent.payload["previous_head"]),
        root=bytes.fromhex(intent.payload["root"]),
        size=intent.payload["size"],
        leaf_index=0,
        proof=(),
        contract=bytes.fromhex(deployment.invoice_ledger.removeprefix("0x")),
        tx_hash=intent.tx_hash,
        block_number=intent.block_number,
        block_hash=intent.block_hash,
    )


def require_on_ledger(deps: SampleServices, anchor: AnnouncementAnchor) -> None:
    """Raises :class:`SamplingError` unless the ledger holds the batch and the block is its own."""
    held = deps.ledger.batch_head(anchor.institution_number, anchor.sequence)
    (block,) = deps.ledger.blocks([anchor.block_number])
    if held != anchor.head or block is None or block.hash != anchor.block_hash:
        raise SamplingError(
            "账本上没有这份公告的摘要，不能抽取",
            "the ledger does not hold the announcement as it is stored here; nothing is drawn",
        )
