"""Payout instructions, files and bank answers

Revision ID: 0018
Revises: 0017

The database itself refuses a second instruction for the same money: attempt n + 1 of a payable is
stored only after attempt n was rejected or returned, and of "paid" and "rejected" an attempt has
one. Both hold for transactions that run at once, since attempts are unique by number and an ending
is never taken back.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_AT = sa.DateTime(timezone=True)
_INSERT_ONLY = ("payment_attempt", "bank_message", "payment_answer", "payout_hold")
_TABLES = ("payout_lane", "payout_hold", "payment_answer", "bank_message", "payment_attempt",
           "payout_file")  # fmt: skip
_HANDED_OVER_ONCE = " AND ".join(
    f"NEW.{name} {{same}} OLD.{name}"
    for name in (
        "id", "message_id", "lane", "region", "created_at", "item_count", "control_sum_fen",
        "digest", "wrapped_content",
    )
)  # fmt: skip
_ATTEMPT_REFUSED = """
    NEW.amount_fen <> (SELECT amount_fen FROM payout WHERE id = NEW.payout_id)
    OR NEW.claim_id <> (SELECT claim_id FROM payout WHERE id = NEW.payout_id)
    OR EXISTS (SELECT 1 FROM payout_answer
               WHERE payout_id = NEW.payout_id AND outcome = 'paid')
    OR (NEW.attempt > 1 AND NOT EXISTS (
        SELECT 1 FROM payment_attempt JOIN payment_answer
        ON payment_answer.attempt_id = payment_attempt.id
        WHERE payment_attempt.payout_id = NEW.payout_id
        AND payment_attempt.attempt = NEW.attempt - 1
        AND payment_answer.status IN ('rejected', 'returned')))
"""
_ANSWER_REFUSED = """
    NEW.status = 'returned' AND NOT EXISTS (
        SELECT 1 FROM payment_answer WHERE attempt_id = NEW.attempt_id AND status = 'paid')
