"""Payment instructions, the files that carry them, and what the bank answers."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    BYTES,
    CODE,
    CORE,
    FEN,
    HASH,
    INTERNAL,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

payout_file = sa.Table(
    "payout_file",
    metadata,
    identifier(),
    column("message_id", sa.String(35), INTERNAL, unique=True),  # derived from its instructions
    column("lane", sa.String(8), INTERNAL),  # instant | daily
    column("region", sa.String(12), INTERNAL),  # the pool whose account is debited
    column("created_at", AT, INTERNAL, index=True),
    column("item_count", sa.Integer, INTERNAL),
    column("control_sum_fen", FEN, INTERNAL),
    column("digest", HASH, INTERNAL),  # SHA-256 of the clear bytes
    column("wrapped_content", BYTES, CORE),
    column("handed_over_at", AT, INTERNAL, null=True),  # the only column that changes, once
)

payment_attempt = sa.Table(
    "payment_attempt",
    metadata,
    column("id", sa.String(64), INTERNAL, primary_key=True),  # derived: payout and attempt
    column("payout_id", sa.String(60), INTERNAL, sa.ForeignKey("payout.id")),
    reference("claim_id", "claim.id"),
    reference("person_id", "person.id"),
    column("attempt", sa.Integer, INTERNAL),
    column("end_to_end_id", sa.String(35), INTERNAL, unique=True),
    column("account_version", sa.Integer, INTERNAL),
    column("wrapped_holder", BYTES, CORE),
    column("wrapped_account", BYTES, CORE),
    column("account_tail", sa.String(4), SENSITIVE),
    column("bank_name", sa.String(60), SENSITIVE),
    column("amount_fen", FEN, SENSITIVE),
    column("lane", sa.String(8), INTERNAL),
    column("region", sa.String(12), INTERNAL),
    column("instructed_on", sa.Date, INTERNAL),  # the local day that the limits count
    reference("file_id", "payout_file.id"),
    column("created_at", AT, INTERNAL),
    sa.UniqueConstraint("payout_id", "attempt"),
    sa.CheckConstraint("amount_fen > 0", name="ck_payment_attempt_amount_fen"),
    sa.CheckConstraint("attempt >= 1", name="ck_payment_attempt_attempt"),
)

sa.Index(
    "ix_payment_attempt_lane_instructed_on",
    payment_attempt.c.lane,
    payment_attempt.c.instructed_on,
)

bank_message = sa.Table(
    "bank_message",
    metadata,
    identifier(),
    column("name", sa.String(200), INTERNAL),
    column("digest", HASH, INTERNAL),
    column("wrapped_content", BYTES, CORE),
    column("received_at", AT, INTERNAL, index=True),
    column("report_id", sa.String(35), INTERNAL, null=True, index=True),
    column("original_id", sa.String(35), INTERNAL, null=True),
    column("reported_at", AT, INTERNAL, null=True),
    column("simulated", sa.Boolean, INTERNAL, null=True),
    column("verdict", sa.String(8), INTERNAL),  # booked | refused | repeated
    column("difference", sa.Text, INTERNAL),  # why nothing was booked, a line each
    sa.UniqueConstraint("name", "digest"),
)

payment_answer = sa.Table(
    "payment_answer",
    metadata,
    column(
        "attempt_id", sa.String(64), INTERNAL, sa.ForeignKey("payment_attempt.id"), primary_key=True
    ),
    column("status", sa.String(8), INTERNAL, primary_key=True),  # paid | rejected | returned
    column("reason_code", CODE, INTERNAL),
    column("reason_text", sa.String(200), SENSITIVE),
    column("bank_reference", sa.String(60), INTERNAL),
    column("simulated", sa.Boolean, INTERNAL),
    column("answered_at", AT, INTERNAL),
    column("booked_at", AT, INTERNAL),
    reference("message_id", "bank_message.id"),
    sa.CheckConstraint(
        "status IN ('paid', 'rejected', 'returned')", name="ck_payment_answer_status"
    ),
)

sa.Index(
    "uq_payment_answer_outcome",
    payment_answer.c.attempt_id,
    unique=True,
    sqlite_where=payment_answer.c.status.in_(("paid", "rejected")),
    postgresql_where=payment_answer.c.status.in_(("paid", "rejected")),
)
"""An instruction is carried out or it is not."""

payout_hold = sa.Table(
    "payout_hold",
    metadata,
    column("claim_id", sa.String(40), INTERNAL, sa.ForeignKey("claim.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True),
    column("action", sa.String(8), INTERNAL),  # hold | release
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.CheckConstraint("action IN ('hold', 'release')", name="ck_payout_hold_action"),
)

bank_reading = sa.Table(
    "bank_reading",  # who read a file with account numbers, and why
    metadata,
    identifier(),
    reference("message_id", "bank_message.id"),
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
)

payout_lane = sa.Table(
    "payout_lane",
    metadata,
    column("lane", sa.String(8), INTERNAL, primary_key=True),
    column("turn", sa.Integer, INTERNAL),  # raised by whoever forms a file: the row is the lock
    column("last_run_at", AT, INTERNAL, null=True),
)
