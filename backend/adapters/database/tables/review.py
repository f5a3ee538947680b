"""Review: staff, cases with their steps, draws and findings, rulings, requests for material.

Nobody holds two steps of a case by ``review_participant``: one row a person and case, and what a
person draws or finds refers to exactly that row.
"""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
    CORE,
    FEN,
    HASH,
    ID,
    INTERNAL,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

_WHO = sa.String(60)  # a staff login's id, or the name given at the command line


def _part(*columns: str) -> sa.ForeignKeyConstraint:
    """The row refers to the one part that the person has in the case."""
    return sa.ForeignKeyConstraint(
        columns,
        [
            "review_participant.case_id",
            "review_participant.staff_id",
            "review_participant.part",
        ],
    )


staff = sa.Table(
    "staff",
    metadata,
    column("login_id", ID, INTERNAL, sa.ForeignKey("login.id"), primary_key=True),
    column("name", _WHO, INTERNAL),
    column("queues", sa.Text, INTERNAL),  # JSON list: what the person is skilled in
    column("hospital_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code"), null=True),
    column("away_until", AT, INTERNAL, null=True),
    column("is_active", sa.Boolean, INTERNAL),
)

review_case = sa.Table(
    "review_case",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("ordinal", sa.Integer, INTERNAL),  # of the claim's cases, from 1
    column("kind", CODE, INTERNAL),  # backend.domain.review.CaseKind
    column("subject_id", ID, INTERNAL, null=True),  # the appeal, revision or draw it is about
    column("risk", CODE, INTERNAL),  # low | high
    column("state", CODE, INTERNAL, index=True),  # open | waiting | closed
    # claim and kind while the case is not closed: a claim has one live case of a kind.
    column("live_key", sa.String(60), INTERNAL, null=True, unique=True),
    column("queue", CODE, INTERNAL),
    column("priority", sa.Integer, INTERNAL),
    column("amount_fen", FEN, SENSITIVE),
    column("hospital_code", sa.String(16), INTERNAL),
    column("opened_at", AT, INTERNAL),
    column("due_on", sa.Date, INTERNAL),  # the promise, moved by the days waited for the citizen
    column("legal_limit_on", sa.Date, INTERNAL),
    column("waited_days", sa.Integer, INTERNAL),
    column("outcome", CODE, INTERNAL, null=True),  # approve | refuse | withdrawn | ...
    column("closed_at", AT, INTERNAL, null=True),
    sa.UniqueConstraint("claim_id", "ordinal"),
)

review_step = sa.Table(
    "review_step",
    metadata,
    column("case_id", ID, INTERNAL, sa.ForeignKey("review_case.id"), primary_key=True),
    column("step", CODE, INTERNAL, primary_key=True),  # backend.domain.review.StepName
    column("position", sa.Integer, INTERNAL),
    column("opened_at", AT, INTERNAL),
    column("due_on", sa.Date, INTERNAL),
    column("holder_id", _WHO, INTERNAL, null=True, index=True),
    column("held_until", AT, INTERNAL, null=True),
    column("finished_at", AT, INTERNAL, null=True),
    sa.UniqueConstraint("case_id", "position"),
    _part("case_id", "holder_id", "step"),
)

review_participant = sa.Table(
    "review_participant",
    metadata,
    column("case_id", ID, INTERNAL, sa.ForeignKey("review_case.id"), primary_key=True),
    column("staff_id", _WHO, INTERNAL, primary_key=True),
    column("part", CODE, INTERNAL),  # a step, raised or earlier
    column("since", AT, INTERNAL),
    sa.UniqueConstraint("case_id", "staff_id", "part"),
)

review_draw = sa.Table(
    "review_draw",
    metadata,
    identifier(),
    reference("case_id", "review_case.id"),
    column("step", CODE, INTERNAL),
    column("cause", CODE, INTERNAL),  # opened | asked | lapsed | declined | away | named
    column("seed", HASH, INTERNAL),
    column("candidates", sa.Text, INTERNAL),  # JSON list of [person, steps held]
    column("chosen_id", _WHO, INTERNAL),
    column("request_key", sa.String(64), INTERNAL, null=True),
    column("drawn_at", AT, INTERNAL),
    sa.UniqueConstraint("chosen_id", "request_key"),
    _part("case_id", "chosen_id", "step"),
)

