"""Correcting entries of the journal, by two people

Revision ID: 0025
Revises: 0024

One person proposes what an entry or a movement of a bank statement is corrected by; another one
confirms it, in the transaction that books it. Both are rows that are never changed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_TABLES = ("journal_adjustment_answer", "journal_adjustment")

_PROPOSAL_REFUSED = """
    (NEW.kind IN ('bank-charge', 'bank-interest', 'suspense') AND NOT EXISTS (
        SELECT 1 FROM bank_statement_entry AS moved
        JOIN bank_statement AS of_statement ON of_statement.id = moved.statement_id
        WHERE moved.statement_id = NEW.statement_id AND moved.ordinal = NEW.statement_ordinal
          AND moved.side = NEW.side AND moved.amount_fen = NEW.amount_fen
          AND of_statement.region = NEW.region
          AND NEW.subject = NEW.statement_id || ':' || NEW.statement_ordinal))
    OR (NEW.kind IN ('deposit-reversed', 'suspense-cleared') AND NOT EXISTS (
        SELECT 1 FROM journal_entry AS corrected
        WHERE corrected.id = NEW.corrects AND corrected.id = NEW.subject
          AND corrected.kind = CASE NEW.kind WHEN 'suspense-cleared' THEN 'suspense'
                                             ELSE 'funded' END
          AND corrected.total_fen = NEW.amount_fen AND corrected.region = NEW.region
          AND corrected.insurance_type = NEW.insurance_type))
"""
_ANSWER_REFUSED = """
    NEW.action = 'confirmed' AND NOT EXISTS (
        SELECT 1 FROM journal_adjustment AS proposed
        JOIN journal_entry AS booked ON booked.id = NEW.entry_id
        WHERE proposed.number = NEW.number AND proposed.subject = NEW.subject
          AND booked.kind = proposed.kind AND booked.total_fen = proposed.amount_fen
          AND booked.region = proposed.region
          AND booked.insurance_type = proposed.insurance_type
          AND lower(trim(proposed.proposed_by)) <> lower(trim(NEW."by")))
"""
_RULES = (
    ("journal_adjustment_of_a_fact", "journal_adjustment", _PROPOSAL_REFUSED,
     "an adjustment corrects an entry, or a movement of a statement, of its amount"),
    ("journal_adjustment_two_people", "journal_adjustment_answer", _ANSWER_REFUSED,
     "another person confirms an adjustment, with its entry"),
)  # fmt: skip
_SAME = {
    "journal_adjustment": "SELECT 1 FROM journal_adjustment WHERE number = NEW.number",
    "journal_adjustment_answer": (
        "SELECT 1 FROM journal_adjustment_answer "
        "WHERE number = NEW.number OR subject = NEW.subject OR entry_id = NEW.entry_id"
    ),
}


def upgrade() -> None:
    _create_proposals()
    _create_answers()
    for table in _TABLES:
        _make_insert_only(table)
    for rule in _RULES:
        _refuse_when(*rule)


def _create_proposals() -> None:
    op.create_table(
        "journal_adjustment",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("insurance_type", sa.String(3), nullable=False),
        sa.Column("layer", sa.String(16), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("side", sa.String(6), nullable=True),
        sa.Column("statement_id", _ID, nullable=True),
        sa.Column("statement_ordinal", sa.Integer(), nullable=True),
        sa.Column("corrects", _ID, nullable=True),
        sa.Column("subject", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(60), nullable=False),
        sa.Column("proposed_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["corrects"], ["journal_entry.id"], name="fk_journal_adjustment_corrects"
        ),
        sa.ForeignKeyConstraint(
            ["statement_id", "statement_ordinal"],
            ["bank_statement_entry.statement_id", "bank_statement_entry.ordinal"],
            name="fk_journal_adjustment_statement_id_statement_ordinal",
        ),
        sa.PrimaryKeyConstraint("number", name="pk_journal_adjustment"),
        sa.CheckConstraint(
            "kind IN ('deposit-reversed', 'bank-charge', 'bank-interest', 'suspense', "
            "'suspense-cleared')",
            name="ck_journal_adjustment_kind",
        ),
        sa.CheckConstraint("amount_fen > 0", name="ck_journal_adjustment_amount_fen"),
        sa.CheckConstraint("trim(proposed_by) <> ''", name="ck_journal_adjustment_proposed_by"),
    )
    op.create_index("ix_journal_adjustment_subject", "journal_adjustment", ["subject"])


def _create_answers() -> None:
    op.create_table(
        "journal_adjustment_answer",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("subject", sa.String(60), nullable=True),
        sa.Column("entry_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["number"], ["journal_adjustment.number"], name="fk_journal_adjustment_answer_number"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name="fk_journal_adjustment_answer_entry_id"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_journal_adjustment_answer"),
        sa.UniqueConstraint("subject", name="uq_journal_adjustment_answer_subject"),
        sa.UniqueConstraint("entry_id", name="uq_journal_adjustment_answer_entry_id"),
        sa.CheckConstraint(
            "action IN ('confirmed', 'refused')", name="ck_journal_adjustment_answer_action"
        ),
        sa.CheckConstraint(
            "(action = 'confirmed') = (entry_id IS NOT NULL) "
            "AND (entry_id IS NULL) = (subject IS NULL)",
            name="ck_journal_adjustment_answer_entry_id",
        ),
    )


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
    op.execute(  # an INSERT OR REPLACE deletes without any trigger for it
        f"CREATE TRIGGER {table}_is_new BEFORE INSERT ON {table} "
        f"WHEN EXISTS ({_SAME[table]}) {refusal}"
    )


def _refuse_when(name: str, table: str, condition: str, message: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
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
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for name, table, *_ in _RULES:
        op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if is_postgresql else ""))
        if is_postgresql:
            op.execute(f"DROP FUNCTION yichu_{name}()")
    for table in _TABLES:
        op.drop_table(table)  # its triggers go with it
