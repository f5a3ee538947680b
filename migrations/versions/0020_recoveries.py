"""Money asked back

Revision ID: 0020
Revises: 0019

Money beyond what is left of an order, a waiver of another amount than that, and an instruction
for a payable that fell away are refused by the database, for transactions that run at once too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_WHO = sa.String(60)
_AT = sa.DateTime(timezone=True)
_FEN = sa.BigInteger()
_LAYERS = "pool_fen + serious_illness_fen + medical_aid_fen + civil_servant_fen"
_FACTS = (
    "recovery_order", "recovery_approval", "recovery_dismissal", "recovery_instalment",
    "recovery_receipt", "recovery_waiver_request", "recovery_waiver", "payable_reversal",
    "lead_recovered",
)  # fmt: skip
_NOT_OPENED = """
    EXISTS (SELECT 1 FROM recovery_order WHERE id = NEW.order_id
            AND cause IN ('lower', 'clearing')
            AND (SELECT COUNT(*) FROM recovery_approval WHERE order_id = NEW.order_id) < 2)
"""
_LEFT = """
    (SELECT amount_fen FROM recovery_order WHERE id = NEW.order_id)
    - (SELECT COALESCE(SUM(amount_fen), 0) FROM recovery_receipt WHERE order_id = NEW.order_id)
    - (SELECT COALESCE(SUM(amount_fen), 0) FROM recovery_waiver WHERE order_id = NEW.order_id)
"""
_IS_DECIDED = """
    NOT EXISTS (SELECT 1 FROM recovery_order WHERE id = NEW.order_id
                AND cause IN ('lower', 'clearing'))
    OR (SELECT COUNT(*) FROM recovery_approval WHERE order_id = NEW.order_id) >= 2
    OR EXISTS (SELECT 1 FROM recovery_dismissal WHERE order_id = NEW.order_id)
"""
_NO_FIRST = """
    NEW.ordinal = 2 AND NOT EXISTS (
        SELECT 1 FROM recovery_approval WHERE order_id = NEW.order_id AND ordinal = 1)
"""
_UNDER_WAY = """
    EXISTS (SELECT 1 FROM payout_answer WHERE payout_id = NEW.payout_id AND outcome = 'paid')
    OR EXISTS (SELECT 1 FROM payment_attempt WHERE payout_id = NEW.payout_id AND NOT EXISTS (
        SELECT 1 FROM payment_answer WHERE attempt_id = payment_attempt.id
        AND status IN ('rejected', 'returned')))
