"""Two people for cases, releases and proofs of accounts; statements of the bank; who read its files

Revision ID: 0024
Revises: 0023

A case of the reconciliation is opened once and closed once, and what happens in between is a row
of its own. By hand it is closed by two people; by itself it is closed by a report that shows it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_TABLES = (
    "reconciliation_case_event",
    "bank_reading",
    "payee_proof",
    "bank_statement_entry",
    "bank_statement",
)

_EVENT_REFUSED = """
    NEW.ordinal <> (SELECT count(*) + 1 FROM reconciliation_case_event
                    WHERE case_id = NEW.case_id)
    OR (NEW.kind NOT IN ('note', 'agrees') AND EXISTS (
        SELECT 1 FROM reconciliation_case AS of_case
        WHERE of_case.id = NEW.case_id AND of_case.resolved_at IS NOT NULL))
    OR (NEW.kind = 'adopted' AND EXISTS (
        SELECT 1 FROM reconciliation_case AS of_case
        WHERE of_case.id = NEW.case_id AND of_case.kind = 'money-mismatch'))
    OR (NEW.kind = 'confirmed' AND NOT EXISTS (
        SELECT 1 FROM reconciliation_case_event AS asked
        WHERE asked.case_id = NEW.case_id AND asked.ordinal = NEW.answers
          AND asked.kind = 'proposed' AND asked.outcome = NEW.outcome
          AND lower(trim(asked."by")) <> lower(trim(NEW."by")) AND NOT EXISTS (
            SELECT 1 FROM reconciliation_case_event AS later
            WHERE later.case_id = NEW.case_id AND later.ordinal > asked.ordinal
              AND later.kind = 'proposed')))
"""
_CASE_REFUSED = """
    OLD.resolved_at IS NOT NULL OR NEW.resolved_at IS NULL OR NEW.resolution IS NULL
    OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.detail <> OLD.detail
    OR NEW.found_at <> OLD.found_at OR NEW.due_at {differs} OLD.due_at
    OR NEW.resolved_by IS NULL OR NOT EXISTS (
        SELECT 1 FROM reconciliation_case_event AS ended
        WHERE ended.case_id = NEW.id AND ended."by" = NEW.resolved_by
          AND ended.kind IN ('agrees', 'adopted', 'confirmed')
          AND ended.ordinal = (SELECT max(ordinal) FROM reconciliation_case_event
                               WHERE case_id = NEW.id))
"""
_CASE_OPENED_CLOSED = """
    NEW.resolved_at IS NOT NULL OR NEW.resolved_by IS NOT NULL OR NEW.resolution IS NOT NULL
"""
_RELEASE_REFUSED = """
    NEW.action = 'release' AND NOT EXISTS (
        SELECT 1 FROM payout_hold AS stopped
        WHERE stopped.claim_id = NEW.claim_id AND stopped.ordinal = NEW.ordinal - 1
          AND stopped.action = 'hold' AND lower(trim(stopped."by")) <> lower(trim(NEW."by")))
"""
_PROOF_REFUSED = """
    NEW.action = 'confirmed' AND NOT EXISTS (
        SELECT 1 FROM payee_proof AS seen
        WHERE seen.account_id = NEW.account_id AND seen.ordinal = NEW.ordinal - 1
          AND seen.action = 'proposed' AND seen.document_digest = NEW.document_digest
          AND lower(trim(seen."by")) <> lower(trim(NEW."by")))
