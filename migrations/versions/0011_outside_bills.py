"""Bills from outside, accidents and causes

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INSERT_ONLY = ("outside_file", "outside_step", "member_gap")


def upgrade() -> None:
    op.add_column(
        "claim", sa.Column("kind", sa.String(12), nullable=False, server_default="ordinary")
    )
    op.add_column(
        "claim", sa.Column("origin", sa.String(8), nullable=False, server_default="ledger")
    )
    op.add_column("claim", sa.Column("cause", sa.String(40), nullable=True))
    op.add_column("claim", sa.Column("cause_basis", sa.Text(), nullable=True))
    op.add_column(
        "institution", sa.Column("role", sa.String(10), nullable=False, server_default="hospital")
    )
    _create_outside_bill()
    _create_outside_file()
    _create_outside_step()
    _create_member_gap()
    for table in _INSERT_ONLY:
        _refuse_changes(table)


def _create_outside_bill() -> None:
    op.create_table(
        "outside_bill",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("number", sa.String(24), nullable=False),
        sa.Column("form_token", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("uploaded_by", sa.String(60), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("live_key", sa.LargeBinary(32), nullable=True),
        sa.Column("live_second_key", sa.LargeBinary(32), nullable=True),
        sa.Column("stated", sa.Text(), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("hospital_code", sa.String(30), nullable=True),
        sa.Column("hospital_name", sa.String(200), nullable=True),
        sa.Column("hospital_level", sa.Integer(), nullable=True),
        sa.Column("area_code", sa.String(6), nullable=True),
        sa.Column("is_emergency", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("invoice_id", sa.String(40), nullable=True),
        sa.Column("reason_code", sa.String(40), nullable=True),
        sa.Column("reason_zh", sa.Text(), nullable=True),
        sa.Column("reason_en", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_outside_bill_person_id"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_outside_bill_invoice_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outside_bill"),
        sa.UniqueConstraint("number", name="uq_outside_bill_number"),
        sa.UniqueConstraint("form_token", name="uq_outside_bill_form_token"),
        sa.UniqueConstraint("live_key", name="uq_outside_bill_live_key"),
        sa.UniqueConstraint("invoice_id", name="uq_outside_bill_invoice_id"),
    )
    for name in ("person_id", "state", "live_second_key"):
        op.create_index(f"ix_outside_bill_{name}", "outside_bill", [name])


def _create_outside_file() -> None:
    op.create_table(
        "outside_file",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("bill_id", sa.String(40), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("viewing_digest", sa.LargeBinary(32), nullable=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("uploaded_by", sa.String(60), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bill_id"], ["outside_bill.id"], name="fk_outside_file_bill_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_outside_file_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outside_file"),
    )
    op.create_index("ix_outside_file_bill_id", "outside_file", ["bill_id"])
    op.create_index("ix_outside_file_digest", "outside_file", ["digest"])
    op.create_index(
        "ix_outside_file_person_id_uploaded_at", "outside_file", ["person_id", "uploaded_at"]
    )


def _create_outside_step() -> None:
    op.create_table(
        "outside_step",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("bill_id", sa.String(40), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bill_id"], ["outside_bill.id"], name="fk_outside_step_bill_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outside_step"),
    )
    op.create_index("ix_outside_step_bill_id", "outside_step", ["bill_id"])


def _create_member_gap() -> None:
    op.create_table(
        "member_gap",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("institution_code", sa.String(16), nullable=False),
        sa.Column("invoice_key", sa.LargeBinary(32), nullable=False),
        sa.Column("bill_id", sa.String(40), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name="fk_member_gap_institution_code"
        ),
        sa.ForeignKeyConstraint(["bill_id"], ["outside_bill.id"], name="fk_member_gap_bill_id"),
        sa.PrimaryKeyConstraint("id", name="pk_member_gap"),
        sa.UniqueConstraint(
            "institution_code", "invoice_key", name="uq_member_gap_institution_code_invoice_key"
        ),
    )
    op.create_index("ix_member_gap_institution_code", "member_gap", ["institution_code"])
    op.create_index("ix_member_gap_bill_id", "member_gap", ["bill_id"])


def _refuse_changes(table: str) -> None:
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
    for table in ("member_gap", "outside_step", "outside_file", "outside_bill"):
        op.drop_table(table)  # its triggers go with it
    op.drop_column("institution", "role")
    for name in ("cause_basis", "cause", "origin", "kind"):
        op.drop_column("claim", name)
