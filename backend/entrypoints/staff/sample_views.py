"""The staff API's routes of samples: announced, drawn, and what anybody needs to repeat a draw."""

from __future__ import annotations

from flask import Response, jsonify

from backend.domain.errors import NotFoundError
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.staff.requests import read_object, request_key
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.supervision.once import Once
from backend.service_layer.supervision.sampling import (
    announce,
    draw,
    published,
    published_list,
)
from backend.service_layer.supervision.sampling_audit import open_cases
from backend.service_layer.supervision.sampling_records import (
    DrawnAlreadyError,
    StoredAnnouncement,
    StoredDraw,
)


@blueprint.get("/samples")
@access(AccessRule.SUPERVISOR)
def samples() -> Answer:
    """Every announcement, the newest first, and what people found so far."""
    with services().work(write=False) as work:
        counts = dict(work.samples.counts())
    return jsonify({"samples": published_list(services()), "outcomes": counts})


@blueprint.post("/samples")
@access(AccessRule.SUPERVISOR)
def post_sample() -> Answer:
    """Close the population now and name a future block; 204 when there is nothing to sample."""
    read_object()
    once = Once(request_key(), ("announce",))
    stored = announce(services(), by=caller().username, once=once)
    if stored is None:
        return Response(status=204)
    one = stored.announcement
    return jsonify(
        {
            "sequence": one.sequence,
            "announcement_digest": stored.digest.hex(),
            "population_size": one.population_size,
            "block_number": one.block_number,
        }
    ), 201


@blueprint.get("/samples/<int:sequence>")
@access(AccessRule.SUPERVISOR)
def get_sample(sequence: int) -> Answer:
    """The members with their review cases and outcomes."""
    stored, drawn = _sample(sequence)
    with services().work(write=False) as work:
        audits = work.samples.audits(stored.id)
    return jsonify(
        {
            "sequence": sequence,
            "announcement_digest": stored.digest.hex(),
            "announced_by": stored.announced_by,
            "block_number": stored.announcement.block_number,
            "is_drawn": drawn is not None,
            "members": [
                {
                    "claim": audit.claim_number,
                    "bases": list(audit.bases),
                    "case": audit.case_id,
                    "outcome": audit.outcome,
                }
                for audit in audits
            ],
        }
    )


@blueprint.get("/samples/<int:sequence>/announcement")
@access(AccessRule.SUPERVISOR)
def get_announcement(sequence: int) -> Answer:
    """The file that ``yichu sample verify`` takes; ``/v/draws`` gives the same to anybody."""
    return jsonify(published(services(), sequence))


@blueprint.post("/samples/<int:sequence>/draw")
@access(AccessRule.SUPERVISOR)
def post_draw(sequence: int) -> Answer:
    """Draw once the block is final, and open the cases; drawn already, the draw that there is."""
    read_object()
    try:
        drawn: StoredDraw | None = draw(services(), sequence)
    except DrawnAlreadyError:
        _, drawn = _sample(sequence)
    opened = open_cases(services())
    assert drawn is not None, "drawn now or before"
    return jsonify(
        {
            "block_number": drawn.block_number,
            "block_hash": drawn.block_hash.hex(),
            "seed": drawn.seed.hex(),
            "drawn_at": drawn.drawn_at.isoformat(),
            "cases_opened": opened,
        }
    )


def _sample(sequence: int) -> tuple[StoredAnnouncement, StoredDraw | None]:
    with services().work(write=False) as work:
        stored = work.samples.by_sequence(sequence) if sequence < 2**31 else None
        if stored is None:
            raise NotFoundError(f"没有第 {sequence} 期抽查", f"there is no sample {sequence}")
        return stored, work.samples.draw_of(stored.id)
