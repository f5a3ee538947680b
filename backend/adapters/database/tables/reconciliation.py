"""Signed reports of the reconciliation of money. Insert-only."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import AT, BYTES, HASH, INTERNAL, SENSITIVE, metadata

money_report = sa.Table(
    "money_report",
    metadata,
    column("number", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),  # from 1
    column("made_at", AT, INTERNAL),
    column("mismatch_count", sa.Integer, INTERNAL),
    column("text", sa.Text, SENSITIVE),  # canonical JSON
    column("digest", HASH, INTERNAL),  # SHA-256 of the text
    column("previous_digest", HASH, INTERNAL, unique=True),  # so that none can be left out
    column("account", sa.String(42), INTERNAL),  # the agency's account that signed
    column("signature", BYTES, INTERNAL),  # 65 bytes, EIP-191
)
