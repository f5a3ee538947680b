"""Batches and the ledger outbox, alarms included: what the worker sends, signs and follows."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    BYTES,
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

batch = sa.Table(
    "batch",
    metadata,
    identifier(),
    column("institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code")),
    column("sequence", sa.Integer, PUBLIC),
    column("previous_head", HASH, PUBLIC),
    column("root", HASH, PUBLIC),
    column("size", sa.Integer, PUBLIC),
    column("head", HASH, PUBLIC),
    column("created_at", AT, INTERNAL),
    sa.UniqueConstraint("institution_code", "sequence"),
)

batch_leaf = sa.Table(
    "batch_leaf",
    metadata,
    column("batch_id", ID, INTERNAL, sa.ForeignKey("batch.id"), primary_key=True),
    column("leaf_index", sa.Integer, PUBLIC, primary_key=True, autoincrement=False),
    column("leaf", BYTES, INTERNAL),  # the 132 bytes of SPEC.md
    column("version_id", ID, INTERNAL, sa.ForeignKey("invoice_version.id"), unique=True),
)

ledger_intent = sa.Table(
    "ledger_intent",
    metadata,
    identifier(),
    column("kind", sa.String(12), INTERNAL),  # backend.domain.ledger.IntentKind
    column("account", sa.String(42), INTERNAL, index=True),
    column("held", sa.Boolean, INTERNAL),  # True: we hold the key; False: offered for signing
    column("dedupe_key", sa.String(120), INTERNAL, unique=True),
    column("subject_id", ID, INTERNAL, index=True),  # batch, invoice or claim id
    column("payload", sa.Text, INTERNAL),  # JSON of the call's arguments
    column("state", sa.String(12), INTERNAL, index=True),  # backend.domain.ledger.IntentState
    column("outcome", sa.String(40), INTERNAL, null=True),
    column("outcome_detail", sa.Text, INTERNAL, null=True),  # JSON: holder payer, counter, ...
    column("tx_hash", HASH, PUBLIC, null=True),
    column("block_number", sa.BigInteger, PUBLIC, null=True),
    column("block_hash", HASH, PUBLIC, null=True),
    column("log_index", sa.Integer, PUBLIC, null=True),
    column("block_at", AT, PUBLIC, null=True),
    column("tries", sa.Integer, INTERNAL),
    column("created_at", AT, INTERNAL),
    column("updated_at", AT, INTERNAL),
)

ledger_transaction = sa.Table(
    "ledger_transaction",
    metadata,
    identifier(),
    column("account", sa.String(42), INTERNAL),
    column("nonce", sa.BigInteger, INTERNAL),
    column("chain_id", sa.BigInteger, INTERNAL),
    column("purpose", sa.String(12), INTERNAL),  # call | fill
    column("raw", BYTES, INTERNAL, null=True),  # null while offered to a self-custody key
    column("unsigned", sa.Text, INTERNAL),  # JSON of the transaction fields
    column("tx_hash", HASH, PUBLIC, null=True, unique=True),
    column("fencing_token", sa.BigInteger, INTERNAL),
    column("state", sa.String(12), INTERNAL, index=True),  # offered|signed|sent|mined|final|...
    column("block_number", sa.BigInteger, PUBLIC, null=True),
    column("block_hash", HASH, PUBLIC, null=True),
    column("gas_used", sa.BigInteger, PUBLIC, null=True),
    column("created_at", AT, INTERNAL),
    column("sent_at", AT, INTERNAL, null=True),
    column("send_count", sa.Integer, INTERNAL),
    sa.Index("ix_ledger_transaction_account_nonce", "account", "nonce"),
)

ledger_transaction_item = sa.Table(
    "ledger_transaction_item",
    metadata,
    column(
        "transaction_id", ID, INTERNAL, sa.ForeignKey("ledger_transaction.id"), primary_key=True
    ),
    column("item_index", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    reference("intent_id", "ledger_intent.id"),
)

lease = sa.Table(
    "lease",
    metadata,
    column("name", sa.String(80), INTERNAL, primary_key=True),
    column("owner", sa.String(80), INTERNAL),
    column("fencing_token", sa.BigInteger, INTERNAL),
    column("expires_at", AT, INTERNAL),
)

account_nonce = sa.Table(
    "account_nonce",
    metadata,
    column("account", sa.String(42), INTERNAL, primary_key=True),
    column("next_nonce", sa.BigInteger, INTERNAL),
    column("fencing_token", sa.BigInteger, INTERNAL),
)

chain_cursor = sa.Table(
    "chain_cursor",
    metadata,
    column("block_number", sa.BigInteger, PUBLIC, primary_key=True, autoincrement=False),
    column("block_hash", HASH, PUBLIC),
    column("block_at", AT, PUBLIC),
)

# What a restored database could not adopt from the ledger: open until a person or a later
# upload has dealt with it.
reconciliation_case = sa.Table(
    "reconciliation_case",
    metadata,
    column("id", sa.String(120), INTERNAL, primary_key=True),  # kind and what it is about
    column("kind", CODE, INTERNAL),
    column("detail", sa.Text, INTERNAL),  # JSON: what the ledger says
    column("found_at", AT, INTERNAL),
    column("resolved_at", AT, INTERNAL, null=True),
    column("resolved_by", sa.String(60), INTERNAL, null=True),
    column("resolution", sa.Text, SENSITIVE, null=True),
    column("due_at", AT, INTERNAL, null=True),  # the deadline of a mismatch of money
)

deployment = sa.Table(
    "deployment",
    metadata,
    column("chain_id", sa.BigInteger, PUBLIC, primary_key=True, autoincrement=False),
    column("genesis_hash", HASH, PUBLIC),
    column("registry", sa.String(42), PUBLIC),
    column("registry_code_hash", HASH, PUBLIC),
    column("invoice_ledger", sa.String(42), PUBLIC),
    column("invoice_ledger_code_hash", HASH, PUBLIC),
    column("block_number", sa.BigInteger, PUBLIC),
)

alarm = sa.Table(
    "alarm",
    metadata,
    identifier(),
    column("code", CODE, INTERNAL),
    column("subject", sa.String(120), INTERNAL),
    column("detail", sa.Text, INTERNAL),
    column("raised_at", AT, INTERNAL),
    column("cleared_at", AT, INTERNAL, null=True),
)

sa.Index(
    "ix_alarm_open",
    alarm.c.code,
    alarm.c.subject,
    sqlite_where=sa.text("cleared_at IS NULL"),
    postgresql_where=sa.text("cleared_at IS NULL"),
)