"""
_RULES = (
    ("recovery_receipt_within_left", "recovery_receipt",
     f"({_NOT_OPENED}) OR NEW.amount_fen > ({_LEFT})", "more than is left of the recovery"),
    ("recovery_waiver_of_the_rest", "recovery_waiver",
     f"({_NOT_OPENED}) OR NEW.amount_fen <> ({_LEFT})", "a waiver is of what is left"),
    ("recovery_approval_in_turn", "recovery_approval",
     f"({_IS_DECIDED}) OR ({_NO_FIRST})", "the recovery is not to be approved"),
    ("recovery_dismissal_in_turn", "recovery_dismissal", _IS_DECIDED,
     "the recovery is decided already"),
    ("payable_reversal_not_with_the_bank", "payable_reversal", _UNDER_WAY,
     "the payable is paid, or with the bank"),
    ("payment_attempt_still_owed", "payment_attempt",
     "EXISTS (SELECT 1 FROM payable_reversal WHERE payout_id = NEW.payout_id)",
     "the payable fell away"),
)  # fmt: skip
_LOCKS = {
    table: f"PERFORM pg_advisory_xact_lock(hashtextextended(NEW.{column}, 20));"
    for table, column in (
        ("recovery_receipt", "order_id"), ("recovery_waiver", "order_id"),
        ("recovery_approval", "order_id"), ("recovery_dismissal", "order_id"),
        ("payable_reversal", "payout_id"), ("payment_attempt", "payout_id"),
    )
}  # fmt: skip


def upgrade() -> None:
    _create_orders()
    _create_decisions()
    _create_money()
    _create_payable_reversal()
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def _order_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["order_id"], ["recovery_order.id"], name=f"fk_{table}_order_id")


def _create_orders() -> None:
    op.create_table(
        "recovery_order",
        sa.Column("id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("number", sa.LargeBinary(32), nullable=False),
        sa.Column("cause", _ID, nullable=False),
        sa.Column("source_id", sa.String(80), nullable=False),
        sa.Column("debtor", sa.String(12), nullable=False),
        sa.Column("institution_code", sa.String(16), nullable=True),
        sa.Column("amount_fen", _FEN, nullable=False),
        sa.Column("pool_fen", _FEN, nullable=False),
        sa.Column("serious_illness_fen", _FEN, nullable=False),
        sa.Column("medical_aid_fen", _FEN, nullable=False),
        sa.Column("civil_servant_fen", _FEN, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", _WHO, nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_recovery_order_claim_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_recovery_order_person_id"),
        sa.ForeignKeyConstraint(
            ["institution_code"], ["institution.code"], name="fk_recovery_order_institution_code"
        ),
        sa.CheckConstraint(
            f"amount_fen > 0 AND amount_fen = {_LAYERS}", name="ck_recovery_order_sum"
        ),
        sa.CheckConstraint(
            "pool_fen >= 0 AND serious_illness_fen >= 0 AND medical_aid_fen >= 0 "
            "AND civil_servant_fen >= 0",
            name="ck_recovery_order_layers",
        ),
        sa.CheckConstraint(
            "(debtor = 'person' AND institution_code IS NULL) OR "
            "(debtor = 'institution' AND institution_code IS NOT NULL)",
            name="ck_recovery_order_debtor",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_order"),
        sa.UniqueConstraint("number", name="uq_recovery_order_number"),
        sa.UniqueConstraint("claim_id", "ordinal", name="uq_recovery_order_claim_id_ordinal"),
        sa.UniqueConstraint(
            "claim_id", "cause", "source_id", name="uq_recovery_order_claim_id_cause_source_id"
        ),
    )
    for name in ("claim_id", "person_id", "source_id", "created_at"):
        op.create_index(f"ix_recovery_order_{name}", "recovery_order", [name])


def _create_decisions() -> None:
    op.create_table(
        "recovery_approval",
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("person", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        _order_key("recovery_approval"),
        sa.CheckConstraint("ordinal IN (1, 2)", name="ck_recovery_approval_ordinal"),
        sa.PrimaryKeyConstraint("order_id", "ordinal", name="pk_recovery_approval"),
        sa.UniqueConstraint("order_id", "person", name="uq_recovery_approval_order_id_person"),
    )
    op.create_table(
        "recovery_dismissal",
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        _order_key("recovery_dismissal"),
        sa.PrimaryKeyConstraint("order_id", name="pk_recovery_dismissal"),
    )
    op.create_table(
        "recovery_instalment",
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("plan", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount_fen", _FEN, nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        _order_key("recovery_instalment"),
        sa.CheckConstraint("amount_fen > 0", name="ck_recovery_instalment_amount_fen"),
        sa.PrimaryKeyConstraint("order_id", "plan", "ordinal", name="pk_recovery_instalment"),
    )


def _create_money() -> None:
    op.create_table(
        "recovery_receipt",
        sa.Column("reference", sa.String(60), nullable=False),
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("amount_fen", _FEN, nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", _WHO, nullable=False),
        sa.Column("recorded_at", _AT, nullable=False),
        _order_key("recovery_receipt"),
        sa.CheckConstraint("amount_fen > 0", name="ck_recovery_receipt_amount_fen"),
        sa.CheckConstraint(
            "source IN ('clerk', 'file', 'returned', 'ledger')", name="ck_recovery_receipt_source"
        ),
        sa.PrimaryKeyConstraint("reference", name="pk_recovery_receipt"),
    )
    op.create_index("ix_recovery_receipt_order_id", "recovery_receipt", ["order_id"])
    op.create_table(
        "recovery_waiver_request",
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        _order_key("recovery_waiver_request"),
        sa.PrimaryKeyConstraint("order_id", "ordinal", name="pk_recovery_waiver_request"),
        sa.UniqueConstraint(
            "order_id", "ordinal", "by", name="uq_recovery_waiver_request_order_id_ordinal_by"
        ),
    )
    op.create_table(
        "recovery_waiver",
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("request_ordinal", sa.Integer(), nullable=False),
        sa.Column("amount_fen", _FEN, nullable=False),
        sa.Column("proposed_by", _WHO, nullable=False),
        sa.Column("approved_by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        _order_key("recovery_waiver"),
        sa.ForeignKeyConstraint(
            ["order_id", "request_ordinal", "proposed_by"],
            [
                "recovery_waiver_request.order_id",
                "recovery_waiver_request.ordinal",
                "recovery_waiver_request.by",
            ],
            name="fk_recovery_waiver_request",
        ),
        sa.CheckConstraint("amount_fen > 0", name="ck_recovery_waiver_amount_fen"),
        sa.CheckConstraint("proposed_by <> approved_by", name="ck_recovery_waiver_two_people"),
        sa.PrimaryKeyConstraint("order_id", name="pk_recovery_waiver"),
    )


def _create_payable_reversal() -> None:
    op.create_table(
        "payable_reversal",
        sa.Column("payout_id", sa.String(60), nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("offset_fen", _FEN, nullable=False),
        sa.Column("cause", _ID, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["payout_id"], ["payout.id"], name="fk_payable_reversal_payout_id"),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_payable_reversal_claim_id"),
        sa.CheckConstraint("offset_fen >= 0", name="ck_payable_reversal_offset_fen"),
        sa.PrimaryKeyConstraint("payout_id", name="pk_payable_reversal"),
    )
    op.create_index("ix_payable_reversal_claim_id", "payable_reversal", ["claim_id"])
    op.create_table(
        "lead_recovered",
        sa.Column("lead_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_lead_recovered_lead_id"),
        sa.PrimaryKeyConstraint("lead_id", name="pk_lead_recovered"),
    )
    op.create_table(
        "withdrawal_cursor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_withdrawal_cursor_one"),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawal_cursor"),
    )


def _guard_on_postgresql() -> None:
    for table in _FACTS:
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
        )
    for name, table, condition, message in _RULES:
        # Two transactions about one order are judged one after the other.
        op.execute(
            f"CREATE FUNCTION yichu_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {_LOCKS[table]} IF {condition} THEN RAISE EXCEPTION '{message}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION yichu_{name}()"
        )


def _guard_on_sqlite() -> None:
    for table in _FACTS:
        refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refusal}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")
    for name, table, condition, message in _RULES:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    on = " ON payment_attempt" if is_postgresql else ""
    op.execute(f"DROP TRIGGER payment_attempt_still_owed{on}")
    op.drop_table("withdrawal_cursor")
    op.drop_table("lead_recovered")
    for table in ("payable_reversal", "recovery_waiver", "recovery_waiver_request",
                  "recovery_receipt", "recovery_instalment", "recovery_dismissal",
                  "recovery_approval", "recovery_order"):  # fmt: skip
        op.drop_table(table)
    if is_postgresql:
        for name, _, _, _ in _RULES:
            op.execute(f"DROP FUNCTION yichu_{name}()")
