"""Bills from outside the network: what was handed in, who checked it, and gaps of members.

The files themselves lie outside the database, found by their SHA-256.
"""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
    CORE,
    HASH,
    ID,
    INTERNAL,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

outside_bill = sa.Table(
    "outside_bill",
    metadata,
    identifier(),
    column("number", sa.String(24), SENSITIVE, unique=True),
    column("form_token", sa.String(64), INTERNAL, unique=True),
    reference("person_id", "person.id"),
    column("uploaded_by", sa.String(60), INTERNAL),  # citizen, or the window clerk's name
    column("state", sa.String(12), INTERNAL, index=True),  # outside.records.OutsideState
    column("source", sa.String(12), INTERNAL),  # fiscal-xml | tax-xml | picture | pdf
    # = the bill's own key from when its number is known until it is refused or withdrawn: the
    # database's own refusal of a second bill of one number.
    column("live_key", HASH, INTERNAL, null=True, unique=True),
    column("live_second_key", HASH, INTERNAL, null=True, index=True),
    column("stated", sa.Text, CORE, null=True),  # canonical record that the document itself gives
    column("record", sa.Text, CORE, null=True),  # canonical record that is checked and anchored
    column("hospital_code", sa.String(30), INTERNAL, null=True),
    column("hospital_name", sa.String(200), INTERNAL, null=True),
    column("hospital_level", sa.Integer, INTERNAL, null=True),
    column("area_code", sa.String(6), INTERNAL, null=True),
    column("is_emergency", sa.Boolean, SENSITIVE, server_default=sa.false()),
    column("invoice_id", ID, INTERNAL, sa.ForeignKey("invoice.id"), null=True, unique=True),
    column("reason_code", CODE, INTERNAL, null=True),
    column("reason_zh", sa.Text, SENSITIVE, null=True),
    column("reason_en", sa.Text, SENSITIVE, null=True),
    column("created_at", AT, INTERNAL),
    column("updated_at", AT, INTERNAL),
)

outside_file = sa.Table(
    "outside_file",
    metadata,
    identifier(),
    reference("bill_id", "outside_bill.id"),
    reference("person_id", "person.id", index=False),
    column("role", sa.String(8), INTERNAL),  # bill | list
    column("digest", HASH, INTERNAL, index=True),  # SHA-256 of the file as it came
    column("viewing_digest", HASH, INTERNAL, null=True),  # of the copy without metadata
    column("kind", sa.String(8), INTERNAL),  # xml | ofd | jpeg | png | pdf
    column("size", sa.Integer, INTERNAL),  # bytes
    column("uploaded_by", sa.String(60), INTERNAL),
    column("uploaded_at", AT, INTERNAL),
    sa.Index("ix_outside_file_person_id_uploaded_at", "person_id", "uploaded_at"),
)

outside_step = sa.Table(
    "outside_step",
    metadata,
    identifier(),
    reference("bill_id", "outside_bill.id"),
    column("step", sa.String(16), INTERNAL),  # outside.records.StepKind
    column("outcome", sa.String(12), INTERNAL),
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("content", sa.Text, CORE),  # JSON: what was typed, the differences, hospital facts
    column("at", AT, INTERNAL),
)

# A bill of a member hospital that somebody holds and the hospital has not uploaded.
member_gap = sa.Table(
    "member_gap",
    metadata,
    identifier(),
    column(
        "institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code"), index=True
    ),
    column("invoice_key", HASH, INTERNAL),
    reference("bill_id", "outside_bill.id"),
    column("noticed_at", AT, INTERNAL),
    sa.UniqueConstraint("institution_code", "invoice_key"),
)
