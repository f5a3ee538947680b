"""A payer's further accounts: claims are spread over them

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payer_account",
        sa.Column("account", sa.String(42), nullable=False),
        sa.Column("payer_number", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payer_number"], ["payer.number"], name="fk_payer_account_payer_number"
        ),
        sa.PrimaryKeyConstraint("account", name="pk_payer_account"),
    )
    op.create_index("ix_payer_account_payer_number", "payer_account", ["payer_number"])


def downgrade() -> None:
    op.drop_index("ix_payer_account_payer_number", table_name="payer_account")
    op.drop_table("payer_account")
