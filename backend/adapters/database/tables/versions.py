"""Appeals, withdrawals and reopenings: why a decision got another version."""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
    CORE,
    FEN,
    ID,
    INTERNAL,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

decision_cause = sa.Table(
    "decision_cause",
    metadata,
    column("decision_id", ID, INTERNAL, sa.ForeignKey("decision.id"), primary_key=True),
    reference("claim_id", "claim.id"),
    column("version", sa.Integer, INTERNAL),
    column("cause", CODE, INTERNAL),  # backend.domain.revision.Cause
    column("recorded_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "version"),
)

# What was asked for: an appeal, a reopening, or a difference that the system found.
revision_request = sa.Table(
    "revision_request",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("kind", sa.String(12), INTERNAL),  # backend.domain.revision.RequestKind
    column("decision_version", sa.Integer, INTERNAL),  # 0: refused before any decision
    column("number", sa.Integer, INTERNAL),  # of this kind on this version, from 1
    column("code", CODE, INTERNAL),  # coded reason, of a revision its cause
    column("text", sa.Text, CORE),  # in the person's own words
    column("source_reference", sa.String(80), SENSITIVE),
    column("named_by", sa.String(60), INTERNAL),
    column("seconded_by", sa.String(60), INTERNAL),
    column("amount_before_fen", FEN, SENSITIVE),
    column("amount_after_fen", FEN, SENSITIVE, null=True),  # known for a revision only
    column("explanation", sa.Text, CORE),  # canonical JSON of what was worked out, or {}
    column("filed_at", AT, INTERNAL),
    column("promised_on", sa.Date, INTERNAL),
    column("legal_limit_on", sa.Date, INTERNAL),
    sa.UniqueConstraint("claim_id", "kind", "decision_version", "number"),
)

revision_outcome = sa.Table(
    "revision_outcome",
    metadata,
    column("request_id", ID, INTERNAL, sa.ForeignKey("revision_request.id"), primary_key=True),
    column("outcome", sa.String(12), INTERNAL),  # upheld | rejected
    column("reason", sa.Text, SENSITIVE),
    column("decided_by", sa.String(60), INTERNAL),
    column("decided_at", AT, INTERNAL),
    column("effect", CODE, INTERNAL),  # version | returned | bill-held | unchanged | lower | none
    column("version", sa.Integer, INTERNAL, null=True),  # the decision version that it made
)

# What happened to a claim beside its decisions: withdrawn, come back, kept out by another claim.
claim_event = sa.Table(
    "claim_event",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("kind", CODE, INTERNAL),  # withdrawn | returned | bill-held
    column("decision_version", sa.Integer, INTERNAL),
    column("state_before", sa.String(16), INTERNAL),
    column("code", CODE, INTERNAL),  # of a return the cause of its next decision
    column("text", sa.Text, SENSITIVE),
    column("by", sa.String(60), INTERNAL),
    column("at", AT, INTERNAL),
)

# A reopening takes two people: one proposes, another one confirms within the time.
reopen_proposal = sa.Table(
    "reopen_proposal",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("decision_version", sa.Integer, INTERNAL),  # what it was proposed on
    column("code", CODE, INTERNAL),  # backend.domain.revision.REOPEN_REASONS
    column("text", sa.Text, CORE),
    column("source_reference", sa.String(80), SENSITIVE),
    column("proposed_by", sa.String(60), INTERNAL),  # id of a staff login, or name:<name>
    column("proposed_at", AT, INTERNAL),
    column("expires_at", AT, INTERNAL, index=True),
    sa.UniqueConstraint("id", "proposed_by", "expires_at"),
)

reopen_answer = sa.Table(
    "reopen_answer",
    metadata,
    column("proposal_id", ID, INTERNAL, primary_key=True),
    column("proposed_by", sa.String(60), INTERNAL),
    column("expires_at", AT, INTERNAL),
    column("answer", sa.String(10), INTERNAL),  # confirmed | withdrawn
    column("answered_by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("answered_at", AT, INTERNAL),
    reference("request_id", "revision_request.id", null=True, index=False),
    sa.ForeignKeyConstraint(
        ["proposal_id", "proposed_by", "expires_at"],
        ["reopen_proposal.id", "reopen_proposal.proposed_by", "reopen_proposal.expires_at"],
    ),
    sa.CheckConstraint(
        "(answer = 'withdrawn' AND request_id IS NULL) OR (answer = 'confirmed' "
        "AND request_id IS NOT NULL AND lower(answered_by) <> lower(proposed_by) "
        "AND answered_at <= expires_at)",
        name="ck_reopen_answer_two_people",
    ),
)
