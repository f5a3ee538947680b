"""Review cases: staff, steps, draws, findings, rulings, material; routing of pend reasons

Revision ID: 0009
Revises: 0008

Nobody holds two steps of a case: ``review_participant`` has one row a person and case, and what a
person draws or finds refers to exactly that row.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INSERT_ONLY = (
    "line_ruling",
    "material_answer",
    "material_file",
    "review_draw",
    "review_finding",
    "review_look",
    "review_participant",
    "review_release",
    "review_resolution",
)
_WITHOUT_OCCURRENCE = "uq_pend_reason_claim_id_code_line_index"
_WITH_OCCURRENCE = "uq_pend_reason_claim_id_code_line_index_rule_code_occurrence"
#: What a reason of an earlier version gets: usual priority, general queue, any reviewer.
_ROUTING = (
    ("priority", sa.Integer(), "3"),
    ("queue", sa.String(length=40), "general"),
    ("role", sa.String(length=40), "reviewer"),
    ("rule_code", sa.String(length=60), ""),
    ("severity", sa.Integer(), "0"),
    ("reattach", sa.Boolean(), sa.false()),
    ("occurrence", sa.Integer(), "1"),
)


def upgrade() -> None:
    with op.batch_alter_table("pend_reason") as batch:
        for name, kind, default in _ROUTING:
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=default))
        batch.drop_constraint(_WITHOUT_OCCURRENCE, type_="unique")
        batch.create_unique_constraint(
            _WITH_OCCURRENCE, ["claim_id", "code", "line_index", "rule_code", "occurrence"]
        )
    _create_cases()
    _create_work()
    _create_material()
    _refuse_changes()


def _create_cases() -> None:
    op.create_table(
        "staff",
        sa.Column("login_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("hospital_code", sa.String(length=16), nullable=True),
        sa.Column("away_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hospital_code"], ["institution.code"], name=op.f("fk_staff_hospital_code")
        ),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_staff_login_id")),
        sa.PrimaryKeyConstraint("login_id", name=op.f("pk_staff")),
    )
    op.create_table(
        "review_case",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=True),
        sa.Column("risk", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("live_key", sa.String(length=60), nullable=True),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("hospital_code", sa.String(length=16), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("legal_limit_on", sa.Date(), nullable=False),
        sa.Column("waited_days", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_review_case_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_case")),
        sa.UniqueConstraint("claim_id", "ordinal", name=op.f("uq_review_case_claim_id_ordinal")),
        sa.UniqueConstraint("live_key", name=op.f("uq_review_case_live_key")),
    )
    op.create_index(op.f("ix_review_case_claim_id"), "review_case", ["claim_id"], unique=False)
    op.create_index(op.f("ix_review_case_state"), "review_case", ["state"], unique=False)
    op.create_table(
        "review_participant",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=60), nullable=False),
        sa.Column("part", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_participant_case_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "staff_id", name=op.f("pk_review_participant")),
        sa.UniqueConstraint(
            "case_id", "staff_id", "part", name=op.f("uq_review_participant_case_id_staff_id_part")
        ),
    )
    op.create_table(
        "review_step",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("holder_id", sa.String(length=60), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id", "holder_id", "step"],
            [
                "review_participant.case_id",
                "review_participant.staff_id",
                "review_participant.part",
            ],
            name=op.f("fk_review_step_case_id_holder_id_step"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_step_case_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "step", name=op.f("pk_review_step")),
        sa.UniqueConstraint("case_id", "position", name=op.f("uq_review_step_case_id_position")),
    )
    op.create_index(op.f("ix_review_step_holder_id"), "review_step", ["holder_id"], unique=False)


def _create_work() -> None:
    op.create_table(
        "review_draw",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("seed", sa.LargeBinary(length=32), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("chosen_id", sa.String(length=60), nullable=False),
        sa.Column("request_key", sa.String(length=64), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id", "chosen_id", "step"],
            [
                "review_participant.case_id",
                "review_participant.staff_id",
                "review_participant.part",
            ],
            name=op.f("fk_review_draw_case_id_chosen_id_step"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_draw_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_draw")),
        sa.UniqueConstraint(
            "chosen_id", "request_key", name=op.f("uq_review_draw_chosen_id_request_key")
        ),
    )
    op.create_index(op.f("ix_review_draw_case_id"), "review_draw", ["case_id"], unique=False)
    op.create_table(
        "review_release",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=60), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_release_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_release")),
    )
    op.create_index(op.f("ix_review_release_case_id"), "review_release", ["case_id"], unique=False)
    op.create_table(
        "review_resolution",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("pend_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=60), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.Column("rulings", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id", "staff_id", "step"],
            [
                "review_participant.case_id",
                "review_participant.staff_id",
                "review_participant.part",
            ],
            name=op.f("fk_review_resolution_case_id_staff_id_step"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_resolution_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["pend_id"], ["pend_reason.id"], name=op.f("fk_review_resolution_pend_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "step", "pend_id", name=op.f("pk_review_resolution")),
    )
    op.create_table(
        "review_finding",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rulings", sa.Text(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id", "staff_id", "step"],
            [
                "review_participant.case_id",
                "review_participant.staff_id",
                "review_participant.part",
            ],
            name=op.f("fk_review_finding_case_id_staff_id_step"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_finding_case_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "step", name=op.f("pk_review_finding")),
    )
    op.create_table(
        "line_ruling",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line_index", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("ruled_by", sa.String(length=60), nullable=False),
        sa.Column("ruled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_line_ruling_case_id")
        ),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_line_ruling_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_ruling")),
        sa.UniqueConstraint("case_id", "position", name=op.f("uq_line_ruling_case_id_position")),
    )
    op.create_index(op.f("ix_line_ruling_case_id"), "line_ruling", ["case_id"], unique=False)
    op.create_index(op.f("ix_line_ruling_claim_id"), "line_ruling", ["claim_id"], unique=False)
    op.create_table(
        "review_look",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=60), nullable=False),
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_review_look_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_look")),
    )
    op.create_index(op.f("ix_review_look_case_id"), "review_look", ["case_id"], unique=False)


def _create_material() -> None:
    op.create_table(
        "material_request",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=60), nullable=False),
        sa.Column("needed_zh", sa.Text(), nullable=False),
        sa.Column("needed_en", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.CheckConstraint("ordinal IN (1, 2)", name="ck_material_request_two_at_most"),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_case.id"], name=op.f("fk_material_request_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_material_request")),
        sa.UniqueConstraint("case_id", "ordinal", name=op.f("uq_material_request_case_id_ordinal")),
    )
    op.create_index(
        op.f("ix_material_request_case_id"), "material_request", ["case_id"], unique=False
    )
    op.create_table(
        "material_answer",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["material_request.id"], name=op.f("fk_material_answer_request_id")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_material_answer")),
    )
    op.create_table(
        "material_file",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["material_answer.request_id"], name=op.f("fk_material_file_request_id")
        ),
        sa.PrimaryKeyConstraint("request_id", "position", name=op.f("pk_material_file")),
    )


def _refuse_changes() -> None:
    """Rows that state what somebody did are inserted and never changed (see 0002)."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _INSERT_ONLY:
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


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _INSERT_ONLY:
        for name in ("insert_only", "no_truncate") if is_postgresql else ("no_update", "no_delete"):
            suffix = f" ON {table}" if is_postgresql else ""
            op.execute(f"DROP TRIGGER {table}_{name}{suffix}")
    for table in (
        "material_file",
        "material_answer",
        "material_request",
        "review_look",
        "line_ruling",
        "review_finding",
        "review_resolution",
        "review_release",
        "review_draw",
        "review_step",
        "review_participant",
        "review_case",
        "staff",
    ):
        op.drop_table(table)
    # One reason a claim, code and line is what the earlier version can hold.
    op.execute("DELETE FROM pend_reason WHERE occurrence > 1")
    with op.batch_alter_table("pend_reason") as batch:
        batch.drop_constraint(_WITH_OCCURRENCE, type_="unique")
        batch.create_unique_constraint(_WITHOUT_OCCURRENCE, ["claim_id", "code", "line_index"])
        for name, _, _ in reversed(_ROUTING):
            batch.drop_column(name)
