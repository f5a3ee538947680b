"""Yearly clearings: runs, whom they have been through, what differs. Insert-only.

A run that was cut off has no end and goes on with the next call. One difference of one decision is
one row, however often it is found.
"""

from __future__ import annotations

import sqlalchemy as sa

from backend.adapters.database.columns import column
from backend.adapters.database.tables.metadata import (
    AT,
    CODE,
    FEN,
    ID,
    INTERNAL,
    SENSITIVE,
    identifier,
    metadata,
    reference,
)

_WHO = sa.String(60)  # a staff login's id, or the name given at the command line

clearing_run = sa.Table(
    "clearing_run",
    metadata,
    identifier(),
    column("year", sa.Integer, INTERNAL),
    column("ordinal", sa.Integer, INTERNAL),
    column("is_year_open", sa.Boolean, INTERNAL),  # run before the year was over
    column("started_by", _WHO, INTERNAL),
    column("started_at", AT, INTERNAL),
    sa.UniqueConstraint("year", "ordinal"),
)

clearing_person = sa.Table(
    "clearing_person",
    metadata,
    column("run_id", ID, INTERNAL, sa.ForeignKey("clearing_run.id"), primary_key=True),
    column("person_id", ID, INTERNAL, sa.ForeignKey("person.id"), primary_key=True),
    column("outcome", CODE, INTERNAL),  # cleared | deferred | unreadable
    column("claim_count", sa.Integer, INTERNAL),
    column("detail", sa.Text, SENSITIVE),  # why it was deferred
    column("at", AT, INTERNAL),
)

clearing_item = sa.Table(
    "clearing_item",
    metadata,
    identifier(),
    reference("run_id", "clearing_run.id"),
    reference("person_id", "person.id"),
    reference("claim_id", "claim.id"),
    column("year", sa.Integer, INTERNAL),
    column("finding", CODE, INTERNAL),  # backend.domain.clearing.Finding
    column("outcome", CODE, INTERNAL),  # version | for-people | proposed | noted
    column("basis", CODE, INTERNAL),  # backend.domain.clearing.Order
    column("decision_version", sa.Integer, INTERNAL),  # the one that was compared
    column("before_fen", FEN, SENSITIVE),
    column("after_fen", FEN, SENSITIVE),
    column("pool_fen", FEN, SENSITIVE),  # after, by layer
    column("serious_illness_fen", FEN, SENSITIVE),
    column("medical_aid_fen", FEN, SENSITIVE),
    column("civil_servant_fen", FEN, SENSITIVE),
    column("history_snapshot", sa.Text, SENSITIVE, null=True),  # canonical JSON; null: no rule
    column("created_at", AT, INTERNAL),
    sa.UniqueConstraint(
        "claim_id",
        "decision_version",
        "finding",
        "before_fen",
        "after_fen",
        name="uq_clearing_item_difference",
    ),
)

clearing_end = sa.Table(
    "clearing_end",
    metadata,
    column("run_id", ID, INTERNAL, sa.ForeignKey("clearing_run.id"), primary_key=True),
    column("ended_at", AT, INTERNAL),
)
