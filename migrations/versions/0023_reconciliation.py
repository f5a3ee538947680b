"""Reconciliation: deadlines of cases, signed reports

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("reconciliation_case", sa.Column("due_at", _AT, nullable=True))
    op.create_table(
        "money_report",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("mismatch_count", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("account", sa.String(42), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_money_report"),
        sa.UniqueConstraint("previous_digest", name="uq_money_report_previous_digest"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER money_report_insert_only BEFORE UPDATE OR DELETE ON money_report "
            "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        op.execute(
            "CREATE TRIGGER money_report_no_truncate BEFORE TRUNCATE ON money_report "
            "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        return
    refusal = "BEGIN SELECT RAISE(ABORT, 'money_report is insert-only'); END"
    op.execute(f"CREATE TRIGGER money_report_no_update BEFORE UPDATE ON money_report {refusal}")
    op.execute(f"CREATE TRIGGER money_report_no_delete BEFORE DELETE ON money_report {refusal}")


def downgrade() -> None:
    op.drop_table("money_report")  # its triggers go with it
    op.drop_column("reconciliation_case", "due_at")
