"""Create all tables

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a table
    op.create_table(
        "account_nonce",
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_account_nonce")),
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_table(
        "chain_cursor",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("block_number", name=op.f("pk_chain_cursor")),
    )
    op.create_table(
        "deployment",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("genesis_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("registry", sa.String(length=42), nullable=False),
        sa.Column("registry_code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("invoice_ledger", sa.String(length=42), nullable=False),
        sa.Column("invoice_ledger_code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_deployment")),
    )
    op.create_table(
        "institution",
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("area_code", sa.String(length=6), nullable=False),
        sa.Column("custody", sa.String(length=12), nullable=False),
        sa.Column("agreement_from", sa.Date(), nullable=False),
        sa.Column("agreement_until", sa.Date(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("ledger_number", sa.Integer(), nullable=True),
        sa.Column("ledger_account", sa.String(length=42), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_institution")),
        sa.UniqueConstraint("ledger_account", name=op.f("uq_institution_ledger_account")),
        sa.UniqueConstraint("ledger_number", name=op.f("uq_institution_ledger_number")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger_intent",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=120), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("outcome_detail", sa.Text(), nullable=True),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("log_index", sa.Integer(), nullable=True),
        sa.Column("block_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_intent")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_ledger_intent_dedupe_key")),
    )
    op.create_index(op.f("ix_ledger_intent_account"), "ledger_intent", ["account"], unique=False)
    op.create_index(op.f("ix_ledger_intent_state"), "ledger_intent", ["state"], unique=False)
    op.create_index(
        op.f("ix_ledger_intent_subject_id"), "ledger_intent", ["subject_id"], unique=False
    )
    op.create_table(
        "ledger_transaction",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("unsigned", sa.Text(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("send_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transaction")),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_ledger_transaction_tx_hash")),
    )
    op.create_index(
        "ix_ledger_transaction_account_nonce",
        "ledger_transaction",
        ["account", "nonce"],
        unique=False,
    )
    op.create_index(
        op.f("ix_ledger_transaction_state"), "ledger_transaction", ["state"], unique=False
    )
    op.create_table(
        "payer",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("payer_class", sa.String(length=12), nullable=False),
        sa.Column("ledger_account", sa.String(length=42), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_payer")),
        sa.UniqueConstraint("ledger_account", name=op.f("uq_payer_ledger_account")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("identity_number", sa.String(length=40), nullable=False),
        sa.Column("birth_on", sa.Date(), nullable=False),
        sa.Column("gender", sa.String(length=2), nullable=False),
        sa.Column("insurance_type", sa.String(length=6), nullable=False),
        sa.Column("person_type", sa.String(length=6), nullable=False),
        sa.Column("cover_from", sa.Date(), nullable=False),
        sa.Column("cover_until", sa.Date(), nullable=True),
        sa.Column("payee_bank", sa.String(length=60), nullable=False),
        sa.Column("payee_account_tail", sa.String(length=4), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("identity_number", name=op.f("uq_person_identity_number")),
    )
    op.create_table(
        "policy_pack",
        sa.Column("policy_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("policy_hash", name=op.f("pk_policy_pack")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("institution_code", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name=op.f("fk_api_key_institution_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("institution_code", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("previous_head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name=op.f("fk_batch_institution_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint(
            "institution_code", "sequence", name=op.f("uq_batch_institution_code_sequence")
        ),
    )
    op.create_table(
        "invoice",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("institution_code", sa.String(length=16), nullable=False),
        sa.Column("invoice_code", sa.String(length=12), nullable=False),
        sa.Column("invoice_number", sa.String(length=20), nullable=False),
        sa.Column("invoice_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("second_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("current_version", sa.Integer(), nullable=False),
        sa.Column("payer_id_lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("public_token", sa.String(length=43), nullable=False),
        sa.Column("original_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name=op.f("fk_invoice_institution_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint(
            "institution_code",
            "invoice_code",
            "invoice_number",
            name=op.f("uq_invoice_institution_code_invoice_code_invoice_number"),
        ),
        sa.UniqueConstraint("public_token", name=op.f("uq_invoice_public_token")),
    )
    op.create_index(op.f("ix_invoice_invoice_key"), "invoice", ["invoice_key"], unique=False)
    op.create_index(op.f("ix_invoice_original_id"), "invoice", ["original_id"], unique=False)
    op.create_index(
        op.f("ix_invoice_payer_id_lookup"), "invoice", ["payer_id_lookup"], unique=False
    )
    op.create_table(
        "ledger_transaction_item",
        sa.Column("transaction_id", sa.String(length=40), nullable=False),
        sa.Column("item_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("intent_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["ledger_intent.id"], name=op.f("fk_ledger_transaction_item_intent_id")
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["ledger_transaction.id"],
            name=op.f("fk_ledger_transaction_item_transaction_id"),
        ),
        sa.PrimaryKeyConstraint(
            "transaction_id", "item_index", name=op.f("pk_ledger_transaction_item")
        ),
    )
    op.create_index(
        op.f("ix_ledger_transaction_item_intent_id"),
        "ledger_transaction_item",
        ["intent_id"],
        unique=False,
    )
    op.create_table(
        "login",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=True),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_login_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("username", name=op.f("uq_login_username")),
    )
    op.create_index(op.f("ix_login_person_id"), "login", ["person_id"], unique=False)
    op.create_table(
        "submission",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=False),
        sa.Column("legal_limit_on", sa.Date(), nullable=False),
        sa.Column("consent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_submission_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("form_token", name=op.f("uq_submission_form_token")),
        sa.UniqueConstraint("number", name=op.f("uq_submission_number")),
    )
    op.create_index(op.f("ix_submission_person_id"), "submission", ["person_id"], unique=False)
    op.create_table(
        "dispute",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("invoice_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("upheld_invoice_id", sa.String(length=40), nullable=True),
        sa.Column("ruled_by", sa.String(length=60), nullable=True),
        sa.Column("ruled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["upheld_invoice_id"], ["invoice.id"], name=op.f("fk_dispute_upheld_invoice_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("invoice_key", name=op.f("uq_dispute_invoice_key")),
    )
    op.create_index(
        op.f("ix_dispute_upheld_invoice_id"), "dispute", ["upheld_invoice_id"], unique=False
    )
    op.create_table(
        "invoice_version",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("invoice_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("borne_fen", sa.BigInteger(), nullable=False),
        sa.Column("service_on", sa.Date(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("wrapped_secret", sa.LargeBinary(), nullable=True),
        sa.Column("content_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source_format", sa.String(length=20), nullable=False),
        sa.Column("source_document", sa.LargeBinary(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_invoice_version_invoice_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_version")),
        sa.UniqueConstraint(
            "invoice_id", "version", name=op.f("uq_invoice_version_invoice_id_version")
        ),
    )
    op.create_index(
        op.f("ix_invoice_version_invoice_id"), "invoice_version", ["invoice_id"], unique=False
    )
    op.create_table(
        "batch_leaf",
        sa.Column("batch_id", sa.String(length=40), nullable=False),
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("version_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_batch_leaf_batch_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["invoice_version.id"], name=op.f("fk_batch_leaf_version_id")
        ),
        sa.PrimaryKeyConstraint("batch_id", "leaf_index", name=op.f("pk_batch_leaf")),
        sa.UniqueConstraint("version_id", name=op.f("uq_batch_leaf_version_id")),
    )
    op.create_table(
        "claim",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=28), nullable=False),
        sa.Column("submission_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("invoice_id", sa.String(length=40), nullable=False),
        sa.Column("version_id", sa.String(length=40), nullable=False),
        sa.Column("live_invoice_id", sa.String(length=40), nullable=True),
        sa.Column("payer_number", sa.Integer(), nullable=False),
        sa.Column("lodge_counter", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("waiting_for", sa.String(length=40), nullable=True),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("benefit_year", sa.Integer(), nullable=False),
        sa.Column("service_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_claim_invoice_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_claim_person_id")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_claim_submission_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["invoice_version.id"], name=op.f("fk_claim_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("live_invoice_id", name=op.f("uq_claim_live_invoice_id")),
        sa.UniqueConstraint("number", name=op.f("uq_claim_number")),
    )
    op.create_index(op.f("ix_claim_invoice_id"), "claim", ["invoice_id"], unique=False)
    op.create_index(op.f("ix_claim_person_id"), "claim", ["person_id"], unique=False)
    op.create_index(op.f("ix_claim_state"), "claim", ["state"], unique=False)
    op.create_index(op.f("ix_claim_submission_id"), "claim", ["submission_id"], unique=False)
    op.create_index(op.f("ix_claim_version_id"), "claim", ["version_id"], unique=False)
    op.create_table(
        "expense_line",
        sa.Column("version_id", sa.String(length=40), nullable=False),
        sa.Column("line_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["invoice_version.id"], name=op.f("fk_expense_line_version_id")
        ),
        sa.PrimaryKeyConstraint("version_id", "line_index", name=op.f("pk_expense_line")),
    )
    op.create_table(
        "calculation",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("calculated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_calculation_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calculation")),
        sa.UniqueConstraint("claim_id", "version", name=op.f("uq_calculation_claim_id_version")),
    )
    op.create_index(op.f("ix_calculation_claim_id"), "calculation", ["claim_id"], unique=False)
    op.create_table(
        "claim_stage",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_claim_stage_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_stage")),
        sa.UniqueConstraint(
            "claim_id", "stage", "attempt", name=op.f("uq_claim_stage_claim_id_stage_attempt")
        ),
    )
    op.create_index(op.f("ix_claim_stage_claim_id"), "claim_stage", ["claim_id"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("wrapped_secret", sa.LargeBinary(), nullable=True),
        sa.Column("policy_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("person_snapshot", sa.Text(), nullable=False),
        sa.Column("history_snapshot", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_decision_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("claim_id", "version", name=op.f("uq_decision_claim_id_version")),
    )
    op.create_index(op.f("ix_decision_claim_id"), "decision", ["claim_id"], unique=False)
    op.create_table(
        "payout",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payee_bank", sa.String(length=60), nullable=False),
        sa.Column("payee_account_tail", sa.String(length=4), nullable=False),
        sa.Column("instructed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_payout_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout")),
        sa.UniqueConstraint(
            "claim_id", "decision_version", name=op.f("uq_payout_claim_id_decision_version")
        ),
    )
    op.create_index(op.f("ix_payout_claim_id"), "payout", ["claim_id"], unique=False)
    op.create_table(
        "pend_reason",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("line_index", sa.Integer(), nullable=True),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(length=60), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_pend_reason_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pend_reason")),
        sa.UniqueConstraint(
            "claim_id", "code", "line_index", name=op.f("uq_pend_reason_claim_id_code_line_index")
        ),
    )
    op.create_index(op.f("ix_pend_reason_claim_id"), "pend_reason", ["claim_id"], unique=False)
    op.create_table(
        "payout_answer",
        sa.Column("payout_id", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("bank_reference", sa.String(length=60), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payout_id"], ["payout.id"], name=op.f("fk_payout_answer_payout_id")
        ),
        sa.PrimaryKeyConstraint("payout_id", name=op.f("pk_payout_answer")),
    )


def downgrade() -> None:  # noqa: PLR0915 - one statement a table
    op.drop_table("payout_answer")
    op.drop_index(op.f("ix_pend_reason_claim_id"), table_name="pend_reason")
    op.drop_table("pend_reason")
    op.drop_index(op.f("ix_payout_claim_id"), table_name="payout")
    op.drop_table("payout")
    op.drop_index(op.f("ix_decision_claim_id"), table_name="decision")
    op.drop_table("decision")
    op.drop_index(op.f("ix_claim_stage_claim_id"), table_name="claim_stage")
    op.drop_table("claim_stage")
    op.drop_index(op.f("ix_calculation_claim_id"), table_name="calculation")
    op.drop_table("calculation")
    op.drop_table("expense_line")
    op.drop_index(op.f("ix_claim_version_id"), table_name="claim")
    op.drop_index(op.f("ix_claim_submission_id"), table_name="claim")
    op.drop_index(op.f("ix_claim_state"), table_name="claim")
    op.drop_index(op.f("ix_claim_person_id"), table_name="claim")
    op.drop_index(op.f("ix_claim_invoice_id"), table_name="claim")
    op.drop_table("claim")
    op.drop_table("batch_leaf")
    op.drop_index(op.f("ix_invoice_version_invoice_id"), table_name="invoice_version")
    op.drop_table("invoice_version")
    op.drop_index(op.f("ix_dispute_upheld_invoice_id"), table_name="dispute")
    op.drop_table("dispute")
    op.drop_index(op.f("ix_submission_person_id"), table_name="submission")
    op.drop_table("submission")
    op.drop_index(op.f("ix_login_person_id"), table_name="login")
    op.drop_table("login")
    op.drop_index(
        op.f("ix_ledger_transaction_item_intent_id"), table_name="ledger_transaction_item"
    )
    op.drop_table("ledger_transaction_item")
    op.drop_index(op.f("ix_invoice_payer_id_lookup"), table_name="invoice")
    op.drop_index(op.f("ix_invoice_original_id"), table_name="invoice")
    op.drop_index(op.f("ix_invoice_invoice_key"), table_name="invoice")
    op.drop_table("invoice")
    op.drop_table("batch")
    op.drop_table("api_key")
    op.drop_table("policy_pack")
    op.drop_table("person")
    op.drop_table("payer")
    op.drop_index(op.f("ix_ledger_transaction_state"), table_name="ledger_transaction")
    op.drop_index("ix_ledger_transaction_account_nonce", table_name="ledger_transaction")
    op.drop_table("ledger_transaction")
    op.drop_index(op.f("ix_ledger_intent_subject_id"), table_name="ledger_intent")
    op.drop_index(op.f("ix_ledger_intent_state"), table_name="ledger_intent")
    op.drop_index(op.f("ix_ledger_intent_account"), table_name="ledger_intent")
    op.drop_table("ledger_intent")
    op.drop_table("lease")
    op.drop_table("institution")
    op.drop_table("deployment")
    op.drop_table("chain_cursor")
    op.drop_table("alarm")
    op.drop_table("account_nonce")
