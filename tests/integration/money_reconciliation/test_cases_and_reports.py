"""Mismatches become cases that hold money, with a deadline; a run leaves a signed report."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from eth_account import Account
from eth_account.messages import encode_defunct

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.ledger.report_signing import LedgerKeySigner, SignatureReader
from backend.domain.errors import DomainError
from backend.service_layer.anchoring.model import KeyUnavailableError
from backend.service_layer.claims.case_closing import (
    CaseOutcome,
    confirm_closing,
    propose_closing,
)
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.cases import overdue
from backend.service_layer.money_reconciliation.daily import (
    is_due,
    reconcile_money,
    reconcile_pass,
)
from backend.service_layer.money_reconciliation.report import (
    ReportError,
    store_report,
    verify_report,
)
from tests.integration.claims.world import NOW, World
from tests.integration.payout.office import alarms, attempts, claim_of, rows, settled, state

AGENCY = Account.from_key(bytes(31) + b"\x07")
STRANGER = Account.from_key(bytes(31) + b"\x08")


class OneKey:
    def key_of(self, account: str) -> bytes:
        return bytes(AGENCY.key)


SIGNER = LedgerKeySigner(OneKey())


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.make(tmp_path)
    with world.services.engine.begin() as connection:
        connection.execute(sa.update(tables.payer).values(ledger_account=AGENCY.address))
    return world


def later(world: World, hours: float) -> None:
    world.services.clock = SetClock(world.services.clock.now() + dt.timedelta(hours=hours))


def fake_paid(world: World, claim: object, plus: int) -> None:
    """The ledger shows other money on the bill than is known here."""
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key  # type: ignore[attr-defined]
    slot = world.ledger.slots[key]
    world.ledger.slots[key] = dataclasses.replace(slot, paid_fen=slot.paid_fen + plus)


def open_cases(world: World) -> list[str]:
    with world.services.work(write=False) as work:
        return [case.id for case in work.reconciliation.open_cases()]


def close_by_two(world: World, case: str, outcome: CaseOutcome) -> None:
    propose_closing(world.services, case, "测试员", "已与账本运维核对", outcome)
    confirm_closing(world.services, case, "测试主管", "同意")


def test_a_mismatch_holds_the_payment_until_it_has_gone(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    advance_claims(world.services, with_payouts=False)
    assert state(world, claim) == ("paying", "payout-run")
    fake_paid(world, claim, 5)
    (standing,) = reconcile_money(world.services, SIGNER)
    assert standing.mismatch.rule == "R5" and not standing.is_accepted
    assert standing.case.due_at == NOW + dt.timedelta(hours=72)
    assert "reconcile-case" in alarms(world)
    advance_claims(world.services)
    assert state(world, claim) == ("paying", "payout-case")
    assert attempts(world) == []
    # The second run knows the case; nothing is opened twice.
    reconcile_money(world.services, SIGNER)
    assert open_cases(world) == [standing.case.id]
    fake_paid(world, claim, -5)
    assert reconcile_money(world.services, SIGNER) == []
    with world.services.work(write=False) as work:
        case = work.reconciliation.case(standing.case.id)
    assert case is not None
    assert (case.resolved_by, case.resolution) == (
        "reconcile",
        "report 3: all sides say the same",
    )
    with world.services.work(write=False) as work:
        (event,) = work.reconciliation.events_of(standing.case.id)
    assert (event.kind, event.report_number) == ("agrees", 3)
    world.run()
    assert state(world, claim) == ("paid", None)
    assert "reconcile-case" not in alarms(world)


@pytest.mark.slow
def test_a_person_closes_a_case_for_these_figures_alone(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    fake_paid(world, claim, 5)
    (first,) = reconcile_money(world.services, SIGNER)
    close_by_two(world, first.case.id, CaseOutcome.ACCEPTED)
    (again,) = reconcile_money(world.services, SIGNER)
    assert again.is_accepted and open_cases(world) == []
    fake_paid(world, claim, 1)
    (other,) = reconcile_money(world.services, SIGNER)
    assert not other.is_accepted and open_cases(world) == [other.case.id]
    assert other.case.id != first.case.id


@pytest.mark.slow
def test_a_mismatch_that_comes_back_after_it_had_gone_is_a_case_again(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    for turn in (1, 2):
        fake_paid(world, claim, 5)
        (standing,) = reconcile_money(world.services, SIGNER)
        assert standing.case.id.endswith(f"#{turn}")
        fake_paid(world, claim, -5)
        assert reconcile_money(world.services, SIGNER) == []


@pytest.mark.slow
def test_a_case_past_its_deadline_is_an_alarm_until_it_is_closed(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    fake_paid(world, claim, 5)
    (standing,) = reconcile_money(world.services, SIGNER)
    later(world, 71)
    reconcile_pass(world.services, SIGNER)
    assert "money-case-overdue" not in alarms(world)
    later(world, 1.1)
    reconcile_pass(world.services, SIGNER)
    assert "money-case-overdue" in alarms(world)
    with world.services.work(write=False) as work:
        assert [case.id for case in overdue(work, world.services.clock.now())] == [standing.case.id]
    close_by_two(world, standing.case.id, CaseOutcome.ACCEPTED)
    assert "money-case-overdue" not in alarms(world)


# --- once a day --------------------------------------------------------------------------------

AT = dt.time(2, 0)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        ("2026-11-20T10:00+08:00", None, True),
        ("2026-11-20T01:59+08:00", "2026-11-19T02:00+08:00", False),
        ("2026-11-20T02:00+08:00", "2026-11-19T02:00+08:00", True),
        ("2026-11-20T02:01+08:00", "2026-11-20T02:00+08:00", False),
        ("2026-11-20T01:00+08:00", "2026-11-18T23:00+08:00", True),
    ],
)
def test_due_once_a_local_day(now: str, last: str | None, expected: bool) -> None:
    read = dt.datetime.fromisoformat
    assert is_due(read(now), None if last is None else read(last), AT) is expected


def test_the_worker_reconciles_once_a_day_and_not_while_payouts_are_held(world: World) -> None:
    reconcile_pass(world.services, SIGNER)
    reconcile_pass(world.services, SIGNER)
    assert [one.number for one in rows(world, tables.money_report)] == [1]
    later(world, 24)
    with world.services.work() as work:
        work.alarms.raise_alarm("bank-ahead", "bank", "test")
        work.commit()
    reconcile_pass(world.services, SIGNER)
    assert len(rows(world, tables.money_report)) == 1
    with world.services.work() as work:
        work.alarms.clear("bank-ahead", "bank")
        work.commit()
    reconcile_pass(world.services, SIGNER)
    assert [one.number for one in rows(world, tables.money_report)] == [1, 2]


@pytest.mark.slow
def test_a_reconciliation_that_cannot_be_signed_keeps_its_cases_and_is_an_alarm(
    world: World,
) -> None:
    class NoKey:
        def key_of(self, account: str) -> bytes:
            raise KeyUnavailableError("没有密钥", "no key")

    claim = settled(world, claim_of(world, world.person()))
    fake_paid(world, claim, 5)
    reconcile_pass(world.services, LedgerKeySigner(NoKey()))
    assert "report-unsigned" in alarms(world) and len(open_cases(world)) == 1
    assert rows(world, tables.money_report) == []
    # Without a report nothing shows that a mismatch has gone: its case stays open.
    fake_paid(world, claim, -5)
    reconcile_pass(world.services, LedgerKeySigner(NoKey()))
    assert len(open_cases(world)) == 1
    fake_paid(world, claim, 5)
    reconcile_pass(world.services, SIGNER)
    assert "report-unsigned" not in alarms(world)
    assert len(rows(world, tables.money_report)) == 1


def test_a_system_that_is_being_set_up_has_no_report_and_no_alarm(world: World) -> None:
    with world.services.engine.begin() as connection:
        connection.execute(tables.payer.delete())
    reconcile_pass(world.services, SIGNER)
    assert "report-unsigned" not in alarms(world)
    assert rows(world, tables.money_report) == []


# --- reports -----------------------------------------------------------------------------------


def change(world: World, number: int, **values: object) -> None:
    with world.services.engine.begin() as connection:
        for trigger in ("money_report_no_update", "money_report_no_delete"):
            connection.execute(sa.text(f"DROP TRIGGER IF EXISTS {trigger}"))
        connection.execute(
            sa.update(tables.money_report)
            .where(tables.money_report.c.number == number)
            .values(values)
        )


@pytest.mark.slow
def test_a_report_is_signed_by_the_agency_and_says_what_was_compared(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    fake_paid(world, claim, 5)
    reconcile_money(world.services, SIGNER)
    report = verify_report(world.services, SignatureReader(), 1)
    # Said by the library, not by the code under test.
    assert (
        Account.recover_message(encode_defunct(report.digest), signature=report.signature)
        == AGENCY.address
    )
    assert report.mismatch_count == 1 and claim.number in report.text
    assert '"accepted_by":""' in report.text and '"overdue_count":0' in report.text


CHANGES: tuple[tuple[int, dict[str, object], str], ...] = (
    (1, {"text": "{}"}, "not what was digested"),
    (2, {"previous_digest": bytes(31) + b"\x01"}, "does not follow from the report before"),
    (1, {"signature": bytes(65)}, "not of its account"),
    (1, {"signature": b"short"}, "not of its account"),
    (1, {"account": STRANGER.address}, "not of its account"),
    (1, {"mismatch_count": 1}, "the figures beside it are not those signed"),
)


def test_a_changed_report_is_found(world: World) -> None:
    for _ in range(2):
        reconcile_money(world.services, SIGNER)
    for number, values, says in CHANGES:
        right = {row.number: row._mapping for row in rows(world, tables.money_report)}[number]
        change(world, number, **values)
        with pytest.raises(ReportError, match=says):
            verify_report(world.services, SignatureReader(), number)
        change(world, number, **{name: right[name] for name in values})
        verify_report(world.services, SignatureReader(), number)


def test_a_report_signed_by_a_stranger_is_not_the_agencys(world: World) -> None:
    reconcile_money(world.services, SIGNER)
    (report,) = rows(world, tables.money_report)
    signature = Account.sign_message(encode_defunct(report.digest), STRANGER.key).signature
    change(world, 1, signature=bytes(signature), account=STRANGER.address)
    with pytest.raises(ReportError, match="not one of this agency"):
        verify_report(world.services, SignatureReader(), 1)
    with pytest.raises(DomainError, match="no such report"):
        verify_report(world.services, SignatureReader(), 2)


def test_the_database_refuses_to_change_a_report(world: World) -> None:
    reconcile_money(world.services, SIGNER)
    for statement in ("UPDATE money_report SET mismatch_count = 0", "DELETE FROM money_report"):
        with (
            pytest.raises(sa.exc.IntegrityError, match="insert-only"),
            world.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))


def test_a_report_that_is_stored_closes_the_alarm_of_one_that_was_not_signed(world: World) -> None:
    """In its own transaction: a process that dies after it leaves no alarm that is not true."""
    with world.services.work() as work:
        work.alarms.raise_alarm("report-unsigned", "reconcile", "the key is not there")
        work.commit()
    assert "report-unsigned" in alarms(world)
    store_report(world.services, SIGNER, [])
    assert "report-unsigned" not in alarms(world)
