"""Accounts to which benefits are paid, guardians, contacts and notices

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_TABLES = (
    "payee_account",
    "payee_account_event",
    "guardian",
    "person_contact",
    "notice",
    "notice_delivery",
)


def upgrade() -> None:
    _create_accounts()
    _create_people()
    _create_notices()
    for table in _TABLES:
        _make_insert_only(table)


def _create_accounts() -> None:
    op.create_table(
        "payee_account",
        sa.Column("id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("holder_id", _ID, nullable=False),
        sa.Column("holder", sa.String(100), nullable=False),
        sa.Column("bank_name", sa.String(60), nullable=False),
        sa.Column("bank_code", sa.String(12), nullable=False),
        sa.Column("wrapped_number", sa.LargeBinary(), nullable=False),
        sa.Column("tail", sa.String(4), nullable=False),
        sa.Column("number_lookup", sa.LargeBinary(32), nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("effective_at", _AT, nullable=True),
        sa.Column("form_token", sa.String(64), nullable=False),
        sa.Column("declared_by", sa.String(60), nullable=False),
        sa.Column("declared_at", _AT, nullable=False),
        sa.CheckConstraint("(verdict = 'match') = (effective_at IS NOT NULL)", name="confirmed"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_payee_account_person_id"),
        sa.ForeignKeyConstraint(["holder_id"], ["person.id"], name="fk_payee_account_holder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payee_account"),
        sa.UniqueConstraint("form_token", name="uq_payee_account_form_token"),
        sa.UniqueConstraint("person_id", "version", name="uq_payee_account_person_id_version"),
    )
    for name in ("person_id", "holder_id", "number_lookup"):
        op.create_index(f"ix_payee_account_{name}", "payee_account", [name])
    op.create_table(
        "payee_account_event",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["payee_account.id"], name="fk_payee_account_event_account_id"
        ),
        sa.PrimaryKeyConstraint("account_id", "kind", name="pk_payee_account_event"),
    )


def _create_people() -> None:
    op.create_table(
        "guardian",
        sa.Column("id", _ID, nullable=False),
        sa.Column("minor_id", _ID, nullable=False),
        sa.Column("guardian_id", _ID, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("source", _ID, nullable=False),
        sa.Column("recorded_by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["minor_id"], ["person.id"], name="fk_guardian_minor_id"),
        sa.ForeignKeyConstraint(["guardian_id"], ["person.id"], name="fk_guardian_guardian_id"),
        sa.PrimaryKeyConstraint("id", name="pk_guardian"),
    )
    op.create_index("ix_guardian_minor_id", "guardian", ["minor_id"])
    op.create_index("ix_guardian_guardian_id", "guardian", ["guardian_id"])
    op.create_table(
        "person_contact",
        sa.Column("id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wrapped_phone", sa.LargeBinary(), nullable=False),
        sa.Column("tail", sa.String(4), nullable=False),
        sa.Column("source", _ID, nullable=False),
        sa.Column("recorded_by", sa.String(60), nullable=False),
        sa.Column("recorded_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_contact_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_person_contact"),
        sa.UniqueConstraint("person_id", "version", name="uq_person_contact_person_id_version"),
    )
    op.create_index("ix_person_contact_person_id", "person_contact", ["person_id"])


def _create_notices() -> None:
    op.create_table(
        "notice",
        sa.Column("id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("contact_id", _ID, nullable=True),
        sa.Column("created_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_notice_person_id"),
        sa.ForeignKeyConstraint(["contact_id"], ["person_contact.id"], name="fk_notice_contact_id"),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
    )
    op.create_index("ix_notice_person_id", "notice", ["person_id"])
    op.create_index("ix_notice_created_at", "notice", ["created_at"])
    op.create_table(
        "notice_delivery",
        sa.Column("notice_id", _ID, nullable=False),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name="fk_notice_delivery_notice_id"),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notice_delivery"),
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
    for table in reversed(_TABLES):
        op.drop_table(table)  # its triggers go with it
