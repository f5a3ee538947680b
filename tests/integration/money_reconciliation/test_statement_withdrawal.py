"""A filed statement that is wrong is withdrawn by two people, and the right one counts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from backend.adapters.database import tables
from backend.adapters.iso20022.camt053 import write_camt053
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.two_people import SamePersonError
from backend.entrypoints.cli.main import cli
from backend.service_layer.claims.acting import NotAtWorkError
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.balance_statement import read_balance_statement
from backend.service_layer.money_reconciliation.daily import reconcile_pass
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.manual import acknowledge
from backend.service_layer.payout.records import BankStatement, EntrySide, StatementEntry
from backend.service_layer.payout.statement_withdrawal import (
    confirm_withdrawal,
    propose_withdrawal,
    refuse_withdrawal,
)
from backend.service_layer.payout.statements import StoredStatement
from tests.integration.claims.world import World
from tests.integration.money_reconciliation.test_cases_and_reports import SIGNER
from tests.integration.money_reconciliation.test_statements import DEPOSITED, Office, debit
from tests.integration.money_reconciliation.test_two_people import prepared
from tests.integration.payout.office import FIRST_FEN, alarms, claim_of, rows

pytestmark = pytest.mark.slow
ONE, TWO, WHY = "会计甲", "会计乙", "银行来函：对账单有误"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def r19(office: Office) -> list[str]:
    return [one.subject for one in find_mismatches(office.world.services) if one.rule == "R19"]


def filed(office: Office) -> list[Any]:
    return sorted(rows(office.world, tables.bank_statement), key=lambda row: row.filing)


def wrong_and_right(office: Office) -> tuple[BankStatement, BankStatement]:
    """One payment; a statement with one fen too much for it, and the corrected one."""
    claim = office.pay()
    name = f"{claim.number}-V1-A1"  # type: ignore[attr-defined]
    wrong = office.statement(debit(name, FIRST_FEN + 1))
    right = dataclasses.replace(office.statement(debit(name)), message_id="ST-1-CORRECTED")
    return wrong, right


def withdraw(office: Office, stored_id: str) -> list[str]:
    propose_withdrawal(office.world.services, stored_id, ONE, WHY)
    return confirm_withdrawal(office.world.services, stored_id, TWO, WHY)


def test_a_corrected_statement_that_was_refused_is_filed_when_the_wrong_one_is_withdrawn(
    office: Office,
) -> None:
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    office.leave(right, "corrected.camt.053.xml")
    assert [verdict for verdict, _ in office.verdicts()] == ["filed", "refused"]
    assert "another statement 1 is known" in office.verdicts()[1][1]
    assert alarms(office.world) == {"bank-file-refused"} and len(r19(office)) == 1
    (first,) = filed(office)
    propose_withdrawal(office.world.services, first.id, ONE, WHY)
    # Until another person has confirmed it, it counts.
    assert len(r19(office)) == 1
    assert confirm_withdrawal(office.world.services, first.id, TWO, WHY) == ["1"]
    assert [one.rule for one in find_mismatches(office.world.services)] == []
    assert alarms(office.world) == set()
    old, new = filed(office)
    assert (old.id, old.filing, new.filing, new.statement_id) == (first.id, 1, 2, "1")
    assert (old.closing_fen, new.closing_fen) == (
        DEPOSITED - FIRST_FEN - 1, DEPOSITED - FIRST_FEN,
    )  # fmt: skip
    # Everything is still there: both files, both statements, and their movements.
    assert len(rows(office.world, tables.bank_statement_entry)) == 6
    assert [verdict for verdict, _ in office.verdicts()] == ["filed", "refused"]
    with office.world.services.work(write=False) as work:
        balance = read_balance_statement(work, "330800")
    assert balance is not None and balance.agrees and balance.gaps == ()
    assert (balance.bank_fen, balance.bank_paid) == (DEPOSITED - FIRST_FEN, ())


def test_a_corrected_statement_of_another_name_is_filed_when_it_comes(office: Office) -> None:
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    assert withdraw(office, filed(office)[0].id) == []
    office.leave(dataclasses.replace(right, statement_id="1-BIS"), "corrected.camt.053.xml")
    assert r19(office) == [] and alarms(office.world) == set()
    assert {(one.statement_id, one.filing) for one in filed(office)} == {("1", 1), ("1-BIS", 1)}


def test_the_very_bytes_of_a_withdrawn_statement_are_not_filed_again(office: Office) -> None:
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    withdraw(office, filed(office)[0].id)
    office.leave(wrong, "again.camt.053.xml")
    assert office.verdicts()[-1][0] == "refused"
    assert "was withdrawn, and these are its very bytes" in office.verdicts()[-1][1]
    # What the bank makes anew is another file, also when it says the same.
    office.leave(dataclasses.replace(wrong, message_id="ST-2"), "anew.camt.053.xml")
    assert [one.filing for one in filed(office)] == [1, 2]
    # Withdrawn as well: of what waits, only what is not withdrawn itself is filed.
    office.leave(right, "corrected.camt.053.xml")
    assert withdraw(office, filed(office)[1].id) == ["1"]
    assert [one.filing for one in filed(office)] == [1, 2, 3] and r19(office) == []


def test_nothing_else_that_was_refused_is_filed_with_it(office: Office) -> None:
    """A status report, a cut-off file, a statement of another account, one of the future, and one
    that came before: each stays refused with its alarm. Of two that fit the first is filed."""
    wrong, right = wrong_and_right(office)
    later = office.now().replace(year=2030)
    office.leave(dataclasses.replace(right, account="TEST-OTHER"), "other.camt.053.xml")
    office.leave(wrong)
    folder = office.bank._part("in")
    (folder / "odd.pain.002.xml").write_bytes(b"no report")
    (folder / "cut.camt.053.xml").write_bytes(write_camt053(right)[:-40])
    office.leave(dataclasses.replace(right, statement_id="9", to_at=later), "future.camt.053.xml")
    office.leave(right, "one.camt.053.xml")
    office.leave(dataclasses.replace(right, statement_id="1-BIS"), "two.camt.053.xml")
    refused = len(rows(office.world, tables.alarm))
    assert withdraw(office, filed(office)[0].id) == ["1"]
    assert [one.filing for one in filed(office)] == [1, 2]
    with office.world.services.work(write=False) as work:
        assert work.alarms.open_counts() == {"bank-file-refused": refused - 1}


def test_the_case_of_a_file_that_is_filed_after_all_is_closed_with_its_alarm(
    office: Office,
) -> None:
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    office.leave(right, "corrected.camt.053.xml")
    (message,) = [one for one in rows(office.world, tables.bank_message)
                  if one.name == "corrected.camt.053.xml"]  # fmt: skip
    acknowledge(office.world.services, message.id, ONE, "银行重发了更正的对账单")
    withdraw(office, filed(office)[0].id)
    (case,) = rows(office.world, tables.reconciliation_case)
    assert (case.id, case.resolved_by) == (f"bank-file:{message.id}", "reconcile")
    assert "filed when statement 1 was withdrawn" in case.resolution


def test_a_file_that_was_filed_after_all_is_missed_as_any_filed_one(office: Office) -> None:
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    office.leave(right, "corrected.camt.053.xml")
    withdraw(office, filed(office)[0].id)
    assert find_mismatches(office.world.services) == []
    (kept,) = office.bank._part("read").glob("*corrected.camt.053.xml")
    kept.unlink()
    (found,) = find_mismatches(office.world.services)
    assert (found.rule, found.here) == ("R13", "filed") and found.subject in kept.name


def test_without_a_corrected_one_the_account_has_no_statement(office: Office) -> None:
    wrong, _ = wrong_and_right(office)
    office.leave(wrong)
    withdraw(office, filed(office)[0].id)
    assert r19(office) == []
    with office.world.services.work(write=False) as work:
        assert read_balance_statement(work, "330800") is None
        assert work.bank_statements.regions() == [] and work.bank_statements.last_ends() == {}
    office.later(49)
    office.bank._gives_statements = False
    reconcile_pass(office.world.services, SIGNER)
    assert "bank-statement-missing" in alarms(office.world)


def test_who_is_refused(office: Office) -> None:
    wrong, _ = wrong_and_right(office)
    office.leave(wrong)
    services, one = office.world.services, filed(office)[0].id
    steps: tuple[Callable[..., object], ...] = (
        propose_withdrawal, confirm_withdrawal, refuse_withdrawal,
    )  # fmt: skip
    for step in steps:
        with pytest.raises(NotFoundError, match="there is no such statement"):
            step(services, "bst_x", ONE, WHY)
        for by, why in ((" ", WHY), (ONE, ""), ("x" * 61, WHY), (ONE, "x" * 501)):
            with pytest.raises(DomainError, match="say who"):
                step(services, one, by, why)
    for step in (confirm_withdrawal, refuse_withdrawal):
        with pytest.raises(ConflictError, match="nobody has proposed"):
            step(services, one, TWO, WHY)
    with pytest.raises(NotAtWorkError, match="the program itself"):
        propose_withdrawal(services, one, "worker", WHY)
    propose_withdrawal(services, one, ONE, WHY)
    for same in (ONE, f" {ONE} "):
        with pytest.raises(SamePersonError, match="another person does this"):
            confirm_withdrawal(services, one, same, WHY)
    refuse_withdrawal(services, one, ONE, "看错了")
    with pytest.raises(ConflictError, match="nobody has proposed"):
        confirm_withdrawal(services, one, TWO, WHY)
    # A later proposal takes the place of the one before: its person confirms nothing.
    propose_withdrawal(services, one, ONE, WHY)
    propose_withdrawal(services, one, ONE, f" {WHY} ")  # the same said again is one
    propose_withdrawal(services, one, TWO, WHY)
    with pytest.raises(SamePersonError, match="another person does this"):
        confirm_withdrawal(services, one, TWO, WHY)
    assert len(r19(office)) == 1
    confirm_withdrawal(services, one, ONE, WHY)
    for step in steps:
        with pytest.raises(ConflictError, match="withdrawn already"):
            step(services, one, "会计丙", WHY)
    assert [row.action for row in rows(office.world, tables.bank_statement_withdrawal)] == [
        "proposed", "refused", "proposed", "proposed", "confirmed",
    ]  # fmt: skip


def run(office: Office, *words: str) -> Result:
    settings = office.world.services.settings
    environment = {"YICHU_VAR": str(settings.var_dir), "YICHU_DATABASE_URL": settings.database_url}
    return CliRunner().invoke(cli, ["payout", "statements", *words], env=environment)


def test_the_commands(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "backend.entrypoints.cli.statements.build_services", lambda: office.world.services
    )
    assert "没有对账单" in run(office).output
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    office.leave(right, "corrected.camt.053.xml")
    (one,) = filed(office)
    who = ("--by", ONE, "--reason", WHY)
    assert run(office, "withdraw", one.id, "--by", " ", "--reason", WHY).exit_code == 2
    assert "another person confirms it" in run(office, "withdraw", one.id, *who).output
    assert isinstance(run(office, "confirm", one.id, *who).exception, SamePersonError)
    assert "the statement stands" in run(office, "refuse", one.id, *who).output
    assert run(office, "withdraw", one.id, *who).exit_code == 0
    done = run(office, "confirm", one.id, "--by", TWO, "--reason", WHY)
    assert "the corrected statement is filed: 1" in done.output
    shown = run(office).output
    assert "已撤下 / withdrawn" in shown and "1#2" in shown and TWO in shown
    newest, old = json.loads(run(office, "--json").output)
    assert (newest["filing"], newest["steps"], old["filing"]) == (2, [], 1)
    assert [step["action"] for step in old["steps"]] == [
        "proposed", "refused", "proposed", "confirmed",
    ]  # fmt: skip
    again = run(office, "withdraw", newest["id"], *who)
    assert again.exit_code == 0
    last = run(office, "confirm", newest["id"], "--by", TWO, "--reason", WHY)
    assert "no corrected statement is here" in last.output


def test_the_next_days_statement_follows_on_the_corrected_one(office: Office) -> None:
    wrong, right = wrong_and_right(office)
    office.leave(wrong)
    office.leave(right, "corrected.camt.053.xml")
    withdraw(office, filed(office)[0].id)
    until = right.to_at
    office.later(24)
    claim_of(office.world, office.world.person(username="citizen22"))
    after = dataclasses.replace(
        office.statement(), entries=(), statement_id="2", message_id="ST-2", from_at=until,
        opening_fen=right.closing_fen, closing_fen=right.closing_fen,
    )  # fmt: skip
    office.leave(after, "two.camt.053.xml")
    advance_claims(office.world.services)
    assert r19(office) == []


def filed_by_hand(world: World) -> str:
    """A statement that the bank has left, without the bank."""
    now = world.services.clock.now()
    with world.services.engine.begin() as db:
        db.execute(
            tables.bank_message.insert().values(
                id="bmg_1", name="st.xml", digest=bytes(32), wrapped_content=b"", received_at=now,
                verdict="filed", difference="",
            )
        )  # fmt: skip
    with world.services.work() as work:
        stored = StoredStatement(
            "bst_1", "330800", "ACC", "1", now - dt.timedelta(days=1), now, 0, 5, 1, False, "bmg_1"
        )
        moved = StatementEntry(EntrySide.CREDIT, 5, "INT-1", "", now.date())
        work.bank_statements.add(stored, [moved])
        work.commit()
    return stored.id


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_code_path_withdraws_a_statement_alone_or_files_two(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_postgresql = engine == "postgresql"
    world = request.getfixturevalue("world_on_postgresql") if is_postgresql else prepared(tmp_path)
    one = filed_by_hand(world)
    steps, statements = tables.bank_statement_withdrawal, tables.bank_statement
    (row,) = rows(world, statements)
    again, at = dict(row._mapping) | {"id": "bst_again", "filing": 2}, world.services.clock.now()

    def values(ordinal: int, action: str, by: str) -> dict[str, Any]:
        said = {"by": by, "reason": "x", "at": at}
        return {"statement_id": one, "ordinal": ordinal, "action": action} | said

    def stored(statement: Any, values: Any = None) -> None:
        with world.services.engine.begin() as db:
            db.execute(statement, values or {})

    def refused(statement: Any, values: Any = None, words: str | None = None) -> None:
        with pytest.raises(sa.exc.DBAPIError, match=words):
            stored(statement, values)

    alone = "by another person than the one who proposed it"
    refused(steps.insert(), values(1, "confirmed", "乙"), alone)
    refused(steps.insert(), values(1, "refused", "乙"), alone)
    refused(steps.insert(), values(2, "proposed", "乙"), alone)
    refused(steps.insert(), values(1, "proposed", " "))
    refused(statements.insert(), again, "it is withdrawn first")
    stored(steps.insert(), values(1, "proposed", "Jia"))
    refused(steps.insert(), values(2, "dropped", "乙"))
    refused(statements.insert(), again, "it is withdrawn first")
    for by in ("Jia", " jIA "):
        refused(steps.insert(), values(2, "confirmed", by), alone)
    stored(steps.insert(), values(2, "refused", "Jia"))
    refused(steps.insert(), values(3, "confirmed", "乙"), alone)
    stored(steps.insert(), values(3, "proposed", "Jia"))
    stored(steps.insert(), values(4, "confirmed", "乙"))
    refused(steps.insert(), values(5, "proposed", "丙"), alone)
    for filing in (1, 3):
        refused(statements.insert(), again | {"filing": filing})
    stored(statements.insert(), again)
    refused(statements.insert(), again | {"id": "bst_3", "filing": 3}, "it is withdrawn first")
    for text in (
        "UPDATE bank_statement_withdrawal SET reason = ''", "DELETE FROM bank_statement_withdrawal",
        "UPDATE bank_statement SET filing = 9", "DELETE FROM bank_statement",
    ):  # fmt: skip
        refused(sa.text(text), words="insert-only")
    proposal = {
        "number": 1, "kind": "bank-interest", "region": "330800", "insurance_type": "310",
        "amount_fen": 5, "reference": "INT-1", "side": "credit", "statement_id": one,
        "statement_ordinal": 1, "subject": f"{one}:1", "reason": "x", "proposed_by": "甲",
        "proposed_at": at,
    }  # fmt: skip
    refused(tables.journal_adjustment.insert(), proposal, "was withdrawn")
