"""A bill becomes void or is reversed: what is owed falls away, what was paid is owed back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.recovery import Cause, State
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.records import ACCOUNT_DELAY, AnswerStatus, StatusItem
from backend.service_layer.recovery.run import recovery_pass
from tests.funding import POOL_FEN, TYPES
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    account_of,
    alarms,
    attempts,
    balance,
    claim_of,
    files,
    say,
    settled,
    state,
)
from tests.integration.recovery.debts import (
    PAID_FEN,
    again,
    assert_books_agree,
    count,
    kinds_of,
    notices_of,
    orders,
    owing,
    paid_claim,
    pay_back,
    recovered_on_ledger,
    withdraw_bill,
)

MONEY = POOL_FEN * len(TYPES)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """After each test every side says the same: bill, claim, ledger, journal, file and bank."""
    made = World.make(tmp_path)
    yield made
    assert find_mismatches(made.services) == []
    made.services.engine.dispose()


@pytest.mark.parametrize(
    ("bill", "cause"),
    [
        ("void", Cause.VOID),
        pytest.param("reversed", Cause.REVERSED, marks=pytest.mark.slow),
    ],
)
def test_a_paid_claim_is_owed_back_by_itself_and_once(
    world: World, bill: str, cause: Cause
) -> None:
    claim = paid_claim(world)
    withdraw_bill(world, claim, bill)
    assert recovery_pass(world.services) == 1
    assert recovery_pass(world.services) == 0
    (found,) = orders(world, claim)
    assert (found.order.cause, found.order.amount_fen) == (cause, PAID_FEN)
    assert found.order.id == f"{claim.number}-R1" and found.state is State.OPEN
    assert found.order.layers.pool_fen == PAID_FEN
    assert kinds_of(world, claim.id) == ["approved", "instructed", "paid", "recovery-opened"]
    assert (balance(world, "receivable"), balance(world, "bank")) == (PAID_FEN, MONEY - PAID_FEN)
    assert state(world, claim) == ("paid", None)
    (notice,) = notices_of(world, claim.person_id)
    assert "60.00 元" in notice and found.order.id in notice


@pytest.mark.slow
def test_what_came_back_closes_the_order_and_is_said_on_the_ledger_once(world: World) -> None:
    found = owing(world)
    assert pay_back(world, found, 2_500, "B-1")
    assert again(world, found).state is State.PARTLY
    assert pay_back(world, found, 3_500, "B-2")
    assert again(world, found).state is State.RECOVERED
    world.run()
    assert recovered_on_ledger(world) == [PAID_FEN]
    recovery_pass(world.services)
    world.run()
    assert recovered_on_ledger(world) == [PAID_FEN]
    assert (balance(world, "receivable"), balance(world, "bank")) == (0, MONEY)
    assert len(notices_of(world, found.order.person_id)) == 2


def test_an_approval_that_is_not_with_the_bank_falls_away(world: World) -> None:
    person = world.person()
    world.accounts.withhold(person.id, ACCOUNT_DELAY)
    claim = claim_of(world, person)
    world.run()
    assert balance(world, "payable") == PAID_FEN
    withdraw_bill(world, claim)
    assert recovery_pass(world.services) == 1
    assert kinds_of(world, claim.id) == ["approved", "approval-reversed"]
    assert (balance(world, "payable"), balance(world, "receivable")) == (0, 0)
    assert state(world, claim) == ("reversed", None)
    del world.accounts.answers[person.id]
    world.run()
    assert attempts(world) == [] and orders(world, claim) == [] and alarms(world) == set()
    assert recovery_pass(world.services) == 0


@pytest.mark.slow
def test_a_settlement_whose_bill_is_void_is_never_approved(world: World) -> None:
    claim = settled(world, claim_of(world, world.person()))
    withdraw_bill(world, claim)
    advance_claims(world.services)
    assert state(world, claim) == ("settled", "payout-held")
    recovery_pass(world.services)
    assert state(world, claim) == ("reversed", None)
    assert kinds_of(world, claim.id) == [] and alarms(world) == set()


@pytest.mark.slow
def test_a_payment_under_way_is_recovered_when_the_bank_says_paid(world: World) -> None:
    claim = claim_of(world, world.person())
    world.bank.is_slow = True
    world.run()
    withdraw_bill(world, claim)
    assert recovery_pass(world.services) == 0
    assert orders(world, claim) == [] and balance(world, "transit") == PAID_FEN
    world.bank.is_slow = False
    world.run()
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    assert found.left_fen == PAID_FEN and state(world, claim) == ("paid", None)
    assert_books_agree(world)


@pytest.mark.slow
def test_a_payment_under_way_that_the_bank_rejects_is_not_owed_back(world: World) -> None:
    person = world.person()
    claim = claim_of(world, person)
    world.bank.plan[account_of(person)] = (AnswerStatus.REJECTED, "AC04")
    world.bank.is_slow = True
    world.run()
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    world.bank.is_slow = False
    world.run()
    recovery_pass(world.services)
    assert state(world, claim) == ("reversed", None) and orders(world, claim) == []
    assert (balance(world, "payable"), balance(world, "bank")) == (0, MONEY)
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    assert len(attempts(world)) == 1 and alarms(world) == set()


@pytest.mark.slow
def test_a_payment_that_the_bank_gives_back_fills_the_order_and_is_not_paid_again(
    world: World,
) -> None:
    claim = paid_claim(world)
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    (file,) = files(world)
    say(world, StatusItem(file.items[0].end_to_end_id, AnswerStatus.RETURNED, "AC04"))
    world.run()
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    assert found.state is State.RECOVERED and found.receipts[0].source == "returned"
    world.accounts.correct(claim.person_id, "测试甲子", "TEST-CORRECTED")
    world.run()
    assert len(attempts(world)) == 1 and state(world, claim) == ("paid", None)
    assert (balance(world, "payable"), balance(world, "receivable")) == (0, 0)
    assert balance(world, "bank") == MONEY and recovered_on_ledger(world) == [PAID_FEN]


@pytest.mark.slow
def test_money_that_comes_back_twice_waits_for_a_person(world: World) -> None:
    claim = paid_claim(world)
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    (found,) = orders(world, claim)
    pay_back(world, found, PAID_FEN, "B-1")
    (file,) = files(world)
    say(world, StatusItem(file.items[0].end_to_end_id, AnswerStatus.RETURNED, "AC04"))
    world.run()
    recovery_pass(world.services)
    assert "recovery-overpaid" in alarms(world)
    assert balance(world, "payable") == PAID_FEN and balance(world, "receivable") == 0
    assert len(attempts(world)) == 1


@pytest.mark.slow
def test_a_bill_that_stands_owes_nothing(world: World) -> None:
    claim = paid_claim(world)
    assert recovery_pass(world.services) == 0 and orders(world, claim) == []
    assert count(world, tables.recovery_order) == 0


@pytest.mark.slow
def test_the_database_refuses_an_instruction_for_what_fell_away(world: World) -> None:
    person = world.person()
    claim = claim_of(world, person)
    world.bank.plan[account_of(person)] = (AnswerStatus.REJECTED, "AC04")
    world.run()
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    with world.services.engine.connect() as connection:
        row = connection.execute(sa.select(tables.payment_attempt)).one()._asdict()
    second = row | {"id": row["id"] + "x", "attempt": 2, "end_to_end_id": "OTHER"}
    with (
        pytest.raises(sa.exc.IntegrityError, match="the payable fell away"),
        world.services.engine.begin() as connection,
    ):
        connection.execute(tables.payment_attempt.insert().values(second))


@pytest.mark.slow
@pytest.mark.parametrize("is_open", [True, False])
def test_the_database_refuses_to_take_back_what_is_with_the_bank(
    world: World, is_open: bool
) -> None:
    world.bank.is_slow = is_open
    claim = claim_of(world, world.person())
    world.run()
    payout_id = f"pay_{claim.number}_v1"
    with (
        pytest.raises(sa.exc.IntegrityError, match="is paid, or with the bank"),
        world.services.engine.begin() as connection,
    ):
        connection.execute(
            tables.payable_reversal.insert().values(
                payout_id=payout_id,
                claim_id=claim.id,
                offset_fen=0,
                cause="void",
                at=world.services.clock.now(),
            )
        )
