"""Who takes part: institutions, payers, insured people and their logins."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CORE,
    HASH,
    INTERNAL,
    PUBLIC,
    SECRET,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

institution = sa.Table(
    "institution",
    metadata,
    column("code", sa.String(16), PUBLIC, primary_key=True),
    column("name", sa.String(200), PUBLIC),
    column("level", sa.Integer, PUBLIC),
    column("area_code", sa.String(6), PUBLIC),
    column("custody", sa.String(12), PUBLIC),  # self | custodial
    column("agreement_from", sa.Date, PUBLIC),
    column("agreement_until", sa.Date, PUBLIC),
    column("grace_days", sa.Integer, PUBLIC),
    column("ledger_number", sa.Integer, PUBLIC, null=True, unique=True),
    column("ledger_account", sa.String(42), PUBLIC, null=True, unique=True),
    column("created_at", AT, INTERNAL),
    # hospital, or agency: the issuer of bills from outside, which it anchors for the person
    column("role", sa.String(10), PUBLIC, server_default="hospital"),
)

api_key = sa.Table(
    "api_key",
    metadata,
    identifier(),
    column("institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code")),
    column("key_hash", HASH, SECRET, unique=True),
    column("created_at", AT, INTERNAL),
    column("revoked_at", AT, INTERNAL, null=True),
)

payer = sa.Table(
    "payer",
    metadata,
    column("number", sa.Integer, PUBLIC, primary_key=True, autoincrement=False),
    column("name", sa.String(200), PUBLIC),
    column("payer_class", sa.String(12), PUBLIC),  # basic | non-basic
    column("ledger_account", sa.String(42), PUBLIC, unique=True),
)

# A payer's further accounts beside ``payer.ledger_account``; each may act for its claims.
payer_account = sa.Table(
    "payer_account",
    metadata,
    column("account", sa.String(42), PUBLIC, primary_key=True),
    column("payer_number", sa.Integer, PUBLIC, sa.ForeignKey("payer.number"), index=True),
    column("added_at", AT, INTERNAL),
)

# Who somebody is. What the register knows of them with dates (cover, status, filings) is in
# ``register_fact``.
person = sa.Table(
    "person",
    metadata,
    identifier(),
    column("name", sa.String(100), CORE),
    column("identity_number", sa.String(40), CORE, unique=True),
    column("birth_on", sa.Date, CORE),
    column("gender", sa.String(2), SENSITIVE),
    column("payee_bank", sa.String(60), SENSITIVE),
    column("payee_account_tail", sa.String(4), SENSITIVE),
)

login = sa.Table(
    "login",
    metadata,
    identifier(),
    column("username", sa.String(60), INTERNAL, unique=True),
    column("password_hash", sa.String(255), SECRET),
    column("role", sa.String(20), INTERNAL),  # citizen | reviewer
    reference("person_id", "person.id", null=True),
    column("is_sample", sa.Boolean, INTERNAL),
)

# A login's cookie is signed and kept by the browser; ended ones are refused by their nonce.
ended_login = sa.Table(
    "ended_login",
    metadata,
    column("nonce_hash", HASH, INTERNAL, primary_key=True),
    column("ended_at", AT, INTERNAL),
)
