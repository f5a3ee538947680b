"""Post-audit samples

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_HASH = sa.LargeBinary(32)
_AT = sa.DateTime(timezone=True)
_TABLES = (
    "sample_announcement",
    "sample_population",
    "sample_draw",
    "sample_member",
    "sample_audit",
    "sample_outcome",
)


def upgrade() -> None:
    _create_announced()
    _create_drawn()
    _create_audited()
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _TABLES:
        if is_postgresql:
            op.execute(
                f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
            continue
        refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refusal}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")


def _create_announced() -> None:
    op.create_table(
        "sample_announcement",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("previous", _HASH, nullable=False),
        sa.Column("digest", _HASH, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("period_until", _AT, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("announced_at", _AT, nullable=False),
        sa.Column("announced_by", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sample_announcement"),
        sa.UniqueConstraint("sequence", name="uq_sample_announcement_sequence"),
        sa.UniqueConstraint("previous", name="uq_sample_announcement_previous"),
        sa.UniqueConstraint("digest", name="uq_sample_announcement_digest"),
    )
    op.create_table(
        "sample_population",
        sa.Column("announcement_id", _ID, nullable=False),
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("fingerprint", _HASH, nullable=False),
        sa.Column("is_value", sa.Boolean(), nullable=False),
        sa.Column("is_variance", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["sample_announcement.id"],
            name="fk_sample_population_announcement_id",
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name="fk_sample_population_decision_id"
        ),
        sa.PrimaryKeyConstraint("announcement_id", "decision_id", name="pk_sample_population"),
        sa.UniqueConstraint("decision_id", name="uq_sample_population_decision_id"),
        sa.UniqueConstraint(
            "announcement_id",
            "fingerprint",
            name="uq_sample_population_announcement_id_fingerprint",
        ),
    )


def _create_drawn() -> None:
    op.create_table(
        "sample_draw",
        sa.Column("announcement_id", _ID, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", _HASH, nullable=False),
        sa.Column("seed", _HASH, nullable=False),
        sa.Column("drawn_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["sample_announcement.id"], name="fk_sample_draw_announcement_id"
        ),
        sa.PrimaryKeyConstraint("announcement_id", name="pk_sample_draw"),
    )
    op.create_table(
        "sample_member",
        sa.Column("announcement_id", _ID, nullable=False),
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("basis", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["sample_draw.announcement_id"],
            name="fk_sample_member_announcement_id",
        ),
        sa.ForeignKeyConstraint(
            ["announcement_id", "decision_id"],
            ["sample_population.announcement_id", "sample_population.decision_id"],
            name="fk_sample_member_announcement_id_decision_id",
        ),
        sa.PrimaryKeyConstraint("announcement_id", "decision_id", "basis", name="pk_sample_member"),
        sa.UniqueConstraint(
            "announcement_id",
            "basis",
            "position",
            name="uq_sample_member_announcement_id_basis_position",
        ),
    )


def _create_audited() -> None:
    op.create_table(
        "sample_audit",
        sa.Column("announcement_id", _ID, nullable=False),
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("opened_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["review_case.id"], name="fk_sample_audit_case_id"),
        sa.ForeignKeyConstraint(
            ["announcement_id", "decision_id"],
            ["sample_population.announcement_id", "sample_population.decision_id"],
            name="fk_sample_audit_announcement_id_decision_id",
        ),
        sa.PrimaryKeyConstraint("announcement_id", "decision_id", name="pk_sample_audit"),
    )
    op.create_index("ix_sample_audit_case_id", "sample_audit", ["case_id"])
    op.create_table(
        "sample_outcome",
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("found_by", sa.String(60), nullable=False),
        sa.Column("found_at", _AT, nullable=False),
        sa.CheckConstraint("outcome IN ('confirmed', 'finding')", name="ck_sample_outcome_outcome"),
        sa.ForeignKeyConstraint(["case_id"], ["review_case.id"], name="fk_sample_outcome_case_id"),
        sa.PrimaryKeyConstraint("case_id", name="pk_sample_outcome"),
    )


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _TABLES:
        endings = ("insert_only", "no_truncate") if is_postgresql else ("no_update", "no_delete")
        for ending in endings:
            on_table = f" ON {table}" if is_postgresql else ""
            op.execute(f"DROP TRIGGER {table}_{ending}{on_table}")
    for table in reversed(_TABLES):
        op.drop_table(table)
