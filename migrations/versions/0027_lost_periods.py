"""Periods that a restored backup has lost, and accounts that their people confirm afterwards

Revision ID: 0027
Revises: 0026

What is found after a restore is a row that is never changed; its case is closed by two people. So
is the word of a person that an account is still right.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_TABLES = ("lost_period", "payee_confirmation")
_SAME = {
    "lost_period": "SELECT 1 FROM lost_period WHERE id = NEW.id",
    "payee_confirmation": "SELECT 1 FROM payee_confirmation WHERE id = NEW.id",
}


def upgrade() -> None:
    op.create_table(
        "lost_period",
        sa.Column("id", _ID, nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.Column("until", _AT, nullable=False),
        sa.Column("first_unknown_at", _AT, nullable=True),
        sa.Column("accounts_from", _AT, nullable=False),
        sa.Column("found_at", _AT, nullable=False),
        sa.Column("case_id", sa.String(120), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["reconciliation_case.id"], name="fk_lost_period_case_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_lost_period"),
        sa.CheckConstraint("since <= until", name="ck_lost_period_since"),
    )
    op.create_table(
        "payee_confirmation",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["payee_account.id"], name="fk_payee_confirmation_account_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_payee_confirmation"),
    )
    op.create_index("ix_payee_confirmation_account_id", "payee_confirmation", ["account_id"])
    for table in _TABLES:
        _make_insert_only(table)


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
    op.execute(  # an INSERT OR REPLACE deletes without any trigger for it
        f"CREATE TRIGGER {table}_is_new BEFORE INSERT ON {table} "
        f"WHEN EXISTS ({_SAME[table]}) {refusal}"
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)  # its triggers go with it
