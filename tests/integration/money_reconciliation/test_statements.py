"""The bank's own statement of our account against the journal: R19, from the file to the row."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.iso20022.camt053 import read_camt053, write_camt053
from backend.domain.journal import Fund, Layer
from backend.entrypoints.cli.main import cli
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.journal.deposits import deposit
from backend.service_layer.money_reconciliation.adopt import adopt_bank
from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
from backend.service_layer.money_reconciliation.daily import reconcile_money, reconcile_pass
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.records import BankStatement, EntrySide, StatementEntry
from tests.funding import POOL_FEN
from tests.integration.claims.world import NOW, World
from tests.integration.money_reconciliation.test_cases_and_reports import AGENCY, SIGNER
from tests.integration.payout.office import FIRST_FEN, alarms, claim_of, rows, state
from tests.memory_bank import equip_durably

pytestmark = pytest.mark.slow
ACCOUNT = "TEST-FUND-330800"
DEPOSITED = 2 * POOL_FEN


class Office:
    """A world whose bank is the simulated one, in a folder, and gives statements."""

    def __init__(self, folder: Path) -> None:
        self.world = World.make(folder)
        equip_durably(self.world.services, folder)
        self.bank = SimulatedBank(folder / "bank", self.now, gives_statements=True)
        self.world.services.__dict__["bank"] = self.bank
        for kind in ("310", "390"):
            self.bank.pay_in(ACCOUNT, f"test-330800-{kind}", POOL_FEN)
        with self.world.services.engine.begin() as connection:
            connection.execute(sa.update(tables.payer).values(ledger_account=AGENCY.address))

    def now(self) -> dt.datetime:
        return self.world.services.clock.now()

    def pay(self, rounds: int = 2) -> object:
        username = f"citizen{len(self.world.people) + 1:02d}"
        claim = claim_of(self.world, self.world.person(username=username))
        self.world.run()
        for _ in range(rounds):
            self.later(1)
            advance_claims(self.world.services)
        return claim

    def later(self, hours: float) -> None:
        now = self.world.services.clock.now()
        self.world.services.clock = SetClock(now + dt.timedelta(hours=hours))

    def reconcile(self) -> list[tuple[str, str, str]]:
        found = reconcile_money(self.world.services, SIGNER)
        return [
            (one.mismatch.subject, one.mismatch.here, one.mismatch.there)
            for one in found
            if one.mismatch.rule == "R19"
        ]

    def leave(self, statement: BankStatement, name: str = "st.camt.053.xml") -> None:
        self.bank._part("in").joinpath(name).write_bytes(write_camt053(statement))
        advance_claims(self.world.services)

    def statement(self, *entries: StatementEntry, **changes: object) -> BankStatement:
        """One that follows on the deposits and covers until now, unless told otherwise."""
        now = self.world.services.clock.now()
        made = BankStatement(
            "ST-1", now, "1", ACCOUNT, dt.datetime(2020, 1, 1, tzinfo=dt.UTC), now,
            0, 0, (*deposits(), *entries), simulated=True,
        )  # fmt: skip
        made = dataclasses.replace(made, **changes)  # type: ignore[arg-type]
        return dataclasses.replace(made, closing_fen=made.opening_fen + made.moved_fen)

    def verdicts(self) -> list[tuple[str, str]]:
        found = rows(self.world, tables.bank_message)
        return [(row.verdict, row.difference) for row in found if "camt" in row.name]


def deposits() -> Sequence[StatementEntry]:
    day = dt.date(2026, 11, 20)
    return [
        StatementEntry(EntrySide.CREDIT, POOL_FEN, f"test-330800-{kind}", "", day)
        for kind in ("310", "390")
    ]


def debit(name: str, fen: int = FIRST_FEN) -> StatementEntry:
    return StatementEntry(EntrySide.DEBIT, fen, "B1", name, dt.date(2026, 11, 20))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_day_of_deposits_and_payments_agrees_with_the_banks_statement(office: Office) -> None:
    claim = office.pay()
    assert state(office.world, claim) == ("paid", None)  # type: ignore[arg-type]
    assert office.reconcile() == []
    (kept,) = rows(office.world, tables.bank_statement)
    assert (kept.region, kept.opening_fen) == ("330800", 0)
    # Two deposits and one payment, added up by hand.
    assert (kept.closing_fen, kept.entry_count) == (DEPOSITED - FIRST_FEN, 3)
    assert office.verdicts() == [("filed", "")]
    office.later(1)
    office.pay()
    assert office.reconcile() == []
    first, second = rows(office.world, tables.bank_statement)
    assert second.opening_fen == first.closing_fen and second.from_at == first.to_at
    assert alarms(office.world) == set()


def test_the_simulated_bank_of_an_earlier_release_learns_what_was_booked_before(
    office: Office,
) -> None:
    with office.bank.book.open() as page:
        page._connection.execute("DELETE FROM movement")
    office.later(1)
    assert office.reconcile() == []
    (kept,) = rows(office.world, tables.bank_statement)
    assert kept.closing_fen == DEPOSITED


def test_a_deposit_that_the_bank_does_not_know_is_named(office: Office) -> None:
    services = office.world.services
    fund = Fund("330800", "310", "330800", "test")
    common = {"by": "会计", "reason": "拨款"}
    deposit(services, fund, Layer.POOL, 500, reference="TOLD", is_simulated=True, **common)
    deposit(services, fund, Layer.POOL, 700, reference="TYPED-ONLY", **common)
    office.later(1)
    there = "not on the bank's statement"
    assert office.reconcile() == [("TYPED-ONLY", "booked 700 fen credit", there)]


def test_money_that_only_the_bank_knows_is_named(office: Office) -> None:
    office.bank.pay_in(ACCOUNT, "GIFT-1", 4_200)
    office.later(1)
    expected = [("GIFT-1", "not booked", "the bank has 4200 fen credit")]
    assert office.reconcile() == expected
    # It stays until somebody books it: nothing is booked from a statement.
    office.later(24)
    assert office.reconcile() == expected


def test_a_payment_that_the_bank_made_twice_is_named_with_its_claim(office: Office) -> None:
    claim = office.pay()
    name = f"{claim.number}-V1-A1"  # type: ignore[attr-defined]
    office.leave(office.statement(debit(name), debit(name)))
    (found,) = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert (found.subject, found.here) == (name, f"booked {FIRST_FEN} fen")
    assert found.there == f"the bank has {2 * FIRST_FEN} fen debit, 2 times"
    assert found.claim_id == claim.id  # type: ignore[attr-defined]


def test_a_payment_of_another_amount_is_named(office: Office) -> None:
    claim = office.pay()
    name = f"{claim.number}-V1-A1"  # type: ignore[attr-defined]
    office.leave(office.statement(debit(name, FIRST_FEN + 1)))
    (found,) = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert found.there == f"the bank has {FIRST_FEN + 1} fen debit"


def test_a_payment_that_never_left_the_account_is_named(office: Office) -> None:
    claim = office.pay()
    office.leave(office.statement())
    (found,) = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert found.here == f"booked {FIRST_FEN} fen debit"
    assert (found.there, found.claim_id) == ("not on the bank's statement", claim.id)  # type: ignore[attr-defined]


def test_what_the_bank_paid_a_moment_ago_and_has_not_answered_is_on_its_way(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    person = office.world.person()
    office.world.accounts.correct(person.id, person.name, "TEST-SILENT-0009", version=1)
    claim = claim_of(office.world, person)
    office.world.run()
    office.later(1)
    assert office.reconcile() == []
    assert state(office.world, claim) == ("paying", None)
    office.later(30)
    (found,) = office.reconcile()
    assert found == (f"{claim.number}-V1-A1", "not booked", f"the bank has {FIRST_FEN} fen debit")


def test_a_payment_that_the_bank_called_rejected_and_has_debited_is_named_at_once(
    office: Office,
) -> None:
    """Before another account is paid: it holds its claim."""
    person = office.world.person()
    office.world.accounts.correct(person.id, person.name, "TEST-CLOSED-0004", version=1)
    claim = claim_of(office.world, person)
    office.world.run()
    office.later(1)
    assert state(office.world, claim) == ("paying", "payee")
    name = f"{claim.number}-V1-A1"
    office.leave(office.statement(debit(name)))
    (found,) = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert (found.subject, found.here, found.claim_id) == (name, "not booked", claim.id)
    assert found.there == f"the bank has {FIRST_FEN} fen debit"


def test_balances_that_do_not_follow_are_named(office: Office) -> None:
    office.later(1)
    office.leave(office.statement(opening_fen=5))
    found = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert [(one.subject, one.here) for one in found] == [("330800 opening", "0 fen")]
    now = office.world.services.clock.now()
    office.later(5)
    after = dataclasses.replace(
        office.statement(), entries=(), statement_id="2", message_id="ST-2", from_at=now,
        opening_fen=9, closing_fen=9,
    )  # fmt: skip
    office.leave(after, "two.camt.053.xml")
    found = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert [one.subject for one in found] == ["330800 2", "330800 opening"]
    assert found[0].there == "opens with 9 fen"


REFUSED = {
    "of an account that is none of ours": ({"account": "TEST-OTHER"}, "none of ours"),
    "of a real bank": ({"simulated": False}, "it is real, this bank is simulated"),
    "of the future": (
        {"to_at": NOW + dt.timedelta(days=9)}, "which has not come yet",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_statement_that_does_not_fit_is_kept_and_not_used(office: Office, case: str) -> None:
    changes, words = REFUSED[case]
    office.leave(office.statement(**changes))
    ((verdict, difference),) = office.verdicts()
    assert verdict == "refused" and words in difference
    assert rows(office.world, tables.bank_statement) == []
    assert alarms(office.world) == {"bank-file-refused"}


def test_a_statement_comes_once_and_never_over_another(office: Office) -> None:
    office.later(2)
    made = office.statement()
    office.leave(made)
    office.leave(made, "again.camt.053.xml")
    office.leave(
        dataclasses.replace(made, opening_fen=1, closing_fen=made.closing_fen + 1), "x.camt.053.xml"
    )
    office.leave(dataclasses.replace(made, statement_id="2"), "over.camt.053.xml")
    said = office.verdicts()
    assert [verdict for verdict, _ in said] == ["filed", "repeated", "refused", "refused"]
    assert "another statement 1 is known" in said[2][1] and "overlaps statement 1" in said[3][1]
    assert len(rows(office.world, tables.bank_statement)) == 1


def test_a_cut_off_statement_is_kept_and_not_used(office: Office) -> None:
    content = write_camt053(office.statement())
    path = office.bank._part("in").joinpath("cut.camt.053.xml")
    path.write_bytes(content[:-40])
    advance_claims(office.world.services)
    assert office.verdicts() == [], "the rest of it may still come"
    os.utime(path, (path.stat().st_mtime - 60,) * 2)
    advance_claims(office.world.services)
    ((verdict, difference),) = office.verdicts()
    assert verdict == "refused" and "cannot be believed" in difference
    assert read_camt053(content).account == ACCOUNT


def test_a_statement_that_was_downloaded_by_hand_is_filed_under_its_own_name(
    office: Office,
) -> None:
    office.later(2)
    name = "对账单 camt(1).xml"
    office.leave(office.statement(), name)
    (office.bank._part("in") / "对账单\u202elmx.camt").write_bytes(b"turned around")
    advance_claims(office.world.services)
    assert office.verdicts() == [("filed", "")]
    assert (office.bank._part("read") / name).exists()
    assert alarms(office.world) == {"bank-file-stuck"}
    (office.bank._part("in") / "对账单\u202elmx.camt").unlink()
    advance_claims(office.world.services)
    assert alarms(office.world) == set() and find_mismatches(office.world.services) == []


def test_a_restored_copy_takes_the_statements_in_again(office: Office) -> None:
    office.pay()
    services = office.world.services
    path = Path(services.settings.database_url.removeprefix("sqlite:///"))
    older = path.with_name("older.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(older)) as target:
        source.backup(target)
    assert office.reconcile() == []
    services.engine.dispose()
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    older.replace(path)
    assert rows(office.world, tables.bank_statement) == []
    assert hold_if_ahead(services).is_ahead
    assert [line.verdict for line in adopt_bank(services, lambda: None)] == ["adopted"]
    assert not hold_if_ahead(services).is_ahead
    (kept,) = rows(office.world, tables.bank_statement)
    assert kept.closing_fen == DEPOSITED - FIRST_FEN
    assert find_mismatches(services) == []


def test_a_payment_that_a_restored_backup_has_lost_is_its_own_case_alone(office: Office) -> None:
    lost = "BX20261120000009-01-V1-A1"
    office.leave(office.statement(debit(lost)))
    assert [one.subject for one in find_mismatches(office.world.services)] == [lost]
    with office.world.services.work() as work:
        detail = {"end_to_end_id": lost, "file": "YC-LOST", "amount_fen": FIRST_FEN}
        work.reconciliation.put_case(f"bank-payment:{lost}", "bank-payment", detail)
        work.commit()
    assert find_mismatches(office.world.services) == []


def test_a_payment_of_no_known_instruction_holds_the_claim_that_it_names(office: Office) -> None:
    """A second attempt that only the bank knows: somebody looks before anything more is paid."""
    claim = office.pay()
    first, second = (f"{claim.number}-V1-A{number}" for number in (1, 2))  # type: ignore[attr-defined]
    office.leave(office.statement(debit(first), debit(second), debit("OTHER-V1-A1")))
    found = [one for one in find_mismatches(office.world.services) if one.rule == "R19"]
    assert {one.subject: one.claim_id for one in found} == {second: claim.id, "OTHER-V1-A1": ""}  # type: ignore[attr-defined]


def test_a_filed_statement_that_disappears_from_what_was_read_is_named(office: Office) -> None:
    office.later(1)
    assert office.reconcile() == []
    (kept,) = [one for one in office.bank._part("read").iterdir() if "camt" in one.name]
    kept.unlink()
    (found,) = find_mismatches(office.world.services)
    assert (found.rule, found.here) == ("R13", "filed")
    assert found.there == "the bank left no such file" and found.subject in kept.name


def balanced(office: Office, *options: str) -> Result:
    settings = office.world.services.settings
    environment = {"YICHU_VAR": str(settings.var_dir), "YICHU_DATABASE_URL": settings.database_url}
    words = ["money", "bank-statement", "--region", "330800", *options]
    return CliRunner().invoke(cli, words, env=environment)


def test_the_banks_balance_is_printed_beside_the_books(office: Office) -> None:
    none = balanced(office)
    assert none.exit_code == 1 and "没有银行对账单" in none.output
    claim = office.pay()
    fund = Fund("330800", "310", "330800", "test")
    deposit(office.world.services, fund, Layer.POOL, 7_000, reference="TYPED-ONLY",
            by="会计", reason="拨款")  # fmt: skip
    office.later(1)
    fee = StatementEntry(EntrySide.DEBIT, 500, "FEE-1", "", dt.date(2026, 11, 20))
    office.leave(office.statement(fee))
    shown = balanced(office)
    assert shown.exit_code == 0, shown.output
    for words in (
        "银行存款余额调节表", "模拟银行：没有真的钱", "银行已付、企业未付", "FEE-1", "TYPED-ONLY",
        f"{claim.number}-V1-A1", "调节后余额相符 / the adjusted balances agree",  # type: ignore[attr-defined]
    ):  # fmt: skip
        assert words in shown.output
    record = json.loads(balanced(office, "--json").output)
    # Two deposits less the fee; two deposits, one that was typed, less the payment.
    assert record["bank_fen"] == DEPOSITED - 500
    assert record["book_fen"] == DEPOSITED + 7_000 - FIRST_FEN
    adjusted = DEPOSITED + 7_000 - FIRST_FEN - 500
    assert record["adjusted_bank_fen"] == record["adjusted_book_fen"] == adjusted
    assert [one["reference"] for one in record["bank_paid"]] == ["FEE-1"]
    assert balanced(office, "--day", "2020-01-01").exit_code == 1


def test_balances_that_do_not_agree_are_said_and_the_exit_status_is_1(office: Office) -> None:
    office.later(1)
    office.leave(office.statement(opening_fen=5))
    shown = balanced(office)
    assert shown.exit_code == 1
    assert "调节后余额不符 / the adjusted balances differ by 0.05" in shown.output
    assert "期初 0.05 元，账上 0.00 元" in shown.output
    assert "1 opens with 0.05 yuan, the books with 0.00 yuan" in shown.output


def test_a_bank_that_gives_no_statement_is_an_alarm(office: Office) -> None:
    office.bank._gives_statements = False
    office.pay()
    reconcile_pass(office.world.services, SIGNER)
    assert "bank-statement-missing" not in alarms(office.world)
    office.later(49)
    reconcile_pass(office.world.services, SIGNER)
    assert "bank-statement-missing" in alarms(office.world)
    office.bank._gives_statements = True
    office.later(24)
    reconcile_pass(office.world.services, SIGNER)
    assert "bank-statement-missing" not in alarms(office.world)


def test_statements_and_movements_are_never_changed(office: Office) -> None:
    office.later(1)
    office.reconcile()
    for statement in (
        "UPDATE bank_statement SET closing_fen = 0", "DELETE FROM bank_statement",
        "UPDATE bank_statement_entry SET amount_fen = 1", "DELETE FROM bank_statement_entry",
    ):  # fmt: skip
        with (
            pytest.raises(sa.exc.DBAPIError, match="insert-only"),
            office.world.services.engine.begin() as db,
        ):
            db.execute(sa.text(statement))
