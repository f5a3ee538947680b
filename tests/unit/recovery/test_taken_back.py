"""A bill falls while money of its claim is owed, under way, or out: what becomes of each fen."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import pytest

from backend.domain.claim import ClaimState
from backend.domain.journal import LayerAmounts
from backend.domain.recovery import Cause, Debtor, RecoveryConflictError
from backend.service_layer.payout.records import AnswerStatus
from backend.service_layer.recovery import withdrawn
from backend.service_layer.recovery.closing import close_when_over
from backend.service_layer.recovery.opening import Ground, borne_of, order_recovery
from backend.service_layer.recovery.withdrawn import settle_withdrawn
from tests.unit.payout.payables import PAYABLE
from tests.unit.recovery.debts import LAYERS, NOW, Debts

PAID, REJECTED, RETURNED = AnswerStatus.PAID, AnswerStatus.REJECTED, AnswerStatus.RETURNED
GROUND = Ground(Cause.FINDING, "lead_1", "稽核认定多付", institution_code="H1")
LOWER = Ground(Cause.LOWER, "rev_1", "复核改定")


@pytest.fixture(autouse=True)
def years(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The claims whose years were worked out again."""
    again: list[str] = []
    monkeypatch.setattr(
        withdrawn, "recalculate_year", lambda deps, work, claim: again.append(claim.number)
    )
    return again


def settle(world: Debts) -> bool:
    return settle_withdrawn(world.deps, "clm_1")


def borne(world: Debts) -> LayerAmounts:
    with world as work:
        return borne_of(work, "clm_1")


# --- paid -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "cause", "reason"),
    [
        ("void", "void", "开票单位作废了这张票据 / the bill was declared void"),
        ("reversed", "reversed",
         "这张票据已被红字票据冲销 / the bill was reversed by a red bill"),
    ],
)  # fmt: skip
def test_what_was_paid_is_owed_back_once_by_its_layers(
    state: str, cause: str, reason: str, years: list[str]
) -> None:
    world = Debts(state)
    world.tried(REJECTED, PAID)
    world.alarms = {("payout-held", "clm_1"): "", ("payment-returned", "clm_1"): "",
                    ("payout-held", "clm_2"): ""}  # fmt: skip
    assert settle(world) is True
    order = world.orders["C1-R1"].order
    assert (order.cause, order.source_id, order.reason) == (cause, "inv_1", reason)
    assert (order.layers, order.debtor, order.ordinal) == (LAYERS, Debtor.PERSON, 1)
    assert (order.institution_code, order.proposed_by) == (None, "system:recovery")
    assert (order.created_at, order.due_on) == (NOW, dt.date(2026, 12, 20))
    assert len(order.number) == 32
    assert (world.kinds, borne(world)) == (["recovery-opened"], LayerAmounts())
    assert world.claim.state is ClaimState.PAID
    assert world.locked == ["per_1"] and len(world.notices) == 1
    assert list(world.alarms) == [("payout-held", "clm_2")]
    assert settle(world) is False, "nothing more is asked for"
    assert len(world.orders) == 1 and len(world.kinds) == 1
    assert years == ["C1"], "the year is worked out again without it, once"


def test_a_claim_that_still_waits_for_something_is_paid_now() -> None:
    world = Debts(claim_state=ClaimState.PAYING)
    world.claim = replace(world.claim, waiting_for="payee")
    world.tried(PAID)
    assert settle(world) is True
    assert (world.claim.state, world.claim.waiting_for) == (ClaimState.PAID, None)


def test_what_a_release_without_a_journal_has_paid_waits_for_a_person() -> None:
    world = Debts()
    world.books.stored.clear()
    world.old_answer = SimpleNamespace(outcome="paid")
    assert settle(world) is False
    assert world.alarms == {("recovery-unbooked", "clm_1"): "claim C1: void"}
    assert world.orders == {}


# --- not paid -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tries", [(), (REJECTED,)])
def test_what_is_not_with_the_bank_falls_away_and_nobody_owes_it(
    tries: tuple[AnswerStatus, ...],
) -> None:
    world = Debts(claim_state=ClaimState.PAYING)
    world.tried(*tries)
    assert settle(world) is True
    assert (world.kinds, borne(world)) == (["approval-reversed"], LayerAmounts())
    (gone,) = world.reversals
    assert (gone.payout_id, gone.claim_id, gone.offset_fen, gone.cause, gone.at) == (
        "pay_1", "clm_1", 0, "void", NOW,
    )  # fmt: skip
    assert (world.claim.state, world.orders, world.notices) == (ClaimState.REVERSED, {}, [])
    assert settle(world) is False


