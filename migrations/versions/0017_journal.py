"""The journal of money

Revision ID: 0017
Revises: 0016

A row of ``journal_transfer`` has one amount, one account that it debits and another that it
credits, so debit equals credit in every row. An entry is stored after its transfers: what is there
as an entry is whole, and what is not there as an entry is not booked.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLES = ("claim_fund", "journal_account", "journal_entry", "journal_transfer", "journal_close")

_ACCOUNT_CODE = (
    "code = kind || ':' || region || CASE WHEN layer IS NULL THEN '' ELSE ':' || layer END"
)
_ACCOUNT_KIND = """
(kind IN ('bank', 'receivable') AND account_class = 'asset' AND normal_side = 'debit')
OR (kind IN ('payable', 'transit') AND account_class = 'liability' AND normal_side = 'credit')
OR (kind = 'fund' AND account_class = 'net' AND normal_side = 'credit')
OR (kind = 'clearing' AND account_class = 'clearing' AND normal_side = 'credit')
"""
_ACCOUNT_LAYER = """
(kind <> 'fund' AND layer IS NULL)
OR (kind = 'fund' AND layer IS NOT NULL
    AND layer IN ('pool', 'serious-illness', 'medical-aid', 'civil-servant'))
"""
_AMOUNT_MAX = 2**50
_TRANSFERS_MAX = 64

# A table that a session makes for itself under one of our names must not be looked at instead.
_POSTGRESQL = """
CREATE FUNCTION yichu_journal_entry() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp AS $$
DECLARE
    parts bigint;
    total numeric;
BEGIN
    -- Waits for a month that is being closed just now.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('yichu-journal|' || NEW.region, 0));
    IF NEW.booked_on <> (NEW.booked_at AT TIME ZONE 'Asia/Shanghai')::date THEN
        RAISE EXCEPTION 'journal_entry is of another day'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM journal_close
               WHERE region = NEW.region AND month >= to_char(NEW.booked_on, 'YYYY-MM')) THEN
        RAISE EXCEPTION 'journal_entry is of a closed month'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT count(*), coalesce(sum(amount_fen), 0) INTO parts, total
        FROM journal_transfer WHERE entry_id = NEW.id;
    IF parts <> NEW.transfer_count OR total <> NEW.total_fen THEN
        RAISE EXCEPTION 'journal_entry is not whole'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM journal_transfer AS moved
               JOIN journal_account AS account
                 ON account.code IN (moved.debit_account, moved.credit_account)
               WHERE moved.entry_id = NEW.id AND account.region <> NEW.region) THEN
        RAISE EXCEPTION 'journal_entry leaves its region'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_entry_is_whole BEFORE INSERT ON journal_entry
    FOR EACH ROW EXECUTE FUNCTION yichu_journal_entry();
CREATE FUNCTION yichu_journal_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('yichu-journal|' || NEW.region, 0));
    RETURN NEW;
END $$;
CREATE TRIGGER journal_close_waits BEFORE INSERT ON journal_close
    FOR EACH ROW EXECUTE FUNCTION yichu_journal_close();
"""

_REPLACED = """
CREATE TRIGGER {table}_is_new BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"""

# SQLite has one writer, so nothing can come in between. A connection may switch off its foreign
# keys and checks, but not its triggers: what they say, the triggers say again.
_SQLITE = (
    """
CREATE TRIGGER journal_transfer_moves BEFORE INSERT ON journal_transfer BEGIN
    SELECT RAISE(ABORT, 'journal_transfer is insert-only') WHERE EXISTS (
        SELECT 1 FROM journal_transfer WHERE entry_id = NEW.entry_id AND part = NEW.part);
    SELECT RAISE(ABORT, 'journal_entry is whole already') WHERE EXISTS (
        SELECT 1 FROM journal_entry WHERE id = NEW.entry_id);
    SELECT RAISE(ABORT, 'journal_transfer does not balance')
    WHERE NOT coalesce(
        typeof(NEW.amount_fen + 0) = 'integer' AND NEW.amount_fen + 0 = NEW.amount_fen
        AND NEW.amount_fen BETWEEN 1 AND {amount_max}
        AND NEW.debit_account <> NEW.credit_account
        AND NEW.part BETWEEN 1 AND NEW.parts AND NEW.parts <= {transfers_max}, 0);
    SELECT RAISE(ABORT, 'journal_transfer has an unknown account') WHERE (
        SELECT count(*) FROM journal_account
        WHERE code IN (NEW.debit_account, NEW.credit_account)) <> 2;
