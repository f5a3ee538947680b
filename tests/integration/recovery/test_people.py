"""What people do with an order: refusals first, and both databases' own refusals."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.recovery import (
    Recovery,
    RecoveryConflictError,
    RecoveryError,
    SamePersonError,
    State,
)
from backend.service_layer.recovery.files import ReceiptFileError, take_in_receipts
from backend.service_layer.recovery.people import (
    Incoming,
    approve,
    approve_waiver,
    ask_waiver,
    dismiss,
    plan,
    receive,
)
from backend.service_layer.recovery.run import recovery_pass
from backend.service_layer.supervision.leads import BadStepError
from tests.integration.claims.world import World
from tests.integration.payout.office import alarms, balance
from tests.integration.recovery.debts import (
    PAID_FEN,
    TODAY,
    WHY,
    again,
    assert_books_agree,
    count,
    kinds_of,
    orders,
    owing,
    paid_claim,
    pay_back,
    recovered_on_ledger,
    withdraw_bill,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = World.make(tmp_path, url)
    yield made
    made.services.engine.dispose()


Act = Callable[[Any, str], object]


def _receive(fen: int = 100, reference: str = "B-1", on: dt.date = TODAY, by: str = "甲") -> Act:
    return lambda deps, order: receive(deps, Incoming(reference, order, fen, on), by=by)


def _plan(parts: int = 2, first: dt.date = TODAY, reason: str = WHY) -> Act:
    return lambda deps, order: plan(deps, order, parts, first, by="甲", reason=reason)


REFUSED_OF_OPEN: list[tuple[Act, type[DomainError], str]] = [
    (_receive(0), RecoveryError, "more than nothing"),
    (_receive(PAID_FEN + 1), RecoveryConflictError, "6000 fen are left, not 6001"),
    (_receive(reference=""), RecoveryError, "the bank's reference"),
    (_receive(reference="x" * 61), RecoveryError, "the bank's reference"),
    (_receive(reference="a\nb"), RecoveryError, "the bank's reference"),
    (_receive(on=TODAY + dt.timedelta(days=1)), RecoveryError, "after today"),
    (_receive(by=" "), BadStepError, "name who acts"),
    (_plan(parts=0), RecoveryError, "1 to 60 parts"),
    (_plan(parts=61), RecoveryError, "1 to 60 parts"),
    (_plan(first=TODAY - dt.timedelta(days=1)), RecoveryError, "not due before today"),
    (_plan(reason="短"), RecoveryError, "a reason of 4 to 500"),
    (lambda d, o: approve(d, o, "甲", WHY), RecoveryConflictError, "nothing to approve"),
    (lambda d, o: dismiss(d, o, "甲", WHY), RecoveryConflictError, "waived by two people"),
    (lambda d, o: ask_waiver(d, o, "甲", " "), RecoveryError, "a reason of 4 to 500"),
    (lambda d, o: approve_waiver(d, o, "甲"), RecoveryConflictError, "nobody has asked"),
    (lambda d, o: receive(d, Incoming("B", o + "x", 1, TODAY), by="甲"), NotFoundError, "no such"),
]  # fmt: skip


def test_what_is_owed_takes_nothing_that_cannot_be(world: World) -> None:
    found = owing(world)
    for act, error, words in REFUSED_OF_OPEN:
        with pytest.raises(error, match=words):
            act(world.services, found.order.id)
    assert again(world, found) == found
    assert kinds_of(world, found.order.claim_id)[-1] == "recovery-opened"


def test_a_receipt_twice_is_one_and_other_money_under_its_number_is_refused(world: World) -> None:
    found = owing(world)
    assert pay_back(world, found, 1_000, "B-1") is True
    assert pay_back(world, found, 1_000, "B-1") is False
    with pytest.raises(RecoveryConflictError, match="stands for other money"):
        pay_back(world, found, 999, "B-1")
    assert again(world, found).left_fen == PAID_FEN - 1_000
    assert_books_agree(world)


def test_what_is_over_takes_no_money_plan_or_waiver(world: World) -> None:
    found = owing(world)
    pay_back(world, found, PAID_FEN, "B-1")
    for act in (_receive(1, "B-2"), _plan(), lambda d, o: ask_waiver(d, o, "甲", WHY)):
        with pytest.raises(RecoveryConflictError, match="the recovery is recovered"):
            act(world.services, found.order.id)
    assert pay_back(world, found, PAID_FEN, "B-1") is False, "the same receipt again"


def test_two_people_give_up_what_is_left(world: World) -> None:
    found = owing(world)
    pay_back(world, found, 1_000, "B-1")
    order_id = found.order.id
    ask_waiver(world.services, order_id, "经办甲", "生活困难，已核实")
    assert "recovery-waiver-asked" in alarms(world)
    for name in ("经办甲", " 经办甲 "):
        with pytest.raises(SamePersonError, match="cannot approve"):
            approve_waiver(world.services, order_id, name)
    assert again(world, found).left_fen == PAID_FEN - 1_000
    done = approve_waiver(world.services, order_id, "主任乙")
    assert done.state is State.WAIVED and done.waiver is not None
    assert done.waiver.amount_fen == PAID_FEN - 1_000
    with pytest.raises(RecoveryConflictError, match="nothing to waive"):
        approve_waiver(world.services, order_id, "主任丙")
    assert kinds_of(world, found.order.claim_id)[-2:] == ["recovered", "recovery-waived"]
    assert balance(world, "receivable") == 0 and alarms(world) == set()
    world.run()
    assert recovered_on_ledger(world) == [1_000], "the ledger hears what really came back"


def test_what_was_waived_before_anything_came_back_is_not_on_the_ledger(world: World) -> None:
    found = owing(world)
    ask_waiver(world.services, found.order.id, "经办甲", WHY)
    approve_waiver(world.services, found.order.id, "主任乙")
    world.run()
    assert recovered_on_ledger(world) == []


def test_a_plan_divides_to_the_fen_and_is_replaced(world: World) -> None:
    found = owing(world)
    made = plan(world.services, found.order.id, 7, dt.date(2026, 11, 30), by="甲", reason=WHY)
    parts = [(one.due_on, one.amount_fen) for one in made.plan]
    assert sum(fen for _, fen in parts) == PAID_FEN
    assert [fen for _, fen in parts] == [858, 857, 857, 857, 857, 857, 857]
    assert [day.isoformat() for day, _ in parts[:4]] == [
        "2026-11-30", "2026-12-30", "2027-01-30", "2027-02-28",
    ]  # fmt: skip
    pay_back(world, found, 1_000, "B-1")
    assert again(world, found).due() == (dt.date(2026, 12, 30), 715)
    made = plan(world.services, found.order.id, 2, dt.date(2027, 1, 1), by="甲", reason=WHY)
    assert [one.amount_fen for one in made.plan] == [2_500, 2_500]
    assert made.due() == (dt.date(2027, 1, 1), 2_500)


def test_a_part_that_is_late_is_an_alarm_until_it_is_paid(world: World) -> None:
    found = owing(world)
    plan(world.services, found.order.id, 2, dt.date(2026, 12, 1), by="甲", reason=WHY)
    world.services.clock.advance(dt.timedelta(days=11).total_seconds())  # 1 December
    recovery_pass(world.services)
    assert alarms(world) == set()
    world.services.clock.advance(dt.timedelta(days=1).total_seconds())
    recovery_pass(world.services)
    assert alarms(world) == {"recovery-overdue"}
    pay_back(world, found, PAID_FEN // 2, "B-1")
    assert alarms(world) == set()


FILE = "reference,order,yuan,received_on\n"


def _lines(*rows: str) -> bytes:
    return (FILE + "\n".join(rows)).encode()


def test_a_bank_file_is_booked_as_a_whole_or_not_at_all(world: World) -> None:
    first, second = owing(world), owing(world, yuan=500)
    one, two = first.order.id, second.order.id
    good = (f"F-1,{one},10.00,2026-11-20", f"F-2,{two},0.5,2026-11-19")
    refused = [
        (b"reference,order\n", "the head is"),
        (FILE.encode(), "1 to 5000 rows"),
        ("reference,order,yuan,received_on\n甲".encode("gbk"), "no CSV in UTF-8"),
        (_lines(*good, f"F-3,{one},1e3,2026-11-20"), "line 4: cannot be read"),
        (_lines(*good, f"F-3,{one},-1,2026-11-20"), "line 4: cannot be read"),
        (_lines(*good, f"F-3,{one},1.001,2026-11-20"), "line 4: cannot be read"),
        (_lines(*good, f"F-3,{one},1,20.11.2026"), "line 4: cannot be read"),
        (_lines(*good, f"F-3,{one},1"), "line 4: cannot be read"),
        (_lines(*good, good[0]), "F-1 is named 2 times"),
        (_lines(*good, "F-3,NOBODY-R1,1,2026-11-20"), "line 4: there is no such recovery"),
        (_lines(*good, f"F-3,{one},60,2026-11-20"), "line 4: 5000 fen are left, not 6000"),
        (_lines(*good, f"F-3,{one},0,2026-11-20"), "line 4: what came in is more than nothing"),
        (_lines(*good) + b" " * 2**20, "more than 1048576 bytes"),
    ]
    for content, words in refused:
        with pytest.raises(ReceiptFileError, match=words):
            take_in_receipts(world.services, content, by="出纳甲")
    assert count(world, tables.recovery_receipt) == 0
    assert take_in_receipts(world.services, _lines(*good), by="出纳甲") == (2, 0)
    assert take_in_receipts(world.services, _lines(*good), by="出纳甲") == (0, 2)
    assert (again(world, first).received_fen, again(world, second).received_fen) == (1_000, 50)
    assert_books_agree(world)


def _row(found: Recovery, fen: int, reference: str) -> dict[str, Any]:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    return {
        "reference": reference, "order_id": found.order.id, "amount_fen": fen,
        "received_on": TODAY, "source": "clerk", "is_simulated": True, "recorded_by": "甲",
        "recorded_at": at, "ordinal": 1,
    }  # fmt: skip


def test_the_database_itself_refuses_what_people_may_not(any_world: World) -> None:
    found = owing(any_world)
    name, at = found.order.id, dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    request = {"order_id": name, "ordinal": 1, "by": "甲", "reason": WHY, "at": at}
    waiver = {
        "order_id": name, "request_ordinal": 1, "amount_fen": PAID_FEN - 2, "proposed_by": "甲",
        "approved_by": "乙", "reason": WHY, "at": at,
    }  # fmt: skip
    asked = {"order_id": name, "ordinal": 1, "person": "甲", "reason": WHY, "at": at}
    given_up = {"order_id": name, "by": "甲", "reason": WHY, "at": at}
    came = {"reference": "B-1", "order_id": name, "ordinal": 1}
    wish = came | {"place": 1, "by": "甲", "reason": WHY, "at": at}
    back = came | {
        "request_place": 1, "proposed_by": "甲", "approved_by": "乙", "reason": WHY, "at": at,
    }  # fmt: skip
    with any_world.services.engine.begin() as connection:
        connection.execute(tables.recovery_waiver_request.insert().values(request))
        connection.execute(tables.recovery_receipt.insert().values(_row(found, 1, "B-1")))
        connection.execute(tables.recovery_receipt.insert().values(
            _row(found, 1, "B-2") | {"source": "returned"}))  # fmt: skip
        connection.execute(tables.recovery_reversal_request.insert().values(wish))
        of_bank = wish | {"reference": "B-2"}
        connection.execute(tables.recovery_reversal_request.insert().values(of_bank))
    refused: list[tuple[sa.Table, dict[str, Any], str]] = [
        (tables.recovery_receipt, _row(found, PAID_FEN - 1, "X"), "more than is left"),
        (tables.recovery_receipt, _row(found, 1, "B-1") | {"ordinal": 2}, "more than is left"),
        (tables.recovery_receipt, _row(found, 1, "X") | {"ordinal": 2}, "more than is left"),
        (tables.recovery_receipt_reversal, back | {"approved_by": " 甲 "}, "another person takes"),
        (tables.recovery_receipt_reversal, back | {"proposed_by": "丙"}, "(?i)foreign key"),
        (tables.recovery_receipt_reversal, back | {"reference": "B-2"}, "another person takes"),
        (tables.recovery_receipt_reversal, back | {"ordinal": 2}, "another person takes"),
        (tables.recovery_receipt, _row(found, 0, "X"), "amount_fen"),
        (tables.recovery_waiver, waiver | {"approved_by": "甲"}, "two_people"),
        (tables.recovery_waiver, waiver | {"proposed_by": "丙"}, "(?i)foreign key"),
        (tables.recovery_waiver, waiver | {"amount_fen": 1}, "a waiver is of what is left"),
        (tables.recovery_approval, asked, "not to be approved"),
        (tables.recovery_dismissal, given_up, "decided already"),
    ]
    for table, values, words in refused:
        with (
            pytest.raises(sa.exc.IntegrityError, match=words),
            any_world.services.engine.begin() as connection,
        ):
            connection.execute(table.insert().values(values))
    for text in ("UPDATE recovery_order SET amount_fen = 1", "DELETE FROM recovery_order"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="insert-only"),
            any_world.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(text))
    assert again(any_world, found).left_fen == PAID_FEN - 2
    with any_world.services.engine.begin() as connection:
        connection.execute(tables.recovery_receipt_reversal.insert().values(back))
        second = _row(found, PAID_FEN - 1, "B-1") | {"ordinal": 2}
        connection.execute(tables.recovery_receipt.insert().values(second))
    assert again(any_world, found).left_fen == 0, "what was taken back is owed again"


def test_the_layers_of_an_order_are_its_amount(any_world: World) -> None:
    found = owing(any_world)
    with any_world.services.engine.connect() as connection:
        row = connection.execute(sa.select(tables.recovery_order)).one()._asdict()
    for change, words in (
        ({"pool_fen": 1}, "sum"),
        ({"pool_fen": PAID_FEN + 1, "medical_aid_fen": -1}, "layers"),
        ({"debtor": "institution"}, "debtor"),
        ({"ordinal": 1, "cause": "other"}, "(?i)unique"),
        ({"ordinal": 2}, "(?i)unique"),
    ):
        new = row | {"id": "other", "number": bytes(32), **change}
        with (
            pytest.raises(sa.exc.IntegrityError, match=words),
            any_world.services.engine.begin() as connection,
        ):
            connection.execute(tables.recovery_order.insert().values(new))
    assert [one.order.id for one in orders(any_world, any_world.claim(found.order.claim_id))] == [
        found.order.id
    ]


def test_a_second_withdrawal_of_the_same_bill_asks_for_nothing_more(world: World) -> None:
    claim = paid_claim(world)
    withdraw_bill(world, claim)
    recovery_pass(world.services)
    withdraw_bill(world, claim, "reversed")
    recovery_pass(world.services)
    assert len(orders(world, claim)) == 1 and balance(world, "receivable") == PAID_FEN


def test_a_new_plan_ends_the_alarm_of_the_old_one(world: World) -> None:
    found = owing(world)
    world.services.clock.advance(dt.timedelta(days=31).total_seconds())  # 21 December
    assert recovery_pass(world.services) == 1 and recovery_pass(world.services) == 0
    assert alarms(world) == {"recovery-overdue"}
    plan(world.services, found.order.id, 2, dt.date(2027, 1, 1), by="甲", reason=WHY)
    recovery_pass(world.services)
    assert alarms(world) == set()


def test_money_that_ends_an_order_ends_the_question_of_a_waiver(world: World) -> None:
    found = owing(world)
    ask_waiver(world.services, found.order.id, "经办甲", WHY)
    pay_back(world, found, PAID_FEN, "B-1")
    assert alarms(world) == set()
    with pytest.raises(RecoveryConflictError, match="nothing to waive"):
        approve_waiver(world.services, found.order.id, "主任乙")


def test_a_recovery_that_the_ledger_refuses_is_an_alarm_and_is_not_sent_again(
    world: World,
) -> None:
    found = owing(world)
    key = next(iter(world.ledger.slots))
    slot = world.ledger.slots[key]
    world.ledger.slots[key] = dataclasses.replace(slot, settled_payers=0)
    pay_back(world, found, PAID_FEN, "B-1")
    for _ in range(2):
        world.run()
        recovery_pass(world.services)
    assert alarms(world) == {"recovery-refused"}
    calls = [call for call, _ in world.ledger.calls]
    assert calls.count("recover") == 1 and recovered_on_ledger(world) == []


def test_the_standing_plan_said_again_is_no_other_plan(world: World) -> None:
    """As by somebody whose first answer never came."""
    found = owing(world)
    name, deps = found.order.id, world.services
    one = plan(deps, name, 3, TODAY, by="甲", reason=WHY)
    world.services.clock.advance(60)
    assert plan(deps, name, 3, TODAY, by="甲", reason=WHY) == one
    assert [part.plan for part in again(world, found).instalments] == [1, 1, 1]
    other = plan(deps, name, 3, TODAY, by="乙", reason=WHY)
    assert {part.plan for part in other.instalments} >= {2}
    pay_back(world, found, 1_000, "B-1")
    plan(deps, name, 3, TODAY, by="乙", reason=WHY)
    assert max(part.plan for part in again(world, found).instalments) == 3
