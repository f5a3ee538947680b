"""Commercial insurers and consents

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_INSERT_ONLY = (
    "payer_consent",
    "payer_consent_end",
    "payer_reading",
    "payer_claim",
    "payer_claim_end",
    "payer_answer",
)


def upgrade() -> None:
    op.create_table(
        "payer_key",
        sa.Column("id", _ID, nullable=False),
        sa.Column("payer_number", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("revoked_at", _AT, nullable=True),
        sa.ForeignKeyConstraint(
            ["payer_number"], ["payer.number"], name="fk_payer_key_payer_number"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_payer_key"),
        sa.UniqueConstraint("key_hash", name="uq_payer_key_key_hash"),
    )
    _create_consents()
    _create_claims()
    op.create_table(
        "payer_answer",
        sa.Column("payer_number", sa.Integer(), nullable=False),
        sa.Column("request_key", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payer_number"], ["payer.number"], name="fk_payer_answer_payer_number"
        ),
        sa.PrimaryKeyConstraint("payer_number", "request_key", name="pk_payer_answer"),
    )
    for table in _INSERT_ONLY:
        _make_insert_only(table)


def _create_consents() -> None:
    op.create_table(
        "payer_consent",
        sa.Column("id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("invoice_id", _ID, nullable=False),
        sa.Column("payer_number", sa.Integer(), nullable=False),
        sa.Column("parts", sa.String(60), nullable=False),
        sa.Column("until", _AT, nullable=False),
        sa.Column("text_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("form_token", sa.String(64), nullable=False),
        sa.Column("given_at", _AT, nullable=False),
        sa.CheckConstraint("until > given_at", name="ck_payer_consent_until"),
        sa.CheckConstraint("parts <> ''", name="ck_payer_consent_parts"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_payer_consent_person_id"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_payer_consent_invoice_id"),
        sa.ForeignKeyConstraint(
            ["payer_number"], ["payer.number"], name="fk_payer_consent_payer_number"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_payer_consent"),
        sa.UniqueConstraint("form_token", name="uq_payer_consent_form_token"),
    )
    for name in ("person_id", "invoice_id", "payer_number"):
        op.create_index(f"ix_payer_consent_{name}", "payer_consent", [name])
    op.create_table(
        "payer_consent_end",
        sa.Column("consent_id", _ID, nullable=False),
        sa.Column("revoked_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["payer_consent.id"], name="fk_payer_consent_end_consent_id"
        ),
        sa.PrimaryKeyConstraint("consent_id", name="pk_payer_consent_end"),
    )
    op.create_table(
        "payer_reading",
        sa.Column("consent_id", _ID, nullable=False),
        sa.Column("read_on", sa.Date(), nullable=False),
        sa.Column("parts", sa.String(60), nullable=False),
        sa.Column("first_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["payer_consent.id"], name="fk_payer_reading_consent_id"
        ),
        sa.PrimaryKeyConstraint("consent_id", "read_on", name="pk_payer_reading"),
    )


def _create_claims() -> None:
    op.create_table(
        "payer_claim",
        sa.Column("id", _ID, nullable=False),
        sa.Column("payer_number", sa.Integer(), nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("invoice_id", _ID, nullable=False),
        sa.Column("version_id", _ID, nullable=False),
        sa.Column("invoice_key", sa.LargeBinary(32), nullable=False),
        sa.Column("consent_id", _ID, nullable=False),
        sa.Column("lodge_counter", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payer_number"], ["payer.number"], name="fk_payer_claim_payer_number"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_payer_claim_person_id"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_payer_claim_invoice_id"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["invoice_version.id"], name="fk_payer_claim_version_id"
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["payer_consent.id"], name="fk_payer_claim_consent_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_payer_claim"),
        sa.UniqueConstraint(
            "payer_number",
            "invoice_id",
            "attempt",
            name="uq_payer_claim_payer_number_invoice_id_attempt",
        ),
    )
    for name in ("person_id", "invoice_id"):
        op.create_index(f"ix_payer_claim_{name}", "payer_claim", [name])
    op.create_table(
        "payer_claim_end",
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("phase", _ID, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["payer_claim.id"], name="fk_payer_claim_end_claim_id"
        ),
        sa.PrimaryKeyConstraint("claim_id", name="pk_payer_claim_end"),
    )


def _make_insert_only(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        return
    refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refusal}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")


def downgrade() -> None:
    for table in reversed(_INSERT_ONLY):
        op.drop_table(table)  # its triggers go with it
    op.drop_table("payer_key")
