"""One movement at the bank may be for several orders; a receipt is taken back by two people

Revision ID: 0028
Revises: 0027

What is left of a movement may be put in suspense. A receipt stays as it was stored: taking it back
is a row of its own, and the right one may then come under the same reference.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_ID = sa.String(40)
_WHO = sa.String(60)
_AT = sa.DateTime(timezone=True)
_REFERENCE = sa.String(60)
_RECEIPT = "recovery_receipt"
_BACK = "recovery_receipt_reversal"
_ASKED = "recovery_reversal_request"
_OLD_KEY = ["reference"]
_NEW_KEY = ["reference", "order_id", "ordinal"]
_PUT_BACK = "INSERT INTO recovery_receipt SELECT *, 1 FROM recovery_receipt_kept"
_WITHOUT_ORDINAL = """
    INSERT INTO recovery_receipt SELECT reference, order_id, amount_fen, received_on, source,
        is_simulated, recorded_by, recorded_at
    FROM recovery_receipt_kept
"""

_NOT_OPENED = """
    EXISTS (SELECT 1 FROM recovery_order WHERE id = NEW.order_id
            AND cause IN ('lower', 'clearing')
            AND (SELECT COUNT(*) FROM recovery_approval WHERE order_id = NEW.order_id) < 2)
"""
_IS_BACK = """
    EXISTS (SELECT 1 FROM recovery_receipt_reversal AS back
            WHERE back.reference = came.reference AND back.order_id = came.order_id
              AND back.ordinal = came.ordinal)
"""


def _left(standing: str) -> str:
    return f"""
    (SELECT amount_fen FROM recovery_order WHERE id = NEW.order_id)
    - (SELECT COALESCE(SUM(came.amount_fen), 0) FROM recovery_receipt AS came
       WHERE came.order_id = NEW.order_id {standing})
    - (SELECT COALESCE(SUM(amount_fen), 0) FROM recovery_waiver WHERE order_id = NEW.order_id)
    """  # noqa: S608 - of constants


_STANDING = f"AND NOT {_IS_BACK}"
_NOT_IN_TURN = f"""
    NEW.ordinal <> 1 + (SELECT COUNT(*) FROM recovery_receipt AS came
                        WHERE came.reference = NEW.reference AND came.order_id = NEW.order_id)
    OR EXISTS (SELECT 1 FROM recovery_receipt AS came
               WHERE came.reference = NEW.reference AND came.order_id = NEW.order_id
                 AND NOT {_IS_BACK})
"""  # noqa: S608 - of constants
_BACK_REFUSED = """
    EXISTS (SELECT 1 FROM recovery_waiver WHERE order_id = NEW.order_id)
    OR lower(trim(NEW.proposed_by)) = lower(trim(NEW.approved_by))
    OR NOT EXISTS (
        SELECT 1 FROM recovery_receipt AS came
        WHERE came.reference = NEW.reference AND came.order_id = NEW.order_id
          AND came.ordinal = NEW.ordinal AND came.source IN ('clerk', 'file'))
"""
_MOVED = """
    SELECT 1 FROM bank_statement_entry AS moved
    JOIN bank_statement AS of_statement ON of_statement.id = moved.statement_id
    WHERE moved.statement_id = NEW.statement_id AND moved.ordinal = NEW.statement_ordinal
      AND moved.side = NEW.side AND of_statement.region = NEW.region
      AND NEW.subject = NEW.statement_id || ':' || NEW.statement_ordinal
"""
_CORRECTED = """
    (NEW.kind IN ('deposit-reversed', 'suspense-cleared') AND NOT EXISTS (
        SELECT 1 FROM journal_entry AS corrected
        WHERE corrected.id = NEW.corrects AND corrected.id = NEW.subject
          AND corrected.kind = CASE NEW.kind WHEN 'suspense-cleared' THEN 'suspense'
                                             ELSE 'funded' END
          AND corrected.total_fen = NEW.amount_fen AND corrected.region = NEW.region
          AND corrected.insurance_type = NEW.insurance_type))
"""
_FACT_OF_A_PART = f"""
    (NEW.kind IN ('bank-charge', 'bank-interest')
     AND NOT EXISTS ({_MOVED} AND moved.amount_fen = NEW.amount_fen))
    OR (NEW.kind = 'suspense' AND NOT EXISTS ({_MOVED} AND moved.amount_fen >= NEW.amount_fen))
    OR {_CORRECTED}
"""
_FACT_OF_THE_WHOLE = f"""
    (NEW.kind IN ('bank-charge', 'bank-interest', 'suspense')
     AND NOT EXISTS ({_MOVED} AND moved.amount_fen = NEW.amount_fen))
    OR {_CORRECTED}
