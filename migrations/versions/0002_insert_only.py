"""Refuse changes to rows that state facts

Revision ID: 0002
Revises: 0001

Rows of the tables below are inserted and never changed or deleted. The one exception is an
erasure, which sets a wrapped secret to NULL and touches nothing else.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "invoice_version",
    "expense_line",
    "batch",
    "batch_leaf",
    "claim_stage",
    "calculation",
    "decision",
    "payout",
    "payout_answer",
    "policy_pack",
)
ERASABLE = ("invoice_version", "decision")

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION yichu_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_ARGV[0] = 'erasable'
        AND to_jsonb(NEW) ->> 'wrapped_secret' IS NULL
        AND to_jsonb(NEW) - 'wrapped_secret' = to_jsonb(OLD) - 'wrapped_secret'
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END;
$$
"""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(_POSTGRESQL_FUNCTION)
        for table in TABLES:
            argument = "erasable" if table in ERASABLE else "fixed"
            op.execute(
                f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('{argument}')"
            )
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
        return
    for table in TABLES:
        refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        when = _changes_more_than_the_secret(connection, table) if table in ERASABLE else ""
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {when} {refusal}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")


def _changes_more_than_the_secret(connection: sa.Connection, table: str) -> str:
    columns = [column["name"] for column in sa.inspect(connection).get_columns(table)]
    kept = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in columns if name != "wrapped_secret")
    return f"WHEN NOT (NEW.wrapped_secret IS NULL AND {kept})"


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"DROP TRIGGER {table}_insert_only ON {table}")
            op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
        op.execute("DROP FUNCTION yichu_insert_only()")
        return
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_no_update")
        op.execute(f"DROP TRIGGER {table}_no_delete")
