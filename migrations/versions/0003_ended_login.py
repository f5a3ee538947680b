"""Remember which logins were ended, so that a copied cookie dies with them

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ended_login",
        sa.Column("nonce_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash", name="pk_ended_login"),
    )


def downgrade() -> None:
    op.drop_table("ended_login")
