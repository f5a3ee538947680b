"""What the (simulated) insurance register knows of a person, each fact with its dates."""

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

# Insert-only: a correction is a new row that supersedes an earlier one, which only one row may.
register_fact = sa.Table(
    "register_fact",
    metadata,
    identifier(),
    reference("person_id", "person.id"),
    column("kind", sa.String(16), INTERNAL),  # backend.domain.register.FactKind
    column("code", CODE, SENSITIVE),
    column("detail", sa.String(16), SENSITIVE),  # psn_type of a cover, area of a filing, else ""
    column("valid_from", sa.Date, SENSITIVE),
    column("valid_to", sa.Date, SENSITIVE, null=True),  # null: no end known
    column("filed_on", sa.Date, SENSITIVE, null=True),
    column("supersedes", ID, INTERNAL, sa.ForeignKey("register_fact.id"), null=True, unique=True),
    column("is_withdrawn", sa.Boolean, INTERNAL),
    column("source", sa.String(20), INTERNAL),  # simulated
    column("recorded_by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("recorded_at", AT, INTERNAL),
)

# The catalogues that decisions were worked out with, so that each can be replayed.
catalogue_document = sa.Table(
    "catalogue_document",
    metadata,
    column("digest", HASH, PUBLIC, primary_key=True),
    column("name", sa.String(80), PUBLIC),
    column("document", sa.Text, PUBLIC),  # canonical JSON
    column("created_at", AT, INTERNAL),
)
