"""A month is closed by two people: one proposes it, another one confirms what is still the same

Revision ID: 0029
Revises: 0028

Months that were closed before stay closed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_TABLE = "journal_close_proposal"
_OUT_OF_TURN = """
    NEW.ordinal <> (SELECT count(*) + 1 FROM journal_close_proposal
                    WHERE region = NEW.region AND month = NEW.month)
    OR EXISTS (SELECT 1 FROM journal_close AS done
               WHERE done.region = NEW.region AND done.month >= NEW.month)
"""
_CLOSE_REFUSED = """
    NOT EXISTS (
        SELECT 1 FROM journal_close_proposal AS asked
        WHERE asked.region = NEW.region AND asked.month = NEW.month
          AND asked.digest = NEW.digest AND lower(trim(asked."by")) <> lower(trim(NEW.closed_by))
          AND NOT EXISTS (
            SELECT 1 FROM journal_close_proposal AS later
            WHERE later.region = asked.region AND later.month = asked.month
              AND later.ordinal > asked.ordinal))
"""
_RULES = (
    ("journal_close_proposed", _TABLE, _OUT_OF_TURN, "a month is proposed before it is closed"),
    ("journal_close_two_people", "journal_close", _CLOSE_REFUSED,
     "another person confirms that a month is closed, as it was proposed"),
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("carried", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "month", "ordinal", name=f"pk_{_TABLE}"),
        sa.CheckConstraint("trim(\"by\") <> ''", name=f"ck_{_TABLE}_by"),
    )
    _make_insert_only(_TABLE)
    for rule in _RULES:
        _refuse_when(*rule)


def _is_postgresql() -> bool:
    return bool(op.get_bind().dialect.name == "postgresql")


def _make_insert_only(table: str) -> None:
    if _is_postgresql():
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


def _refuse_when(name: str, table: str, condition: str, message: str) -> None:
    if _is_postgresql():
        op.execute(
            f"CREATE FUNCTION yichu_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {condition} THEN RAISE EXCEPTION '{message}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION yichu_{name}()"
        )
        return
    op.execute(
        f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def downgrade() -> None:
    for name, table, *_ in _RULES:
        op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if _is_postgresql() else ""))
        if _is_postgresql():
            op.execute(f"DROP FUNCTION yichu_{name}()")
    op.drop_table(_TABLE)  # its triggers go with it