"""


def _rules(fact: str, standing: str, *, has_ordinal: bool) -> tuple[tuple[str, ...], ...]:
    """(name, table, when it is refused, what is said, whose lock) of the triggers that change."""
    in_turn = f" OR {_NOT_IN_TURN}" if has_ordinal else ""
    left = _left(standing)
    return (
        ("journal_adjustment_of_a_fact", "journal_adjustment", fact,
         "an adjustment corrects an entry, or a movement of a statement, of its amount", ""),
        ("recovery_receipt_within_left", _RECEIPT,
         f"({_NOT_OPENED}) OR NEW.amount_fen > ({left}){in_turn}",
         "more than is left of the recovery", "order_id"),
        ("recovery_waiver_of_the_rest", "recovery_waiver",
         f"({_NOT_OPENED}) OR NEW.amount_fen <> ({left})", "a waiver is of what is left",
         "order_id"),
    )  # fmt: skip


def _is_postgresql() -> bool:
    return bool(op.get_bind().dialect.name == "postgresql")


def upgrade() -> None:
    if _is_postgresql():
        op.add_column(
            _RECEIPT, sa.Column("ordinal", sa.Integer(), nullable=False, server_default="1")
        )
        op.alter_column(_RECEIPT, "ordinal", server_default=None)
        op.drop_constraint("pk_recovery_receipt", _RECEIPT, type_="primary")
        op.create_primary_key("pk_recovery_receipt", _RECEIPT, _NEW_KEY)
    else:
        _rebuild(_PUT_BACK, has_ordinal=True)
    _create_reversals()
    for rule in _rules(_FACT_OF_A_PART, _STANDING, has_ordinal=True):
        _refuse_anew(*rule)
    _refuse_anew(
        f"{_BACK}_two_people", _BACK, _BACK_REFUSED,
        "another person takes a receipt back, of money that a person has stored", "order_id",
    )  # fmt: skip


def _rebuild(put_back: str, *, has_ordinal: bool) -> None:
    """SQLite changes no primary key: the table is made again with its rows. What refers to them
    is compared at the commit, when they are there again."""
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute("CREATE TABLE recovery_receipt_kept AS SELECT * FROM recovery_receipt")
    op.drop_table(_RECEIPT)
    ordinal = [sa.Column("ordinal", sa.Integer(), nullable=False)] if has_ordinal else []
    op.create_table(
        _RECEIPT,
        sa.Column("reference", _REFERENCE, nullable=False),
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", _WHO, nullable=False),
        sa.Column("recorded_at", _AT, nullable=False),
        *ordinal,
        sa.ForeignKeyConstraint(
            ["order_id"], ["recovery_order.id"], name="fk_recovery_receipt_order_id"
        ),
        sa.CheckConstraint("amount_fen > 0", name="ck_recovery_receipt_amount_fen"),
        sa.CheckConstraint(
            "source IN ('clerk', 'file', 'returned', 'ledger')", name="ck_recovery_receipt_source"
        ),
        sa.PrimaryKeyConstraint(
            *(_NEW_KEY if has_ordinal else _OLD_KEY), name="pk_recovery_receipt"
        ),
    )
    op.create_index("ix_recovery_receipt_order_id", _RECEIPT, ["order_id"])
    op.execute(put_back)
    op.drop_table("recovery_receipt_kept")
    _make_insert_only(_RECEIPT)


def _of_receipt() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("reference", _REFERENCE, nullable=False),
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
    )


def _create_reversals() -> None:
    op.create_table(
        _ASKED,
        *_of_receipt(),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            _NEW_KEY, [f"{_RECEIPT}.{name}" for name in _NEW_KEY], name=f"fk_{_ASKED}_receipt"
        ),
        sa.PrimaryKeyConstraint(*_NEW_KEY, "place", name=f"pk_{_ASKED}"),
        sa.UniqueConstraint(*_NEW_KEY, "place", "by", name=f"uq_{_ASKED}_by"),
    )
    op.create_table(
        _BACK,
        *_of_receipt(),
        sa.Column("request_place", sa.Integer(), nullable=False),
        sa.Column("proposed_by", _WHO, nullable=False),
        sa.Column("approved_by", _WHO, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            [*_NEW_KEY, "request_place", "proposed_by"],
            [f"{_ASKED}.{name}" for name in (*_NEW_KEY, "place", "by")],
            name=f"fk_{_BACK}_request",
        ),
        sa.CheckConstraint("proposed_by <> approved_by", name=f"ck_{_BACK}_two_people"),
        sa.PrimaryKeyConstraint(*_NEW_KEY, name=f"pk_{_BACK}"),
    )
    for table in (_ASKED, _BACK):
        op.create_index(f"ix_{table}_order_id", table, ["order_id"])
        _make_insert_only(table)


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


def _refuse_anew(name: str, table: str, condition: str, message: str, lock: str) -> None:
    """The trigger of this name, new or in the place of the one that is there."""
    if _is_postgresql():
        # Two transactions about one order are judged one after the other.
        wait = f"PERFORM pg_advisory_xact_lock(hashtextextended(NEW.{lock}, 20));" if lock else ""
        op.execute(
            f"CREATE OR REPLACE FUNCTION yichu_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {wait} IF {condition} THEN RAISE EXCEPTION '{message}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
        )
        op.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION yichu_{name}()"
        )
        return
    op.execute(f"DROP TRIGGER IF EXISTS {name}")
    op.execute(
        f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def downgrade() -> None:
    if _is_postgresql():
        op.execute(f"DROP TRIGGER {_BACK}_two_people ON {_BACK}")
        op.execute(f"DROP FUNCTION yichu_{_BACK}_two_people()")
    op.drop_table(_BACK)  # its triggers go with it
    op.drop_table(_ASKED)
    if _is_postgresql():
        op.drop_constraint("pk_recovery_receipt", _RECEIPT, type_="primary")
        op.create_primary_key("pk_recovery_receipt", _RECEIPT, _OLD_KEY)
        op.drop_column(_RECEIPT, "ordinal")
    else:
        _rebuild(_WITHOUT_ORDINAL, has_ordinal=False)
    for rule in _rules(_FACT_OF_THE_WHOLE, "", has_ordinal=False):
        _refuse_anew(*rule)
