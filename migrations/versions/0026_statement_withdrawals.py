"""A filed statement of the bank that was wrong is withdrawn by two people; open alarms are found

Revision ID: 0026
Revises: 0025

The statement, its movements and its file stay as they came. Once it is withdrawn another one of the
same name may be filed: each filing has its number.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_STEPS = "bank_statement_withdrawal"
_OLD_NAME = "uq_bank_statement_account_statement_id"
_NEW_NAME = "uq_bank_statement_account_statement_id_filing"
_FILED_FIRST = "INSERT INTO bank_statement SELECT *, 1 FROM bank_statement_kept"
_WITHOUT_FILING = """
    INSERT INTO bank_statement SELECT id, region, account, statement_id, from_at, to_at,
        opening_fen, closing_fen, entry_count, simulated, message_id
    FROM bank_statement_kept
"""

_STEP_REFUSED = """
    NEW.ordinal <> (SELECT count(*) + 1 FROM bank_statement_withdrawal
                    WHERE statement_id = NEW.statement_id)
    OR EXISTS (SELECT 1 FROM bank_statement_withdrawal AS over
               WHERE over.statement_id = NEW.statement_id AND over.action = 'confirmed')
    OR (NEW.action <> 'proposed' AND NOT EXISTS (
        SELECT 1 FROM bank_statement_withdrawal AS asked
        WHERE asked.statement_id = NEW.statement_id AND asked.ordinal = NEW.ordinal - 1
          AND asked.action = 'proposed'))
    OR (NEW.action = 'confirmed' AND EXISTS (
        SELECT 1 FROM bank_statement_withdrawal AS asked
        WHERE asked.statement_id = NEW.statement_id AND asked.ordinal = NEW.ordinal - 1
          AND lower(trim(asked."by")) = lower(trim(NEW."by"))))
"""
_FILING_REFUSED = """
    NEW.filing <> (SELECT count(*) + 1 FROM bank_statement
                   WHERE account = NEW.account AND statement_id = NEW.statement_id)
    OR EXISTS (
        SELECT 1 FROM bank_statement AS known
        WHERE known.account = NEW.account AND known.statement_id = NEW.statement_id
          AND NOT EXISTS (SELECT 1 FROM bank_statement_withdrawal AS ended
                          WHERE ended.statement_id = known.id AND ended.action = 'confirmed'))
"""
_PROPOSAL_REFUSED = """
    NEW.statement_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM bank_statement_withdrawal AS ended
        WHERE ended.statement_id = NEW.statement_id AND ended.action = 'confirmed')
"""
_ANSWER_REFUSED = """
    NEW.action = 'confirmed' AND EXISTS (
        SELECT 1 FROM journal_adjustment AS proposed
        JOIN bank_statement_withdrawal AS ended ON ended.statement_id = proposed.statement_id
        WHERE proposed.number = NEW.number AND ended.action = 'confirmed')
"""
_RULES = (
    ("bank_statement_withdrawal_two_people", _STEPS, _STEP_REFUSED,
     "a statement is withdrawn once, by another person than the one who proposed it"),
    ("bank_statement_filed_anew", "bank_statement", _FILING_REFUSED,
     "a statement of this name is filed: it is withdrawn first"),
    ("journal_adjustment_of_a_kept_statement", "journal_adjustment", _PROPOSAL_REFUSED,
     "the statement of this movement was withdrawn"),
    ("journal_adjustment_still_kept", "journal_adjustment_answer", _ANSWER_REFUSED,
     "the statement of this movement was withdrawn"),
)  # fmt: skip


def upgrade() -> None:
    if _is_postgresql():
        op.add_column(
            "bank_statement",
            sa.Column("filing", sa.Integer(), server_default="1", nullable=False),
        )
        op.alter_column("bank_statement", "filing", server_default=None)
        op.drop_constraint(_OLD_NAME, "bank_statement", type_="unique")
        op.create_unique_constraint(
            _NEW_NAME, "bank_statement", ["account", "statement_id", "filing"]
        )
    else:
        _rebuild(_FILED_FIRST, has_filing=True)
    _create_steps()
    for rule in _RULES:
        _refuse_when(*rule)
    is_open = sa.text("cleared_at IS NULL")
    op.create_index(
        "ix_alarm_open", "alarm", ["code", "subject"],
        sqlite_where=is_open, postgresql_where=is_open,
    )  # fmt: skip


def _is_postgresql() -> bool:
    return bool(op.get_bind().dialect.name == "postgresql")


def _rebuild(put_back: str, *, has_filing: bool) -> None:
    """SQLite takes no constraint away from a table: the table is made again with its rows. What
    refers to them is compared at the commit, when they are there again."""
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute("CREATE TABLE bank_statement_kept AS SELECT * FROM bank_statement")
    op.drop_table("bank_statement")
    _create_statements(has_filing=has_filing)
    op.execute(put_back)
    op.drop_table("bank_statement_kept")
    _make_insert_only("bank_statement")


def _create_statements(*, has_filing: bool) -> None:
    name = ["account", "statement_id", "filing"] if has_filing else ["account", "statement_id"]
    filing = [sa.Column("filing", sa.Integer(), nullable=False)] if has_filing else []
    op.create_table(
        "bank_statement",
        sa.Column("id", _ID, nullable=False),
        sa.Column("region", sa.String(12), nullable=False),
        sa.Column("account", sa.String(34), nullable=False),
        sa.Column("statement_id", sa.String(35), nullable=False),
        sa.Column("from_at", _AT, nullable=False),
        sa.Column("to_at", _AT, nullable=False),
        sa.Column("opening_fen", sa.BigInteger(), nullable=False),
        sa.Column("closing_fen", sa.BigInteger(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        *filing,
        sa.ForeignKeyConstraint(
            ["message_id"], ["bank_message.id"], name="fk_bank_statement_message_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bank_statement"),
        sa.UniqueConstraint(*name, name=_NEW_NAME if has_filing else _OLD_NAME),
        sa.CheckConstraint("from_at <= to_at", name="ck_bank_statement_period"),
    )
    op.create_index("ix_bank_statement_region_to_at", "bank_statement", ["region", "to_at"])


def _create_steps() -> None:
    op.create_table(
        _STEPS,
        sa.Column("statement_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["bank_statement.id"], name=f"fk_{_STEPS}_statement_id"
        ),
        sa.PrimaryKeyConstraint("statement_id", "ordinal", name=f"pk_{_STEPS}"),
        sa.CheckConstraint(
            "action IN ('proposed', 'confirmed', 'refused')", name=f"ck_{_STEPS}_action"
        ),
        sa.CheckConstraint("trim(\"by\") <> ''", name=f"ck_{_STEPS}_by"),
    )
    _make_insert_only(_STEPS)


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
    op.drop_index("ix_alarm_open", table_name="alarm")
    for name, table, *_ in _RULES:
        op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if _is_postgresql() else ""))
        if _is_postgresql():
            op.execute(f"DROP FUNCTION yichu_{name}()")
    op.drop_table(_STEPS)  # its triggers go with it
    if _is_postgresql():
        op.drop_constraint(_NEW_NAME, "bank_statement", type_="unique")
        op.create_unique_constraint(_OLD_NAME, "bank_statement", ["account", "statement_id"])
        op.drop_column("bank_statement", "filing")
        return
    _rebuild(_WITHOUT_FILING, has_filing=False)
