"""Leads, findings, their appeals and points

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_WHO = sa.String(60)
_AT = sa.DateTime(timezone=True)
_FACTS = (
    "lead",
    "lead_part",
    "lead_step",
    "lead_evidence",
    "point_booking",
    "point_counter",
)
_HANDS = (
    "(kind = 'opened' AND part = 'reporter' AND part IS NOT NULL) OR "
    "(kind IN ('dismissed', 'found') AND part = 'finder' AND part IS NOT NULL) OR "
    "(kind IN ('reviewed', 'ordered', 'referred', 'set-aside') AND part = 'decider' "
    "AND part IS NOT NULL) OR "
    "(kind IN ('asked', 'answered', 'appealed', 'expert-asked', 'expert-answered') "
    "AND part IS NULL)"
)


def upgrade() -> None:
    _create_lead()
    _create_step()
    _create_points()
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


def _create_lead() -> None:
    op.create_table(
        "lead",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", _ID, nullable=False),
        sa.Column("subject_kind", _ID, nullable=False),
        sa.Column("subject_id", _ID, nullable=False),
        sa.Column("source_reference", sa.String(80), nullable=False),
        sa.Column("institution_code", sa.String(16), nullable=False),
        sa.Column("opened_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name="fk_lead_institution_code"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_lead"),
        sa.UniqueConstraint(
            "source",
            "subject_kind",
            "subject_id",
            "source_reference",
            name="uq_lead_source_subject_kind_subject_id_source_reference",
        ),
    )
    for name in ("subject_id", "institution_code", "opened_at"):
        op.create_index(f"ix_lead_{name}", "lead", [name])


def _create_step() -> None:
    op.create_table(
        "lead_part",
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("person", _WHO, nullable=False),
        sa.Column("part", _ID, nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_lead_part_lead_id"),
        sa.PrimaryKeyConstraint("lead_id", "person", name="pk_lead_part"),
        sa.UniqueConstraint("lead_id", "person", "part", name="uq_lead_part_lead_id_person_part"),
    )
    op.create_table(
        "lead_step",
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("part", _ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("outcome", _ID, nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_lead_step_lead_id"),
        sa.ForeignKeyConstraint(
            ["lead_id", "by", "part"],
            ["lead_part.lead_id", "lead_part.person", "lead_part.part"],
            name="fk_lead_step_part",
        ),
        sa.CheckConstraint(_HANDS, name="ck_lead_step_hands"),
        sa.PrimaryKeyConstraint("lead_id", "ordinal", name="pk_lead_step"),
    )
    op.create_table(
        "lead_evidence",
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("added_by", _WHO, nullable=False),
        sa.Column("added_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_lead_evidence_lead_id"),
        sa.PrimaryKeyConstraint("lead_id", "ordinal", name="pk_lead_evidence"),
        sa.UniqueConstraint(
            "lead_id",
            "kind",
            "reference",
            "digest",
            name="uq_lead_evidence_lead_id_kind_reference_digest",
        ),
    )


def _create_points() -> None:
    op.create_table(
        "point_booking",
        sa.Column("id", _ID, nullable=False),
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("institution_code", sa.String(16), nullable=False),
        sa.Column("person_code", _ID, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("band", _ID, nullable=False),
        sa.Column("responsibility", _ID, nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("scale_id", _ID, nullable=False),
        sa.Column("scale_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("booked_by", _WHO, nullable=False),
        sa.Column("booked_at", _AT, nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_point_booking_lead_id"),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name="fk_point_booking_institution_code"
        ),
        sa.CheckConstraint("points BETWEEN 1 AND 12", name="ck_point_booking_points"),
        sa.PrimaryKeyConstraint("id", name="pk_point_booking"),
        sa.UniqueConstraint("lead_id", "person_code", name="uq_point_booking_lead_id_person_code"),
    )
    for name in ("lead_id", "institution_code", "person_code"):
        op.create_index(f"ix_point_booking_{name}", "point_booking", [name])
    op.create_table(
        "point_counter",
        sa.Column("booking_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["point_booking.id"], name="fk_point_counter_booking_id"
        ),
        sa.CheckConstraint("points BETWEEN 1 AND 12", name="ck_point_counter_points"),
        sa.PrimaryKeyConstraint("booking_id", "ordinal", name="pk_point_counter"),
    )


def downgrade() -> None:
    for table in reversed(_FACTS):
        op.drop_table(table)  # its triggers go with it
