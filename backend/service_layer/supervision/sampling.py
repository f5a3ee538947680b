"""Announcing and drawing samples of machine approvals.

First the population, the share and a future block are fixed and published, and their digest is put
on the ledger; when the block is final its hash gives the seed. Nothing can be chosen in between:
the population is a digest in the announcement, and the database holds one draw an announcement.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from backend.domain.draw_proof import seed_block, verify_anchor
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.local_time import SHANGHAI, local_day
from backend.domain.sampling import (
    FIRST_PREVIOUS,
    METHOD,
    POPULATION_MAX,
    Announcement,
    Basis,
    SamplingError,
    digest_of,
    draw_members,
    is_value,
    is_variance,
    seed_of,
    verify_population,
)
from backend.service_layer.ports import BlockStamp, LedgerUnavailableError
from backend.service_layer.supervision.announcement_anchor import anchor_of, require_on_ledger
from backend.service_layer.supervision.once import Once, keep_result, result_of
from backend.service_layer.supervision.sampling_records import (
    Approval,
    DrawnAlreadyError,
    Member,
    PopulationRow,
    SampleServices,
    SampleWork,
    StoredAnnouncement,
    StoredDraw,
)

BY_MACHINE: Final = "machine"
_NAME_MAX: Final = 60


class NotFinalError(ConflictError):
    """The block of the seed is not final yet; its hash may still change."""

    code = "block-not-final"


class NotAnchoredError(NotFinalError):
    """The announcement's digest is not on the ledger for good yet: no block gives its seed."""

    code = "announcement-not-anchored"


def announce(
    deps: SampleServices,
    *,
    until: dt.datetime | None = None,
    by: str = BY_MACHINE,
    once: Once | None = None,
) -> StoredAnnouncement | None:
    """Close the population of machine approvals decided before ``until`` (now) and name the block.

    None when there is nothing to sample. The request ``once`` made again by the same person is
    the announcement that it made. Raises :class:`DrawnAlreadyError` when somebody else
    announced at the same moment, :class:`SamplingError` for a time that has not come.
    """
    now = deps.clock.now()
    closing = until or now
    if closing > now or not 0 < len(by.strip()) <= _NAME_MAX:
        raise SamplingError(
            "截止时间不能在将来，并请写明经办人（60 字内）",
            "the period may not end in the future, and somebody must be named (up to 60)",
        )
    head, final = deps.ledger.head(), _final_block(deps)
    with deps.work() as work:
        made = None if once is None else result_of(work, by.strip(), once)
        if made is not None:
            return next(one for one, _ in work.samples.all() if one.id == made)
        approvals = work.samples.waiting(closing, POPULATION_MAX)
        if not approvals:
            return None
        population = [_row(deps, approval) for approval in approvals]
        announcement = _announcement(deps, work, approvals, (population, closing, head, final))
        stored = StoredAnnouncement(
            id=deps.ids.new_id("smp"),
            digest=announcement.digest,
            announcement=announcement,
            period_until=closing,
            announced_at=now,
            announced_by=by.strip(),
        )
        work.samples.add(stored, population)
        if once is not None:
            keep_result(work, by.strip(), once, stored.id, now)
        work.commit()
    return stored


def _final_block(deps: SampleServices) -> BlockStamp:
    return _block(deps, deps.ledger.final_number())


def _block(deps: SampleServices, number: int) -> BlockStamp:
    (found,) = deps.ledger.blocks([number])
    if found is None or found.number != number:
        raise LedgerUnavailableError(
            f"账本节点没有区块 {number}", f"the ledger node does not give block {number}"
        )
    return found


def _row(deps: SampleServices, approval: Approval) -> PopulationRow:
    limits = deps.settings.sample
    return PopulationRow(
        decision_id=approval.decision_id,
        fingerprint=approval.fingerprint,
        is_value=is_value(approval.paid_fen, limits),
        is_variance=is_variance(approval.total_fen, approval.group, limits),
        stored_fingerprint=approval.fingerprint,
    )