"""
_RULES = (
    ("reconciliation_case_event_in_turn", "reconciliation_case_event", "INSERT", _EVENT_REFUSED,
     "a case is closed by two people, or by a report"),
    ("reconciliation_case_opened", "reconciliation_case", "INSERT", _CASE_OPENED_CLOSED,
     "a case is opened before it is closed"),
    ("reconciliation_case_closed_once", "reconciliation_case", "UPDATE", _CASE_REFUSED,
     "a case is closed once, by two people or by a report, and never changed"),
    ("payout_hold_two_people", "payout_hold", "INSERT", _RELEASE_REFUSED,
     "another person than the one who stopped it releases"),
    ("payee_proof_two_people", "payee_proof", "INSERT", _PROOF_REFUSED,
     "another person confirms the proof that was seen"),
)  # fmt: skip


def upgrade() -> None:
    _create_events()
    _create_readings_and_proofs()
    _create_statements()
    for table in _TABLES:
        _make_insert_only(table)
    _keep_cases()
    for rule in _RULES:
        _refuse_when(*rule)


def _keep_cases() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, event, each in (
            ("kept", "DELETE", "ROW"),
            ("never_emptied", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f"CREATE TRIGGER reconciliation_case_{name} BEFORE {event} "
                f"ON reconciliation_case FOR EACH {each} "
                "EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
        return
    op.execute(
        "CREATE TRIGGER reconciliation_case_kept BEFORE DELETE ON reconciliation_case "
        "BEGIN SELECT RAISE(ABORT, 'reconciliation_case is insert-only'); END"
    )
    op.execute(
        "CREATE TRIGGER reconciliation_case_is_new BEFORE INSERT ON reconciliation_case "
        "WHEN EXISTS (SELECT 1 FROM reconciliation_case WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'reconciliation_case is insert-only'); END"
    )


def _create_events() -> None:
    op.create_table(
        "reconciliation_case_event",
        sa.Column("case_id", sa.String(120), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("case_kind", _ID, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(12), nullable=True),
        sa.Column("answers", sa.Integer(), nullable=True),
        sa.Column("report_number", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["reconciliation_case.id"], name="fk_reconciliation_case_event_case_id"
        ),
        sa.ForeignKeyConstraint(
            ["report_number"],
            ["money_report.number"],
            name="fk_reconciliation_case_event_report_number",
        ),
        sa.PrimaryKeyConstraint("case_id", "ordinal", name="pk_reconciliation_case_event"),
        sa.CheckConstraint(
            "kind IN ('renewed', 'note', 'assigned', 'proposed', 'confirmed', 'adopted', 'agrees')",
            name="ck_reconciliation_case_event_kind",
        ),
        sa.CheckConstraint(
            "(kind = 'agrees') = (report_number IS NOT NULL)",
            name="ck_reconciliation_case_event_report_number",
        ),
        sa.CheckConstraint(
            "kind NOT IN ('proposed', 'confirmed') "
            "OR (outcome IS NOT NULL AND outcome IN ('accepted', 'corrected'))",
            name="ck_reconciliation_case_event_outcome",
        ),
    )


def _create_readings_and_proofs() -> None:
    op.create_table(
        "bank_reading",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["bank_message.id"], name="fk_bank_reading_message_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bank_reading"),
    )
    op.create_index("ix_bank_reading_message_id", "bank_reading", ["message_id"])
    op.create_table(
        "payee_proof",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("confirmed_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["payee_account.id"], name="fk_payee_proof_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_id"], ["payee_account.id"], name="fk_payee_proof_confirmed_id"
        ),
        sa.PrimaryKeyConstraint("account_id", "ordinal", name="pk_payee_proof"),
        sa.CheckConstraint(
            "action IN ('proposed', 'confirmed', 'refused')", name="ck_payee_proof_action"
        ),
        sa.CheckConstraint(
            "(action = 'confirmed') = (confirmed_id IS NOT NULL)",
            name="ck_payee_proof_confirmed_id",
        ),
    )


def _create_statements() -> None:
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
        sa.ForeignKeyConstraint(
            ["message_id"], ["bank_message.id"], name="fk_bank_statement_message_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bank_statement"),
        sa.UniqueConstraint(
            "account", "statement_id", name="uq_bank_statement_account_statement_id"
        ),
        sa.CheckConstraint("from_at <= to_at", name="ck_bank_statement_period"),
    )
    op.create_index("ix_bank_statement_region_to_at", "bank_statement", ["region", "to_at"])
    op.create_table(
        "bank_statement_entry",
        sa.Column("statement_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(6), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("end_to_end_id", sa.String(35), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["bank_statement.id"], name="fk_bank_statement_entry_statement_id"
        ),
        sa.PrimaryKeyConstraint("statement_id", "ordinal", name="pk_bank_statement_entry"),
        sa.CheckConstraint("amount_fen > 0", name="ck_bank_statement_entry_amount_fen"),
        sa.CheckConstraint("side IN ('credit', 'debit')", name="ck_bank_statement_entry_side"),
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


def _refuse_when(name: str, table: str, event: str, condition: str, message: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        condition = condition.replace("{differs}", "IS DISTINCT FROM")
        op.execute(
            f"CREATE FUNCTION yichu_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {condition} THEN RAISE EXCEPTION '{message}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION yichu_{name}()"
        )
        return
    condition = condition.replace("{differs}", "IS NOT")
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for name, table, *_ in _RULES:
        op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if is_postgresql else ""))
        if is_postgresql:
            op.execute(f"DROP FUNCTION yichu_{name}()")
    if is_postgresql:
        for name in ("kept", "never_emptied"):
            op.execute(f"DROP TRIGGER reconciliation_case_{name} ON reconciliation_case")
    else:
        for name in ("kept", "is_new"):
            op.execute(f"DROP TRIGGER reconciliation_case_{name}")
    for table in _TABLES:
        op.drop_table(table)  # its triggers go with it
