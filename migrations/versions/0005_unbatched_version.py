"""Keep the versions that are in no batch in a table of their own

Revision ID: 0005
Revises: 0004

Looking for them among all bills ever stored takes longer with every bill. Triggers keep the table,
so that no way of storing a version or a leaf can forget it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ADD = """
INSERT INTO unbatched_version (institution_code, version_id)
SELECT institution_code, NEW.id FROM invoice WHERE id = NEW.invoice_id
"""
_REMOVE = "DELETE FROM unbatched_version WHERE version_id = NEW.version_id"
_FILL = """
INSERT INTO unbatched_version (institution_code, version_id)
SELECT invoice.institution_code, invoice_version.id
FROM invoice_version
JOIN invoice ON invoice.id = invoice_version.invoice_id
LEFT JOIN batch_leaf ON batch_leaf.version_id = invoice_version.id
WHERE batch_leaf.version_id IS NULL
"""
_TRIGGERS = (
    ("version_waits_for_batch", "invoice_version", _ADD),
    ("version_is_batched", "batch_leaf", _REMOVE),
)


def upgrade() -> None:
    op.create_table(
        "unbatched_version",
        sa.Column("institution_code", sa.String(16), nullable=False),
        sa.Column("version_id", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_code"],
            ["institution.code"],
            name="fk_unbatched_version_institution_code",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["invoice_version.id"],
            name="fk_unbatched_version_version_id",
        ),
        sa.PrimaryKeyConstraint("institution_code", "version_id", name="pk_unbatched_version"),
        sa.UniqueConstraint("version_id", name="uq_unbatched_version_version_id"),
    )
    op.execute(_FILL)
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for name, table, statement in _TRIGGERS:
        if is_postgresql:
            op.execute(
                f"CREATE FUNCTION yichu_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
                f"BEGIN {statement}; RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER INSERT ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION yichu_{name}()"
            )
        else:
            op.execute(f"CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN {statement}; END")


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for name, table, _ in _TRIGGERS:
        if is_postgresql:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION yichu_{name}()")
        else:
            op.execute(f"DROP TRIGGER {name}")
    op.drop_table("unbatched_version")
