"""Orders, parts to the fen, what is left. Expected values are worked out by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import DomainError
from backend.domain.journal import JournalError, LayerAmounts
from backend.domain.recovery import (
    Approval,
    Cause,
    Debtor,
    Instalment,
    Order,
    Receipt,
    Recovery,
    RecoveryConflictError,
    RecoveryError,
    SamePersonError,
    State,
    Waiver,
    check_approval,
    check_reason,
    check_receipt,
    ledger_number,
    less,
    monthly,
    order_id,
    share,
    too_much,
)

AT = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 20)
DUE = dt.date(2026, 12, 20)


def order(cause: Cause = Cause.VOID, fen: int = 1_000) -> Order:
    return Order(
        id="C-1-R1",
        claim_id="clm",
        person_id="per",
        ordinal=1,
        number=bytes(32),
        cause=cause,
        source_id="inv",
        debtor=Debtor.PERSON,
        institution_code=None,
        layers=LayerAmounts(pool_fen=fen),
        reason="",
        proposed_by="system",
        created_at=AT,
        due_on=DUE,
    )


def receipt(fen: int, reference: str = "B-1") -> Receipt:
    return Receipt(reference, "C-1-R1", fen, DAY, "clerk", True, "甲", AT)


def approval(ordinal: int, person: str) -> Approval:
    return Approval("C-1-R1", ordinal, person, "已核对", AT)


def waiver(fen: int) -> Waiver:
    return Waiver("C-1-R1", fen, "甲", "乙", "生活困难", AT)


def parts(plan: int, *amounts: int) -> tuple[Instalment, ...]:
    return tuple(
        Instalment("C-1-R1", plan, n, dt.date(2026, 12, n), fen, "甲", "分期", AT)
        for n, fen in enumerate(amounts, start=1)
    )


PROPOSED = Recovery(order(Cause.LOWER))
TWO = (approval(1, "甲"), approval(2, "乙"))


@pytest.mark.parametrize(
    ("recovery", "state", "left"),
    [
        (Recovery(order()), State.OPEN, 1_000),
        (Recovery(order(), receipts=(receipt(1),)), State.PARTLY, 999),
        (Recovery(order(), receipts=(receipt(400), receipt(600, "B-2"))), State.RECOVERED, 0),
        (Recovery(order(), waiver=waiver(1_000)), State.WAIVED, 0),
        (Recovery(order(), receipts=(receipt(1),), waiver=waiver(999)), State.WAIVED, 0),
        (PROPOSED, State.PROPOSED, 0),
        (Recovery(order(Cause.CLEARING)), State.PROPOSED, 0),
        (Recovery(order(Cause.LOWER), TWO[:1]), State.PROPOSED, 0),
        (Recovery(order(Cause.LOWER), TWO), State.OPEN, 1_000),
        (Recovery(order(Cause.LOWER), TWO[:1], is_dismissed=True), State.DISMISSED, 0),
    ],
)
def test_state_and_what_is_left(recovery: Recovery, state: State, left: int) -> None:
    assert (recovery.state, recovery.left_fen) == (state, left)
    assert state.is_owed == (left > 0)
    assert state.is_over == (state in ("dismissed", "recovered", "waived"))


@pytest.mark.parametrize("cause", list(Cause))
def test_two_people_decide_where_no_rule_alone_says_it(cause: Cause) -> None:
    assert cause.needs_two == (cause in ("lower", "clearing"))


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (0, (dt.date(2026, 12, 1), 400)),
        (399, (dt.date(2026, 12, 1), 1)),
        (400, (dt.date(2026, 12, 2), 300)),
        (700, (dt.date(2026, 12, 3), 300)),
        (999, (dt.date(2026, 12, 3), 1)),
        (1_000, None),
    ],
)
def test_money_fills_the_parts_in_their_order(received: int, due: Any) -> None:
    money = (receipt(received),) if received else ()
    found = Recovery(order(), receipts=money, instalments=parts(1, 400, 300, 300))
    assert found.due() == due


def test_a_newer_plan_divides_what_was_left_when_it_was_made() -> None:
    plans = (*parts(1, 500, 500), *parts(2, 350, 350))
    before = Recovery(order(), receipts=(receipt(300),), instalments=plans)
    assert before.plan == plans[2:] and before.due() == (dt.date(2026, 12, 1), 350)
    after = dataclasses.replace(before, receipts=(receipt(300), receipt(400, "B-2")))
    assert after.due() == (dt.date(2026, 12, 2), 300)


@pytest.mark.parametrize(("day", "late"), [(20, False), (21, True)])
def test_without_a_plan_the_whole_is_due_on_the_orders_day(day: int, late: bool) -> None:
    found = Recovery(order(), receipts=(receipt(1),))
    assert found.due() == (DUE, 999)
    assert found.is_overdue(dt.date(2026, 12, day)) is late


def test_what_is_not_owed_is_never_late() -> None:
    for found in (PROPOSED, Recovery(order(), waiver=waiver(1_000))):
        assert found.due() is None and not found.is_overdue(dt.date(2030, 1, 1))


@pytest.mark.parametrize(
    ("fen", "count", "first", "expected"),
    [
        (100, 3, "2026-11-30", [("2026-11-30", 34), ("2026-12-30", 33), ("2027-01-30", 33)]),
        (101, 3, "2026-11-01", [("2026-11-01", 34), ("2026-12-01", 34), ("2027-01-01", 33)]),
        (2, 2, "2027-01-31", [("2027-01-31", 1), ("2027-02-28", 1)]),
        (2, 2, "2028-01-31", [("2028-01-31", 1), ("2028-02-29", 1)]),
        (7, 1, "2026-12-31", [("2026-12-31", 7)]),
    ],
)
def test_monthly_parts_differ_by_one_fen(
    fen: int, count: int, first: str, expected: list[tuple[str, int]]
) -> None:
    found = monthly(fen, count, dt.date.fromisoformat(first))
    assert [(day.isoformat(), amount) for day, amount in found] == expected


@pytest.mark.parametrize(
    ("fen", "count", "words"),
    [(100, 0, "1 to 60"), (100, -1, "1 to 60"), (100, 61, "1 to 60"), (2, 3, "one fen")],
)
def test_no_plan_of_no_or_too_many_parts(fen: int, count: int, words: str) -> None:
    with pytest.raises(RecoveryError, match=words):
        monthly(fen, count, DAY)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0, (0, 0, 0, 0)),
        (1, (1, 0, 0, 0)),
        (10, (6, 3, 1, 0)),
        (99, (59, 30, 10, 0)),  # 59.4, 29.7, 9.9: the two fen go to .9 and .7
        (100, (60, 30, 10, 0)),
    ],
)
def test_a_share_is_in_proportion_to_the_fen(amount: int, expected: tuple[int, ...]) -> None:
    found = share(LayerAmounts(60, 30, 10, 0), amount)
    assert tuple(fen for _, fen in found.items()) == expected


@pytest.mark.parametrize("amount", [-1, 101])
def test_no_share_beyond_the_whole(amount: int) -> None:
    with pytest.raises(RecoveryError, match="from 0 to 100 fen"):
        share(LayerAmounts(60, 30, 10, 0), amount)


LAYERS = st.builds(LayerAmounts, *[st.integers(0, 10**9)] * 4)


@given(layers=LAYERS, data=st.data())
def test_any_share_is_whole_and_within_each_layer(layers: LayerAmounts, data: Any) -> None:
    amount = data.draw(st.integers(0, layers.total_fen))
    found = share(layers, amount)
    assert found.total_fen == amount
    pairs = zip(found.items(), layers.items(), strict=True)
    assert all(0 <= part <= whole for (_, part), (_, whole) in pairs)
    assert less(layers, found).total_fen == layers.total_fen - amount


@given(borne=LAYERS, rightful=LAYERS)
def test_never_more_than_the_difference_is_too_much(
    borne: LayerAmounts, rightful: LayerAmounts
) -> None:
    found = too_much(borne, rightful)
    assert found.total_fen == max(0, borne.total_fen - rightful.total_fen)
    pairs = zip(found.items(), borne.items(), strict=True)
    assert all(part <= whole for (_, part), (_, whole) in pairs)


def test_a_layer_that_bore_too_little_lowers_what_the_others_give_back() -> None:
    assert too_much(LayerAmounts(100, 50), LayerAmounts(40, 80)) == LayerAmounts(30)
    assert too_much(LayerAmounts(100, 50), LayerAmounts(100, 50)) == LayerAmounts()


def test_less_than_nothing_is_left_of_no_layer() -> None:
    with pytest.raises(JournalError, match="no amount of a layer"):
        less(LayerAmounts(1), LayerAmounts(2))


@pytest.mark.parametrize("ordinal", [0, -1, 100])
def test_a_claim_has_one_to_99_orders(ordinal: int) -> None:
    with pytest.raises(RecoveryConflictError, match="at most 99"):
        order_id("330800", ordinal)
    assert order_id("330800-001", 99) == "330800-001-R99"


def test_the_ledgers_number_is_the_keyed_hash_of_the_name() -> None:
    expected = hmac.new(b"k" * 32, b"yichu-recovery-1|C-1-R1", hashlib.sha256).digest()
    assert ledger_number(b"k" * 32, "C-1-R1") == expected
    assert ledger_number(b"x" * 32, "C-1-R1") != expected != ledger_number(b"k" * 32, "C-1-R2")


@pytest.mark.parametrize("reason", ["", "   ", "三个字", "x" * 501, "some\x00thing"])
def test_a_reason_is_no_empty_word(reason: str) -> None:
    with pytest.raises(RecoveryError, match="4 to 500"):
        check_reason(reason)


def test_a_reason_is_kept_without_blanks() -> None:
    assert check_reason("  已经核对 ") == "已经核对"


@pytest.mark.parametrize(
    ("recovery", "person", "error", "words"),
    [
        (Recovery(order()), "甲", RecoveryConflictError, "is open: there is nothing"),
        (Recovery(order(Cause.LOWER), TWO), "丙", RecoveryConflictError, "is open: there is"),
        (Recovery(order(Cause.LOWER), is_dismissed=True), "甲", RecoveryConflictError, "dismissed"),
        (Recovery(order(Cause.LOWER), TWO[:1]), "甲", SamePersonError, "another person must"),
    ],
)
def test_who_may_not_approve(
    recovery: Recovery, person: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        check_approval(recovery, person)


def test_the_second_person_may() -> None:
    check_approval(PROPOSED, "甲")
    check_approval(Recovery(order(Cause.LOWER), TWO[:1]), "乙")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"reference": ""}, RecoveryError, "reference"),
        ({"reference": "x" * 61}, RecoveryError, "reference"),
        ({"reference": "a\tb"}, RecoveryError, "reference"),
        ({"amount_fen": 0}, RecoveryError, "more than nothing"),
        ({"amount_fen": -5}, RecoveryError, "more than nothing"),
        ({"on": dt.date(2026, 11, 21)}, RecoveryError, "after today"),
        ({"amount_fen": 1_001}, RecoveryConflictError, "1000 fen are left, not 1001"),
        ({"recovery": PROPOSED}, RecoveryConflictError, "no money is owed"),
        ({"recovery": Recovery(order(), waiver=waiver(1_000))}, RecoveryConflictError, "waived"),
    ],
)
def test_money_that_cannot_be_that_of_the_order(
    change: dict[str, Any], error: type[Exception], words: str
) -> None:
    values = {"recovery": Recovery(order()), "reference": "B", "amount_fen": 1, "on": DAY} | change
    with pytest.raises(error, match=words):
        check_receipt(**values, today=DAY)


@pytest.mark.parametrize("fen", [1, 1_000])
def test_money_up_to_what_is_left_is_taken(fen: int) -> None:
    check_receipt(Recovery(order()), "x" * 60, fen, DAY, DAY)


ORDERED = Recovery(order())
SAID = [
    (lambda: order_id("C", 100), "一笔申请最多 99 次追款", "a claim has at most 99 recoveries"),
    (lambda: share(LayerAmounts(60, 40), 101), "金额应在 0 到 100 分之间",
     "the amount goes from 0 to 100 fen"),
    (lambda: monthly(100, 61, DAY), "期数应为 1 到 60", "a plan has 1 to 60 parts"),
    (lambda: monthly(2, 3, DAY), "每期至少一分钱", "each part is at least one fen"),
    (lambda: check_reason("错"), "请写明理由，4 到 500 字",
     "give a reason of 4 to 500 characters"),
    (lambda: check_approval(ORDERED, "甲"), "这笔追款现在是 open，不需要批准",
     "the recovery is open: there is nothing to approve"),
    (lambda: check_approval(Recovery(order(Cause.LOWER), TWO[:1]), "甲"),
     "您已批准过，需要另一个人", "you have approved it: another person must too"),
    (lambda: check_receipt(ORDERED, "", 1, DAY, DAY), "请写银行流水号，不超过 60 字",
     "give the bank's reference, up to 60 characters"),
    (lambda: check_receipt(ORDERED, "B", 0, DAY, DAY), "到账金额必须大于 0",
     "what came in is more than nothing"),
    (lambda: check_receipt(ORDERED, "B", 1, DUE, DAY), "到账日期不能在今天以后",
     "money does not come in after today"),
    (lambda: check_receipt(PROPOSED, "B", 1, DAY, DAY), "这笔追款现在是 proposed，不收款",
     "the recovery is proposed: no money is owed on it"),
    (lambda: check_receipt(ORDERED, "B", 1_001, DAY, DAY),
     "只欠 1000 分，不能收 1001 分；多收的请退回",
     "1000 fen are left, not 1001: give back what is too much"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "zh", "en"), SAID)
def test_what_each_refusal_says(act: Any, zh: str, en: str) -> None:
    with pytest.raises(DomainError) as caught:
        act()
    assert (caught.value.zh, caught.value.en) == (zh, en)


def test_the_first_and_the_last_that_pass() -> None:
    assert order_id("C", 1) == "C-R1"
    assert check_reason("核对无误") == "核对无误" and check_reason("x" * 500) == "x" * 500
    assert [fen for _, fen in monthly(60, 60, DAY)] == [1] * 60
    assert monthly(60, 60, dt.date(2026, 12, 31))[-1][0] == dt.date(2031, 11, 30)
    check_receipt(ORDERED, "x", 1_000, DAY, DAY)
