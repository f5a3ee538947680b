"""Invoices with their versions, expense lines and disputes."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    BYTES,
    CORE,
    FEN,
    HASH,
    ID,
    INTERNAL,
    SECRET,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

invoice = sa.Table(
    "invoice",
    metadata,
    identifier(),
    column("institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code")),
    column("invoice_code", sa.String(12), SENSITIVE),
    column("invoice_number", sa.String(20), SENSITIVE),
    column("invoice_key", HASH, INTERNAL, index=True),
    column("second_key", HASH, INTERNAL),
    column("key_version", sa.Integer, INTERNAL),
    column("kind", sa.Integer, INTERNAL),  # verifier.commitment.batch.RecordKind
    column("state", sa.String(12), INTERNAL),  # active | void | reversed
    column("current_version", sa.Integer, INTERNAL),
    column("payer_id_lookup", HASH, CORE, index=True),  # keyed hash of the identity number
    column("public_token", sa.String(43), SENSITIVE, unique=True),
    column("original_id", ID, INTERNAL, null=True, index=True),  # red bill -> its original
    column("created_at", AT, INTERNAL),
    sa.UniqueConstraint("institution_code", "invoice_code", "invoice_number"),
)

invoice_version = sa.Table(
    "invoice_version",
    metadata,
    identifier(),
    reference("invoice_id", "invoice.id"),
    column("version", sa.Integer, INTERNAL),
    column("header", sa.Text, CORE),  # canonical JSON of the record without its lines
    column("line_count", sa.Integer, INTERNAL),
    column("total_fen", FEN, SENSITIVE),
    column("borne_fen", FEN, SENSITIVE),
    column("service_on", sa.Date, SENSITIVE),
    column("fingerprint", HASH, INTERNAL),
    column("wrapped_secret", BYTES, SECRET, null=True),  # null once erased
    column("content_digest", HASH, SECRET),  # keyed hash of the record, compares re-uploads
    column("source_format", sa.String(20), INTERNAL),
    column("source_document", BYTES, CORE),
    column("marks", sa.Text, INTERNAL),  # JSON list, e.g. unknown catalogue codes by line
    column("uploaded_at", AT, INTERNAL),
    sa.UniqueConstraint("invoice_id", "version"),
)

# Kept by triggers (migration 0005): what a batch is formed of, found without reading every bill.
unbatched_version = sa.Table(
    "unbatched_version",
    metadata,
    column(
        "institution_code",
        sa.String(16),
        INTERNAL,
        sa.ForeignKey("institution.code"),
        primary_key=True,
    ),
    column(
        "version_id",
        ID,
        INTERNAL,
        sa.ForeignKey("invoice_version.id"),
        primary_key=True,
        unique=True,
    ),
)

expense_line = sa.Table(
    "expense_line",
    metadata,
    column("version_id", ID, INTERNAL, sa.ForeignKey("invoice_version.id"), primary_key=True),
    column("line_index", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("record", sa.Text, CORE),  # canonical JSON of the line
)

dispute = sa.Table(
    "dispute",
    metadata,
    identifier(),
    column("invoice_key", HASH, INTERNAL, unique=True),
    column("state", sa.String(12), INTERNAL),  # open | ruling | ruled
    column("opened_at", AT, INTERNAL),
    reference("upheld_invoice_id", "invoice.id", null=True),
    column("ruled_by", sa.String(60), INTERNAL, null=True),
    column("ruled_at", AT, INTERNAL, null=True),
    column("reason", sa.Text, SENSITIVE, null=True),
)