END""",
    """
CREATE TRIGGER journal_entry_is_whole BEFORE INSERT ON journal_entry BEGIN
    SELECT RAISE(ABORT, 'journal_entry is insert-only') WHERE EXISTS (
        SELECT 1 FROM journal_entry WHERE id = NEW.id OR (
            source_type = NEW.source_type AND source_id = NEW.source_id AND kind = NEW.kind));
    SELECT RAISE(ABORT, 'journal_entry is of another day')
    WHERE NEW.booked_on IS NOT date(NEW.booked_at, '+8 hours');
    SELECT RAISE(ABORT, 'journal_entry is of a closed month') WHERE EXISTS (
        SELECT 1 FROM journal_close
        WHERE region = NEW.region AND month >= substr(NEW.booked_on, 1, 7));
    SELECT RAISE(ABORT, 'journal_entry is not whole') WHERE NOT EXISTS (
        SELECT 1 FROM (
            SELECT count(*) AS parts, sum(amount_fen) AS total
            FROM journal_transfer WHERE entry_id = NEW.id AND parts = NEW.transfer_count)
        WHERE parts = NEW.transfer_count AND total = NEW.total_fen);
    SELECT RAISE(ABORT, 'journal_entry leaves its region') WHERE EXISTS (
        SELECT 1 FROM journal_transfer AS moved
        JOIN journal_account AS account
            ON account.code IN (moved.debit_account, moved.credit_account)
        WHERE moved.entry_id = NEW.id AND account.region <> NEW.region);
    SELECT RAISE(ABORT, 'journal_entry is of another fund than its claim')
    WHERE NEW.claim_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM claim_fund
        WHERE claim_id = NEW.claim_id AND region = NEW.region
          AND insurance_type = NEW.insurance_type AND agency_code = NEW.agency_code);
