"""Post-audit of what was drawn: cases for people who had no part, their outcomes, the worker step.

A finding changes nothing by itself: it becomes a lead, and what follows goes its own way.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, Protocol, cast

from backend.domain.errors import ConflictError
from backend.domain.review import CaseKind, Outcome
from backend.domain.sampling import SamplingError
from backend.domain.supervision import Source, SubjectKind
from backend.service_layer.review.cases import Opening, open_case
from backend.service_layer.review.ports import ReviewServices, ReviewWork
from backend.service_layer.review.records import Case, Conclusion
from backend.service_layer.supervision.announcement_anchor import anchor_announcements
from backend.service_layer.supervision.lead_records import (
    Subject,
    SupervisionServices,
    SupervisionWork,
)
from backend.service_layer.supervision.leads import open_lead
from backend.service_layer.supervision.sampling import NotFinalError, announce_when_due, draw
from backend.service_layer.supervision.sampling_records import (
    DrawnAlreadyError,
    SampleServices,
    SampleWork,
)


class _AuditWork(SampleWork, SupervisionWork, Protocol):
    """Samples and leads in one transaction."""


CONFIRMED: Final = "confirmed"
FINDING: Final = "finding"
DRAW_LATE: Final = "sample-draw-late"
DRAW_REFUSED: Final = "sample-draw-refused"
BLOCK_CHANGED: Final = "sample-block-changed"
LATE_DAYS: Final = 3
_RECENT_DRAWS: Final = 20


def sample_pass(deps: SampleServices) -> int:
    """Close a period that is over, put it on the ledger, draw what is final, open cases; returns
    how much changed."""
    changed = 0
    with suppress(DrawnAlreadyError):  # closed at the command line at the same moment
        changed += announce_when_due(deps)
    changed += anchor_announcements(deps)
    changed += _draw_final(deps)
    _watch_blocks(deps)
    return changed + open_cases(deps)


def _draw_final(deps: SampleServices) -> int:
    with deps.work(write=False) as work:
        waiting = work.samples.undrawn()
    drawn = 0
    for stored in waiting:
        sequence = stored.announcement.sequence
        try:
            draw(deps, sequence)
        except DrawnAlreadyError:
            continue
        except NotFinalError as error:
            if (deps.clock.now() - stored.announced_at).days >= LATE_DAYS:
                with deps.work() as work:
                    work.alarms.raise_alarm(DRAW_LATE, str(sequence), error.en)
                    work.commit()
            continue
        except SamplingError as error:
            with deps.work() as work:
                work.alarms.raise_alarm(DRAW_REFUSED, str(sequence), error.en)
                work.commit()
            continue
        drawn += 1
        with deps.work() as work:
            work.alarms.clear(DRAW_LATE, str(sequence))
            work.commit()
    return drawn


def _watch_blocks(deps: SampleServices) -> None:
    """A block of a recent draw that is another one now: finality was broken, or a node lies."""
    with deps.work(write=False) as work:
        drawn = [entry for _, entry in work.samples.all(_RECENT_DRAWS) if entry is not None]
    if not drawn:
        return
    blocks = deps.ledger.blocks([entry.block_number for entry in drawn])
    for entry, block in zip(drawn, blocks, strict=True):
        if block is not None and block.hash != entry.block_hash:
            with deps.work() as work:
                work.alarms.raise_alarm(
                    BLOCK_CHANGED,
                    entry.announcement_id,
                    f"block {entry.block_number} of the draw has another hash now",
                )
                work.commit()


def open_cases(deps: SampleServices) -> int:
    """Open the review case of every member that has none. Two decisions of one claim that are
    drawn while its case is open share the case."""
    with deps.work(write=False) as work:
        missing = work.samples.without_case()
    for announcement_id, decision_id, claim_id in missing:
        with deps.work() as work:
            claim = work.claims.get(claim_id)
            work.people.lock(claim.person_id)
            claim = work.claims.get(claim_id, lock=True)
            paid = [
                one.paid_fen for one in work.decisions.all_of(claim_id) if one.id == decision_id
            ]
            case = open_case(
                deps,
                work,
                claim,
                Opening(
                    kind=CaseKind.POST_AUDIT,
                    subject_id=announcement_id,
                    amount_fen=max(paid, default=0),
                ),
            )
            try:
                work.samples.add_audit(announcement_id, decision_id, case.id, deps.clock.now())
            except ConflictError:
                continue  # another worker opened it
            work.commit()
    return len(missing)


def conclude_post_audit(
    deps: ReviewServices, work: ReviewWork, case: Case, conclusion: Conclusion
) -> None:
    """Keep what people found: confirmed when they approve without another ruling on a line, else
    a finding, which opens a lead. Rulings of a post-audit are not put in force."""
    is_confirmed = conclusion.outcome is Outcome.APPROVE and not conclusion.rulings
    # The unit of work has every repository; review's port does not know those of supervision.
    whole = cast("_AuditWork", work)
    whole.samples.add_outcome(
        case.id,
        CONFIRMED if is_confirmed else FINDING,
        conclusion.reason,
        conclusion.by,
        deps.clock.now(),
    )
    if is_confirmed:
        return
    finder = work.reviews.findings_of(case.id)[-1].staff_id
    open_lead(
        cast("SupervisionServices", deps),
        whole,
        Source.POST_AUDIT,
        Subject(SubjectKind.CLAIM, case.claim_id),
        conclusion.reason,
        by=finder.removeprefix("name:"),
        source_reference=case.id,
    )