def test_an_old_answer_that_is_no_payment_is_none() -> None:
    world = Debts(claim_state=ClaimState.PAYING)
    world.old_answer = SimpleNamespace(outcome="rejected")
    assert settle(world) is True
    assert world.kinds == ["approval-reversed"]


def test_what_is_under_way_is_waited_for() -> None:
    world = Debts(claim_state=ClaimState.PAYING)
    world.tried(REJECTED, None)
    assert settle(world) is False
    assert (world.kinds, world.orders, world.reversals) == ([], {}, [])
    assert world.claim.state is ClaimState.PAYING


def test_a_supplement_falls_away_while_the_first_payment_is_under_way() -> None:
    world = Debts(claim_state=ClaimState.PAYING)
    world.payables = [PAYABLE, replace(PAYABLE, id="pay_2", decision_version=2, amount_fen=10_00)]
    world.approve("pay_2", LayerAmounts(10_00))
    world.tried(None)
    assert settle(world) is True
    assert [one.payout_id for one in world.reversals] == ["pay_2"]
    assert borne(world).total_fen == 60_00 and world.orders == {}
    assert str(world.claim.state) == "paying"
    world.tried(PAID)
    assert settle(world) is True
    assert world.orders["C1-R1"].order.amount_fen == 60_00
    assert str(world.claim.state) == "paid"


# --- given back by the bank -----------------------------------------------------------------------


def test_money_that_came_back_fills_what_is_owed_back_already() -> None:
    world = Debts()
    world.tried(PAID)
    settle(world)
    world.tried(RETURNED)
    assert settle(world) is True
    recovery = world.orders["C1-R1"]
    assert (recovery.left_fen, recovery.state) == (0, "recovered")
    (receipt,) = recovery.receipts
    assert (receipt.reference, receipt.amount_fen, receipt.source) == (
        "returned:pay_1:1", 60_00, "returned",
    )  # fmt: skip
    assert (receipt.received_on, receipt.recorded_by) == (dt.date(2026, 11, 20), "system:recovery")
    assert world.kinds == ["recovery-opened", "recovery-offset"]
    (gone,) = world.reversals
    assert gone.offset_fen == 60_00
    (intent,) = world.sent
    assert intent.payload["amount"] == 60_00
    assert world.claim.state is ClaimState.PAID


def test_money_that_came_back_fills_one_order_after_the_other_each_with_its_own() -> None:
    world = Debts()
    world.tried(PAID)
    ordered(world, Ground(Cause.LEDGER, "x", "按账本恢复"), LayerAmounts(25_00))
    settle(world)
    assert [one.left_fen for one in world.orders.values()] == [25_00, 35_00]
    world.tried(RETURNED)
    assert settle(world) is True
    receipts = [one.receipts[0] for one in world.orders.values()]
    assert [(one.reference, one.amount_fen) for one in receipts] == [
        ("returned:pay_1:1", 25_00), ("returned:pay_1:2", 35_00),
    ]  # fmt: skip
    assert [one.left_fen for one in world.orders.values()] == [0, 0]
    assert [intent.payload["amount"] for intent in world.sent] == [25_00, 35_00]


def test_what_an_institution_owes_is_not_paid_with_the_citizens_money() -> None:
    world = Debts()
    world.tried(PAID)
    ordered(world, GROUND, LayerAmounts(25_00))
    settle(world)
    world.tried(RETURNED)
    world.payables = [replace(PAYABLE, amount_fen=35_00)]
    assert settle(world) is True
    assert [one.left_fen for one in world.orders.values()] == [25_00, 0]


def test_every_layer_that_bears_money_gives_it_back() -> None:
    world = Debts()
    world.books.stored.clear()
    layers = LayerAmounts(10_00, 20_00, 14_00, 16_00)
    world.approve("pay_1", layers)
    world.tried(PAID)
    assert borne(world) == layers
    settle(world)
    assert world.orders["C1-R1"].order.layers == layers


def test_more_than_is_anybodys_is_an_alarm_and_nothing_is_booked() -> None:
    world = Debts()
    world.tried(RETURNED)
    world.payables = [replace(PAYABLE, amount_fen=60_01)]
    assert settle(world) is False
    assert world.alarms == {("recovery-overpaid", "clm_1"): "claim C1: 1 fen came back twice"}
    assert (world.kinds, world.reversals) == ([], [])


# --- when nothing is to be done ------------------------------------------------------------------


@pytest.mark.parametrize("state", ["active", "superseded"])
def test_a_bill_that_stands_takes_nothing_back(state: str) -> None:
    world = Debts(state)
    world.tried(PAID)
    assert settle(world) is False and world.orders == {} and world.commits == 0


