"""Payee accounts with what happened to them, guardians, contacts, notices. All insert-only."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    BYTES,
    CODE,
    CORE,
    HASH,
    ID,
    INTERNAL,
    PUBLIC,
    SECRET,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

payee_account = sa.Table(
    "payee_account",
    metadata,
    identifier(),
    reference("person_id", "person.id"),
    column("version", sa.Integer, INTERNAL),
    reference("holder_id", "person.id"),  # the person, or the guardian of a minor
    column("holder", sa.String(100), CORE),
    column("bank_name", sa.String(60), SENSITIVE),
    column("bank_code", sa.String(12), PUBLIC),
    column("wrapped_number", BYTES, SECRET),
    column("tail", sa.String(4), SENSITIVE),
    column("number_lookup", HASH, INTERNAL, index=True),
    column("verdict", sa.String(12), INTERNAL),  # backend.service_layer.payout NameVerdict
    column("is_simulated", sa.Boolean, INTERNAL),
    column("effective_at", AT, INTERNAL, null=True),  # null: the bank did not confirm the holder
    column("form_token", sa.String(64), INTERNAL, unique=True),
    column("declared_by", sa.String(60), INTERNAL),
    column("declared_at", AT, INTERNAL),
    sa.UniqueConstraint("person_id", "version"),
    sa.CheckConstraint("(verdict = 'match') = (effective_at IS NOT NULL)", name="confirmed"),
)

payee_account_event = sa.Table(
    "payee_account_event",
    metadata,
    column("account_id", ID, INTERNAL, sa.ForeignKey("payee_account.id"), primary_key=True),
    column("kind", CODE, INTERNAL, primary_key=True),  # cancelled | closed
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
)

payee_proof = sa.Table(
    "payee_proof",  # two people saw a document about an account that no bank has confirmed
    metadata,
    column("account_id", ID, INTERNAL, sa.ForeignKey("payee_account.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),  # from 1
    column("action", sa.String(12), INTERNAL),  # proposed | confirmed | refused
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("document_digest", HASH, INTERNAL),  # SHA-256 of the copy that was seen
    column("at", AT, INTERNAL),
    reference("confirmed_id", "payee_account.id", null=True, index=False),  # the version it made
    sa.CheckConstraint(
        "action IN ('proposed', 'confirmed', 'refused')", name="ck_payee_proof_action"
    ),
    sa.CheckConstraint(
        "(action = 'confirmed') = (confirmed_id IS NOT NULL)", name="ck_payee_proof_confirmed_id"
    ),
)

payee_confirmation = sa.Table(
    "payee_confirmation",  # after a restored backup: the person says that an account is still right
    metadata,
    identifier(),
    reference("account_id", "payee_account.id"),
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
)

guardian = sa.Table(
    "guardian",
    metadata,
    identifier(),
    reference("minor_id", "person.id"),
    reference("guardian_id", "person.id"),
    column("valid_from", sa.Date, SENSITIVE),
    column("valid_to", sa.Date, SENSITIVE, null=True),
    column("source", CODE, INTERNAL),
    column("recorded_by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("recorded_at", AT, INTERNAL),
)

person_contact = sa.Table(
    "person_contact",
    metadata,
    identifier(),
    reference("person_id", "person.id"),
    column("version", sa.Integer, INTERNAL),
    column("wrapped_phone", BYTES, SECRET),
    column("tail", sa.String(4), SENSITIVE),
    column("source", CODE, INTERNAL),
    column("recorded_by", sa.String(60), INTERNAL),
    column("recorded_at", AT, INTERNAL),
    sa.UniqueConstraint("person_id", "version"),
)

notice = sa.Table(
    "notice",
    metadata,
    identifier(),
    reference("person_id", "person.id"),
    column("kind", CODE, INTERNAL),
    column("zh", sa.Text, SENSITIVE),
    column("en", sa.Text, SENSITIVE),
    reference("contact_id", "person_contact.id", null=True, index=False),
    column("created_at", AT, INTERNAL, index=True),
)

notice_delivery = sa.Table(
    "notice_delivery",
    metadata,
    column("notice_id", ID, INTERNAL, sa.ForeignKey("notice.id"), primary_key=True),
    column("reference", sa.String(80), INTERNAL),
    column("is_simulated", sa.Boolean, INTERNAL),
    column("at", AT, INTERNAL),
)
