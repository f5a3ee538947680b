"""Reports and cases of the reconciliation of money, statements of the bank. Insert-only."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    BYTES,
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

money_report = sa.Table(
    "money_report",
    metadata,
    column("number", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),  # from 1
    column("made_at", AT, INTERNAL),
    column("mismatch_count", sa.Integer, INTERNAL),
    column("text", sa.Text, SENSITIVE),  # canonical JSON
    column("digest", HASH, INTERNAL),  # SHA-256 of the text
    column("previous_digest", HASH, INTERNAL, unique=True),  # so that none can be left out
    column("account", sa.String(42), INTERNAL),  # the agency's account that signed
    column("signature", BYTES, INTERNAL),  # 65 bytes, EIP-191
)

reconciliation_case_event = sa.Table(
    "reconciliation_case_event",
    metadata,
    column(
        "case_id",
        sa.String(120),
        INTERNAL,
        sa.ForeignKey("reconciliation_case.id"),
        primary_key=True,
    ),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),  # from 1
    column("kind", sa.String(12), INTERNAL),  # CaseStep of the reconciliation
    column("by", sa.String(60), INTERNAL),
    column("text", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    column("case_kind", CODE, INTERNAL, null=True),  # of a renewed case
    column("detail", sa.Text, INTERNAL, null=True),  # JSON, of a renewed case
    column("outcome", sa.String(12), INTERNAL, null=True),  # accepted | corrected
    column("answers", sa.Integer, INTERNAL, null=True),  # the proposal that is confirmed
    column(
        "report_number", sa.Integer, INTERNAL, sa.ForeignKey("money_report.number"), null=True
    ),  # the report that shows that all sides agree
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

bank_statement = sa.Table(
    "bank_statement",
    metadata,
    identifier(),
    column("region", sa.String(12), INTERNAL),  # whose account it is
    column("account", sa.String(34), INTERNAL),
    column("statement_id", sa.String(35), INTERNAL),
    column("from_at", AT, INTERNAL),
    column("to_at", AT, INTERNAL),
    column("opening_fen", FEN, INTERNAL),
    column("closing_fen", FEN, INTERNAL),
    column("entry_count", sa.Integer, INTERNAL),
    column("simulated", sa.Boolean, INTERNAL),
    reference("message_id", "bank_message.id", index=False),
    column("filing", sa.Integer, INTERNAL),  # from 1: one that was withdrawn may be filed anew
    sa.UniqueConstraint("account", "statement_id", "filing"),
    sa.CheckConstraint("from_at <= to_at", name="ck_bank_statement_period"),
)

sa.Index("ix_bank_statement_region_to_at", bank_statement.c.region, bank_statement.c.to_at)

bank_statement_entry = sa.Table(
    "bank_statement_entry",
    metadata,
    column("statement_id", ID, INTERNAL, sa.ForeignKey("bank_statement.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("side", sa.String(6), INTERNAL),  # credit: money came; debit: money left
    column("amount_fen", FEN, SENSITIVE),
    column("reference", sa.String(80), INTERNAL),  # the bank's own number
    column("end_to_end_id", sa.String(35), INTERNAL),  # of an instruction of ours, else empty
    column("booked_on", sa.Date, INTERNAL),
    sa.CheckConstraint("amount_fen > 0", name="ck_bank_statement_entry_amount_fen"),
    sa.CheckConstraint("side IN ('credit', 'debit')", name="ck_bank_statement_entry_side"),
)

bank_statement_withdrawal = sa.Table(
    "bank_statement_withdrawal",  # one that was wrong, set aside by two people
    metadata,
    column("statement_id", ID, INTERNAL, sa.ForeignKey("bank_statement.id"), primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),  # from 1
    column("action", sa.String(12), INTERNAL),  # proposed | confirmed | refused
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    sa.CheckConstraint(
        "action IN ('proposed', 'confirmed', 'refused')",
        name="ck_bank_statement_withdrawal_action",
    ),
    sa.CheckConstraint("trim(\"by\") <> ''", name="ck_bank_statement_withdrawal_by"),
)

lost_period = sa.Table(
    "lost_period",  # the database was restored: words that were said in it may be missing
    metadata,
    identifier(),
    column("since", AT, INTERNAL),  # the copy's newest own entry before the first unknown fact
    column("until", AT, INTERNAL),  # when the restore was found
    column("first_unknown_at", AT, INTERNAL, null=True),  # of chain or bank
    column("accounts_from", AT, INTERNAL),  # from then on a lost change could be in effect
    column("found_at", AT, INTERNAL),
    column("case_id", sa.String(120), INTERNAL, sa.ForeignKey("reconciliation_case.id")),
    sa.CheckConstraint("since <= until", name="ck_lost_period_since"),
)
