"""What the ledger has settled is owed: the payable, its entry by layer, and the claim's state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.payout import InstantLimits, PayoutRules
from backend.service_layer.claims.records import Payout
from backend.service_layer.payout.approve import approve
from backend.service_layer.payout.booking import require_approved
from backend.service_layer.ports import FinalSlot, LedgerUnavailableError
from tests.unit.payout.payables import CLAIM, NOW
from tests.unit.payout.payout_office import GOOD, VOID, Office, decision, intent

SETTLED = replace(CLAIM, state=ClaimState.SETTLED)
KEY = b"ver_1"
OWED = Payout("pay_C1_v1", "clm_1", 1, 6_000, "示例银行（测试）", "6217", NOW)


def office(**fields: Any) -> Office:
    return Office(held={"clm_1": fields.pop("claim", SETTLED)}, **fields)


def moved(one: Office) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (claim, before, {name: value and str(value) for name, value in after.items()})
        for claim, before, after in one.moves
    ]


def test_what_is_settled_is_owed_by_layer_and_waits_for_the_run() -> None:
    one = office()
    one.open = {("payout-held", "clm_1"): "", ("payout-held", "clm_2"): ""}
    assert approve(one.deps, SETTLED) is True
    assert one.payables == [OWED] and one.asked == [[KEY]] and one.commits == 1
    (entry,) = one.booked
    assert (str(entry.kind), entry.occasion.source_type, entry.occasion.source_id) == (
        "approved", "payout", "pay_C1_v1",
    )  # fmt: skip
    assert sorted(row.amount_fen for row in entry.transfers) == [1_000, 5_000]
    assert (entry.occasion.claim_id, entry.occasion.booked_at, entry.occasion.is_simulated) == (
        "clm_1", NOW, True,
    )  # fmt: skip
    paying = {"state": "paying", "waiting_for": "payout-run"}
    assert moved(one) == [("clm_1", "settled", paying)]
    assert list(one.open) == [("payout-held", "clm_2")]


def test_within_the_limits_of_the_instant_lane_it_waits_for_nothing() -> None:
    one = office(rules=PayoutRules(instant=InstantLimits(6_000, 6_000, 6_000)))
    assert approve(one.deps, SETTLED) is True
    assert moved(one) == [("clm_1", "settled", {"state": "paying", "waiting_for": None})]


def test_without_an_account_in_effect_the_payable_says_what_the_register_had() -> None:
    one = office(account=None)
    approve(one.deps, SETTLED)
    assert [(it.payee_bank, it.payee_account_tail) for it in one.payables] == [("旧银行", "0001")]


def test_a_later_version_owes_what_each_layer_bears_more_than_before() -> None:
    one = office(
        intents=[intent(SETTLED, 6_000), intent(SETTLED, 700, 2)],
        made=[decision(CLAIM, 1, 5_000, 1_000), decision(CLAIM, 2, 5_900, 800)],
        payables=[OWED],
    )
    both = FinalSlot(90, replace(GOOD, paid_fen=7_200), replace(GOOD, paid_fen=7_200))
    one.slots = {KEY: both}
    assert approve(one.deps, SETTLED) is True
    assert (one.payables[1].id, one.payables[1].amount_fen) == ("pay_C1_v2", 700)
    assert sorted(row.amount_fen for row in one.booked[0].transfers) == [200, 900]


def test_what_was_owed_already_is_not_owed_again_and_the_claim_is_paid() -> None:
    one = office(payables=[OWED])
    assert approve(one.deps, SETTLED) is True
    assert one.payables == [OWED] and one.booked == [] and one.commits == 1
    assert moved(one) == [("clm_1", "settled", {"state": "paid", "waiting_for": None})]


@pytest.mark.parametrize("alarm", ["bank-ahead", "database-behind-chain", "reconcile-lapsed"])
def test_while_payouts_are_held_the_ledger_is_not_even_asked(alarm: str) -> None:
    one = office(open={(alarm, "x"): ""})
    assert approve(one.deps, SETTLED) is True
    assert one.asked == [] and one.payables == []
    assert moved(one) == [("clm_1", "settled", {"waiting_for": "reconcile"})]


def test_while_no_node_can_tell_the_claim_says_so() -> None:
    one = office(slots={KEY: LedgerUnavailableError("连不上", "no node answers")})
    assert approve(one.deps, SETTLED) is True
    assert one.payables == [] and one.open == {}
    assert moved(one) == [("clm_1", "settled", {"waiting_for": "payout-ledger"})]
    waiting = replace(SETTLED, waiting_for="payout-ledger")
    assert approve(one.deps, waiting) is False, "it says so already"


def test_what_the_ledger_has_against_it_is_an_alarm_and_said_once() -> None:
    one = office(slots={KEY: FinalSlot(90, VOID, VOID)})
    assert approve(one.deps, SETTLED) is True
    said = f"final block: flags {VOID.flags}"
    assert one.open == {("payout-held", "clm_1"): said} and one.commits == 1
    assert moved(one) == [("clm_1", "settled", {"waiting_for": "payout-held"})]
    held = replace(SETTLED, waiting_for="payout-held")
    assert approve(one.deps, held) is False
    assert len(one.moves) == 1 and one.payables == [] and one.booked == []


def test_a_node_that_is_behind_is_no_alarm_about_the_claim() -> None:
    one = office(slots={KEY: FinalSlot(89, GOOD, GOOD)})
    assert approve(one.deps, SETTLED) is True
    assert one.open == {} and one.payables == []
    assert moved(one) == [("clm_1", "settled", {"waiting_for": "payout-ledger"})]


def test_a_claim_that_another_worker_has_moved_is_left_alone() -> None:
    one = office(claim=CLAIM)
    assert approve(one.deps, SETTLED) is False
    assert one.payables == [] and one.moves == [] and one.commits == 0


def test_what_was_owed_before_there_was_a_journal_is_booked_once() -> None:
    one = office(payables=[OWED])
    for _ in range(2):
        work: Any = one
        require_approved(one.deps, work, SETTLED, OWED)
    assert [it.occasion.source_id for it in one.booked] == ["pay_C1_v1"]
