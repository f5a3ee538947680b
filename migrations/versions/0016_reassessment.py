"""What a later declaration did to a hit of the audit rules

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TABLE = "audit_hit_event"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("hit_id", sa.String(40), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("effect", sa.String(8), nullable=False),
        sa.Column("declaration_id", sa.String(40), nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("effect IN ('answered', 'restated')", name="ck_audit_hit_event_effect"),
        sa.ForeignKeyConstraint(["hit_id"], ["audit_hit.id"], name="fk_audit_hit_event_hit_id"),
        sa.ForeignKeyConstraint(
            ["declaration_id"],
            ["claim_declaration.id"],
            name="fk_audit_hit_event_declaration_id",
        ),
        sa.PrimaryKeyConstraint("hit_id", "sequence", name="pk_audit_hit_event"),
    )
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
