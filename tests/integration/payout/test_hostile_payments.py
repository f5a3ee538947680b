"""Answers that lie in subtle ways, and one bad item that must not stop everybody's payments."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.banks import listed_banks
from backend.adapters.database import tables
from backend.domain.ledger import SlotState
from backend.service_layer.payees.declare import NamedAccount, declare
from backend.service_layer.payees.effective import VerifiedAccounts
from backend.service_layer.payout.records import (
    ACCOUNT_DELAY,
    AnswerStatus,
    StatusItem,
    StatusReport,
)
from backend.service_layer.payout.run import payout_pass
from tests.funding import fund_pools
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    FIRST_FEN,
    alarms,
    answers,
    attempts,
    balance,
    claim_of,
    files,
    rows,
    state,
    verdicts,
)

pytestmark = pytest.mark.slow

PAID, REJECTED, RETURNED = AnswerStatus.PAID, AnswerStatus.REJECTED, AnswerStatus.RETURNED


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


@pytest.fixture
def waiting(world: World) -> World:
    """A file of one instruction is with the bank, which has not answered."""
    world.bank.is_slow = True
    claim_of(world, world.person())
    world.run()
    assert len(files(world)) == 1
    return world


def report(world: World, status: AnswerStatus, reason: str = "", **fields: Any) -> StatusReport:
    (file,) = files(world)
    item = StatusItem(file.items[0].end_to_end_id, status, reason, bank_reference="REF-1")
    return world.bank.report_on(file, item, **fields)


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "fields", "words"),
    [
        (REJECTED, "AM05", {}, "the bank knows this instruction"),
        (REJECTED, "DUPL", {}, "the bank knows this instruction"),
        (REJECTED, "AC04", {"group_status": PAID}, "the whole file paid"),
        (PAID, "", {"group_status": REJECTED}, "the whole file rejected"),
        (PAID, "", {"ahead": dt.timedelta(hours=1)}, "which has not come yet"),
    ],
)
def test_a_report_that_contradicts_itself_or_the_clock_books_nothing(
    waiting: World, status: AnswerStatus, reason: str, fields: dict[str, Any], words: str
) -> None:
    ahead = fields.pop("ahead", None)
    if ahead is not None:
        fields["created_at"] = waiting.services.clock.now() + ahead
    waiting.bank.leave(report(waiting, status, reason, **fields))
    payout_pass(waiting.services)
    assert answers(waiting) == [] and verdicts(waiting) == ["refused"]
    (message,) = rows(waiting, tables.bank_message)
    assert words in message.difference
    assert balance(waiting, "transit") == FIRST_FEN


def test_paid_and_returned_found_together_are_booked_in_the_order_of_their_making(
    waiting: World,
) -> None:
    """A folder's order is by its own times and names; both reports are of one second."""
    (claim,) = rows(waiting, tables.claim)
    now = waiting.services.clock.now()
    waiting.bank.leave(report(waiting, RETURNED, "AC04", created_at=now), "a.json")
    waiting.bank.leave(report(waiting, PAID, created_at=now), "b.json")
    payout_pass(waiting.services)
    assert verdicts(waiting) == ["booked", "booked"]
    assert [status for _, status in answers(waiting)] == ["paid", "returned"]
    assert state(waiting, claim) == ("paying", "payee")
    assert (balance(waiting, "payable"), balance(waiting, "transit")) == (FIRST_FEN, 0)


