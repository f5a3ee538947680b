"""The journal of money: accounts, transfers, entries, closed months, and whose a claim is.

Everything here is insert-only. A transfer moves one amount between two accounts, so no row can be
out of balance. The transfers of an entry are stored first and the entry last: triggers (migration
0017) refuse an entry whose transfers are not all there, and the deferred foreign key refuses
transfers whose entry never came.
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

_AREA = sa.String(6)
_INSURANCE = sa.String(3)

# The fund and the agency of a claim, fixed once: the county may handle what the city pays.
claim_fund = sa.Table(
    "claim_fund",
    metadata,
    column("claim_id", ID, INTERNAL, sa.ForeignKey("claim.id"), primary_key=True),
    column("region", _AREA, INTERNAL),
    column("insurance_type", _INSURANCE, SENSITIVE),
    column("agency_code", _AREA, INTERNAL),
    column("agency_name", sa.String(80), INTERNAL),
    column("basis", sa.String(12), INTERNAL),  # register | settings
    column("recorded_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "region", "insurance_type", "agency_code"),
)

journal_account = sa.Table(
    "journal_account",
    metadata,
    column("code", CODE, INTERNAL, primary_key=True),
    column("kind", sa.String(12), INTERNAL),  # backend.domain.journal.AccountKind
    column("account_class", sa.String(12), INTERNAL),  # asset | liability | net | clearing
    column("normal_side", sa.String(6), INTERNAL),  # debit | credit
    column("region", _AREA, INTERNAL),
    column("layer", sa.String(16), INTERNAL, null=True),  # of a fund only
    column("created_at", AT, INTERNAL),
)

journal_entry = sa.Table(
    "journal_entry",
    metadata,
    identifier(),  # derived from the source and the kind
    column("source_type", sa.String(24), INTERNAL),
    column("source_id", sa.String(80), INTERNAL),
    column("kind", sa.String(24), INTERNAL),  # backend.domain.journal.EventKind
    column("region", _AREA, INTERNAL),
    column("insurance_type", _INSURANCE, INTERNAL),
    column("agency_code", _AREA, INTERNAL),
    column("agency_name", sa.String(80), INTERNAL),
    reference("claim_id", "claim.id", null=True),
    column("booked_at", AT, INTERNAL),
    column("booked_on", sa.Date, INTERNAL),  # the day in China
    column("transfer_count", sa.Integer, INTERNAL),
    column("total_fen", FEN, SENSITIVE),
    column("is_simulated", sa.Boolean, INTERNAL),
    column("recorded_by", sa.String(60), INTERNAL),
    column("text", sa.String(400), SENSITIVE),
    sa.UniqueConstraint("source_type", "source_id", "kind"),
    sa.UniqueConstraint("id", "transfer_count"),
    # The money of a claim stays in the books of the claim's fund.
    sa.ForeignKeyConstraint(
        ["claim_id", "region", "insurance_type", "agency_code"],
        [
            "claim_fund.claim_id",
            "claim_fund.region",
            "claim_fund.insurance_type",
            "claim_fund.agency_code",
        ],
    ),
    sa.Index("ix_journal_entry_region_booked_on", "region", "booked_on"),
)

journal_transfer = sa.Table(
    "journal_transfer",
    metadata,
    column("entry_id", ID, INTERNAL, primary_key=True),
    column("part", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("parts", sa.Integer, INTERNAL),  # how many the entry has
    column("debit_account", CODE, INTERNAL, sa.ForeignKey("journal_account.code")),
    column("credit_account", CODE, INTERNAL, sa.ForeignKey("journal_account.code")),
    column("amount_fen", FEN, SENSITIVE),
    sa.ForeignKeyConstraint(
        ["entry_id", "parts"],
        ["journal_entry.id", "journal_entry.transfer_count"],
        deferrable=True,
        initially="DEFERRED",
    ),
    sa.Index("ix_journal_transfer_debit_account_amount_fen", "debit_account", "amount_fen"),
    sa.Index("ix_journal_transfer_credit_account_amount_fen", "credit_account", "amount_fen"),
)

# A correcting entry takes two people: one proposes, another confirms, in the entry's transaction.
journal_adjustment = sa.Table(
    "journal_adjustment",
    metadata,
    column("number", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("kind", sa.String(24), INTERNAL),  # backend.domain.journal.EventKind
    column("region", _AREA, INTERNAL),
    column("insurance_type", _INSURANCE, INTERNAL),
    column("layer", sa.String(16), INTERNAL, null=True),
    column("amount_fen", FEN, SENSITIVE),
    column("reference", sa.String(80), INTERNAL),
    column("side", sa.String(6), INTERNAL, null=True),  # on the statement: credit | debit
    column("statement_id", ID, INTERNAL, null=True),
    column("statement_ordinal", sa.Integer, INTERNAL, null=True),
    reference("corrects", "journal_entry.id", null=True, index=False),
    column("subject", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("proposed_by", sa.String(60), INTERNAL),
    column("proposed_at", AT, INTERNAL),
    sa.ForeignKeyConstraint(
        ["statement_id", "statement_ordinal"],
        ["bank_statement_entry.statement_id", "bank_statement_entry.ordinal"],
    ),
    sa.Index("ix_journal_adjustment_subject", "subject"),
)

journal_adjustment_answer = sa.Table(
    "journal_adjustment_answer",
    metadata,
    column(
        "number", sa.Integer, INTERNAL, sa.ForeignKey("journal_adjustment.number"),
        primary_key=True, autoincrement=False,
    ),
    column("action", sa.String(12), INTERNAL),  # confirmed | refused
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("at", AT, INTERNAL),
    column("subject", sa.String(60), INTERNAL, null=True),  # of a confirmed one: corrected once
    reference("entry_id", "journal_entry.id", null=True, index=False),
    sa.UniqueConstraint("subject"),
    sa.UniqueConstraint("entry_id"),
)  # fmt: skip

journal_close = sa.Table(
    "journal_close",
    metadata,
    identifier(),
    column("region", _AREA, INTERNAL),
    column("month", sa.String(7), INTERNAL),  # 2026-11
    column("open_count", sa.Integer, INTERNAL),
    column("open_fen", FEN, INTERNAL),
    column("statement", sa.Text, SENSITIVE),  # canonical JSON: trial balance and open items
    column("digest", HASH, INTERNAL),  # SHA-256 of the statement
    column("closed_by", sa.String(60), INTERNAL),
    column("reason", sa.String(400), SENSITIVE),
    column("closed_at", AT, INTERNAL),
    sa.UniqueConstraint("region", "month"),
)

journal_close_proposal = sa.Table(
    "journal_close_proposal",  # by one person; another one confirms it with a journal_close
    metadata,
    column("region", _AREA, INTERNAL, primary_key=True),
    column("month", sa.String(7), INTERNAL, primary_key=True),
    column("ordinal", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),  # from 1
    column("by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("digest", HASH, INTERNAL),  # of the statement that was shown
    column("carried", sa.Text, INTERNAL),  # what bank and reconciliation leave open, a line each
    column("at", AT, INTERNAL),
    sa.CheckConstraint("trim(\"by\") <> ''", name="ck_journal_close_proposal_by"),
)
