"""Appeals, withdrawals, reopenings and the decisions that follow

Revision ID: 0010
Revises: 0009

Every decision that exists was the first of its claim.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_FACTS = ("decision_cause", "revision_request", "revision_outcome", "claim_event")
_FIRST = """
INSERT INTO decision_cause (decision_id, claim_id, version, cause, recorded_at)
SELECT id, claim_id, version, 'first', decided_at FROM decision
"""


def upgrade() -> None:
    op.add_column("claim", sa.Column("counted_from", sa.DateTime(timezone=True), nullable=True))
    _create_decision_cause()
    _create_requests()
    _create_claim_event()
    op.execute(_FIRST)
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _FACTS:
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


def _create_decision_cause() -> None:
    op.create_table(
        "decision_cause",
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cause", _ID, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name="fk_decision_cause_decision_id"
        ),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_decision_cause_claim_id"),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decision_cause"),
        sa.UniqueConstraint("claim_id", "version", name="uq_decision_cause_claim_id_version"),
    )
    op.create_index("ix_decision_cause_claim_id", "decision_cause", ["claim_id"])


def _create_requests() -> None:
    op.create_table(
        "revision_request",
        sa.Column("id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", _ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source_reference", sa.String(80), nullable=False),
        sa.Column("named_by", sa.String(60), nullable=False),
        sa.Column("seconded_by", sa.String(60), nullable=False),
        sa.Column("amount_before_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_after_fen", sa.BigInteger(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=False),
        sa.Column("legal_limit_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_revision_request_claim_id"),
        sa.PrimaryKeyConstraint("id", name="pk_revision_request"),
        sa.UniqueConstraint(
            "claim_id",
            "kind",
            "decision_version",
            "number",
            name="uq_revision_request_claim_id_kind_decision_version_number",
        ),
    )
    op.create_index("ix_revision_request_claim_id", "revision_request", ["claim_id"])
    op.create_table(
        "revision_outcome",
        sa.Column("request_id", _ID, nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(60), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effect", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["revision_request.id"], name="fk_revision_outcome_request_id"
        ),
        sa.PrimaryKeyConstraint("request_id", name="pk_revision_outcome"),
    )


def _create_claim_event() -> None:
    op.create_table(
        "claim_event",
        sa.Column("id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("state_before", sa.String(16), nullable=False),
        sa.Column("code", _ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_claim_event_claim_id"),
        sa.PrimaryKeyConstraint("id", name="pk_claim_event"),
    )
    op.create_index("ix_claim_event_claim_id", "claim_event", ["claim_id"])


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _FACTS:
        endings = ("insert_only", "no_truncate") if is_postgresql else ("no_update", "no_delete")
        for ending in endings:
            on_table = f" ON {table}" if is_postgresql else ""
            op.execute(f"DROP TRIGGER {table}_{ending}{on_table}")
    for table in ("claim_event", "revision_outcome", "revision_request", "decision_cause"):
        op.drop_table(table)
    op.drop_column("claim", "counted_from")