END""",
    *(
        _REPLACED.replace("{table}", table).replace("{same}", same)
        for table, same in (
            ("claim_fund", "claim_id = NEW.claim_id"),
            ("journal_account", "code = NEW.code"),
            ("journal_close", "id = NEW.id OR (region = NEW.region AND month = NEW.month)"),
        )
    ),
)


def upgrade() -> None:
    _create_parties()
    _create_entries()
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        schema = bind.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
        op.execute(_POSTGRESQL.replace("{schema}", schema))
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION yichu_insert_only('fixed')"
            )
            op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM PUBLIC")
        return
    for statement in _SQLITE:
        op.execute(
            statement.replace("{amount_max}", str(_AMOUNT_MAX)).replace(
                "{transfers_max}", str(_TRANSFERS_MAX)
            )
        )
    for table in _TABLES:
        refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refusal}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal}")


def _create_parties() -> None:
    op.create_table(
        "claim_fund",
        sa.Column("claim_id", sa.String(40), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("insurance_type", sa.String(3), nullable=False),
        sa.Column("agency_code", sa.String(6), nullable=False),
        sa.Column("agency_name", sa.String(80), nullable=False),
        sa.Column("basis", sa.String(12), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_claim_fund_claim_id"),
        sa.PrimaryKeyConstraint("claim_id", name="pk_claim_fund"),
        sa.UniqueConstraint(
            "claim_id",
            "region",
            "insurance_type",
            "agency_code",
            name="uq_claim_fund_claim_id_region_insurance_type_agency_code",
        ),
    )
    op.create_table(
        "journal_account",
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("account_class", sa.String(12), nullable=False),
        sa.Column("normal_side", sa.String(6), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("layer", sa.String(16), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_journal_account"),
        sa.CheckConstraint(_ACCOUNT_CODE, name="ck_journal_account_code"),
        sa.CheckConstraint(_ACCOUNT_KIND, name="ck_journal_account_kind"),
        sa.CheckConstraint(_ACCOUNT_LAYER, name="ck_journal_account_layer"),
    )
    op.create_table(
        "journal_close",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("open_count", sa.Integer(), nullable=False),
        sa.Column("open_fen", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("closed_by", sa.String(60), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal_close"),
        sa.UniqueConstraint("region", "month", name="uq_journal_close_region_month"),
        sa.CheckConstraint("length(month) = 7", name="ck_journal_close_month"),
    )


def _create_entries() -> None:
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("source_type", sa.String(24), nullable=False),
        sa.Column("source_id", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("insurance_type", sa.String(3), nullable=False),
        sa.Column("agency_code", sa.String(6), nullable=False),
        sa.Column("agency_name", sa.String(80), nullable=False),
        sa.Column("claim_id", sa.String(40), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("transfer_count", sa.Integer(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.String(60), nullable=False),
        sa.Column("text", sa.String(400), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_journal_entry_claim_id"),
        sa.ForeignKeyConstraint(
            ["claim_id", "region", "insurance_type", "agency_code"],
            [
                "claim_fund.claim_id",
                "claim_fund.region",
                "claim_fund.insurance_type",
                "claim_fund.agency_code",
            ],
            name="fk_journal_entry_claim_id_region_insurance_type_agency_code",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_journal_entry"),
        sa.UniqueConstraint(
            "source_type", "source_id", "kind", name="uq_journal_entry_source_type_source_id_kind"
        ),
        sa.UniqueConstraint("id", "transfer_count", name="uq_journal_entry_id_transfer_count"),
        sa.CheckConstraint("transfer_count > 0 AND total_fen > 0", name="ck_journal_entry_moves"),
    )
    op.create_index("ix_journal_entry_claim_id", "journal_entry", ["claim_id"])
    op.create_index("ix_journal_entry_region_booked_on", "journal_entry", ["region", "booked_on"])
    op.create_table(
        "journal_transfer",
        sa.Column("entry_id", sa.String(40), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("debit_account", sa.String(40), nullable=False),
        sa.Column("credit_account", sa.String(40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "part", name="pk_journal_transfer"),
        sa.ForeignKeyConstraint(
            ["debit_account"], ["journal_account.code"], name="fk_journal_transfer_debit_account"
        ),
        sa.ForeignKeyConstraint(
            ["credit_account"], ["journal_account.code"], name="fk_journal_transfer_credit_account"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id", "parts"],
            ["journal_entry.id", "journal_entry.transfer_count"],
            name="fk_journal_transfer_entry_id_parts",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.CheckConstraint(
            f"amount_fen > 0 AND amount_fen <= {_AMOUNT_MAX}", name="ck_journal_transfer_amount"
        ),
        sa.CheckConstraint(
            "debit_account <> credit_account", name="ck_journal_transfer_two_accounts"
        ),
        sa.CheckConstraint(
            f"part >= 1 AND part <= parts AND parts <= {_TRANSFERS_MAX}",
            name="ck_journal_transfer_part",
        ),
    )
    for side in ("debit", "credit"):
        op.create_index(
            f"ix_journal_transfer_{side}_account_amount_fen",
            "journal_transfer",
            [f"{side}_account", "amount_fen"],
        )


def downgrade() -> None:
    for table in ("journal_transfer", "journal_entry", "journal_close", "claim_fund"):
        op.drop_table(table)
    op.drop_table("journal_account")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION yichu_journal_entry()")
        op.execute("DROP FUNCTION yichu_journal_close()")