@pytest.mark.parametrize(
    "state",
    [
        state
        for state in ClaimState
        if state not in ("settled", "paying", "supplementing", "paid")
    ],
)  # fmt: skip
def test_a_claim_whose_money_the_ledger_has_not_settled_is_left_alone(state: ClaimState) -> None:
    world = Debts(claim_state=state)
    assert settle(world) is False and world.commits == 0


def test_while_the_ledger_has_not_answered_a_supplement_the_sum_is_not_known() -> None:
    world = Debts()
    world.tried(PAID)
    world.supplements = [SimpleNamespace(is_final=True), SimpleNamespace(is_final=False)]
    assert settle(world) is False and world.orders == {}
    world.supplements = [SimpleNamespace(is_final=False), SimpleNamespace(is_final=True)]
    assert settle(world) is True


# --- opening and closing --------------------------------------------------------------------------


def ordered(world: Debts, ground: Ground, layers: LayerAmounts = LAYERS) -> str:
    with world as work:
        return order_recovery(world.deps, work, world.claim, layers, ground).order.id


def test_what_a_finding_orders_is_the_institutions_debt_and_tells_no_citizen() -> None:
    world = Debts("active")
    assert ordered(world, GROUND, LayerAmounts(1_00)) == "C1-R1"
    order = world.orders["C1-R1"].order
    assert (order.debtor, order.institution_code) == (Debtor.INSTITUTION, "H1")
    assert (world.kinds, world.notices) == (["recovery-opened"], [])
    assert borne(world) == LayerAmounts(39_00, 20_00)


def test_what_two_people_decide_is_proposed_and_owed_by_nobody_yet() -> None:
    world = Debts("active")
    ordered(world, LOWER)
    assert (world.kinds, world.notices) == ([], [])
    assert world.alarms == {("recovery-proposed", "C1-R1"): "lower: 6000 fen"}


def test_the_same_ground_is_the_same_order_and_another_one_the_next() -> None:
    world = Debts("active")
    first = ordered(world, GROUND, LayerAmounts(1_00))
    assert ordered(world, GROUND, LayerAmounts(2_00)) == first
    assert ordered(world, replace(GROUND, source_id="lead_2"), LayerAmounts(1_00)) == "C1-R2"
    assert ordered(world, replace(LOWER, source_id="lead_1")) == "C1-R3"
    assert [one.order.amount_fen for one in world.orders.values()] == [1_00, 1_00, 60_00]
    assert len({one.order.number for one in world.orders.values()}) == 3


def test_a_claim_has_at_most_ninety_nine_orders() -> None:
    world = Debts("active")
    world.orders = {
        f"C1-R{n}": SimpleNamespace(order=SimpleNamespace(cause="x", source_id=str(n)))  # type: ignore[misc]
        for n in range(1, 100)
    }
    with pytest.raises(RecoveryConflictError, match="at most 99 recoveries"):
        ordered(world, GROUND)


def closed(world: Debts) -> None:
    with world as work:
        close_when_over(world.deps, work, world.claim, "C1-R1")


def test_the_ledger_hears_what_really_came_back_and_the_person_that_it_is_over() -> None:
    world = Debts()
    world.tried(PAID)
    settle(world)
    world.notices.clear()
    world.alarms = {("recovery-overdue", "C1-R1"): "", ("recovery-waiver-asked", "C1-R1"): ""}
    closed(world)
    assert (world.sent, world.notices) == ([], []), "it is still owed"
    assert list(world.alarms) == [("recovery-waiver-asked", "C1-R1")], "it is not late"
    one = world.orders["C1-R1"]
    part = SimpleNamespace(amount_fen=59_00)
    waiver = SimpleNamespace(amount_fen=1_00)
    world.orders["C1-R1"] = replace(one, receipts=(part,), waiver=waiver)  # type: ignore[arg-type]
    closed(world)
    (intent,) = world.sent
    assert (intent.kind, intent.account, intent.held) == ("recover", "0xA1", True)
    assert (intent.dedupe_key, intent.subject_id) == ("recover:C1-R1", "clm_1")
    assert intent.payload == {
        "invoice_key": "05" * 32, "payer": 2, "amount": 59_00,
        "recovery_number": one.order.number.hex(),
    }  # fmt: skip
    (notice,) = world.notices
    assert notice.zh == "退款 C1-R1 余款不再要求退回，您不用再做什么。"
    assert notice.en == "What you owed under C1-R1 is waived: there is nothing more to do."
    assert world.alarms == {}


def test_of_what_was_waived_whole_the_ledger_hears_nothing() -> None:
    world = Debts()
    world.tried(PAID)
    settle(world)
    waiver = SimpleNamespace(amount_fen=60_00)
    world.orders["C1-R1"] = replace(world.orders["C1-R1"], waiver=waiver)  # type: ignore[arg-type]
    closed(world)
    assert world.sent == [] and len(world.notices) == 2
