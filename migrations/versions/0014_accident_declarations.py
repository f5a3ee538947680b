"""What a person declares of an accident, and why a filing was late

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLE = "claim_declaration"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("claim_id", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("undertaking_version", sa.Integer(), nullable=True),
        sa.Column("undertaking_digest", sa.LargeBinary(32), nullable=True),
        sa.Column("declared_by", sa.String(60), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_claim_declaration_claim_id"),
        sa.PrimaryKeyConstraint("id", name="pk_claim_declaration"),
        sa.UniqueConstraint(
            "claim_id", "subject", "version", name="uq_claim_declaration_claim_id_subject_version"
        ),
    )
    op.create_index("ix_claim_declaration_claim_id", _TABLE, ["claim_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {_TABLE}_insert_only BEFORE UPDATE OR DELETE ON {_TABLE} "
            "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        op.execute(
            f"CREATE TRIGGER {_TABLE}_no_truncate BEFORE TRUNCATE ON {_TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        return
    refusal = f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is insert-only'); END"
    op.execute(f"CREATE TRIGGER {_TABLE}_no_update BEFORE UPDATE ON {_TABLE} {refusal}")
    op.execute(f"CREATE TRIGGER {_TABLE}_no_delete BEFORE DELETE ON {_TABLE} {refusal}")


def downgrade() -> None:
    op.drop_table(_TABLE)  # its triggers go with it
