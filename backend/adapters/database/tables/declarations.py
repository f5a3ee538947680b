"""What a person declares of an accident, and why a filing was late."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    HASH,
    INTERNAL,
    PUBLIC,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

# Insert-only: who declares again adds a version, and the earlier ones stay.
claim_declaration = sa.Table(
    "claim_declaration",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("subject", sa.String(12), INTERNAL),  # accident | late | kind (a reviewer's correction)
    column("version", sa.Integer, INTERNAL),
    column("content", sa.Text, SENSITIVE),  # canonical JSON
    column("undertaking_version", sa.Integer, PUBLIC, null=True),  # of an accident: what is signed
    column("undertaking_digest", HASH, PUBLIC, null=True),
    column("declared_by", sa.String(60), INTERNAL),  # citizen, or who acted for them
    column("declared_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "subject", "version"),
)