def test_a_bank_file_that_breaks_its_reader_does_not_stop_the_others(
    waiting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.bank.leave(report(waiting, PAID), "good.json")
    bad = waiting.bank.leave(report(waiting, PAID), "bad.json")
    content = waiting.bank.inbox[bad]
    read = waiting.services.payment_format.read

    def broken(given: bytes) -> StatusReport:
        if given == content:
            raise OverflowError("date value out of range")
        found: StatusReport = read(given)
        return found

    monkeypatch.setattr(waiting.services.payment_format, "read", broken)
    payout_pass(waiting.services)
    assert [status for _, status in answers(waiting)] == ["paid"]
    assert list(waiting.bank.inbox) == [bad] and alarms(waiting) == {"bank-file-stuck"}
    assert payout_pass(waiting.services) == 0, "what stays is no work done"
    monkeypatch.undo()
    payout_pass(waiting.services)
    assert alarms(waiting) == {"bank-file-repeated"}


def test_answers_that_cannot_be_fetched_are_an_alarm_until_they_can(waiting: World) -> None:
    waiting.bank.is_slow = False
    waiting.bank.is_down = True
    payout_pass(waiting.services)
    assert alarms(waiting) == {"bank-unreachable"}
    waiting.bank.is_down = False
    payout_pass(waiting.services)
    assert alarms(waiting) == set() and [status for _, status in answers(waiting)] == ["paid"]


# --- one bad item --------------------------------------------------------------------------------


def test_a_file_that_no_longer_opens_does_not_keep_the_next_from_leaving(world: World) -> None:
    world.bank.is_down = True
    claim_of(world, world.person())
    world.run()
    second = claim_of(world, world.person("测试乙丑", "citizen02"), 410)
    world.run()
    first, _ = rows(world, tables.payout_file)
    forged = {"forged": b"\x01" + bytes(60), "id": first.id}
    world.sql("UPDATE payout_file SET wrapped_content = :forged WHERE id = :id", **forged)
    world.bank.is_down = False
    world.run()
    assert state(world, second) == ("paid", None)
    assert "payout-file-damaged" in alarms(world) and len(world.bank.files) == 1


def held_two(world: World) -> list[Any]:
    """Two approved claims, whose accounts are in effect from now on."""
    people = [world.person(), world.person("测试乙丑", "citizen02")]
    for person in people:
        world.accounts.withhold(person.id, ACCOUNT_DELAY)
    claims = [claim_of(world, people[0]), claim_of(world, people[1], 410)]
    world.run()
    assert attempts(world) == []
    world.accounts.answers.clear()
    return claims


def test_a_bill_whose_slot_cannot_be_asked_for_does_not_stop_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, fine = held_two(world)
    with world.services.work(write=False) as work:
        bad = work.claims.bill_of_version(stuck.version_id).invoice_key
    ask = world.ledger.slot

    def slot(key: bytes) -> SlotState:
        if key == bad:
            raise ValueError("a key that is none")
        return ask(key)

    monkeypatch.setattr(world.ledger, "slot", slot)
    payout_pass(world.services)
    assert [name for name, _, _ in attempts(world)] == [f"{fine.number}-V1-A1"]
    assert "payout-failed" in alarms(world)


def test_a_bill_that_becomes_void_after_its_slot_was_read_is_not_paid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, fine = held_two(world)
    with world.services.work(write=False) as work:
        bill = work.claims.bill_of_version(stopped.version_id)
    ask = world.ledger.slot

    def slot(key: bytes) -> SlotState:
        found = ask(key)
        if key == bill.invoice_key:
            world.sql("UPDATE invoice SET state = 'void' WHERE id = :id", id=bill.invoice_id)
        return found

    monkeypatch.setattr(world.ledger, "slot", slot)
    payout_pass(world.services)
    assert [name for name, _, _ in attempts(world)] == [f"{fine.number}-V1-A1"]
    assert state(world, stopped) == ("paying", "payout-held")


def test_a_smaller_payment_that_fits_is_no_end_of_a_short_fund(world: World) -> None:
    large, small = held_two(world)
    world.sql("DELETE FROM journal_transfer WHERE credit_account LIKE 'fund:%'")
    world.sql("DELETE FROM journal_entry WHERE kind = 'funded'")
    with world.services.work() as work:
        # The larger is the older: it is asked first.
        found = {one.claim_id: one for one in work.payments.payables(after=None, limit=9)}
    amounts = {found[claim.id].amount_fen for claim in (large, small)}
    assert len(amounts) == 2
    world.sql(
        "UPDATE payout SET instructed_at = '2026-11-01 00:00:00.000000' WHERE amount_fen = :fen",
        fen=max(amounts),
    )
    fund_pools(world.services, min(amounts))
    payout_pass(world.services)
    assert [fen for _, fen, _ in attempts(world)] == [min(amounts)]
    assert "fund-short" in alarms(world)


# --- accounts ------------------------------------------------------------------------------------


def test_what_the_bank_calls_closed_gets_no_other_claims_money(world: World) -> None:
    person = world.person()
    kept = world.services.__dict__
    kept["banks"] = listed_banks(is_simulated=True)
    kept["payees"] = VerifiedAccounts(world.services.secret_box)

    def name(number: str, form: str) -> None:
        bank = world.services.banks[0].code
        declare(world.services, NamedAccount(person.id, bank, number, form, "citizen"))

    name("9999000000000001111", "form-1")
    world.bank.plan["9999000000000001111"] = (REJECTED, "AC04")
    first = claim_of(world, person)
    world.run()
    second = claim_of(world, person, 410)
    world.run()
    assert len(attempts(world)) == 1
    assert state(world, first) == state(world, second) == ("paying", "account-closed")
    name("9999000000000002222", "form-2")
    clock: Any = world.services.clock
    clock.advance(dt.timedelta(hours=72).total_seconds())
    world.run()
    assert state(world, first) == state(world, second) == ("paid", None)
    assert {number for number, _ in world.bank.paid.values()} == {"9999000000000002222"}
