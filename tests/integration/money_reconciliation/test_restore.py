"""A database put back to an older copy while the bank went on: nobody is paid twice."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from backend.adapters.database import tables
from backend.adapters.database.engine import make_engine
from backend.domain.ledger import IntentKind
from backend.service_layer.claims.records import Claim
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.adopt import adopt_bank
from backend.service_layer.money_reconciliation.ahead import compare_bank, hold_if_ahead
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.payout.run import payout_pass
from tests.integration.claims.test_failpoints import killed_in
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    FIRST_FEN,
    account_of,
    alarms,
    answers,
    attempts,
    claim_of,
    rows,
    settled,
    state,
)
from tests.memory_bank import equip_durably


def back_up(world: World, path: Path) -> None:
    source = world.services.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(source) as one, sqlite3.connect(path) as copy:
        one.backup(copy)


def restore(world: World, path: Path) -> None:
    world.services.engine.dispose()
    target = Path(world.services.settings.database_url.removeprefix("sqlite:///"))
    for suffix in ("", "-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    with sqlite3.connect(path) as one, sqlite3.connect(target) as copy:
        one.backup(copy)
    world.services.__dict__["engine"] = make_engine(world.services.settings.database_url)


def adopt(world: World) -> Counter[str]:
    found = adopt_bank(world.services, lambda: None)
    hold_if_ahead(world.services)
    return Counter(line.verdict for line in found)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def prepared(world: World, copy: Path) -> Claim:
    """A claim that is settled in the copy and paid afterwards."""
    claim = settled(world, claim_of(world, world.person()))
    back_up(world, copy)
    return claim


def test_a_payment_that_only_the_bank_knows_is_adopted_and_made_once(
    world: World, tmp_path: Path
) -> None:
    claim = prepared(world, tmp_path / "copy.db")
    world.run()
    paid = dict(world.bank.paid)
    restore(world, tmp_path / "copy.db")
    assert hold_if_ahead(world.services).is_ahead
    assert alarms(world) == {"bank-ahead"}
    world.run()
    assert state(world, claim) == ("settled", "reconcile"), "money moved before it was adopted"
    assert attempts(world) == [] and len(world.bank.files) == 1
    assert adopt(world) == {"adopted": 2}
    assert state(world, claim) == ("paid", None)
    assert attempts(world) == [(f"{claim.number}-V1-A1", FIRST_FEN, "daily")]
    assert find_mismatches(world.services) == []
    world.run()
    assert world.bank.paid == paid and len(world.bank.files) == 1
    assert alarms(world) == set()
    # Doing it again changes nothing.
    assert adopt(world) == {} and len(rows(world, tables.payout_file)) == 1


@pytest.mark.slow
def test_killed_while_a_lost_payment_is_adopted(world: World, tmp_path: Path) -> None:
    claim = prepared(world, tmp_path / "copy.db")
    world.run()
    paid = dict(world.bank.paid)
    restore(world, tmp_path / "copy.db")
    assert killed_in(world, "reconcile.file-adopted", lambda: adopt_bank(world.services, int))
    world.services.engine.dispose()
    world.run()
    assert world.bank.paid == paid, "money moved before all was adopted"
    assert adopt(world) == {"adopted": 1}
    assert state(world, claim) == ("paid", None)
    assert attempts(world) == [(f"{claim.number}-V1-A1", FIRST_FEN, "daily")]
    assert find_mismatches(world.services) == []
    world.run()
    assert world.bank.paid == paid and alarms(world) == set()


@pytest.mark.slow
def test_an_answer_that_comes_while_payouts_are_held_waits_and_is_not_refused(
    world: World, tmp_path: Path
) -> None:
    claim = prepared(world, tmp_path / "copy.db")
    world.bank.is_slow = True
    world.run()
    assert state(world, claim) == ("paying", None)
    restore(world, tmp_path / "copy.db")
    hold_if_ahead(world.services)
    world.bank.is_slow = False
    world.run()
    assert rows(world, tables.bank_message) == []
    adopt(world)
    world.run()
    assert state(world, claim) == ("paid", None)
    assert find_mismatches(world.services) == []


@pytest.mark.slow
def test_a_rejected_payment_and_its_second_attempt_are_adopted_in_their_order(
    world: World, tmp_path: Path
) -> None:
    claim = prepared(world, tmp_path / "copy.db")
    person = world.people[0]
    world.bank.plan[account_of(person)] = (AnswerStatus.REJECTED, "AC04")
    world.run()
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    told = answers(world)
    assert state(world, claim) == ("paid", None) and len(told) == 2
    restore(world, tmp_path / "copy.db")
    assert adopt(world) == {"adopted": 4}
    assert answers(world) == told and state(world, claim) == ("paid", None)
    assert find_mismatches(world.services) == []
    assert list(world.bank.paid) == [f"{claim.number}-V1-A2"]


def test_a_payment_of_a_lost_claim_is_a_case_and_the_rest_of_its_file_is_booked(
    world: World, tmp_path: Path
) -> None:
    first = settled(world, claim_of(world, world.person()))
    back_up(world, tmp_path / "copy.db")
    lost = settled(world, claim_of(world, world.person("测试乙丑", "citizen02")))
    world.run()
    assert len(world.bank.files) == 1 and len(world.bank.paid) == 2
    restore(world, tmp_path / "copy.db")
    found = adopt_bank(world.services, lambda: None)
    (case,) = [line for line in found if line.verdict == "case"][:1]
    assert case.what == f"bank-payment:{lost.number}-V1-A1"
    assert "its claim is not here" in case.detail
    assert state(world, first) == ("paid", None)
    assert not compare_bank(world.services).is_ahead
    assert find_mismatches(world.services) == []
    # The bank says more of the same file: what is known is booked, the lost one keeps nothing back.
    world.run()
    assert "bank-file-refused" not in alarms(world)


@pytest.mark.slow
def test_a_claim_whose_settlement_is_not_here_yet_is_held_and_matched_later(
    world: World, tmp_path: Path
) -> None:
    claim = claim_of(world, world.person())
    for _ in range(40):
        if world.claim(claim.id).state == "settling":
            break
        advance_claims(world.services, with_payouts=False)
        if world.claim(claim.id).state != "settling":
            world.mine()
    back_up(world, tmp_path / "copy.db")
    world.run()
    assert state(world, claim) == ("paid", None)
    restore(world, tmp_path / "copy.db")
    # What the ledger did with the settlement is not known here yet.
    assert adopt(world)["case"] > 0
    payout_pass(world.services)
    assert attempts(world) == []
    with world.services.work() as work:
        (intent,) = work.outbox.of_subject(claim.id, IntentKind.SETTLE)
        world._final(work, intent, "done", {})
        work.commit()
    assert adopt(world) == {"adopted": 1}
    assert state(world, claim) == ("paid", None)
    assert find_mismatches(world.services) == []
    assert len(world.bank.files) == 1


@pytest.mark.slow
def test_a_name_that_is_not_ours_is_never_matched(world: World, tmp_path: Path) -> None:
    claim = prepared(world, tmp_path / "copy.db")
    world.run()
    restore(world, tmp_path / "copy.db")
    (name,) = world.bank.files
    content = world.bank.files[name].replace(b"-V1-A1", b"-V9-A1")
    world.bank.files[name] = content
    world.bank.left.clear()
    found = adopt_bank(world.services, lambda: None)
    assert "no settlement of that version is final here" in found[0].detail
    # Its claim is held: nobody knows what the bank has paid.
    advance_claims(world.services)
    world.run()
    assert attempts(world) == [] and state(world, claim) == ("paying", "payout-case")


@pytest.mark.slow
def test_the_simulated_banks_book_has_each_payment_once(world: World, tmp_path: Path) -> None:
    """Real files in a folder, and the simulated bank's own book."""
    bank = equip_durably(world.services, tmp_path)
    claim = prepared(world, tmp_path / "copy.db")
    for _ in range(6):
        advance_claims(world.services)
    with bank.book.open() as page:
        before = page.credits()
    assert len(before) == 1
    restore(world, tmp_path / "copy.db")
    assert hold_if_ahead(world.services).is_ahead
    adopt(world)
    for _ in range(3):
        advance_claims(world.services)
    assert state(world, claim) == ("paid", None)
    assert find_mismatches(world.services) == []
    with bank.book.open() as page:
        assert page.credits() == before
