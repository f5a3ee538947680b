"""Reopenings by two people, a provider's own words on a finding, and staff acts done once

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_WHO = sa.String(60)
_AT = sa.DateTime(timezone=True)
_FACTS = (
    "reopen_proposal",
    "reopen_answer",
    "provider_statement",
    "provider_file",
    "staff_act",
)
_TWO_PEOPLE = (
    "(answer = 'withdrawn' AND request_id IS NULL) OR (answer = 'confirmed' "
    "AND request_id IS NOT NULL AND lower(answered_by) <> lower(proposed_by) "
    "AND answered_at <= expires_at)"
)


def upgrade() -> None:
    _create_reopening()
    _create_statement()
    _create_act()
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


def _create_reopening() -> None:
    op.create_table(
        "reopen_proposal",
        sa.Column("id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("code", _ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source_reference", sa.String(80), nullable=False),
        sa.Column("proposed_by", _WHO, nullable=False),
        sa.Column("proposed_at", _AT, nullable=False),
        sa.Column("expires_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_reopen_proposal_claim_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reopen_proposal"),
        sa.UniqueConstraint(
            "id", "proposed_by", "expires_at", name="uq_reopen_proposal_id_proposed_by_expires_at"
        ),
    )
    op.create_index("ix_reopen_proposal_claim_id", "reopen_proposal", ["claim_id"])
    op.create_index("ix_reopen_proposal_expires_at", "reopen_proposal", ["expires_at"])
    op.create_table(
        "reopen_answer",
        sa.Column("proposal_id", _ID, nullable=False),
        sa.Column("proposed_by", _WHO, nullable=False),
        sa.Column("expires_at", _AT, nullable=False),
        sa.Column("answer", sa.String(10), nullable=False),
        sa.Column("answered_by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_at", _AT, nullable=False),
        sa.Column("request_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["proposal_id", "proposed_by", "expires_at"],
            ["reopen_proposal.id", "reopen_proposal.proposed_by", "reopen_proposal.expires_at"],
            name="fk_reopen_answer_proposal_id_proposed_by_expires_at",
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["revision_request.id"], name="fk_reopen_answer_request_id"
        ),
        sa.CheckConstraint(_TWO_PEOPLE, name="ck_reopen_answer_two_people"),
        sa.PrimaryKeyConstraint("proposal_id", name="pk_reopen_answer"),
    )


def _create_statement() -> None:
    op.create_index("uq_lead_id_institution_code", "lead", ["id", "institution_code"], unique=True)
    op.create_table(
        "provider_statement",
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("institution_code", sa.String(16), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("received_at", _AT, nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id", "institution_code"],
            ["lead.id", "lead.institution_code"],
            name="fk_provider_statement_lead_id_institution_code",
        ),
        sa.ForeignKeyConstraint(
            ["lead_id", "ordinal"],
            ["lead_step.lead_id", "lead_step.ordinal"],
            name="fk_provider_statement_lead_id_ordinal",
        ),
        sa.CheckConstraint("kind IN ('answered', 'appealed')", name="ck_provider_statement_kind"),
        sa.CheckConstraint("received_on <= due_on", name="ck_provider_statement_in_time"),
        sa.PrimaryKeyConstraint("lead_id", "kind", name="pk_provider_statement"),
    )
    op.create_table(
        "provider_file",
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("media_type", _ID, nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id", "kind"],
            ["provider_statement.lead_id", "provider_statement.kind"],
            name="fk_provider_file_lead_id_kind",
        ),
        sa.CheckConstraint("position BETWEEN 1 AND 5", name="ck_provider_file_position"),
        sa.PrimaryKeyConstraint("lead_id", "kind", "position", name="pk_provider_file"),
        sa.UniqueConstraint(
            "lead_id", "kind", "digest", name="uq_provider_file_lead_id_kind_digest"
        ),
    )


def _create_act() -> None:
    op.create_table(
        "staff_act",
        sa.Column("person", _WHO, nullable=False),
        sa.Column("request_key", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("result", sa.String(80), nullable=False),
        sa.Column("done_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("person", "request_key", name="pk_staff_act"),
    )


def downgrade() -> None:
    for table in reversed(_FACTS):
        op.drop_table(table)  # its triggers go with it
    op.drop_index("uq_lead_id_institution_code", "lead")
