"""Audit rules: their versions and switches, hits and outcomes, and what the rules compare with.

The rules themselves are files shipped with the program. What an agency decides about them stands
here: who proposed, who confirmed, since when. Everything is insert-only, but ``bill_trait``,
which can be worked out again from the bills.
"""

from __future__ import annotations

from typing import Final

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

PERSON_NAME: Final = sa.String(60)
STATE: Final = sa.String(10)  # trial | live | retired

# What somebody wants changed of one rule; it takes effect when another person confirms it.
audit_rule_proposal = sa.Table(
    "audit_rule_proposal",
    metadata,
    identifier(),
    column("rule_code", CODE, INTERNAL, index=True),
    column("base_version", sa.Integer, INTERNAL),  # the version that is to be followed
    column("state", STATE, INTERNAL),
    column("parameters", sa.Text, INTERNAL, null=True),  # JSON object; null: they stay
    column("valid_from", sa.Date, INTERNAL, null=True),  # of the parameters, by date of service
    column("reason", sa.Text, INTERNAL),
    column("proposed_by", PERSON_NAME, INTERNAL),
    column("proposed_at", AT, INTERNAL),
    sa.UniqueConstraint("id", "proposed_by"),
)

# A rule run over stored bills without effect. ``rule_digest`` is that of the rule as it was run.
audit_trial_run = sa.Table(
    "audit_trial_run",
    metadata,
    identifier(),
    column("rule_code", CODE, INTERNAL, index=True),
    column("rule_digest", HASH, INTERNAL),
    column("from_on", sa.Date, INTERNAL),  # dates of service, both included
    column("to_on", sa.Date, INTERNAL),
    column("bills", sa.Integer, INTERNAL),  # evaluated
    column("bills_hit", sa.Integer, INTERNAL),
    column("hits", sa.Integer, INTERNAL),
    column("not_judged", sa.Integer, INTERNAL),  # facts were missing
    column("unreadable", sa.Integer, INTERNAL),
    column("is_complete", sa.Boolean, INTERNAL),  # False: the limit of bills was reached
    column("examples", sa.Text, SENSITIVE),  # JSON, no names
    column("run_by", PERSON_NAME, INTERNAL),
    column("started_at", AT, INTERNAL),
    column("finished_at", AT, INTERNAL),
)

# The database itself refuses a confirmation by the one who proposed.
audit_rule_answer = sa.Table(
    "audit_rule_answer",
    metadata,
    column("proposal_id", ID, INTERNAL, primary_key=True),
    column("proposed_by", PERSON_NAME, INTERNAL),
    column("answer", sa.String(10), INTERNAL),  # confirmed | withdrawn
    column("answered_by", PERSON_NAME, INTERNAL),
    column("reason", sa.Text, INTERNAL),
    column("answered_at", AT, INTERNAL),
    reference("trial_run_id", "audit_trial_run.id", null=True, index=False),
    sa.ForeignKeyConstraint(
        ["proposal_id", "proposed_by"],
        ["audit_rule_proposal.id", "audit_rule_proposal.proposed_by"],
    ),
    sa.UniqueConstraint("proposal_id", "answer"),
    sa.CheckConstraint(
        "answer = 'withdrawn' OR (answer = 'confirmed' AND lower(answered_by) <> "
        "lower(proposed_by))",
        name="ck_audit_rule_answer_two_people",
    ),
)

