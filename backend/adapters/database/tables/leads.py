"""Leads, cases of supervision, findings, appeals of providers, points. All insert-only.

Nobody judges their own work by ``lead_part``: one row a person and lead, and every step that
needs a part refers to exactly that row; the check says which part a step needs.
"""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
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
_HANDS = (
    "(kind = 'opened' AND part = 'reporter' AND part IS NOT NULL) OR "
    "(kind IN ('dismissed', 'found') AND part = 'finder' AND part IS NOT NULL) OR "
    "(kind IN ('reviewed', 'ordered', 'referred', 'set-aside') AND part = 'decider' "
    "AND part IS NOT NULL) OR "
    "(kind IN ('asked', 'answered', 'appealed', 'expert-asked', 'expert-answered') "
    "AND part IS NULL)"
)

lead = sa.Table(
    "lead",
    metadata,
    identifier(),
    column("source", CODE, INTERNAL),  # backend.domain.supervision.Source
    column("subject_kind", CODE, INTERNAL),  # claim | invoice | institution
    column("subject_id", ID, INTERNAL, index=True),
    column("source_reference", sa.String(80), INTERNAL),  # rule hit, draw, report, revision; or ""
    column(
        "institution_code",
        sa.String(16),
        INTERNAL,
        sa.ForeignKey("institution.code"),
        index=True,
    ),
    column("opened_at", AT, INTERNAL, index=True),
    sa.UniqueConstraint("source", "subject_kind", "subject_id", "source_reference"),
    # What a provider says refers to both, so that it is said by the provider of the lead.
    sa.Index("uq_lead_id_institution_code", "id", "institution_code", unique=True),
)

lead_part = sa.Table(
    "lead_part",
    metadata,
    column("lead_id", ID, INTERNAL, sa.ForeignKey("lead.id"), primary_key=True),
    column("person", _WHO, INTERNAL, primary_key=True),
    column("part", CODE, INTERNAL),  # reporter | finder | decider
    column("since", AT, INTERNAL),
    sa.UniqueConstraint("lead_id", "person", "part"),
)

lead_step = sa.Table(
    "lead_step",
    metadata,
    column("lead_id", ID, INTERNAL, sa.ForeignKey("lead.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("kind", CODE, INTERNAL),
    column("by", _WHO, INTERNAL),
    column("part", CODE, INTERNAL, null=True),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    column("on_day", sa.Date, INTERNAL),  # the local day, from which deadlines count
    column("outcome", CODE, INTERNAL),  # of a finding or a review, else ""
    column("amount_fen", FEN, SENSITIVE, null=True),
    column("due_on", sa.Date, INTERNAL, null=True),  # what the provider was told
    sa.ForeignKeyConstraint(
        ["lead_id", "by", "part"],
        ["lead_part.lead_id", "lead_part.person", "lead_part.part"],
        name="fk_lead_step_part",
    ),
    sa.CheckConstraint(_HANDS, name="ck_lead_step_hands"),
)

# The system's own last step: no person takes it, and it changes nothing of what was found.
lead_recovered = sa.Table(
    "lead_recovered",
    metadata,
    column("lead_id", ID, INTERNAL, sa.ForeignKey("lead.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("by", _WHO, INTERNAL),
    column("at", AT, INTERNAL),
    column("on_day", sa.Date, INTERNAL),
)

lead_evidence = sa.Table(
    "lead_evidence",
    metadata,
    column("lead_id", ID, INTERNAL, sa.ForeignKey("lead.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("kind", CODE, INTERNAL),  # the table of a stored row, or file
    column("reference", sa.String(80), INTERNAL),  # the row's id, or the media type
    column("digest", HASH, INTERNAL),  # SHA-256 of the row's canonical bytes or of the file
    column("description", sa.Text, SENSITIVE),
    column("added_by", _WHO, INTERNAL),
    column("added_at", AT, INTERNAL),
    sa.UniqueConstraint("lead_id", "kind", "reference", "digest"),
)

point_booking = sa.Table(
    "point_booking",
    metadata,
    identifier(),
    reference("lead_id", "lead.id"),
    column(
        "institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code"), index=True
    ),
    column("person_code", sa.String(40), SENSITIVE, index=True),  # 医保医师、护士、药师代码
    column("act", sa.Text, SENSITIVE),  # the published act, in words
    column("band", CODE, INTERNAL),
    column("responsibility", CODE, INTERNAL),  # main | direct | managerial
    column("points", sa.Integer, INTERNAL),
    column("scale_id", CODE, INTERNAL),
    column("scale_digest", HASH, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("booked_by", _WHO, INTERNAL),
    column("booked_at", AT, INTERNAL),
    column("booked_on", sa.Date, INTERNAL),  # the local day: its calendar year accumulates
    sa.UniqueConstraint("lead_id", "person_code"),
    sa.CheckConstraint("points BETWEEN 1 AND 12", name="ck_point_booking_points"),
)

point_counter = sa.Table(
    "point_counter",
    metadata,
    column("booking_id", ID, INTERNAL, sa.ForeignKey("point_booking.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("kind", CODE, INTERNAL),  # set-aside | repair
    column("points", sa.Integer, INTERNAL),  # taken off the booking, above 0
    column("reason", sa.Text, SENSITIVE),
    column("by", _WHO, INTERNAL),
    column("at", AT, INTERNAL),
    sa.CheckConstraint("points BETWEEN 1 AND 12", name="ck_point_counter_points"),
)

# What the provider itself sent: its answer and its appeal, one of each, in time.
provider_statement = sa.Table(
    "provider_statement",
    metadata,
    column("lead_id", ID, INTERNAL, primary_key=True),
    column("kind", sa.String(10), INTERNAL, primary_key=True),  # answered | appealed
    column("institution_code", sa.String(16), INTERNAL),
    column("ordinal", sa.Integer, INTERNAL),  # of the step that it is
    column("text", sa.Text, SENSITIVE),
    column("digest", HASH, INTERNAL),  # of text and attachments: the same again is the same one
    column("received_at", AT, INTERNAL),
    column("received_on", sa.Date, INTERNAL),  # the local day
    column("due_on", sa.Date, INTERNAL),  # the day that it was told
    sa.ForeignKeyConstraint(["lead_id", "institution_code"], ["lead.id", "lead.institution_code"]),
    sa.ForeignKeyConstraint(["lead_id", "ordinal"], ["lead_step.lead_id", "lead_step.ordinal"]),
    sa.CheckConstraint("kind IN ('answered', 'appealed')", name="ck_provider_statement_kind"),
    sa.CheckConstraint("received_on <= due_on", name="ck_provider_statement_in_time"),
)

provider_file = sa.Table(
    "provider_file",
    metadata,
    column("lead_id", ID, INTERNAL, primary_key=True),
    column("kind", sa.String(10), INTERNAL, primary_key=True),
    column("position", sa.Integer, INTERNAL, primary_key=True),  # from 1
    column("name", sa.String(120), SENSITIVE),
    column("digest", HASH, INTERNAL),
    column("media_type", CODE, INTERNAL),  # empty: the digest alone, the provider has the file
    column("byte_count", sa.Integer, INTERNAL),
    sa.ForeignKeyConstraint(
        ["lead_id", "kind"], ["provider_statement.lead_id", "provider_statement.kind"]
    ),
    sa.CheckConstraint("position BETWEEN 1 AND 5", name="ck_provider_file_position"),
    sa.UniqueConstraint("lead_id", "kind", "digest"),
)