"""
_RULES = (
    ("payment_attempt_in_turn", "payment_attempt", _ATTEMPT_REFUSED,
     "the payable is paid, or an attempt before is not over"),
    ("payment_answer_in_turn", "payment_answer", _ANSWER_REFUSED,
     "only what was paid is returned"),
)  # fmt: skip


def upgrade() -> None:
    _create_instructions()
    _create_answers()
    _create_lanes()
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def _create_instructions() -> None:
    op.create_table(
        "payout_file",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", sa.String(35), nullable=False),
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("region", sa.String(12), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("control_sum_fen", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("wrapped_content", sa.LargeBinary(), nullable=False),
        sa.Column("handed_over_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payout_file"),
        sa.UniqueConstraint("message_id", name="uq_payout_file_message_id"),
    )
    op.create_index("ix_payout_file_created_at", "payout_file", ["created_at"])
    op.create_table(
        "payment_attempt",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("payout_id", sa.String(60), nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("end_to_end_id", sa.String(35), nullable=False),
        sa.Column("account_version", sa.Integer(), nullable=False),
        sa.Column("wrapped_holder", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_account", sa.LargeBinary(), nullable=False),
        sa.Column("account_tail", sa.String(4), nullable=False),
        sa.Column("bank_name", sa.String(60), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("region", sa.String(12), nullable=False),
        sa.Column("instructed_on", sa.Date(), nullable=False),
        sa.Column("file_id", _ID, nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["payout_id"], ["payout.id"], name="fk_payment_attempt_payout_id"),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_payment_attempt_claim_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_payment_attempt_person_id"),
        sa.ForeignKeyConstraint(["file_id"], ["payout_file.id"], name="fk_payment_attempt_file_id"),
        sa.CheckConstraint("amount_fen > 0", name="ck_payment_attempt_amount_fen"),
        sa.CheckConstraint("attempt >= 1", name="ck_payment_attempt_attempt"),
        sa.PrimaryKeyConstraint("id", name="pk_payment_attempt"),
        sa.UniqueConstraint("end_to_end_id", name="uq_payment_attempt_end_to_end_id"),
        sa.UniqueConstraint("payout_id", "attempt", name="uq_payment_attempt_payout_id_attempt"),
    )
    for name in ("claim_id", "person_id", "file_id"):
        op.create_index(f"ix_payment_attempt_{name}", "payment_attempt", [name])
    op.create_index(
        "ix_payment_attempt_lane_instructed_on", "payment_attempt", ["lane", "instructed_on"]
    )


def _create_answers() -> None:
    op.create_table(
        "bank_message",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("wrapped_content", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", _AT, nullable=False),
        sa.Column("report_id", sa.String(35), nullable=True),
        sa.Column("original_id", sa.String(35), nullable=True),
        sa.Column("reported_at", _AT, nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=True),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("difference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bank_message"),
        sa.UniqueConstraint("name", "digest", name="uq_bank_message_name_digest"),
    )
    for name in ("received_at", "report_id"):
        op.create_index(f"ix_bank_message_{name}", "bank_message", [name])
    op.create_table(
        "payment_answer",
        sa.Column("attempt_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("reason_code", _ID, nullable=False),
        sa.Column("reason_text", sa.String(200), nullable=False),
        sa.Column("bank_reference", sa.String(60), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("answered_at", _AT, nullable=False),
        sa.Column("booked_at", _AT, nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["payment_attempt.id"], name="fk_payment_answer_attempt_id"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["bank_message.id"], name="fk_payment_answer_message_id"
        ),
        sa.CheckConstraint(
            "status IN ('paid', 'rejected', 'returned')", name="ck_payment_answer_status"
        ),
        sa.PrimaryKeyConstraint("attempt_id", "status", name="pk_payment_answer"),
    )
    op.create_index("ix_payment_answer_message_id", "payment_answer", ["message_id"])
    ended = sa.text("status IN ('paid', 'rejected')")
    op.create_index(
        "uq_payment_answer_outcome",
        "payment_answer",
        ["attempt_id"],
        unique=True,
        sqlite_where=ended,
        postgresql_where=ended,
    )


def _create_lanes() -> None:
    op.create_table(
        "payout_hold",
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_payout_hold_claim_id"),
        sa.CheckConstraint("action IN ('hold', 'release')", name="ck_payout_hold_action"),
        sa.PrimaryKeyConstraint("claim_id", "ordinal", name="pk_payout_hold"),
    )
    op.create_table(
        "payout_lane",
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("last_run_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("lane", name="pk_payout_lane"),
    )


def _guard_on_postgresql() -> None:
    for table in _INSERT_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
    op.execute(
        "CREATE TRIGGER payout_file_kept BEFORE DELETE ON payout_file "
        "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
    )
    for table, name in (
        *((table, f"{table}_no_truncate") for table in _INSERT_ONLY),
        ("payout_file", "payout_file_never_emptied"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
    same = _HANDED_OVER_ONCE.format(same="IS NOT DISTINCT FROM")
    _refuse_when(
        "payout_file_handed_over_once",
        "payout_file",
        f"OLD.handed_over_at IS NOT NULL OR NOT ({same})",
        "a payout file is handed over once and never changed",
        "UPDATE",
    )
    for name, table, condition, message in _RULES:
        _refuse_when(name, table, condition, message, "INSERT")


def _refuse_when(name: str, table: str, condition: str, message: str, event: str) -> None:
    op.execute(
        f"CREATE FUNCTION yichu_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {condition} THEN RAISE EXCEPTION '{message}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION yichu_{name}()"
    )


def _guard_on_sqlite() -> None:
    for table in _INSERT_ONLY:
        refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refusal}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")
    op.execute(
        "CREATE TRIGGER payout_file_kept BEFORE DELETE ON payout_file "
        "BEGIN SELECT RAISE(ABORT, 'payout_file is insert-only'); END"
    )
    same = _HANDED_OVER_ONCE.format(same="IS")
    op.execute(
        "CREATE TRIGGER payout_file_handed_over_once BEFORE UPDATE ON payout_file "
        f"WHEN OLD.handed_over_at IS NOT NULL OR NOT ({same}) "
        "BEGIN SELECT RAISE(ABORT, 'a payout file is handed over once and never changed'); END"
    )
    for name, table, condition, message in _RULES:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)  # its triggers go with it
    if op.get_bind().dialect.name == "postgresql":
        for name in ("payout_file_handed_over_once", *(rule[0] for rule in _RULES)):
            op.execute(f"DROP FUNCTION yichu_{name}()")
