"""P4 without the application: what does not balance, or is not whole, no SQL can store.

Every statement here goes to the database as text, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from backend.adapters.database.unit_of_work import SqlUnitOfWork
from tests.integration.journal import raw

TABLES = ("journal_account", "journal_entry", "journal_transfer", "journal_close")
WHOLE = (raw.transfer(), raw.entry())

BROKEN = {
    # a transfer that does not balance, or moves nothing
    "no amount": ((raw.transfer(amount_fen=0), raw.entry(total_fen=0)), "amount|balance"),
    "negative amount": ((raw.transfer(amount_fen=-5), raw.entry(total_fen=-5)), "amount|balance"),
    "amount that is not there": (
        (raw.transfer(amount_fen=None), raw.entry()), "(?i)not.null|balance"),
    "amount beyond every fund": (
        (raw.transfer(amount_fen=2**50 + 1), raw.entry(total_fen=2**50 + 1)), "amount|balance"),
    "amount in words": ((raw.transfer(amount_fen="lots"), raw.entry()), "invalid input|balance"),
    "one account on both sides": (
        (raw.transfer(credit_account="bank:330800"), raw.entry()), "two_accounts|balance"),
    "debit without an account": (
        (raw.transfer(debit_account=None), raw.entry()), "(?i)not.null|balance"),
    "credit without an account": (
        (raw.transfer(credit_account=None), raw.entry()), "(?i)not.null|balance"),
    "debit of an account that is not there": (
        (raw.transfer(debit_account="bank:999999"), raw.entry()), "foreign key|unknown account"),
    "credit of an account that is not there": (
        (raw.transfer(credit_account="fund:330800:other"), raw.entry()),
        "foreign key|unknown account"),
    # an entry that is not whole
    "entry without transfers": ((raw.entry(),), "not whole"),
    "entry of nothing": ((raw.entry(transfer_count=0, total_fen=0),), "(?i)not whole|moves"),
    "entry before its transfers": ((raw.entry(), raw.transfer()), "not whole"),
    "entry that claims more transfers": (
        (raw.transfer(parts=2), raw.entry(transfer_count=2)), "not whole"),
    "entry that claims fewer transfers": (
        (raw.transfer(1, 2), raw.transfer(2, 2), raw.entry(total_fen=200)), "not whole"),
    "entry that claims another total": ((raw.transfer(), raw.entry(total_fen=99)), "not whole"),
    "entry with the total of its first transfer": (
        (raw.transfer(1, 2), raw.transfer(2, 2), raw.entry(transfer_count=2)), "not whole"),
    "entry of another count than its transfers say": (
        (raw.transfer(1, 3), raw.transfer(2, 3), raw.entry(transfer_count=2, total_fen=200)),
        "(?i)not whole|foreign key"),
    "entry without a total": ((raw.transfer(), raw.entry(total_fen=None)), "(?i)not.null|whole"),
    "transfers without an entry": ((raw.transfer(),), "(?i)foreign key"),
    "transfers of an entry that is another": (
        (raw.transfer(entry_id="jrn_2"), raw.entry()), "not whole"),
    "part nought": ((raw.transfer(0), raw.entry()), "ck_journal_transfer_part|balance"),
    "part beyond the parts": ((raw.transfer(2, 1), raw.entry()), "transfer_part|balance"),
    "more parts than an entry has": ((raw.transfer(1, 65), raw.entry()), "transfer_part|balance"),
    "the same part twice": (
        (raw.transfer(1, 2), raw.transfer(1, 2), raw.entry(transfer_count=2, total_fen=200)),
        "(?i)unique|insert-only"),
    # a transfer that comes afterwards
    "transfer added to a whole entry": (
        (*WHOLE, raw.transfer(2, 1)), "transfer_part|whole already"),
    "transfer added under another count": (
        (*WHOLE, raw.transfer(2, 2)), "foreign key|whole already"),
    # the day, the month, the books
    "day of another zone": (
        (raw.transfer(), raw.entry(booked_at="2026-11-20 17:00:00.000000+00:00")), "another day"),
    "day before": ((raw.transfer(), raw.entry(booked_on="2026-11-19")), "another day"),
    "closed month": ((raw.proposal(), raw.close(), *WHOLE), "closed month"),
    "month before a closed one": (
        (raw.proposal(month="2026-12"), raw.close(month="2026-12"), *WHOLE), "closed month"),
    "account of another region": (
        (raw.transfer(debit_account="bank:110000"), raw.entry()), "leaves its region"),
    "entry of another region": ((raw.transfer(), raw.entry(region="110000")), "leaves its region"),
    "claim that is not there": (
        (raw.transfer(), raw.entry(claim_id="clm_1")), "(?i)foreign key|another fund"),
    # the same once more
    "same id": ((*WHOLE, raw.entry(source_id="D2")), "(?i)unique|insert-only"),
    "same source under another id": (
        (*WHOLE, raw.transfer(entry_id="jrn_2"), raw.entry(id="jrn_2")), "(?i)unique|insert-only"),
    "month closed twice": (
        (raw.proposal(), raw.close(), raw.close(id="jcl_2")), "(?i)unique|insert-only"),
    # a month is closed by two people
    "month closed by one": ((raw.close(),), "another person confirms"),
    "month closed by who proposed it": (
        (raw.proposal(by=" RAW "), raw.close()), "another person confirms"),
    "month closed otherwise than proposed": (
        (raw.proposal(), raw.close(digest="e")), "another person confirms"),
    "month closed by an older proposal": (
        (raw.proposal(), raw.proposal(ordinal=2, digest="e"), raw.close()),
        "another person confirms"),
    "another month closed than proposed": (
        (raw.proposal(), raw.close(month="2026-10")), "another person confirms"),
    "proposal out of turn": ((raw.proposal(ordinal=2),), "proposed before it is closed"),
    "proposal of a closed month": (
        (raw.proposal(), raw.close(), raw.proposal(ordinal=2)), "proposed before it is closed"),
    "proposal by nobody": ((raw.proposal(by=" "),), "ck_journal_close_proposal_by"),
    # accounts
    "account twice": ((raw.account(),), "(?i)unique|insert-only"),
    "account on the other side": (
        (raw.account("bank:220000", normal_side="credit"),), "ck_journal_account_kind"),
    "account of another class": (
        (raw.account("payable:220000", account_class="asset"),), "ck_journal_account_kind"),
    "account of a kind of its own": ((raw.account("cash:220000"),), "ck_journal_account_kind"),
    "account with another code": (
        (raw.account("transit:220000", region="220001"),), "ck_journal_account_code"),
    "fund without a layer": ((raw.account("fund:220000"),), "ck_journal_account_layer"),
    "fund of a layer of its own": (
        (raw.account("fund:220000:gifts"),), "ck_journal_account_layer"),
    "bank with a layer": ((raw.account("bank:220000:pool"),), "ck_journal_account_layer"),
}  # fmt: skip


def booked(engine: sa.Engine) -> tuple[int, int]:
    """(entries, fen at the bank) as the application sees them."""
    with SqlUnitOfWork(engine, write=False) as work:
        return len(work.journal.entries()), work.journal.balance("bank:330800")


def test_whole_entry_is_stored(engine: sa.Engine) -> None:
    two = (raw.transfer(1, 2), raw.transfer(2, 2, credit_account="payable:330800", amount_fen=7))
    raw.run(engine, *raw.ACCOUNTS, *two, raw.entry(transfer_count=2, total_fen=107))
    assert booked(engine) == (1, 107)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_entry_cannot_be_stored(standing: sa.Engine, name: str) -> None:
    statements, message = BROKEN[name]
    with pytest.raises(sa.exc.DBAPIError, match=message):
        raw.run(standing, *statements)
    assert booked(standing) == (1, 100)


@pytest.mark.parametrize("part", [(2, 1), (2, 2), (1, 1), (1, 2)])
def test_transfer_added_in_a_later_transaction_is_refused(
    standing: sa.Engine, part: tuple[int, int]
) -> None:
    refusals = "(?i)transfer_part|foreign key|unique|whole already|insert-only"
    with pytest.raises(sa.exc.DBAPIError, match=refusals):
        raw.run(standing, raw.transfer(*part, entry_id="jrn_0"))
    assert booked(standing) == (1, 100)


CHANGES = (
    "UPDATE journal_transfer SET amount_fen = 1",
    "UPDATE journal_transfer SET debit_account = 'payable:330800'",
    "UPDATE journal_transfer SET entry_id = 'jrn_2'",
    "DELETE FROM journal_transfer",
    "UPDATE journal_entry SET total_fen = 1",
    "UPDATE journal_entry SET booked_on = '2026-10-01'",
    "UPDATE journal_entry SET transfer_count = 2",
    "UPDATE journal_entry SET text = 'x'",
    "DELETE FROM journal_entry",
    "UPDATE journal_account SET normal_side = 'credit'",
    "UPDATE journal_account SET code = 'bank:990000', region = '990000'",
    "DELETE FROM journal_account",
    "UPDATE journal_close SET month = '2020-01'",
    "DELETE FROM journal_close",
)


@pytest.mark.parametrize("statement", CHANGES)
def test_rows_cannot_be_changed_or_removed(standing: sa.Engine, statement: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="is insert-only"):
        raw.run(standing, statement)
    assert booked(standing) == (1, 100)


@pytest.mark.parametrize("table", TABLES)
def test_tables_cannot_be_emptied(standing_postgresql: sa.Engine, table: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="is insert-only"):
        raw.run(standing_postgresql, f"TRUNCATE {table} CASCADE")
    assert booked(standing_postgresql) == (1, 100)


def test_constraint_that_is_put_off_still_holds_at_commit(standing_postgresql: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="fk_journal_transfer_entry_id_parts"):
        raw.run(standing_postgresql, "SET CONSTRAINTS ALL DEFERRED", raw.transfer())


def test_table_of_the_session_under_the_same_name_does_not_deceive(
    standing_postgresql: sa.Engine,
) -> None:
    shadow = "CREATE TEMP TABLE journal_transfer (LIKE public.journal_transfer)"
    with pytest.raises(sa.exc.DBAPIError, match="not whole"):
        raw.run(standing_postgresql, shadow, raw.transfer(), raw.entry())


def test_entry_and_transfers_in_one_statement_cannot_be_broken(
    standing_postgresql: sa.Engine,
) -> None:
    both = f"WITH moved AS ({raw.transfer()} RETURNING 1) {raw.entry(total_fen=99)}"
    with pytest.raises(sa.exc.DBAPIError, match="not whole"):
        raw.run(standing_postgresql, both)


# --- SQLite opened by another program, which has its own switches --------------------------------

SWITCHES = (
    "PRAGMA foreign_keys = OFF",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA recursive_triggers = OFF",
)
UNSEEN = ("transfers without an entry",)  # stored by nobody's rule, and counted by nobody


def plain(engine: sa.Engine) -> sqlite3.Connection:
    connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
    for switch in SWITCHES:
        connection.execute(switch)
    return connection


def run_plain(connection: sqlite3.Connection, *statements: str) -> None:
    connection.execute("BEGIN")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


@pytest.mark.parametrize(
    "name",
    [n for n, (s, _) in BROKEN.items() if n not in UNSEEN and "INTO journal_transfer" in s[0]],
)
def test_broken_entry_cannot_be_stored_with_checks_switched_off(
    sqlite: sa.Engine, name: str
) -> None:
    raw.run(sqlite, *raw.ACCOUNTS)
    connection = plain(sqlite)
    with pytest.raises(sqlite3.Error, match=r"journal_|NOT NULL"):
        run_plain(connection, *BROKEN[name][0])
    connection.close()
    assert booked(sqlite) == (0, 0)


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
def test_row_cannot_be_replaced_with_triggers_that_do_not_recurse(
    sqlite: sa.Engine, verb: str
) -> None:
    raw.run(sqlite, *raw.ACCOUNTS, *WHOLE, raw.proposal(), raw.close())
    connection = plain(sqlite)
    for statement in (
        raw.transfer(amount_fen=5),
        raw.entry(total_fen=5),
        raw.account(normal_side="credit"),
        raw.close(open_fen=5),
        raw.close(id="jcl_2", open_fen=5),
    ):
        with pytest.raises(sqlite3.Error, match="is insert-only"):
            run_plain(connection, statement.replace("INSERT", verb, 1))
    connection.close()
    assert booked(sqlite) == (1, 100)


def test_loose_transfer_is_not_booked_and_is_found(sqlite: sa.Engine) -> None:
    raw.run(sqlite, *raw.ACCOUNTS, *WHOLE)
    connection = plain(sqlite)
    run_plain(connection, raw.transfer(entry_id="jrn_loose", amount_fen=900))
    connection.close()
    assert booked(sqlite) == (1, 100)
    with SqlUnitOfWork(sqlite, write=False) as work:
        assert work.journal.unbalanced() == ["jrn_loose"]
        assert sum(one.debit_fen for one in work.journal.balances()) == 100


# --- PostgreSQL as the application's own role ---------------------------------------------------


def as_role(engine: sa.Engine, *statements: str) -> None:
    """As a role that is neither owner nor superuser, and was given every right to rows."""
    raw.run(engine, "SET LOCAL ROLE journal_writer", *statements)


@pytest.mark.parametrize("statement", [*CHANGES, *(f"TRUNCATE {one} CASCADE" for one in TABLES)])
def test_role_with_every_grant_changes_nothing(
    standing_postgresql: sa.Engine, statement: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="is insert-only"):
        as_role(standing_postgresql, statement)
    assert booked(standing_postgresql) == (1, 100)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE journal_entry DISABLE TRIGGER ALL",
        "ALTER TABLE journal_transfer DROP CONSTRAINT ck_journal_transfer_amount",
        "DROP TRIGGER journal_entry_is_whole ON journal_entry",
        "DROP TABLE journal_transfer CASCADE",
        "CREATE OR REPLACE FUNCTION yichu_journal_entry() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
    ],
)
def test_role_cannot_take_the_rules_away(standing_postgresql: sa.Engine, statement: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=r"must be owner|permission denied"):
        as_role(standing_postgresql, statement)


@pytest.mark.parametrize("name", BROKEN)
def test_role_cannot_store_a_broken_entry(standing_postgresql: sa.Engine, name: str) -> None:
    statements, message = BROKEN[name]
    with pytest.raises(sa.exc.DBAPIError, match=message):
        as_role(standing_postgresql, *statements)
    assert booked(standing_postgresql) == (1, 100)


def test_role_books_what_is_whole(standing_postgresql: sa.Engine, postgresql: sa.Engine) -> None:
    grants = "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO journal_writer"
    raw.run(postgresql, grants)  # the role is the server's, made with the database that stands
    as_role(postgresql, *raw.ACCOUNTS, *WHOLE)
    assert booked(postgresql) == (1, 100)
    for statement in ("UPDATE journal_entry SET text = 'x'", "DELETE FROM journal_transfer"):
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            as_role(postgresql, statement)