def _announcement(
    deps: SampleServices,
    work: SampleWork,
    approvals: list[Approval],
    closed: tuple[list[PopulationRow], dt.datetime, BlockStamp, BlockStamp],
) -> Announcement:
    population, closing, head, final = closed
    limits, last = deps.settings.sample, work.samples.last()
    deployment = work.chain.deployment()
    if deployment is None:
        raise LedgerUnavailableError("账本合约尚未部署", "the contracts are not deployed yet")
    values = [row.fingerprint for row in population if row.is_value]
    variances = [row.fingerprint for row in population if row.is_variance]
    return Announcement(
        sequence=1 if last is None else last.announcement.sequence + 1,
        previous=FIRST_PREVIOUS if last is None else last.digest,
        payer_number=deps.settings.payer_number,
        chain_id=deployment.chain_id,
        genesis_hash=deployment.genesis_hash,
        period_from=_text(min(one.decided_at for one in approvals)),
        period_until=_text(closing),
        announced_at=_text(deps.clock.now()),
        population_size=len(population),
        population_digest=digest_of(row.fingerprint for row in population),
        share_bp=limits.share_bp,
        final_number=final.number,
        final_hash=final.hash,
        block_number=max(head.number, final.number) + limits.blocks_ahead,
        value_fen=limits.value_fen,
        value_count=len(values),
        value_digest=digest_of(values),
        variance_percent=limits.variance_percent,
        variance_count=len(variances),
        variance_digest=digest_of(variances),
    )


def _text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds")


def announce_when_due(deps: SampleServices) -> bool:
    """Close the period when it is over: whole days in Shanghai, as many as the setting says."""
    now = deps.clock.now().astimezone(SHANGHAI)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with deps.work(write=False) as work:
        last = work.samples.last()
        if last is not None and _days(last.period_until, midnight) < _period(deps):
            return False  # most passes end here, before any decision is looked at
        first = work.samples.first_waiting()
    if first is None or first >= midnight:
        return False
    if last is None and _days(first, midnight) < _period(deps):
        return False
    return announce(deps, until=midnight) is not None


def _period(deps: SampleServices) -> int:
    return deps.settings.sample.period_days


def _days(begin: dt.datetime, end: dt.datetime) -> int:
    return (end.date() - local_day(begin)).days


# --- the draw ----------------------------------------------------------------------------------


def draw(deps: SampleServices, sequence: int) -> StoredDraw:
    """Draw the members of an announcement once it is on the ledger and its block is final.

    Raises :class:`NotFinalError` before that, :class:`DrawnAlreadyError` for a second draw, and
    :class:`SamplingError` when announcement, population or ledger are not what was announced.
    """
    with deps.work(write=False) as work:
        stored = _required(work, sequence)
        if work.samples.draw_of(stored.id) is not None:
            raise DrawnAlreadyError
        _verify_chain(work, stored)
        anchor = anchor_of(work, stored)
    if anchor is None:
        raise NotAnchoredError(
            f"第 {sequence} 期公告的摘要还没有上链并最终确认，请等",
            f"the digest of announcement {sequence} is not final on the ledger yet: wait",
        )
    number = seed_block(stored.announcement, anchor.block_number)
    final = deps.ledger.final_number()
    if final < number:
        raise NotFinalError(
            f"指定的区块 {number} 还没有最终确认（现在到 {final}），请等",
            f"block {number} is not final yet (now {final}): wait",
        )
    require_on_ledger(deps, anchor)
    block = _block(deps, number)
    with deps.work() as work:
        _verify_chain(work, stored)
        verify_anchor(anchor, stored.announcement)
        population = _verified_population(work, stored)
        seed = seed_of(stored.digest, block.hash)
        entry = StoredDraw(stored.id, number, block.hash, seed, deps.clock.now())
        work.samples.add_draw(entry, _members(stored.announcement, seed, population))
        work.commit()
    return entry


def _required(work: SampleWork, sequence: int) -> StoredAnnouncement:
    stored = work.samples.by_sequence(sequence)
    if stored is None:
        raise NotFoundError(f"没有第 {sequence} 期抽查", f"there is no sample {sequence}")
    return stored


