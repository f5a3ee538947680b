"""Audit rules: their states, switches and hits

Revision ID: 0008
Revises: 0007

``bill_trait`` is filled for the bills that are stored already, a thousand at a time.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSERT_ONLY = (
    "audit_rule_proposal",
    "audit_trial_run",
    "audit_rule_answer",
    "audit_rule_version",
    "audit_rule_set",
    "audit_hit",
    "audit_outcome",
    "group_figure",
)
BILLS_AT_ONCE = 1_000
CATEGORY_LENGTH = 3


def upgrade() -> None:
    _create_rule_tables()
    _create_hit_tables()
    _create_comparison_tables()
    _guard()
    _fill_traits(op.get_bind())


def _text(name: str, length: int, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _at(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _whole(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _long(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def _create_rule_tables() -> None:
    op.create_table(
        "audit_rule_proposal",
        _text("id", 40),
        _text("rule_code", 40),
        *_whole("base_version"),
        _text("state", 10),
        _long("parameters", null=True),
        sa.Column("valid_from", sa.Date, nullable=True),
        _long("reason"),
        _text("proposed_by", 60),
        _at("proposed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_rule_proposal"),
        sa.UniqueConstraint("id", "proposed_by", name="uq_audit_rule_proposal_id_proposed_by"),
    )
    op.create_index(
        "ix_audit_rule_proposal_rule_code", "audit_rule_proposal", ["rule_code"], unique=False
    )
    op.create_table(
        "audit_trial_run",
        _text("id", 40),
        _text("rule_code", 40),
        sa.Column("rule_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("to_on", sa.Date, nullable=False),
        *_whole("bills", "bills_hit", "hits", "not_judged", "unreadable"),
        sa.Column("is_complete", sa.Boolean, nullable=False),
        _long("examples"),
        _text("run_by", 60),
        _at("started_at"),
        _at("finished_at"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_trial_run"),
    )
    op.create_index("ix_audit_trial_run_rule_code", "audit_trial_run", ["rule_code"], unique=False)
    op.create_table(
        "audit_rule_answer",
        _text("proposal_id", 40),
        _text("proposed_by", 60),
        _text("answer", 10),
        _text("answered_by", 60),
        _long("reason"),
        _at("answered_at"),
        _text("trial_run_id", 40, null=True),
        sa.PrimaryKeyConstraint("proposal_id", name="pk_audit_rule_answer"),
        sa.UniqueConstraint(
            "proposal_id", "answer", name="uq_audit_rule_answer_proposal_id_answer"
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id", "proposed_by"],
            ["audit_rule_proposal.id", "audit_rule_proposal.proposed_by"],
            name="fk_audit_rule_answer_proposal_id_proposed_by",
        ),
        sa.ForeignKeyConstraint(
            ["trial_run_id"], ["audit_trial_run.id"], name="fk_audit_rule_answer_trial_run_id"
        ),
        sa.CheckConstraint(
            "answer = 'withdrawn' OR (answer = 'confirmed' AND lower(answered_by) <> "
            "lower(proposed_by))",
            name="ck_audit_rule_answer_two_people",
        ),
    )
    op.create_table(
        "audit_rule_version",
        _text("rule_code", 40),
        *_whole("version"),
        _text("state", 10),
        _long("parameters", null=True),
        sa.Column("valid_from", sa.Date, nullable=True),
        _text("origin", 10),
        _text("proposal_id", 40, null=True),
        _text("answer", 10, null=True),
        _at("recorded_at"),
        sa.PrimaryKeyConstraint("rule_code", "version", name="pk_audit_rule_version"),
        sa.UniqueConstraint("proposal_id", name="uq_audit_rule_version_proposal_id"),
        sa.ForeignKeyConstraint(
            ["proposal_id", "answer"],
            ["audit_rule_answer.proposal_id", "audit_rule_answer.answer"],
            name="fk_audit_rule_version_proposal_id_answer",
        ),
        sa.CheckConstraint(
            "(origin = 'shipped' AND version = 1 AND proposal_id IS NULL AND answer IS NULL) OR "
            "(origin = 'decided' AND version > 1 AND proposal_id IS NOT NULL "
            "AND answer IS NOT NULL AND answer = 'confirmed')",
            name="ck_audit_rule_version_origin",
        ),
        sa.CheckConstraint(
            "state IN ('trial', 'live', 'retired')", name="ck_audit_rule_version_state"
        ),
    )


def _create_hit_tables() -> None:
    op.create_table(
        "audit_rule_set",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        _long("document"),
        _at("first_used_at"),
        sa.PrimaryKeyConstraint("digest", name="pk_audit_rule_set"),
    )
    op.create_table(
        "audit_hit",
        _text("id", 40),
        _text("claim_id", 40),
        _text("rule_code", 40),
        sa.Column("rule_set_digest", sa.LargeBinary(32), nullable=False),
        *_whole("line_index"),
        _text("effect", 8),
        _long("zh"),
        _long("en"),
        _long("evidence"),
        _at("found_at"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_hit"),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_audit_hit_claim_id"),
        sa.ForeignKeyConstraint(
            ["rule_set_digest"], ["audit_rule_set.digest"], name="fk_audit_hit_rule_set_digest"
        ),
        sa.UniqueConstraint(
            "claim_id",
            "rule_code",
            "line_index",
            "rule_set_digest",
            name="uq_audit_hit_claim_id_rule_code_line_index_rule_set_digest",
        ),
    )
    op.create_index("ix_audit_hit_claim_id", "audit_hit", ["claim_id"], unique=False)
    op.create_index("ix_audit_hit_rule_code", "audit_hit", ["rule_code"], unique=False)
    op.create_table(
        "audit_outcome",
        _text("hit_id", 40),
        *_whole("sequence"),
        _text("outcome", 8),
        _text("found_by", 60),
        _at("found_at"),
        sa.PrimaryKeyConstraint("hit_id", "sequence", name="pk_audit_outcome"),
        sa.ForeignKeyConstraint(["hit_id"], ["audit_hit.id"], name="fk_audit_outcome_hit_id"),
        sa.CheckConstraint("outcome IN ('upheld', 'cleared')", name="ck_audit_outcome_outcome"),
    )


def _create_comparison_tables() -> None:
    op.create_table(
        "bill_trait",
        _text("version_id", 40),
        sa.Column("lines_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("service_on", sa.Date, nullable=False),
        _text("visit_kind", 20),
        _text("diagnosis", 10),
        sa.PrimaryKeyConstraint("version_id", name="pk_bill_trait"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["invoice_version.id"], name="fk_bill_trait_version_id"
        ),
    )
    op.create_index(
        "ix_bill_trait_lines_digest_service_on",
        "bill_trait",
        ["lines_digest", "service_on"],
        unique=False,
    )
    op.create_table(
        "group_figure",
        _at("counted_at"),
        *_whole("hospital_level"),
        _text("visit_kind", 20),
        _text("diagnosis", 10),
        *_whole("size"),
        sa.Column("median_fen", sa.BigInteger, nullable=False),
        _long("examples"),
        sa.PrimaryKeyConstraint(
            "counted_at", "hospital_level", "visit_kind", "diagnosis", name="pk_group_figure"
        ),
    )


def _guard() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in INSERT_ONLY:
        if is_postgresql:
            op.execute(
                f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
            continue
        refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refusal}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")


def _fill_traits(connection: sa.Connection) -> None:
    version = sa.table(
        "invoice_version",
        sa.column("id"),
        sa.column("header"),
        sa.column("service_on", sa.Date),
    )
    line = sa.table("expense_line", sa.column("version_id"), sa.column("record"))
    trait = sa.table(
        "bill_trait",
        sa.column("version_id"),
        sa.column("lines_digest", sa.LargeBinary),
        sa.column("service_on", sa.Date),
        sa.column("visit_kind"),
        sa.column("diagnosis"),
    )
    after = ""
    while True:
        bills = connection.execute(
            sa.select(version)
            .where(version.c.id > after)
            .order_by(version.c.id)
            .limit(BILLS_AT_ONCE)
        ).all()
        if not bills:
            return
        after = bills[-1].id
        lines: dict[str, list[str]] = {}
        for row in connection.execute(
            sa.select(line).where(line.c.version_id.in_([bill.id for bill in bills]))
        ):
            lines.setdefault(row.version_id, []).append(row.record)
        rows = [_trait(bill, lines.get(bill.id, [])) for bill in bills]
        connection.execute(sa.insert(trait), [row for row in rows if row is not None])


def _trait(bill: Any, lines: list[str]) -> dict[str, Any] | None:
    """The traits of one bill; None for a bill that cannot be read any more (the worker tells)."""
    try:
        header = json.loads(bill.header)
        charges = sorted(_charge(json.loads(text)) for text in lines)
        signs = ("hospitalization_number", "admitted_on", "discharged_on")
        stay = any(header.get(name) for name in signs)
        diagnosis = header.get("diagnosis_code", "")
    except (ValueError, AttributeError, TypeError):
        return None
    return {
        "version_id": bill.id,
        "lines_digest": hashlib.sha256("\n".join(charges).encode()).digest(),
        "service_on": bill.service_on,
        "visit_kind": "inpatient" if stay else "outpatient",
        "diagnosis": str(diagnosis)[:CATEGORY_LENGTH].upper(),
    }


def _charge(line: dict[str, str]) -> str:
    """Code (or name), quantity and amount of a line; both figures have four decimals as stored."""
    quantity = int(line.get("quantity", "0").replace(".", ""))
    amount = int(line.get("amount", "0").replace(".", ""))
    return f"{line.get('catalogue_code') or line.get('name', '')}|{quantity}|{amount}"


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in INSERT_ONLY:
        if is_postgresql:
            op.execute(f"DROP TRIGGER {table}_insert_only ON {table}")
            op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
        else:
            op.execute(f"DROP TRIGGER {table}_no_update")
            op.execute(f"DROP TRIGGER {table}_no_delete")
    for table in (
        "group_figure",
        "bill_trait",
        "audit_outcome",
        "audit_hit",
        "audit_rule_set",
        "audit_rule_version",
        "audit_rule_answer",
        "audit_trial_run",
        "audit_rule_proposal",
    ):
        op.drop_table(table)