review_release = sa.Table(
    "review_release",
    metadata,
    identifier(),
    reference("case_id", "review_case.id"),
    column("step", CODE, INTERNAL),
    column("staff_id", _WHO, INTERNAL),
    column("cause", CODE, INTERNAL),  # declined | lapsed | away
    column("reason", sa.Text, SENSITIVE),
    column("released_at", AT, INTERNAL),
)

review_resolution = sa.Table(
    "review_resolution",
    metadata,
    column("case_id", ID, INTERNAL, sa.ForeignKey("review_case.id"), primary_key=True),
    column("step", CODE, INTERNAL, primary_key=True),
    column("pend_id", ID, INTERNAL, sa.ForeignKey("pend_reason.id"), primary_key=True),
    column("staff_id", _WHO, INTERNAL),
    column("resolution", sa.Text, SENSITIVE),
    column("rulings", sa.Text, SENSITIVE),  # JSON list of line rulings
    column("resolved_at", AT, INTERNAL),
    _part("case_id", "staff_id", "step"),
)

review_finding = sa.Table(
    "review_finding",
    metadata,
    column("case_id", ID, INTERNAL, sa.ForeignKey("review_case.id"), primary_key=True),
    column("step", CODE, INTERNAL, primary_key=True),
    column("staff_id", _WHO, INTERNAL),
    column("outcome", CODE, INTERNAL),  # approve | refuse
    column("reason", sa.Text, SENSITIVE),
    column("rulings", sa.Text, SENSITIVE),  # JSON list of line rulings
    column("paid_fen", FEN, SENSITIVE),  # what the system computed under these rulings
    column("found_at", AT, INTERNAL),
    _part("case_id", "staff_id", "step"),
)

line_ruling = sa.Table(
    "line_ruling",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    reference("case_id", "review_case.id"),
    column("position", sa.Integer, INTERNAL),
    column("line_index", sa.Integer, INTERNAL),
    column("record", sa.Text, SENSITIVE),  # canonical JSON, backend.domain.ruling
    column("ruled_by", _WHO, INTERNAL),
    column("ruled_at", AT, INTERNAL),
    sa.UniqueConstraint("case_id", "position"),
)

material_request = sa.Table(
    "material_request",
    metadata,
    identifier(),
    reference("case_id", "review_case.id"),
    column("ordinal", sa.Integer, INTERNAL),
    column("step", CODE, INTERNAL),
    column("staff_id", _WHO, INTERNAL),
    column("needed_zh", sa.Text, SENSITIVE),
    column("needed_en", sa.Text, SENSITIVE),
    column("requested_at", AT, INTERNAL),
    column("due_on", sa.Date, INTERNAL),
    column("closed_at", AT, INTERNAL, null=True),
    column("outcome", CODE, INTERNAL, null=True),  # answered | expired | closed
    sa.UniqueConstraint("case_id", "ordinal"),
    sa.CheckConstraint("ordinal IN (1, 2)", name="ck_material_request_two_at_most"),
)

material_answer = sa.Table(
    "material_answer",
    metadata,
    column("request_id", ID, INTERNAL, sa.ForeignKey("material_request.id"), primary_key=True),
    column("text", sa.Text, CORE),
    column("answered_at", AT, INTERNAL),
)

material_file = sa.Table(
    "material_file",
    metadata,
    column(
        "request_id", ID, INTERNAL, sa.ForeignKey("material_answer.request_id"), primary_key=True
    ),
    column("position", sa.Integer, INTERNAL, primary_key=True),
    column("digest", HASH, INTERNAL),  # SHA-256; the content is outside the database
    column("media_type", CODE, INTERNAL),
    column("size_bytes", sa.Integer, INTERNAL),
)

# Who looked at what, with the case that it was for.
review_look = sa.Table(
    "review_look",
    metadata,
    identifier(),
    reference("case_id", "review_case.id"),
    column("staff_id", _WHO, INTERNAL),
    column("what", sa.String(60), INTERNAL),  # case | file <n>
    column("looked_at", AT, INTERNAL),
)

# What a member of staff asked for once: an act that would be another one when sent again.
staff_act = sa.Table(
    "staff_act",
    metadata,
    column("person", _WHO, INTERNAL, primary_key=True),
    column("request_key", sa.String(64), INTERNAL, primary_key=True),
    column("digest", HASH, INTERNAL),  # of what was asked for under the key
    column("result", sa.String(80), INTERNAL),  # what came of it, by its id
    column("done_at", AT, INTERNAL),
)
