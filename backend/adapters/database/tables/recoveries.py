"""What is owed back: orders, who approved them, plans, money that came in, what was waived.

All insert-only but the cursor. The database itself refuses money beyond what is left, a waiver or
an approval by one person twice, and an instruction for a payable that fell away.
"""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
    FEN,
    HASH,
    ID,
    INTERNAL,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

_WHO = sa.String(60)  # a staff login's id, or the name given at the command line
_ORDER = "recovery_order.id"
_LAYERS = "pool_fen + serious_illness_fen + medical_aid_fen + civil_servant_fen"

recovery_order = sa.Table(
    "recovery_order",
    metadata,
    identifier(SENSITIVE),  # the claim's number, -R and the ordinal
    reference("claim_id", "claim.id"),
    reference("person_id", "person.id"),
    column("ordinal", sa.Integer, INTERNAL),
    column("number", HASH, INTERNAL, unique=True),  # its name on the ledger
    column("cause", CODE, INTERNAL),  # backend.domain.recovery.Cause
    column("source_id", sa.String(80), INTERNAL, index=True),  # bill, lead, revision that caused it
    column("debtor", sa.String(12), INTERNAL),  # person | institution
    column(
        "institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code"), null=True
    ),
    column("amount_fen", FEN, SENSITIVE),
    column("pool_fen", FEN, SENSITIVE),
    column("serious_illness_fen", FEN, SENSITIVE),
    column("medical_aid_fen", FEN, SENSITIVE),
    column("civil_servant_fen", FEN, SENSITIVE),
    column("reason", sa.Text, SENSITIVE),
    column("proposed_by", _WHO, INTERNAL),
    column("created_at", AT, INTERNAL, index=True),
    column("due_on", sa.Date, INTERNAL),
    sa.UniqueConstraint("claim_id", "ordinal"),
    sa.UniqueConstraint("claim_id", "cause", "source_id"),
    sa.CheckConstraint(f"amount_fen > 0 AND amount_fen = {_LAYERS}", name="ck_recovery_order_sum"),
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
)

recovery_approval = sa.Table(
    "recovery_approval",
    metadata,
    column("order_id", ID, SENSITIVE, sa.ForeignKey(_ORDER), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("person", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.UniqueConstraint("order_id", "person"),
    sa.CheckConstraint("ordinal IN (1, 2)", name="ck_recovery_approval_ordinal"),
)

recovery_dismissal = sa.Table(
    "recovery_dismissal",
    metadata,
    column("order_id", ID, SENSITIVE, sa.ForeignKey(_ORDER), primary_key=True),
    column("by", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
)

recovery_instalment = sa.Table(
    "recovery_instalment",
    metadata,
    column("order_id", ID, SENSITIVE, sa.ForeignKey(_ORDER), primary_key=True),
    column("plan", sa.Integer, INTERNAL, primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("due_on", sa.Date, INTERNAL),
    column("amount_fen", FEN, SENSITIVE),
    column("by", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.CheckConstraint("amount_fen > 0", name="ck_recovery_instalment_amount_fen"),
)

recovery_receipt = sa.Table(
    "recovery_receipt",
    metadata,
    column("reference", sa.String(60), INTERNAL, primary_key=True),  # the bank's
    column("order_id", ID, SENSITIVE, sa.ForeignKey(_ORDER), primary_key=True, index=True),
    column("amount_fen", FEN, SENSITIVE),
    column("received_on", sa.Date, INTERNAL),
    column("source", sa.String(8), INTERNAL),  # clerk | file | returned | ledger
    column("is_simulated", sa.Boolean, INTERNAL),
    column("recorded_by", _WHO, INTERNAL),
    column("recorded_at", AT, INTERNAL),
    # One of a reference and order stands at most; the ones before it were taken back.
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    sa.CheckConstraint("amount_fen > 0", name="ck_recovery_receipt_amount_fen"),
    sa.CheckConstraint(
        "source IN ('clerk', 'file', 'returned', 'ledger')", name="ck_recovery_receipt_source"
    ),
)

# Taking a receipt back takes two people: one asks, another approves. The receipt stays as it was.
recovery_reversal_request = sa.Table(
    "recovery_reversal_request",
    metadata,
    column("reference", sa.String(60), INTERNAL, primary_key=True),
    column("order_id", ID, SENSITIVE, primary_key=True, index=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("place", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("by", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.ForeignKeyConstraint(
        ["reference", "order_id", "ordinal"],
        [f"recovery_receipt.{name}" for name in ("reference", "order_id", "ordinal")],
        name="fk_recovery_reversal_request_receipt",
    ),
    sa.UniqueConstraint(
        "reference", "order_id", "ordinal", "place", "by", name="uq_recovery_reversal_request_by"
    ),
)

recovery_receipt_reversal = sa.Table(
    "recovery_receipt_reversal",
    metadata,
    column("reference", sa.String(60), INTERNAL, primary_key=True),
    column("order_id", ID, SENSITIVE, primary_key=True, index=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("request_place", sa.Integer, INTERNAL),
    column("proposed_by", _WHO, INTERNAL),
    column("approved_by", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.ForeignKeyConstraint(
        ["reference", "order_id", "ordinal", "request_place", "proposed_by"],
        [
            f"recovery_reversal_request.{name}"
            for name in ("reference", "order_id", "ordinal", "place", "by")
        ],
        name="fk_recovery_receipt_reversal_request",
    ),
    sa.CheckConstraint(
        "proposed_by <> approved_by", name="ck_recovery_receipt_reversal_two_people"
    ),
)

recovery_waiver_request = sa.Table(
    "recovery_waiver_request",
    metadata,
    column("order_id", ID, SENSITIVE, sa.ForeignKey(_ORDER), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("by", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.UniqueConstraint("order_id", "ordinal", "by"),
)

recovery_waiver = sa.Table(
    "recovery_waiver",
    metadata,
    column("order_id", ID, SENSITIVE, sa.ForeignKey(_ORDER), primary_key=True),
    column("request_ordinal", sa.Integer, INTERNAL),
    column("amount_fen", FEN, SENSITIVE),
    column("proposed_by", _WHO, INTERNAL),
    column("approved_by", _WHO, INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
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
)

payable_reversal = sa.Table(
    "payable_reversal",
    metadata,
    column("payout_id", sa.String(60), INTERNAL, sa.ForeignKey("payout.id"), primary_key=True),
    reference("claim_id", "claim.id"),
    column("offset_fen", FEN, SENSITIVE),  # of it set against an order: the bank gave it back
    column("cause", CODE, INTERNAL),
    column("at", AT, INTERNAL),
    sa.CheckConstraint("offset_fen >= 0", name="ck_payable_reversal_offset_fen"),
)

withdrawal_cursor = sa.Table(
    "withdrawal_cursor",
    metadata,
    column("id", sa.Integer, INTERNAL, primary_key=True),
    column("block_number", sa.BigInteger, INTERNAL),  # read up to here for void and reversed bills
    sa.CheckConstraint("id = 1", name="ck_withdrawal_cursor_one"),
)
