"""Commercial insurers: keys, consents of citizens, what was read, claims, kept answers.

All insert-only but ``payer_key``, of which a revocation is written once.
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
    SECRET,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

payer_key = sa.Table(
    "payer_key",
    metadata,
    identifier(),
    column("payer_number", sa.Integer, INTERNAL, sa.ForeignKey("payer.number")),
    column("key_hash", HASH, SECRET, unique=True),
    column("created_at", AT, INTERNAL),
    column("revoked_at", AT, INTERNAL, null=True),
)

payer_consent = sa.Table(
    "payer_consent",
    metadata,
    identifier(),
    reference("person_id", "person.id"),
    reference("invoice_id", "invoice.id"),
    column("payer_number", sa.Integer, SENSITIVE, sa.ForeignKey("payer.number"), index=True),
    column("parts", sa.String(60), INTERNAL),  # header, lines, decision; comma separated
    column("until", AT, INTERNAL),
    column("text_digest", HASH, INTERNAL),  # SHA-256 of the text that was agreed to
    column("form_token", sa.String(64), INTERNAL, unique=True),
    column("given_at", AT, INTERNAL),
    sa.CheckConstraint("until > given_at", name="ck_payer_consent_until"),
    sa.CheckConstraint("parts <> ''", name="ck_payer_consent_parts"),
)

payer_consent_end = sa.Table(
    "payer_consent_end",
    metadata,
    column("consent_id", ID, INTERNAL, sa.ForeignKey("payer_consent.id"), primary_key=True),
    column("revoked_at", AT, INTERNAL),
)

payer_reading = sa.Table(
    "payer_reading",
    metadata,
    column("consent_id", ID, INTERNAL, sa.ForeignKey("payer_consent.id"), primary_key=True),
    column("read_on", sa.Date, INTERNAL, primary_key=True),
    column("parts", sa.String(60), INTERNAL),
    column("first_at", AT, INTERNAL),
)

payer_claim = sa.Table(
    "payer_claim",
    metadata,
    identifier(),
    column("payer_number", sa.Integer, INTERNAL, sa.ForeignKey("payer.number")),
    reference("person_id", "person.id"),
    reference("invoice_id", "invoice.id"),
    reference("version_id", "invoice_version.id", index=False),
    column("invoice_key", HASH, INTERNAL),
    reference("consent_id", "payer_consent.id", index=False),
    column("lodge_counter", sa.Integer, INTERNAL),
    column("attempt", sa.Integer, INTERNAL),
    column("created_at", AT, INTERNAL),
    sa.UniqueConstraint("payer_number", "invoice_id", "attempt"),
)

payer_claim_end = sa.Table(
    "payer_claim_end",
    metadata,
    column("claim_id", ID, INTERNAL, sa.ForeignKey("payer_claim.id"), primary_key=True),
    column("phase", CODE, INTERNAL),  # backend.domain.second_payer.ENDS
    column("at", AT, INTERNAL),
)

payer_answer = sa.Table(
    "payer_answer",
    metadata,
    column("payer_number", sa.Integer, INTERNAL, sa.ForeignKey("payer.number"), primary_key=True),
    column("request_key", sa.String(64), INTERNAL, primary_key=True),
    column("digest", HASH, INTERNAL),
    column("status", sa.Integer, INTERNAL),
    column("body", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
)
