"""Post-audit samples: populations, draws from a block named before, their members.

Everything is insert-only. The database itself keeps a decision to one population, an announcement
to one draw, and a member to the population that was announced.
"""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
    HASH,
    ID,
    INTERNAL,
    PUBLIC,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

sample_announcement = sa.Table(
    "sample_announcement",
    metadata,
    identifier(),
    column("sequence", sa.Integer, PUBLIC, unique=True),  # 1, 2, 3 ... without a gap
    column("previous", HASH, PUBLIC, unique=True),  # digest of the one before: no second branch
    column("digest", HASH, PUBLIC, unique=True),
    column("document", sa.Text, PUBLIC),  # canonical JSON
    column("period_until", AT, PUBLIC),
    column("block_number", sa.BigInteger, PUBLIC),
    column("announced_at", AT, PUBLIC),
    column("announced_by", sa.String(60), INTERNAL),
)

sample_population = sa.Table(
    "sample_population",
    metadata,
    column(
        "announcement_id", ID, INTERNAL, sa.ForeignKey("sample_announcement.id"), primary_key=True
    ),
    column("decision_id", ID, INTERNAL, sa.ForeignKey("decision.id"), primary_key=True),
    column("fingerprint", HASH, PUBLIC),
    column("is_value", sa.Boolean, INTERNAL),
    column("is_variance", sa.Boolean, INTERNAL),
    sa.UniqueConstraint("decision_id"),
    sa.UniqueConstraint("announcement_id", "fingerprint"),
)

# One draw an announcement: there is no second one to choose from.
sample_draw = sa.Table(
    "sample_draw",
    metadata,
    column(
        "announcement_id", ID, INTERNAL, sa.ForeignKey("sample_announcement.id"), primary_key=True
    ),
    column("block_number", sa.BigInteger, PUBLIC),
    column("block_hash", HASH, PUBLIC),
    column("seed", HASH, PUBLIC),
    column("drawn_at", AT, PUBLIC),
)

sample_member = sa.Table(
    "sample_member",
    metadata,
    column("announcement_id", ID, INTERNAL, primary_key=True),
    column("decision_id", ID, INTERNAL, primary_key=True),
    column("basis", CODE, INTERNAL, primary_key=True),  # random | value | variance
    column("position", sa.Integer, INTERNAL),  # in the order drawn, from 0
    sa.ForeignKeyConstraint(["announcement_id"], ["sample_draw.announcement_id"]),
    sa.ForeignKeyConstraint(
        ["announcement_id", "decision_id"],
        ["sample_population.announcement_id", "sample_population.decision_id"],
    ),
    sa.UniqueConstraint("announcement_id", "basis", "position"),
)

sample_audit = sa.Table(
    "sample_audit",
    metadata,
    column("announcement_id", ID, INTERNAL, primary_key=True),
    column("decision_id", ID, INTERNAL, primary_key=True),
    reference("case_id", "review_case.id"),
    column("opened_at", AT, INTERNAL),
    sa.ForeignKeyConstraint(
        ["announcement_id", "decision_id"],
        ["sample_population.announcement_id", "sample_population.decision_id"],
    ),
)

sample_outcome = sa.Table(
    "sample_outcome",
    metadata,
    column("case_id", ID, INTERNAL, sa.ForeignKey("review_case.id"), primary_key=True),
    column("outcome", sa.String(10), INTERNAL),  # confirmed | finding
    column("reason", sa.Text, SENSITIVE),
    column("found_by", sa.String(60), INTERNAL),
    column("found_at", AT, INTERNAL),
    sa.CheckConstraint("outcome IN ('confirmed', 'finding')", name="ck_sample_outcome_outcome"),
)
