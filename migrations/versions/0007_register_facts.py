"""What the insurance register knows of a person, with dates; catalogues as they were used

Revision ID: 0007
Revises: 0006

Cover becomes facts of its own: a person may have several periods, with gaps, under different
insurances. The one period that each person had moves there and leaves the person's row.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("register_fact", "catalogue_document")
_MOVED = ("insurance_type", "person_type", "cover_from", "cover_until")

_TO_FACTS = """
INSERT INTO register_fact (id, person_id, kind, code, detail, valid_from, valid_to, filed_on,
    supersedes, is_withdrawn, source, recorded_by, reason, recorded_at)
SELECT 'fct_' || id, id, 'cover', insurance_type,
    CASE WHEN insurance_type = '390' THEN 'resident' ELSE person_type END,
    cover_from, cover_until, NULL, NULL, {no}, 'simulated', 'migration 0007',
    'cover moved from the person''s row', {now}
FROM person
"""
# Going back keeps the last period that stands; a person of whom none stands gets one of no days.
_STANDING = """
    SELECT {column} FROM register_fact AS fact
    WHERE fact.person_id = person.id AND fact.kind = 'cover' AND NOT fact.is_withdrawn
        AND NOT EXISTS (
            SELECT 1 FROM register_fact AS later WHERE later.supersedes = fact.id
        )
    ORDER BY fact.valid_from DESC, fact.recorded_at DESC LIMIT 1
"""


def upgrade() -> None:
    op.create_table(
        "register_fact",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("detail", sa.String(16), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("filed_on", sa.Date(), nullable=True),
        sa.Column("supersedes", sa.String(40), nullable=True),
        sa.Column("is_withdrawn", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("recorded_by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_register_fact_person_id"),
        sa.ForeignKeyConstraint(
            ["supersedes"], ["register_fact.id"], name="fk_register_fact_supersedes"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_register_fact"),
        sa.UniqueConstraint("supersedes", name="uq_register_fact_supersedes"),
    )
    op.create_index("ix_register_fact_person_id", "register_fact", ["person_id"])
    op.create_table(
        "catalogue_document",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_catalogue_document"),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    no, now = ("FALSE", "CURRENT_TIMESTAMP") if is_postgresql else ("0", "'1970-01-01 00:00:00'")
    op.execute(_TO_FACTS.format(no=no, now=now))
    for name in _MOVED:
        op.drop_column("person", name)
    _guard(is_postgresql)


def _guard(is_postgresql: bool) -> None:
    for table in TABLES:
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


def downgrade() -> None:
    columns = (
        sa.Column("insurance_type", sa.String(6), nullable=False, server_default="310"),
        sa.Column("person_type", sa.String(6), nullable=False, server_default="1101"),
        sa.Column("cover_from", sa.Date(), nullable=False, server_default="2099-12-31"),
        sa.Column("cover_until", sa.Date(), nullable=True),
    )
    for column in columns:
        op.add_column("person", column)
    sources = {
        "insurance_type": "fact.code",
        "person_type": "CASE WHEN fact.detail = 'resident' THEN 'other' ELSE fact.detail END",
        "cover_from": "fact.valid_from",
    }
    for name, expression in sources.items():
        found = _STANDING.format(column=expression)
        op.execute(f"UPDATE person SET {name} = COALESCE(({found}), {name})")  # noqa: S608
    last = _STANDING.format(column="fact.valid_to")
    op.execute(f"UPDATE person SET cover_until = ({last})")  # noqa: S608
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in TABLES:
        for kind in ("insert_only", "no_truncate") if is_postgresql else ("no_update", "no_delete"):
            suffix = f" ON {table}" if is_postgresql else ""
            op.execute(f"DROP TRIGGER {table}_{kind}{suffix}")
    op.drop_table("catalogue_document")
    op.drop_index("ix_register_fact_person_id", table_name="register_fact")
    op.drop_table("register_fact")