# The versions of a rule in this installation. Version 1 is the rule as it came with the program.
audit_rule_version = sa.Table(
    "audit_rule_version",
    metadata,
    column("rule_code", CODE, INTERNAL, primary_key=True),
    column("version", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("state", STATE, INTERNAL),
    column("parameters", sa.Text, INTERNAL, null=True),
    column("valid_from", sa.Date, INTERNAL, null=True),
    column("origin", sa.String(10), INTERNAL),  # shipped | decided
    column("proposal_id", ID, INTERNAL, null=True, unique=True),
    column("answer", sa.String(10), INTERNAL, null=True),  # so that it can only be a confirmed one
    column("recorded_at", AT, INTERNAL),
    sa.ForeignKeyConstraint(
        ["proposal_id", "answer"],
        ["audit_rule_answer.proposal_id", "audit_rule_answer.answer"],
    ),
    sa.CheckConstraint(
        "(origin = 'shipped' AND version = 1 AND proposal_id IS NULL AND answer IS NULL) OR "
        "(origin = 'decided' AND version > 1 AND proposal_id IS NOT NULL "
        "AND answer IS NOT NULL AND answer = 'confirmed')",
        name="ck_audit_rule_version_origin",
    ),
    sa.CheckConstraint("state IN ('trial', 'live', 'retired')", name="ck_audit_rule_version_state"),
)

# Every set of rules that a claim was audited with, so that its digest can be opened later.
audit_rule_set = sa.Table(
    "audit_rule_set",
    metadata,
    column("digest", HASH, INTERNAL, primary_key=True),
    column("document", sa.Text, INTERNAL),  # canonical JSON
    column("first_used_at", AT, INTERNAL),
)

audit_hit = sa.Table(
    "audit_hit",
    metadata,
    identifier(),
    reference("claim_id", "claim.id"),
    column("rule_code", CODE, INTERNAL, index=True),
    column("rule_set_digest", HASH, INTERNAL, sa.ForeignKey("audit_rule_set.digest")),
    column("line_index", sa.Integer, INTERNAL),  # from 0; -1: the bill as a whole
    column("effect", sa.String(8), INTERNAL),  # refused | pended | trial
    column("zh", sa.Text, SENSITIVE),
    column("en", sa.Text, SENSITIVE),
    column("evidence", sa.Text, SENSITIVE),  # JSON
    column("found_at", AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "rule_code", "line_index", "rule_set_digest"),
)

# What a person found of a hit; the newest row of a hit counts.
audit_outcome = sa.Table(
    "audit_outcome",
    metadata,
    column("hit_id", ID, INTERNAL, sa.ForeignKey("audit_hit.id"), primary_key=True),
    column("sequence", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("outcome", sa.String(8), INTERNAL),  # upheld | cleared
    column("found_by", PERSON_NAME, INTERNAL),
    column("found_at", AT, INTERNAL),
    sa.CheckConstraint("outcome IN ('upheld', 'cleared')", name="ck_audit_outcome_outcome"),
)

# What a later declaration of the claim's person did to a hit; the newest row of a hit counts.
audit_hit_event = sa.Table(
    "audit_hit_event",
    metadata,
    column("hit_id", ID, INTERNAL, sa.ForeignKey("audit_hit.id"), primary_key=True),
    column("sequence", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("effect", sa.String(8), INTERNAL),  # answered | restated
    reference("declaration_id", "claim_declaration.id", index=False),
    column("zh", sa.Text, SENSITIVE),
    column("en", sa.Text, SENSITIVE),
    column("evidence", sa.Text, SENSITIVE),  # JSON
    column("at", AT, INTERNAL),
    sa.CheckConstraint("effect IN ('answered', 'restated')", name="ck_audit_hit_event_effect"),
)

# What bills are compared by, beside each version; it can be worked out again from the bill.
bill_trait = sa.Table(
    "bill_trait",
    metadata,
    column("version_id", ID, INTERNAL, sa.ForeignKey("invoice_version.id"), primary_key=True),
    column("lines_digest", HASH, SENSITIVE),  # equal for bills that charge the same things
    column("service_on", sa.Date, SENSITIVE),
    column("visit_kind", sa.String(20), INTERNAL),
    column("diagnosis", sa.String(10), SENSITIVE),  # ICD-10 category; empty: not known
    sa.Index("ix_bill_trait_lines_digest_service_on", "lines_digest", "service_on"),
)

# Medians of bills alike, as they were counted: a decision names the instant and so the figures.
group_figure = sa.Table(
    "group_figure",
    metadata,
    column("counted_at", AT, INTERNAL, primary_key=True),
    column("hospital_level", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("visit_kind", sa.String(20), INTERNAL, primary_key=True),
    column("diagnosis", sa.String(10), INTERNAL, primary_key=True),
    column("size", sa.Integer, INTERNAL),
    column("median_fen", FEN, INTERNAL),
    column("examples", sa.Text, SENSITIVE),  # JSON, no names
)
