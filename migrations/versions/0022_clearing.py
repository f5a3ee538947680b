"""Yearly clearing

Revision ID: 0022
Revises: 0021

Everything is insert-only, and one difference of one decision is one row.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_WHO = sa.String(60)
_TABLES = (
    "clearing_run",
    "clearing_person",
    "clearing_item",
    "clearing_end",
)


def upgrade() -> None:
    _create_runs()
    _create_items()
    for table in _TABLES:
        _make_insert_only(table)


def _create_runs() -> None:
    op.create_table(
        "clearing_run",
        sa.Column("id", _ID, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("is_year_open", sa.Boolean(), nullable=False),
        sa.Column("started_by", _WHO, nullable=False),
        sa.Column("started_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clearing_run"),
        sa.UniqueConstraint("year", "ordinal", name="uq_clearing_run_year_ordinal"),
    )
    op.create_table(
        "clearing_person",
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("outcome", _ID, nullable=False),
        sa.Column("claim_count", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["clearing_run.id"], name="fk_clearing_person_run_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_clearing_person_person_id"),
        sa.PrimaryKeyConstraint("run_id", "person_id", name="pk_clearing_person"),
    )
    op.create_table(
        "clearing_end",
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("ended_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["clearing_run.id"], name="fk_clearing_end_run_id"),
        sa.PrimaryKeyConstraint("run_id", name="pk_clearing_end"),
    )


def _create_items() -> None:
    op.create_table(
        "clearing_item",
        sa.Column("id", _ID, nullable=False),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("finding", _ID, nullable=False),
        sa.Column("outcome", _ID, nullable=False),
        sa.Column("basis", _ID, nullable=False),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("before_fen", sa.BigInteger(), nullable=False),
        sa.Column("after_fen", sa.BigInteger(), nullable=False),
        sa.Column("pool_fen", sa.BigInteger(), nullable=False),
        sa.Column("serious_illness_fen", sa.BigInteger(), nullable=False),
        sa.Column("medical_aid_fen", sa.BigInteger(), nullable=False),
        sa.Column("civil_servant_fen", sa.BigInteger(), nullable=False),
        sa.Column("history_snapshot", sa.Text(), nullable=True),
        sa.Column("created_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["clearing_run.id"], name="fk_clearing_item_run_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_clearing_item_person_id"),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_clearing_item_claim_id"),
        sa.PrimaryKeyConstraint("id", name="pk_clearing_item"),
        sa.UniqueConstraint(
            "claim_id", "decision_version", "finding", "before_fen", "after_fen",
            name="uq_clearing_item_difference",
        ),
    )  # fmt: skip
    for name in ("run_id", "person_id", "claim_id"):
        op.create_index(f"ix_clearing_item_{name}", "clearing_item", [name])


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
    for table in ("clearing_end", "clearing_item", "clearing_person",
                  "clearing_run"):  # fmt: skip
        op.drop_table(table)  # its triggers go with it
