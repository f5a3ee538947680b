"""Why money does not leave: each reason by itself, with the code that the page says in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.service_layer.payout.holding import (
    Bar,
    Held,
    Ready,
    judge,
    read_stops,
    slot_bars,
    waiting_after_failure,
)
from backend.service_layer.payout.records import AccountAnswer, AnswerStatus, PayeeAccount
from backend.service_layer.payout.stored import Hold, Tried
from backend.service_layer.ports import FinalSlot
from tests.unit.payout.bank_files import ATTEMPT, ended
from tests.unit.payout.payables import ACCOUNT, CLAIM, NOW, PAYABLE, Store

HOUR = dt.timedelta(hours=1)
ANSWERED_AT = ended(AnswerStatus.REJECTED).booked_at


def judged(
    store: Store, account: AccountAnswer | None = None, with_case: frozenset[str] = frozenset()
) -> Ready | Held | None:
    def account_for(_: Any, person_id: str, at: dt.datetime) -> AccountAnswer:
        assert (person_id, at) == ("per_1", NOW)
        return account or AccountAnswer(ACCOUNT)

    deps: Any = SimpleNamespace(payees=SimpleNamespace(account_for=account_for))
    stops = replace(read_stops(store.work), with_case=with_case)
    return judge(deps, store.work, PAYABLE, NOW, stops)


def reason(found: Ready | Held | None) -> str:
    assert isinstance(found, Held)
    assert (found.payout, found.claim) == (PAYABLE, CLAIM)
    return found.reason


def failed(reason_code: str, attempt: int = 1, version: int = 3) -> Tried:
    tried = replace(ATTEMPT, attempt=attempt, account_version=version)
    return Tried(tried, ended(AnswerStatus.REJECTED, reason=reason_code))


def by_person(action: str, at: dt.datetime = NOW) -> Hold:
    return Hold("clm_1", 1, action, "出纳甲", "核对", at)


# --- whether it may be instructed ----------------------------------------------------------------


def test_a_payable_that_nothing_speaks_against_is_ready_for_its_first_attempt() -> None:
    assert judged(Store()) == Ready(PAYABLE, CLAIM, ACCOUNT, 1)


@pytest.mark.parametrize("answer", [None, ended(AnswerStatus.PAID)])
def test_what_is_under_way_or_paid_is_never_looked_at_again(answer: Any) -> None:
    store = Store()
    store.attempts = [Tried(ATTEMPT, answer)]
    assert judged(store) is None


def test_what_fell_away_with_its_bill_is_not_paid_even_after_a_failure() -> None:
    store = Store()
    store.has_fallen_away = True
    assert judged(store) is None
    store.attempts = [failed("AB05")]
    assert judged(store) is None


@pytest.mark.parametrize(
    "alarm", ["database-behind-chain", "bank-ahead", "final-reorganisation", "final-block-changed"]
)
def test_while_ledger_or_bank_disagree_nothing_goes(alarm: str) -> None:
    store = Store()
    store.alarms_open = {alarm: 1}
    assert reason(judged(store)) == "reconcile"


def test_another_alarm_holds_nothing() -> None:
    store = Store()
    store.alarms_open = {"payment-returned": 1}
    assert isinstance(judged(store), Ready)


def test_what_a_person_stopped_waits_until_it_is_released() -> None:
    store = Store()
    store.hold = by_person("hold")
    assert reason(judged(store)) == "payout-stopped"
    store.hold = by_person("release")
    assert isinstance(judged(store), Ready)


def test_an_open_case_holds_its_claim_and_no_other() -> None:
    assert reason(judged(Store(), with_case=frozenset({"clm_1"}))) == "payout-case"
    assert isinstance(judged(Store(), with_case=frozenset({"clm_2"})), Ready)


def test_without_an_account_its_reason_is_said() -> None:
    answer = AccountAnswer(None, "account-delay")
    assert reason(judged(Store(), answer)) == "account-delay"


# --- after a failure -----------------------------------------------------------------------------


def test_what_the_payee_must_correct_waits_for_another_account() -> None:
    store = Store()
    store.attempts = [failed("AC04")]
    assert reason(judged(store)) == "payee"
    other = PayeeAccount("per_1", 4, "测试甲子", "示例银行（测试）", "", "TEST-9999")
    assert judged(store, AccountAnswer(other)) == Ready(PAYABLE, CLAIM, other, 2)


def test_the_banks_own_fault_is_tried_three_times() -> None:
    store = Store()
    store.attempts = [failed("AB05", 1)]
    assert judged(store) == Ready(PAYABLE, CLAIM, ACCOUNT, 2)
    store.attempts = [failed("AB05", 1), failed("AB05", 2)]
    assert judged(store) == Ready(PAYABLE, CLAIM, ACCOUNT, 3)
    store.attempts = [failed("AB05", 1), failed("AB05", 2), failed("AB05", 3)]
    assert reason(judged(store)) == "payee"


def test_the_last_attempt_decides_and_not_the_first() -> None:
    store = Store()
    store.attempts = [failed("AB05", 1), failed("AC04", 2)]
    assert reason(judged(store)) == "payee"


@pytest.mark.parametrize(
    ("hold", "goes"),
    [
        (by_person("release", ANSWERED_AT + HOUR), True),
        # Released before this answer came: the person did not know of it.
        (by_person("release", ANSWERED_AT - HOUR), False),
        (by_person("release", ANSWERED_AT), False),
        (None, False),
    ],
)
def test_a_release_after_the_answer_allows_the_same_account_once_more(
    hold: Hold | None, goes: bool
) -> None:
    store = Store()
    store.attempts = [failed("AC04")]
    store.hold = hold
    found = judged(store)
    assert isinstance(found, Ready) is goes


@pytest.mark.parametrize("code", ["AB05", "AB06", "AB08", "AM04", "DT01", "ED05", "MS03", "TM01"])
def test_the_banks_own_fault_waits_for_another_try(code: str) -> None:
    assert waiting_after_failure(code) == "bank-retry"


@pytest.mark.parametrize(
    "code",
    [
        "AC01", "AC03", "AC04", "AC06", "AC07", "AC11", "AC14", "AC16", "AC17", "BE01", "BE06",
        "CNOR", "RC01", "RC02", "RC04",
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_payees_account_waits_for_the_payee(code: str) -> None:
    assert waiting_after_failure(code) == "payee"


@pytest.mark.parametrize("code", ["AC02", "FF01", "AM14", "MD07", "ZZ99", ""])
def test_what_only_the_agency_can_mend_waits_for_its_desk(code: str) -> None:
    assert waiting_after_failure(code) == "payout-desk"
    store = Store()
    store.attempts = [failed(code)]
    assert reason(judged(store)) == "payout-desk"


def test_cases_without_a_claim_hold_none() -> None:
    store = Store()
    store.cases = [
        SimpleNamespace(detail={"holds_payout_of": "clm_1"}),
        SimpleNamespace(detail={"name": "file.xml"}),
        SimpleNamespace(detail={"holds_payout_of": "clm_2"}),
    ]
    assert read_stops(store.work).with_case == {"clm_1", "clm_2"}


# --- what the ledger has against it --------------------------------------------------------------

BILL: Any = SimpleNamespace(state="anchored", borne_fen=500)
SETTLED = SlotState(
    total_fen=40_000, paid_fen=6_500, leaf_reference=0, deadline=0, open_payer=0, lodge_counter=1,
    flags=SlotState.PINNED, settled_payers=0b10,
)  # fmt: skip


def settled(fen: int, kind: IntentKind = IntentKind.SETTLE, **fields: Any) -> LedgerIntent:
    values: dict[str, Any] = {"state": IntentState.FINAL, "outcome": "done", "block_number": 90}
    return LedgerIntent(
        "int_1", kind, "0xA1", False, "key", "clm_1", {"decision_version": 1, "amount": fen},
        **(values | fields),
    )  # fmt: skip


def bars(
    *intents: LedgerIntent,
    bill: Any = BILL,
    final: SlotState = SETTLED,
    newest: SlotState = SETTLED,
    number: int = 90,
) -> Bar | None:
    store = Store()
    store.intents = list(intents or [settled(6_000)])
    return slot_bars(store.work, CLAIM, bill, FinalSlot(number, final, newest))


def test_our_settlement_with_all_that_is_to_be_paid_has_nothing_against_it() -> None:
    # 5.00 borne at the counter and 60.00 of ours; another payer may have settled on top.
    assert bars() is None
    more = replace(SETTLED, paid_fen=9_000, settled_payers=0b11)
    assert bars(final=more, newest=more) is None


@pytest.mark.parametrize("state", ["void", "reversed"])
def test_a_bill_that_is_withdrawn_here_is_not_paid(state: str) -> None:
    bill = SimpleNamespace(state=state, borne_fen=500)
    assert bars(bill=bill) == Bar("payout-held", f"the bill is {state}")


def test_a_node_that_has_not_seen_our_settlement_as_final_proves_nothing() -> None:
    words = "the node knows no more than block 89 as final"
    assert bars(number=89) == Bar("payout-ledger", words)
    assert bars(settled(6_000, block_number=None), number=0) is None


NOT_PAYABLE = [
    *((replace(SETTLED, flags=flag), f"flags {flag}")
      for flag in (SlotState.VOID, SlotState.REVERSED, SlotState.ON_PAPER)),
    *((replace(SETTLED, settled_payers=payers), "the ledger knows no settlement of ours")
      for payers in (0, 0b1, 0b100)),
    (replace(SETTLED, paid_fen=6_499), "the ledger has 6499 fen as paid, 6500 are to be"),
]  # fmt: skip


@pytest.mark.parametrize(("slot", "words"), NOT_PAYABLE)
def test_what_the_final_block_has_against_it_is_not_paid(slot: SlotState, words: str) -> None:
    assert bars(final=slot, newest=slot) == Bar("payout-held", f"final block: {words}")
    # An older block cannot be taken back by a newer one.
    assert bars(final=slot) == Bar("payout-held", f"final block: {words}")


@pytest.mark.parametrize(("slot", "words"), NOT_PAYABLE)
def test_what_was_declared_since_is_not_paid(slot: SlotState, words: str) -> None:
    assert bars(newest=slot) == Bar("payout-held", f"newest block: {words}")


def test_a_supplement_in_effect_counts_and_one_that_had_none_does_not() -> None:
    more = settled(1_000, IntentKind.SUPPLEMENT)
    found = bars(settled(6_000), more)
    assert found is not None
    assert found.detail == "final block: the ledger has 6500 fen as paid, 7500 are to be"
    for other in (replace(more, outcome="stale"), replace(more, state=IntentState.SENT)):
        assert bars(settled(6_000), other) is None
