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


def upgrade() -> None:
    op.add_column(
        "claim", sa.Column("kind", sa.String(12), nullable=False, server_default="ordinary")
    )
    op.add_column(
        "claim", sa.Column("origin", sa.String(8), nullable=False, server_default="ledger")
    )
    op.add_column("claim", sa.Column("cause", sa.String(40), nullable=True))
    op.add_column("claim", sa.Column("cause_basis", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("cause_basis", "cause", "origin", "kind"):
        op.drop_column("claim", name)