def _verify_chain(work: SampleWork, stored: StoredAnnouncement) -> None:
    """The announcement is the one that was stored and follows the one before it."""
    announcement, expected = stored.announcement, FIRST_PREVIOUS
    if announcement.sequence > 1:
        expected = _required(work, announcement.sequence - 1).announcement.digest
    if announcement.digest != stored.digest or announcement.previous != expected:
        raise SamplingError(
            f"第 {announcement.sequence} 期公告被改动，不能抽取",
            f"announcement {announcement.sequence} was changed after it was made; nothing is drawn",
        )


def _verified_population(work: SampleWork, stored: StoredAnnouncement) -> list[PopulationRow]:
    """The population, after what is stored of the decisions now was compared with what was
    announced."""
    announcement, population = stored.announcement, work.samples.population(stored.id)
    verify_population(announcement, [row.stored_fingerprint for row in population])
    verify_population(announcement, [row.fingerprint for row in population])
    for flagged, count, digest in (
        (
            [row.fingerprint for row in population if row.is_value],
            announcement.value_count,
            announcement.value_digest,
        ),
        (
            [row.fingerprint for row in population if row.is_variance],
            announcement.variance_count,
            announcement.variance_digest,
        ),
    ):
        if (len(flagged), digest_of(flagged)) != (count, digest):
            raise SamplingError(
                "大额或偏离样本与公告不符", "value or variance samples are not the announced ones"
            )
    return population


def _members(
    announcement: Announcement, seed: bytes, population: list[PopulationRow]
) -> list[Member]:
    by_fingerprint = {row.fingerprint: row.decision_id for row in population}
    drawn = {
        Basis.RANDOM: draw_members(seed, by_fingerprint, announcement.share_bp),
        Basis.VALUE: [row.fingerprint for row in population if row.is_value],
        Basis.VARIANCE: [row.fingerprint for row in population if row.is_variance],
    }
    return [
        Member(by_fingerprint[fingerprint], basis, position)
        for basis, fingerprints in drawn.items()
        for position, fingerprint in enumerate(fingerprints)
    ]


# --- what is published -------------------------------------------------------------------------


def published(deps: SampleServices, sequence: int) -> dict[str, Any]:
    """What anybody needs to repeat the draw: announcement, population, the proof that it is on the
    ledger once that is final, and the draw once made.

    Fingerprints are commitments with a secret each: nothing about a person follows from them.
    """
    with deps.work(write=False) as work:
        stored = _required(work, sequence)
        population = work.samples.population(stored.id)
        drawn, members = work.samples.draw_of(stored.id), work.samples.members(stored.id)
        anchor = anchor_of(work, stored)
    found: dict[str, Any] = {
        "format": METHOD,
        "announcement": stored.announcement.to_record(),
        "announcement_digest": stored.digest.hex(),
        "population": [row.fingerprint.hex() for row in population],
    }
    if anchor is not None:
        found["anchor"] = anchor.to_record()
    if drawn is not None:
        by_decision = {row.decision_id: row.fingerprint.hex() for row in population}
        found["draw"] = {
            "block_number": drawn.block_number,
            "block_hash": drawn.block_hash.hex(),
            "seed": drawn.seed.hex(),
            "drawn_at": _text(drawn.drawn_at),
            "members": [
                by_decision[member.decision_id]
                for member in members
                if member.basis is Basis.RANDOM
            ],
        }
    return found


def published_list(deps: SampleServices) -> list[dict[str, Any]]:
    """Every announcement with its digest, the block of its anchor (0: not final yet) and that of
    the seed as far as it is known, the newest first."""
    with deps.work(write=False) as work:
        entries = [(*entry, anchor_of(work, entry[0])) for entry in work.samples.all()]
    return [
        {
            "sequence": stored.announcement.sequence,
            "announcement_digest": stored.digest.hex(),
            "announced_at": _text(stored.announced_at),
            "population_size": stored.announcement.population_size,
            "anchored_in": 0 if anchor is None else anchor.block_number,
            "block_number": stored.announcement.block_number
            if anchor is None
            else seed_block(stored.announcement, anchor.block_number),
            "is_drawn": int(drawn is not None),
        }
        for stored, drawn, anchor in entries
    ]
