"""Submissions and claims with stages, reasons, calculations, decisions and payouts."""

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
    ID,
    INTERNAL,
    PUBLIC,
    SECRET,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

submission = sa.Table(
    "submission",
    metadata,
    identifier(),
    column("number", sa.String(24), SENSITIVE, unique=True),  # 受理号
    reference("person_id", "person.id"),
    column("form_token", sa.String(64), INTERNAL, unique=True),  # minted when the form is drawn
    column("accepted_at", AT, INTERNAL),
    column("promised_on", sa.Date, INTERNAL),
    column("legal_limit_on", sa.Date, INTERNAL),
    column("consent_at", AT, INTERNAL),
)

claim = sa.Table(
    "claim",
    metadata,
    identifier(),
    column("number", sa.String(28), SENSITIVE, unique=True),
    reference("submission_id", "submission.id"),
    reference("person_id", "person.id"),
    reference("invoice_id", "invoice.id"),
    reference("version_id", "invoice_version.id"),
    # = invoice_id while the claim is open or settled, null once refused or withdrawn:
    # the database's own refusal of a second live claim.
    column("live_invoice_id", ID, INTERNAL, null=True, unique=True),
    column("payer_number", sa.Integer, INTERNAL),
    column("lodge_counter", sa.Integer, INTERNAL, null=True),
    column("state", sa.String(16), INTERNAL, index=True),  # backend.domain.claim.ClaimState
    column("waiting_for", sa.String(40), INTERNAL, null=True),
    column("decision_version", sa.Integer, INTERNAL),  # 0 while undecided
    column("benefit_year", sa.Integer, INTERNAL),
    column("service_on", sa.Date, SENSITIVE),
    column("created_at", AT, INTERNAL),
    column("updated_at", AT, INTERNAL),
    column("kind", sa.String(12), SENSITIVE, server_default="ordinary"),  # ordinary | accident
    column("origin", sa.String(8), INTERNAL, server_default="ledger"),  # ledger | outside
    column("cause", CODE, SENSITIVE, null=True),  # why the claim was manual, a derived code
    column("cause_basis", sa.Text, SENSITIVE, null=True),
    # Set when the claim came back after a refusal: its place in the order of the year's totals.
    column("counted_from", AT, INTERNAL, null=True),
)

claim_stage = sa.Table(
    "claim_stage",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("stage", sa.String(16), INTERNAL),  # backend.domain.claim.Stage
    column("attempt", sa.Integer, INTERNAL),
    column("outcome", sa.String(12), INTERNAL),  # passed | waiting | pended | refused
    column("inputs", sa.Text, SENSITIVE),
    column("reasons", sa.Text, SENSITIVE),
    column("started_at", AT, INTERNAL),
    column("finished_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "stage", "attempt"),
)

pend_reason = sa.Table(
    "pend_reason",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("code", CODE, INTERNAL),
    column("line_index", sa.Integer, INTERNAL, null=True),
    column("zh", sa.Text, SENSITIVE),
    column("en", sa.Text, SENSITIVE),
    column("raised_at", AT, INTERNAL),
    column("resolved_at", AT, INTERNAL, null=True),
    column("resolved_by", sa.String(60), INTERNAL, null=True),
    column("resolution", sa.Text, SENSITIVE, null=True),
    # backend.domain.pend_reasons: who is asked, and whether it may be raised again.
    column("priority", sa.Integer, INTERNAL),
    column("queue", CODE, INTERNAL),
    column("role", CODE, INTERNAL),
    column("rule_code", sa.String(60), INTERNAL),  # empty: not raised by an audit rule
    column("severity", sa.Integer, INTERNAL),
    column("reattach", sa.Boolean, INTERNAL),
    column("occurrence", sa.Integer, INTERNAL),  # 2 and more: raised again after a person
    sa.UniqueConstraint("claim_id", "code", "line_index", "rule_code", "occurrence"),
)

calculation = sa.Table(
    "calculation",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("version", sa.Integer, INTERNAL),
    column("paid_fen", FEN, SENSITIVE),
    column("explanation", sa.Text, CORE),
    column("calculated_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "version"),
)

decision = sa.Table(
    "decision",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("version", sa.Integer, INTERNAL),
    column("outcome", sa.String(12), SENSITIVE),  # approved | partial | refused
    column("paid_fen", FEN, SENSITIVE),
    column("explanation", sa.Text, CORE),  # canonical JSON of the explanation of benefits
    column("fingerprint", HASH, INTERNAL),
    column("wrapped_secret", BYTES, SECRET, null=True),
    column("policy_hash", HASH, PUBLIC),
    column("person_snapshot", sa.Text, CORE),
    column("history_snapshot", sa.Text, CORE),
    column("decided_by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("decided_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "version"),
)

payout = sa.Table(
    "payout",
    metadata,
    column("id", sa.String(60), INTERNAL, primary_key=True),  # derived: claim and version
    reference("claim_id", "claim.id"),
    column("decision_version", sa.Integer, INTERNAL),
    column("amount_fen", FEN, SENSITIVE),
    column("payee_bank", sa.String(60), SENSITIVE),
    column("payee_account_tail", sa.String(4), SENSITIVE),
    column("instructed_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "decision_version"),
)

payout_answer = sa.Table(
    "payout_answer",
    metadata,
    column("payout_id", sa.String(60), INTERNAL, sa.ForeignKey("payout.id"), primary_key=True),
    column("outcome", sa.String(12), INTERNAL),  # paid | returned
    column("bank_reference", sa.String(60), INTERNAL),
    column("simulated", sa.Boolean, INTERNAL),
    column("answered_at", AT, INTERNAL),
)

policy_pack = sa.Table(
    "policy_pack",
    metadata,
    column("policy_hash", HASH, PUBLIC, primary_key=True),
    column("name", sa.String(80), PUBLIC),
    column("effective_from", sa.Date, PUBLIC),
    column("document", sa.Text, PUBLIC),  # canonical JSON
    column("created_at", AT, INTERNAL),
)
