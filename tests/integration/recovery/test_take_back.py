"""A receipt that was stored wrongly is taken back by two; one transfer may pay two orders."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import NotFoundError
from backend.domain.recovery import RecoveryConflictError, RecoveryError, SamePersonError, State
from backend.service_layer.recovery import people
from backend.service_layer.recovery.people import approve_waiver, ask_waiver
from backend.service_layer.recovery.take_back import approve_take_back, ask_take_back
from tests.integration.claims.world import World
from tests.integration.recovery.debts import (
    again,
    assert_books_agree,
    kinds_of,
    notices_of,
    owing,
    pay_back,
)

WHY = "登记到别人的追款上了"
CLERK, CHIEF = "出纳甲", "会计乙"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def take_back(world: World, order: str, reference: str) -> None:
    ask_take_back(world.services, order, reference, by=CLERK, reason=WHY)
    approve_take_back(world.services, order, reference, by=CHIEF)


def test_money_on_the_wrong_order_is_taken_back_and_put_on_the_right_one(world: World) -> None:
    """The wrong debtor was freed, and told so: what they owe is owed again, and they are told."""
    wrong = owing(world)
    name, whole = wrong.order.id, wrong.left_fen
    assert pay_back(world, wrong, whole, "B-1")
    assert again(world, wrong).state is State.RECOVERED
    take_back(world, name, "B-1")
    found = again(world, wrong)
    assert (found.state, found.left_fen, found.receipts) == (State.OPEN, whole, ())
    assert [one.amount_fen for one in found.taken_back] == [whole]
    assert kinds_of(world, wrong.order.claim_id)[-2:] == ["recovered", "receipt-reversed"]
    assert_books_agree(world)
    told = notices_of(world, wrong.order.person_id)
    assert any("先前登记的一笔到账有误" in one for one in told)
    # The right money may come under the same reference, and is a receipt of its own.
    assert pay_back(world, wrong, whole - 1, "B-1")
    assert not pay_back(world, wrong, whole - 1, "B-1"), "known"
    assert again(world, wrong).left_fen == 1
    assert_books_agree(world)
    with world.services.work(write=False) as work:
        moved = [one for one in work.bank_statements.movements("330800") if one.key == "B-1"]
    assert sum(one.amount_fen for one in moved) == whole - 1


def test_what_cannot_be_taken_back(world: World) -> None:
    found = owing(world)
    name = found.order.id
    pay_back(world, found, 100, "B-1")
    services = world.services
    with pytest.raises(NotFoundError, match="has no receipt B-2 that stands"):
        ask_take_back(services, name, "B-2", by=CLERK, reason=WHY)
    with pytest.raises(RecoveryError, match="give a reason"):
        ask_take_back(services, name, "B-1", by=CLERK, reason="")
    with pytest.raises(RecoveryConflictError, match="nobody has asked"):
        approve_take_back(services, name, "B-1", by=CHIEF)
    first = ask_take_back(services, name, "B-1", by=CLERK, reason=WHY)
    assert ask_take_back(services, name, "B-1", by=CLERK, reason=WHY) == first, "said again"
    with pytest.raises(SamePersonError, match="cannot approve it"):
        approve_take_back(services, name, "B-1", by=CLERK)
    approve_take_back(services, name, "B-1", by=CHIEF)
    with pytest.raises(NotFoundError, match="has no receipt B-1 that stands"):
        approve_take_back(services, name, "B-1", by=CHIEF)
    pay_back(world, found, 100, "B-3")
    ask_waiver(services, name, CLERK, "无力偿还")
    approve_waiver(services, name, CHIEF)
    with pytest.raises(RecoveryConflictError, match="waived: it can no longer"):
        ask_take_back(services, name, "B-3", by=CLERK, reason=WHY)
    assert_books_agree(world)


def test_no_receipt_is_taken_back_whose_money_is_not_at_the_bank(world: World) -> None:
    found = owing(world)
    pay_back(world, found, 100, "B-1")
    ask_take_back(world.services, found.order.id, "B-1", by=CLERK, reason=WHY)
    world.sql(
        "DELETE FROM journal_transfer WHERE credit_account LIKE 'fund:%' AND amount_fen > 1e9"
    )
    with pytest.raises(RecoveryConflictError, match="yuan at the bank"):
        approve_take_back(world.services, found.order.id, "B-1", by=CHIEF)


def test_the_ledger_is_told_once_what_came_back(world: World) -> None:
    found = owing(world)
    pay_back(world, found, found.left_fen, "B-1")
    take_back(world, found.order.id, "B-1")
    pay_back(world, found, found.left_fen, "B-2")
    assert again(world, found).state is State.RECOVERED
    with world.services.engine.connect() as connection:
        kinds = list(connection.execute(sa.select(tables.ledger_intent.c.kind)).scalars())
    assert kinds.count("recover") == 1


def test_one_transfer_may_pay_two_orders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = owing(world), owing(world, 600)
    assert pay_back(world, one, 100, "B-1")
    with monkeypatch.context() as patch:
        patch.setattr(people, "left_of_credit", lambda *asked: 49)  # of the bank's own statement
        with pytest.raises(RecoveryConflictError, match=r"0\.49 yuan of B-1 on the bank's"):
            pay_back(world, two, 50, "B-1")
    assert pay_back(world, two, 50, "B-1")
    assert not pay_back(world, two, 50, "B-1"), "known"
    with pytest.raises(RecoveryConflictError, match=r"recovery take-back"):
        pay_back(world, two, 51, "B-1")
    assert_books_agree(world)
    with world.services.work(write=False) as work:
        moved = [each for each in work.bank_statements.movements("330800") if each.key == "B-1"]
    assert sorted(each.amount_fen for each in moved) == [50, 100]
